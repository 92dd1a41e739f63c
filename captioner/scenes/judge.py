"""Whether what a caption says about a drawn picture is true.

The truth about a drawn picture is known, so a caption can be held against it: are the things that
it names there, and have they the colours that it gives them? Scores that compare words with words
(BLEU, CIDEr) forgive a wrong colour in an otherwise likely sentence; this does not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from captioner.scenes.kinds import ALL, KINDS
from captioner.scenes.places import PLACES

COLOURS = {
    **{colour: colour for colour in ALL},
    "grey": "gray",
    "violet": "purple",
    "golden": "yellow",
}
"""The words for colours."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "airplane": ("aeroplane", "aeroplanes", "jet", "jets"),
    "boat": ("sailboats", "ship", "ships", "yacht", "yachts"),
    "car": ("automobiles", "cab", "cabs"),
    "cat": ("kitty", "kitties"),
    "chair": ("seat", "seats"),
    "dog": ("hound", "hounds", "pup", "pups"),
    "duck": ("duckling", "ducklings"),
    "fish": ("fishes",),
    "house": ("cottages",),
    "mushroom": ("toadstool", "toadstools"),
    "sofa": ("couches", "settee", "settees"),
    "truck": ("lorry", "lorries"),
    "umbrella": ("parasol", "parasols"),
}
"""What the captions of the data set never say, but a model that learned from others might."""

_BACKGROUND_WORDS = """
    meadow meadows grass field fields hill hills beach sand sea ocean water waters street
    streets city road roads building buildings snow winter desert dune dunes sky night dark moon
    star stars sun forest woods wood lake mountain mountains sunset evening cloud clouds wave
    waves seaweed bubbles bubble room floor wall walls window table ground background picture
    drawing image photo scene side day light shore horizon land leaf leaves air
"""
BACKGROUND = frozenset(_BACKGROUND_WORDS.split())
"""Nouns that are part of the background: a colour before one says nothing about a thing."""

_COPULAS = frozenset(
    ("is", "are", "was", "were", "being", "looks", "painted", "colored", "coloured")
)
_BOUNDARY_WORDS = """
    a an the one two three four five some several many in on at of over above under below
    beneath behind beside near by with next to front top into from around among through there it
    its this that which who while but or has have having pair standing sitting flying floating
    parked lying resting growing blooming swimming sailing driving waiting placed open stopped
    riding running walking hanging
"""
_BOUNDARIES = frozenset(_BOUNDARY_WORDS.split())
_ARTICLES = frozenset(("a", "an", "the", "one"))
_LINKS = frozenset(("that", "which", "who"))
_ENDS = frozenset((".", ",", ";", "while", "but"))


@dataclass(frozen=True)
class Verdict:
    """What holds of one caption."""

    things_right: bool
    """Whether all things named are there."""
    colours_right: bool
    """Whether every colour stated of a thing is that thing's colour."""
    named: int
    """How many things the caption names."""
    colours: int = 0
    """How many colours it states of things."""


@dataclass
class _Mention:
    """A thing or a part of the background, where the caption names it."""

    kind: str | None
    """None for the background."""
    colours: list[str] = field(default_factory=list)


def _list_words() -> dict[str, str]:
    """Every word for a thing, singular and plural, with its kind; of "alarm clock" the noun."""
    words: dict[str, str] = {}
    for name, kind in KINDS.items():
        known = (*kind.words, *kind.plurals, *SYNONYMS.get(name, ()))
        words.update((word.split()[-1], name) for word in known)
    return words


_THINGS = _list_words()


