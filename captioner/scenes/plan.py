"""What a picture shows: chosen by lot, before anything is drawn."""

import random
from dataclasses import dataclass

from captioner.scenes.kinds import KINDS
from captioner.scenes.layout import Figure, arrange_group, arrange_pair
from captioner.scenes.pairs import (
    HELD_OUT_COLOURS,
    HELD_OUT_PAIRS,
    INVERSES,
    PAIRS,
    Pair,
)
from captioner.scenes.places import PLACES

FORMS = {"one": 0.45, "several": 0.20, "two": 0.35}
"""Shares of pictures with one thing, with several of a kind, and with two things in a relation."""

RELATIONS = {"next to": 0.3, "on": 0.2, "under": 0.12, "above": 0.2, "in front of": 0.18}
"""Shares of the relations among pictures with two things."""

SEEN_AGAINST_SKY = ("tree", "umbrella")
"""Kinds that stand on the ground and have their colour high above it."""

ALIKE = ({"red", "orange"}, {"brown", "black"}, {"white", "gray"}, {"orange", "yellow"})
"""Colours that two things in one picture do not have."""

NEVER = frozenset(combination for split in HELD_OUT_COLOURS.values() for combination in split)
NEVER_PAIRS = frozenset(pair for split in HELD_OUT_PAIRS.values() for pair in split)


@dataclass(frozen=True)
class Thing:
    """One or several of a kind, of one colour."""

    kind: str
    colour: str
    count: int
    home: str
    """Where it is: one of `Kind.homes`."""


@dataclass(frozen=True)
class Scene:
    """All that the captions may say about a picture."""

    background: str
    things: tuple[Thing, ...]
    relation: str | None
    """What the first thing is to the second."""
    held_out: str | None
    """ "colour" or "relation" where the picture shows what no picture of train shows."""
    figures: tuple[Figure, ...]
    """Where everything is, in the order in which it is drawn."""

    def describe(self) -> dict:
        """The truth about the picture, as it is written into the captions file."""
        things = [
            {
                "kind": thing.kind,
                "colour": thing.colour,
                "count": thing.count,
                "boxes": [
                    [round(edge, 3) for edge in figure.box(KINDS[thing.kind].shape(thing.home))]
                    for figure in self.figures
                    if figure.thing == i
                ],
            }
            for i, thing in enumerate(self.things)
        ]
        return {
            "background": self.background,
            "things": things,
            "relation": self.relation,
            "held_out": self.held_out,
        }


def plan_scene(rng: random.Random, split: str, index: int) -> Scene:
    """Choose what picture `index` of a split shows.

    In val and test every other picture shows a held-out combination, a colour and a relation in
    turn; all other pictures show only what train shows too.

    Example:

        >>> scene = plan_scene(random.Random(0), "test", 0)
        >>> (scene.things[0].colour, scene.things[0].kind) in HELD_OUT_COLOURS["test"]
        True
    """
    held_out = {0: "colour", 2: "relation"}.get(index % 4) if split != "train" else None
    while True:
        scene = _propose(rng, split, held_out)
        if scene is not None:
            return scene


def _propose(rng: random.Random, split: str, held_out: str | None) -> Scene | None:
    """One try; None where the choices do not fit together."""
    form = rng.choices(list(FORMS), list(FORMS.values()))[0]
    main = rng.choice(HELD_OUT_COLOURS[split]) if held_out == "colour" else None
    if held_out == "relation":
        return _propose_pair(rng, rng.choice(HELD_OUT_PAIRS[split]), main, held_out)
    if form != "two":
        return _propose_group(rng, form, main, held_out)
    pair = _choose_pair(rng, main[1] if main else None)
    return _propose_pair(rng, pair, main, held_out) if pair else None


