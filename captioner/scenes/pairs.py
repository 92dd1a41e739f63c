"""Which two things go together and how, and which combinations only val and test show.

The held-out combinations are written down here, not drawn by lot: a training set of any size and
seed never shows one, so a model that names them right has put together words that it never saw
together (Atzmon et al. 2016, arXiv:1608.07639; Nikolaus et al. 2019, arXiv:1909.04402).
"""

import itertools

from captioner.scenes.kinds import KINDS

Pair = tuple[str, str, str]
"""A relation and two kinds: `("on", "cat", "chair")` is a cat on a chair.

Of two things next to each other, the first is the one that `KINDS` lists first.
"""

INVERSES = {"next to": "next to", "above": "under", "in front of": "behind"}
"""What the second thing is to the first, where people say it that way as well."""

FLYERS = ("bird", "kite", "balloon", "airplane", "butterfly")

BASES = {
    "chair": ("cat", "dog", "hat", "book", "ball", "bird"),
    "sofa": ("cat", "dog", "hat", "book", "ball"),
    "book": ("apple", "cup", "hat", "clock", "lamp"),
    "car": ("cat", "bird", "hat"),
    "house": ("bird", "cat"),
    "bus": ("bird", "cat"),
    "truck": ("bird", "cat"),
    "mushroom": ("bird", "butterfly"),
    "flower": ("butterfly", "bird"),
    "hat": ("apple", "bird", "butterfly"),
}
"""What can be on what."""

SHELTERS = {
    "umbrella": ("dog", "cat", "chair", "ball", "duck", "hat", "flower", "mushroom"),
    "tree": ("dog", "cat", "chair", "ball", "duck", "hat", "flower", "mushroom"),
    "chair": ("ball", "cat", "duck", "hat"),
}
"""What can be under what."""

FAR = {
    "house": (
        "dog",
        "cat",
        "bicycle",
        "chair",
        "flower",
        "ball",
        "duck",
        "car",
        "umbrella",
        "mushroom",
    ),
    "bus": ("dog", "cat", "bicycle", "chair", "ball", "duck", "flower"),
    "truck": ("dog", "cat", "bicycle", "chair", "ball", "duck", "flower"),
    "car": ("dog", "cat", "ball", "duck", "flower", "chair"),
    "tree": ("car", "bicycle", "bird"),
    "sofa": ("dog", "cat", "ball", "chair", "hat"),
    "lamp": ("apple", "cup", "book", "clock", "hat"),
}
"""What can be in front of what."""

GROUNDED = ("bus", "car", "truck", "house", "tree", "boat", "dog", "cat", "duck",
            "bicycle", "chair", "flower", "mushroom", "umbrella")  # fmt: skip
"""What something can fly above."""


def _list_neighbours() -> tuple[Pair, ...]:
    """Pairs that are found in one place, none of them much larger than the other."""
    return tuple(
        ("next to", first, second)
        for first, second in itertools.combinations(KINDS, 2)
        if abs(KINDS[first].bulk - KINDS[second].bulk) <= 1
        and (set(KINDS[first].homes) & set(KINDS[second].homes)) - {"air"}
    )


PAIRS: dict[str, tuple[Pair, ...]] = {
    "next to": _list_neighbours(),
    "on": tuple(("on", top, base) for base, tops in BASES.items() for top in tops),
    "under": tuple(("under", low, high) for high, lows in SHELTERS.items() for low in lows),
    "above": tuple(("above", flyer, low) for flyer in FLYERS for low in GROUNDED),
    "in front of": tuple(
        ("in front of", near, far) for far, nears in FAR.items() for near in nears
    ),
}
"""Every pair that can be drawn, by relation."""

HELD_OUT_COLOURS: dict[str, tuple[tuple[str, str], ...]] = {
    "val": (
        ("green", "car"), ("purple", "bus"), ("blue", "truck"), ("yellow", "bicycle"),
        ("orange", "boat"), ("red", "bird"), ("pink", "fish"), ("black", "cat"),
        ("purple", "umbrella"), ("white", "chair"), ("blue", "cup"), ("red", "book"),
        ("green", "hat"), ("yellow", "balloon"),
    ),
    "test": (
        ("yellow", "car"), ("green", "bus"), ("red", "truck"), ("blue", "bicycle"),
        ("purple", "airplane"), ("red", "boat"), ("pink", "house"), ("orange", "flower"),
        ("white", "dog"), ("yellow", "fish"), ("green", "umbrella"), ("red", "chair"),
        ("purple", "cup"), ("orange", "ball"), ("green", "kite"), ("blue", "butterfly"),
    ),
}  # fmt: skip
"""Colours that a kind has in this split alone."""

HELD_OUT_PAIRS: dict[str, tuple[Pair, ...]] = {
    "val": (
        ("next to", "dog", "umbrella"), ("next to", "cup", "book"), ("next to", "car", "bus"),
        ("next to", "bird", "ball"), ("on", "dog", "sofa"), ("on", "bird", "car"),
        ("on", "apple", "book"), ("under", "cat", "umbrella"), ("under", "chair", "tree"),
        ("above", "kite", "tree"), ("above", "bird", "boat"), ("above", "airplane", "car"),
        ("in front of", "cat", "house"), ("in front of", "bicycle", "bus"),
    ),
    "test": (
        ("next to", "bicycle", "dog"), ("next to", "cup", "apple"), ("next to", "truck", "house"),
        ("next to", "cat", "chair"), ("next to", "flower", "mushroom"), ("on", "cat", "chair"),
        ("on", "bird", "house"), ("on", "cup", "book"), ("under", "dog", "umbrella"),
        ("under", "ball", "chair"), ("above", "balloon", "house"), ("above", "bird", "car"),
        ("above", "butterfly", "flower"), ("in front of", "dog", "house"),
        ("in front of", "bicycle", "tree"), ("in front of", "cat", "sofa"),
    ),
}  # fmt: skip
"""Pairs of kinds that stand in this relation in this split alone."""
