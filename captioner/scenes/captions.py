"""Five captions of a scene, as five people would write them: all true, none the whole truth."""

import random
import re

from captioner.scenes.kinds import KINDS
from captioner.scenes.pairs import INVERSES
from captioner.scenes.places import PLACES
from captioner.scenes.plan import Scene, Thing

NUM_CAPTIONS = 5
MOST_WORDS = 16

RELATION_WORDS = {
    "next to": ("next to", "next to", "beside", "near", "by"),
    "on": ("on", "on", "on top of"),
    "under": ("under", "under", "below", "beneath"),
    "above": ("above", "above", "over"),
    "in front of": ("in front of",),
    "behind": ("behind",),
}
"""How people say each relation, the usual words more often."""

OPPOSITES = {**INVERSES, **{inverse: relation for relation, inverse in INVERSES.items()}}
"""What the second thing is to the first."""

NUMBERS = {
    2: ("two", "two", "a pair of"),
    3: ("three", "three", "three", "some"),
    4: ("four", "four", "several"),
}
Forms = list[tuple[int, str]]
"""Captions, each with the weight of its form: how often people write so."""

GRAY = ("gray", "gray", "grey")


def add_article(phrase: str) -> str:
    """The phrase after "a" or "an".

    Example:

        >>> add_article("orange boat"), add_article("boat")
        ('an orange boat', 'a boat')
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def write_captions(scene: Scene, rng: random.Random) -> list[str]:
    """Write five captions, no two the same once case and punctuation are taken away.

    One of them names every thing with its colour; each other one leaves out what its writer did
    not care for. No two share a form, and none is longer than sixteen words.
    """
    list_forms = _list_forms_of_two if len(scene.things) == 2 else _list_forms_of_one
    captions: dict[str, str] = {}
    used: set[int] = set()
    while len(captions) < NUM_CAPTIONS:
        # The words are chosen anew for every caption, the forms stay in one order.
        forms = list_forms(scene, rng, full=not captions)
        weights = [0 if i in used else weight for i, (weight, _) in enumerate(forms)]
        form = rng.choices(range(len(forms)), weights)[0]
        caption = forms[form][1]
        words = re.sub(r"[^a-z ]", "", caption.lower())
        if len(words.split()) <= MOST_WORDS and words not in captions:
            captions[words] = caption
            used.add(form)
    chosen = list(captions.values())
    rng.shuffle(chosen)
    return [_finish(caption, rng) for caption in chosen]


def _finish(caption: str, rng: random.Random) -> str:
    """Some people write a sentence with a capital letter and a full stop, some do not."""
    return caption[0].upper() + caption[1:] + "." if rng.random() < 0.5 else caption


def _name(thing: Thing, rng: random.Random) -> str:
    """The noun alone, the usual one most of the time."""
    words = KINDS[thing.kind].plurals if thing.count > 1 else KINDS[thing.kind].words
    return words[0] if rng.random() < 0.8 else rng.choice(words)


def _say_colour(thing: Thing, rng: random.Random) -> str:
    return rng.choice(GRAY) if thing.colour == "gray" else thing.colour


def _say_size(scene: Scene, thing: Thing, rng: random.Random) -> str:
    """A word for the size of a lone thing, where it is plainly large or small in the picture."""
    if len(scene.figures) > 1:
        return ""
    left, top, right, bottom = scene.figures[0].box(KINDS[thing.kind].shape(thing.home))
    area = (right - left) * (bottom - top)
    if area > 0.42:
        return rng.choice(("big ", "large "))
    return rng.choice(("small ", "little ")) if area < 0.17 else ""


def _describe(scene: Scene, thing: Thing, rng: random.Random, colour: float = 0.75) -> str:
    """A noun phrase; `colour` is the probability that it says the colour."""
    phrase = _name(thing, rng)
    if rng.random() < colour:
        phrase = f"{_say_colour(thing, rng)} {phrase}"
    if rng.random() < 0.3:
        phrase = _say_size(scene, thing, rng) + phrase
    if thing.count > 1:
        return f"{rng.choice(NUMBERS[thing.count])} {phrase}"
    return f"one {phrase}" if rng.random() < 0.05 else add_article(phrase)


def _say_doing(thing: Thing, rng: random.Random) -> str:
    if thing.home == "air":
        return "floating" if thing.kind == "balloon" and rng.random() < 0.5 else "flying"
    if thing.home == "water" and thing.kind == "duck":
        return rng.choice(("swimming", "floating"))
    return rng.choice(KINDS[thing.kind].doing)


def _say_where(scene: Scene, thing: Thing, rng: random.Random) -> str:
    place = PLACES[scene.background]
    return rng.choice(place.above if thing.home == "air" else place.here)


def _list_forms_of_one(scene: Scene, rng: random.Random, full: bool) -> Forms:
    """What can be said of one thing or of several of a kind; `full` leaves nothing out."""
    thing = scene.things[0]
    several = thing.count > 1
    phrase = _describe(scene, thing, rng, colour=1.0 if full else 0.75)
    doing, where = _say_doing(thing, rng), _say_where(scene, thing, rng)
    scenery = rng.choice(PLACES[scene.background].scenery)
    verb = "are" if several else "is"
    forms = [
        (4, f"{phrase} {where}"),
        (5, f"{phrase} {doing} {where}"),
        (4, f"{phrase} {verb} {doing} {where}"),
        (3, f"there {verb} {phrase} {where}"),
        (2, f"{phrase} with {scenery}"),
        (2, f"{phrase} {doing} with {scenery}"),
        (1, f"{rng.choice(('a picture', 'a drawing'))} of {phrase} {where}"),
        (1, f"{phrase} can be seen {where}"),
    ]
    if not full:
        forms += [
            (2, f"the {_name(thing, rng)} {doing} {where} {verb} {_say_colour(thing, rng)}"),
            (1, f"the {_name(thing, rng)} {where} {verb} {_say_colour(thing, rng)}"),
            (1, f"{phrase} in the picture"),
        ]
        side = _say_side(scene)
        if side:
            forms += [(2, f"{phrase} on the {side} side of the picture")]
    return forms


def _say_side(scene: Scene) -> str:
    """Left or right, where a lone thing is plainly off the middle."""
    if len(scene.figures) > 1 or abs(scene.figures[0].x - 0.5) < 0.1:
        return ""
    return "left" if scene.figures[0].x < 0.5 else "right"


def _list_forms_of_two(scene: Scene, rng: random.Random, full: bool) -> Forms:
    """What can be said of two things; `full` leaves nothing out."""
    assert scene.relation is not None
    first, second = scene.things
    colour = 1.0 if full else 0.7
    one, other = _describe(scene, first, rng, colour), _describe(scene, second, rng, colour)
    relation = rng.choice(RELATION_WORDS[scene.relation])
    doing = _say_doing(first, rng)
    if scene.relation == "on" and first.kind in ("dog", "cat", "bird", "butterfly"):
        doing = "resting" if first.kind == "butterfly" else rng.choice(("sitting", "standing"))
        doing = "sitting" if first.kind == "cat" else doing
    ground = second if first.home == "air" else first
    where = _say_where(scene, ground, rng)
    scenery = rng.choice(PLACES[scene.background].scenery)
    forms = [
        (5, f"{one} {relation} {other}"),
        (4, f"{one} {doing} {relation} {other}"),
        (4, f"{one} is {doing} {relation} {other}"),
        (3, f"there is {one} {relation} {other}"),
        (2, f"{one} {relation} {other} with {scenery}"),
    ]
    # "In a field" goes with both, but who flies is not "on the grass", nor who sits on a chair.
    if scene.relation != "on":
        forms += [(4, f"{one} {relation} {other} {where}")]
    both = where if first.home == second.home and scene.relation != "on" else f"with {scenery}"
    forms += [(3, f"{one} and {other} {both}")]
    if scene.relation in OPPOSITES:
        opposite = OPPOSITES[scene.relation]
        forms += [(3, f"{other} {rng.choice(RELATION_WORDS[opposite])} {one}")]
        if opposite != "next to":
            forms += [(2, f"{other} with {one} {scene.relation} it")]
    else:
        forms += [(4, f"{other} with {one} on it")]
    if not full:
        shown = _name(first, rng), _name(second, rng)
        tint = _say_colour(first, rng)
        forms += [(2, f"the {shown[0]} {relation} the {shown[1]} is {tint}")]
        forms += [(1, f"{other} {_say_where(scene, second, rng)}")]
        if scene.relation != "on":
            forms += [(1, f"{one} {_say_where(scene, first, rng)}")]
    return forms
