"""From the plan of a picture to its pixels."""

import random

from PIL import Image

from captioner.scenes.backdrop import SIDE, Backdrop
from captioner.scenes.brush import OVERSAMPLING, Brush
from captioner.scenes.colours import Ink, choose_shade
from captioner.scenes.kinds import KINDS
from captioner.scenes.places import PLACES
from captioner.scenes.plan import Scene


def draw_scene(scene: Scene, rng: random.Random) -> Image.Image:
    """Draw the background and then every figure; `rng` chooses shades and small differences."""
    backdrop = Backdrop(rng)
    PLACES[scene.background].paint(backdrop)
    inks = [Ink(thing.colour, choose_shade(thing.colour, rng)) for thing in scene.things]
    for figure in scene.figures:
        thing = scene.things[figure.thing]
        kind = KINDS[thing.kind]
        draw = kind.flying if kind.flying and thing.home == "air" else kind.draw
        brush = Brush(
            backdrop.image,
            x=figure.x * SIDE,
            y=figure.foot * SIDE,
            height=figure.height * SIDE,
            mirror=figure.mirror,
            angle=figure.angle,
        )
        draw(brush, inks[figure.thing], rng)
    return backdrop.image.reduce(OVERSAMPLING)