def _choose_pair(rng: random.Random, kind: str | None) -> Pair | None:
    """A pair that train shows, with `kind` in it where one is given."""
    relation = rng.choices(list(RELATIONS), list(RELATIONS.values()))[0]
    pairs = [p for p in PAIRS[relation] if p not in NEVER_PAIRS and (kind is None or kind in p[1:])]
    return rng.choice(pairs) if pairs else None


def _choose_colour(rng: random.Random, kind: str, hidden: set[str]) -> str | None:
    """A colour that `kind` has in train, and that can be seen there."""
    colours = [c for c in KINDS[kind].colours if (c, kind) not in NEVER and c not in hidden]
    return rng.choice(colours) if colours else None


def _list_hidden(background: str, kind: str, home: str) -> set[str]:
    """Colours that would be lost against what is behind the thing."""
    place = PLACES[background]
    against_sky = home == "air" or kind in SEEN_AGAINST_SKY
    return set(place.sky if against_sky else place.ground)


def _propose_group(
    rng: random.Random, form: str, main: tuple[str, str] | None, held_out: str | None
) -> Scene | None:
    kind = main[1] if main else rng.choice(list(KINDS))
    home = rng.choice(KINDS[kind].homes)
    background = rng.choice([name for name, place in PLACES.items() if home in place.homes])
    hidden = _list_hidden(background, kind, home)
    colour = main[0] if main else _choose_colour(rng, kind, hidden)
    if colour is None or colour in hidden:
        return None
    most = 4 if KINDS[kind].bulk == 1 else 3
    count = 1 if form == "one" else rng.choice([2, 2, 3, 3, 4][: 2 * most - 3])
    thing = Thing(kind, colour, count, home)
    figures = arrange_group(rng, KINDS[kind].shape(home), home, PLACES[background].horizon, count)
    return Scene(background, (thing,), None, held_out, figures)


def _propose_pair(
    rng: random.Random, pair: Pair, main: tuple[str, str] | None, held_out: str | None
) -> Scene | None:
    relation, first, second = pair
    homes = _choose_homes(rng, pair)
    backgrounds = [n for n, p in PLACES.items() if homes and set(homes) <= set(p.homes)]
    if homes is None or not backgrounds:
        return None
    background = rng.choice(backgrounds)
    colours = []
    for kind, home in zip((first, second), homes, strict=True):
        hidden = _list_hidden(background, kind, home)
        fixed = main[0] if main and main[1] == kind else None
        colour = fixed or _choose_colour(rng, kind, hidden)
        if colour is None or colour in hidden:
            return None
        colours.append(colour)
    if colours[0] == colours[1] or set(colours) in ALIKE:
        return None
    things = tuple(
        Thing(kind, colour, 1, home)
        for kind, colour, home in zip((first, second), colours, homes, strict=True)
    )
    figures = arrange_pair(
        rng, relation, (KINDS[first], KINDS[second]), homes[1], PLACES[background].horizon
    )
    # Half the time the picture is told from the other thing's side, as people do; but a held-out
    # colour comes first.
    turned = main[1] == second if main else rng.random() < 0.5
    if turned and relation in INVERSES:
        return Scene(
            background,
            things[::-1],
            INVERSES[relation],
            held_out,
            tuple(figure.swapped() for figure in figures),
        )
    return Scene(background, things, relation, held_out, figures)


def _choose_homes(rng: random.Random, pair: Pair) -> tuple[str, str] | None:
    """Where the two are, or None where they do not meet."""
    relation, first, second = pair
    if relation == "above":
        homes = [home for home in KINDS[second].homes if home in ("land", "water")]
        return ("air", rng.choice(homes)) if homes else None
    if relation == "on":
        # What lies on a thing is where that thing is; a bird on a roof is not on the ground.
        home = rng.choice([home for home in KINDS[second].homes if home != "air"])
        return home, home
    shared = [h for h in KINDS[first].homes if h in KINDS[second].homes and h != "air"]
    if not shared:
        return None
    home = rng.choice(shared)
    return home, home