def parse_caption(caption: str) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Find the things in a caption and their colours.

    Args:
        caption: Ordinary words, not necessarily grammatical.

    Returns:
        The things named, each with the colours stated of it, and the colours that belong to
        nothing that was named.

    Example:

        >>> parse_caption("A red car and a dog under the blue sky; the dog is brown.")
        ([('car', ['red']), ('dog', []), ('dog', ['brown'])], [])
        >>> parse_caption("something green on the grass")
        ([], ['green'])
    """
    reader = _Reader()
    for word in re.findall(r"[a-z]+|[.,;]", caption.lower()):
        reader.read(word)
    reader.flush()
    things = [(m.kind, m.colours) for m in reader.mentions if m.kind is not None]
    return things, reader.loose


class _Reader:
    """Reads a caption word by word and keeps in mind what a colour could belong to."""

    def __init__(self) -> None:
        self.mentions: list[_Mention] = []
        self.loose: list[str] = []
        self._pending: list[str] = []
        self._subjects: list[_Mention] = []
        self._holders: list[_Mention] = []
        self._joined = False
        self._linked = False
        self._has_verb = False

    def read(self, word: str) -> None:
        if word in COLOURS:
            self._pending.append(COLOURS[word])
        elif word in _THINGS or word in BACKGROUND:
            self._meet_noun(_THINGS.get(word))
        elif word in _COPULAS:
            self._meet_verb()
        elif word == "and":
            self._meet_and()
        elif word in _ENDS:
            self.flush()
            self._begin_clause()
        elif word in _BOUNDARIES:
            # "A red and a blue bird": red waits for the bird. "It is red and the bird": no.
            if not self._joined or word not in _ARTICLES or self._holders:
                self.flush()
            self._joined = self._joined and word in _ARTICLES
            self._linked = word in _LINKS

    def _meet_noun(self, kind: str | None) -> None:
        if self._joined and self._holders:
            self.flush()
        mention = _Mention(kind, self._pending)
        self.mentions.append(mention)
        if self._has_verb and self._joined:
            self._begin_clause()
        if not self._subjects or (self._joined and not self._has_verb):
            self._subjects.append(mention)
        self._pending, self._holders = [], []
        self._joined = self._linked = False

    def _meet_verb(self) -> None:
        self.flush()
        # "The car that is red": the nearest noun. "The car on the grass is red": the first one.
        self._holders = self.mentions[-1:] if self._linked else self._subjects[:]
        self._has_verb = self._has_verb or not self._linked
        self._linked = False

    def _meet_and(self) -> None:
        if not self._pending:
            self._holders = []
        self._joined = True

    def _begin_clause(self) -> None:
        self._subjects, self._holders = [], []
        self._has_verb = self._linked = self._joined = False

    def flush(self) -> None:
        """Give the colours that no noun followed to what they were said of."""
        for mention in self._holders:
            mention.colours += self._pending
        if not self._holders:
            self.loose += self._pending
        self._pending, self._holders = [], []


def judge_caption(caption: str, scene: dict) -> Verdict:
    """Hold a caption against the truth about its picture.

    Args:
        caption: Ordinary words, not necessarily grammatical.
        scene: The `scene` of an image in a captions file: `background`, and `things` with their
            `kind` and `colour`.

    Example: a red car in a meadow.

        >>> scene = {"background": "meadow", "things": [{"kind": "car", "colour": "red"}]}
        >>> judge_caption("a red car in a green meadow", scene)
        Verdict(things_right=True, colours_right=True, named=1, colours=1)
        >>> judge_caption("a blue car", scene).colours_right
        False
        >>> judge_caption("a dog next to a car", scene).things_right
        False
    """
    named, loose = parse_caption(caption)
    truth: dict[str, set[str]] = {}
    for kind, colours in PLACES[scene["background"]].shows.items():
        truth[kind] = set(colours)
    for thing in scene["things"]:
        truth.setdefault(thing["kind"], set()).add(thing["colour"])
    there = {thing["colour"] for thing in scene["things"]}
    return Verdict(
        things_right=all(kind in truth for kind, _ in named),
        colours_right=all(set(colours) <= truth.get(kind, set()) for kind, colours in named)
        and set(loose) <= there,
        named=len(named),
        colours=sum(len(colours) for _, colours in named) + len(loose),
    )


def judge_captions(captions: Sequence[str], scenes: Sequence[dict]) -> dict[str, float | int]:
    """Shares of the pictures whose captions are true, over all and over held-out combinations.

    Args:
        captions: One caption for each picture.
        scenes: The `scene` of each picture, in the same order.

    Returns:
        `things_right`: share of the pictures whose caption names at least one thing and only
        things that are there. `colours_stated`: share whose caption states a colour of a thing.
        `colours_right`: of these, the share in which every one is right. Each comes with
        `num_...`, the number of pictures that it is a share of, and again with `_held_out`, over
        the held-out pictures alone. A share of no pictures is 0.

    Raises:
        ValueError: if there are not as many captions as scenes.

    Example: one caption is right, one has the wrong colour.

        >>> scene = {"background": "sea", "held_out": None,
        ...          "things": [{"kind": "boat", "colour": "red"}]}
        >>> shares = judge_captions(["a red boat", "a black boat"], [scene, scene])
        >>> shares["things_right"], shares["colours_right"], shares["num_colours_right"]
        (1.0, 0.5, 2)
    """
    if len(captions) != len(scenes):
        raise ValueError(f"{len(captions)} captions for {len(scenes)} scenes")
    verdicts = [judge_caption(c, s) for c, s in zip(captions, scenes, strict=True)]
    held_out = [v for v, s in zip(verdicts, scenes, strict=True) if s["held_out"] is not None]
    return {**_count(verdicts, ""), **_count(held_out, "_held_out")}


def _count(verdicts: list[Verdict], suffix: str) -> dict[str, float | int]:
    stated = [verdict for verdict in verdicts if verdict.colours]
    rows = {
        "things_right": (verdicts, [v for v in verdicts if v.named and v.things_right]),
        "colours_stated": (verdicts, stated),
        "colours_right": (stated, [v for v in stated if v.colours_right]),
    }
    shares: dict[str, float | int] = {}
    for name, (out_of, good) in rows.items():
        shares[name + suffix] = len(good) / len(out_of) if out_of else 0.0
        shares[f"num_{name}{suffix}"] = len(out_of)
    return shares
