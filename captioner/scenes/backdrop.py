"""A picture that is painted from the back to the front, before any thing stands in it."""

import math
import random
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from captioner.scenes.brush import OVERSAMPLING, SIZE
from captioner.scenes.colours import RGB, mix

SIDE = SIZE * OVERSAMPLING
"""Side of a picture while it is drawn, in pixels."""


class Backdrop:
    """A picture that is painted from the back to the front; lengths are shares of its side."""

    def __init__(self, rng: random.Random) -> None:
        self.image = Image.new("RGB", (SIDE, SIDE))
        self.rng = rng
        self._plain = ImageDraw.Draw(self.image)
        self._glazing = ImageDraw.Draw(self.image, "RGBA")

    def _draw(self, colour: tuple[int, ...]) -> ImageDraw.ImageDraw:
        return self._plain if len(colour) == 3 else self._glazing

    def gradient(self, top: float, bottom: float, *colours: RGB) -> None:
        """Fill the whole width from `top` to `bottom`, one colour melting into the next."""
        start, end = round(top * SIDE), round(bottom * SIDE)
        self.image.paste(_ramp(colours, end - start), (0, start))

    def polygon(self, points: list[tuple[float, float]], colour: tuple[int, ...]) -> None:
        self._draw(colour).polygon([SIDE * v for point in points for v in point], fill=colour)

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: tuple[int, ...]
    ) -> None:
        self._draw(colour).rectangle([SIDE * v for v in (left, top, right, bottom)], fill=colour)

    def ellipse(
        self, x: float, y: float, across: float, up: float, colour: tuple[int, ...]
    ) -> None:
        box = [SIDE * v for v in (x - across, y - up, x + across, y + up)]
        self._draw(colour).ellipse(box, fill=colour)

    def line(
        self, points: list[tuple[float, float]], colour: tuple[int, ...], width: float
    ) -> None:
        flat = [SIDE * v for point in points for v in point]
        self._draw(colour).line(flat, fill=colour, width=max(1, round(width * SIDE)))

    def hills(self, level: float, swing: float, waves: float, colour: RGB) -> None:
        """Rolling ground whose edge swings around `level`, down to the lower edge."""
        phase, other = self.rng.uniform(0, 6.28), self.rng.uniform(0, 6.28)
        edge = [
            (
                x / 32,
                level
                - swing
                * (math.sin(waves * x / 5 + phase) + 0.5 * math.sin(waves * x / 2.3 + other))
                / 1.5,
            )
            for x in range(33)
        ]
        self.polygon([*edge, (1, 1), (0, 1)], colour)

    def clouds(self, lowest: float, colour: RGB, most: int = 4) -> None:
        """Up to `most` clouds above `lowest`."""
        for _ in range(self.rng.randint(1, most)):
            x, y, size = (
                self.rng.random(),
                self.rng.uniform(0.06, lowest),
                self.rng.uniform(0.05, 0.09),
            )
            self.ellipse(
                x,
                y + 0.3 * size,
                1.9 * size,
                0.42 * size,
                (*mix(colour, (130, 150, 190), 0.2), 255),
            )
            for dx, dy, r in ((-1, 0, 0.6), (-0.2, -0.35, 0.8), (0.7, -0.1, 0.65), (0.1, 0.1, 0.8)):
                self.ellipse(x + dx * size, y + dy * size, r * size, r * 0.75 * size, colour)

    def specks(
        self, top: float, bottom: float, count: int, colours: list[RGB], long: float, tall: float
    ) -> None:
        """Little marks that give the ground a texture, larger towards the lower edge."""
        for _ in range(count):
            depth = self.rng.random()
            x, y, near = self.rng.random(), top + depth * (bottom - top), 0.4 + 0.6 * depth
            self.ellipse(x, y, long * near, tall * near, self.rng.choice(colours))

    def tufts(self, top: float, bottom: float, count: int, colours: list[RGB]) -> None:
        """Blades of grass."""
        for _ in range(count):
            depth = self.rng.random()
            x, y, tall = self.rng.random(), top + depth * (bottom - top), 0.012 + 0.03 * depth
            colour = self.rng.choice(colours)
            for lean in (-0.4, 0.05, 0.45):
                self.polygon([(x - 0.003, y), (x + lean * tall, y - tall), (x + 0.004, y)], colour)

    def ripples(self, top: float, bottom: float, count: int, colours: list[RGB]) -> None:
        """Flat light and dark marks on water."""
        for _ in range(count):
            depth = self.rng.random() ** 0.8
            x, y, wide = self.rng.random(), top + depth * (bottom - top), 0.012 + 0.06 * depth
            arc = [
                (x + wide * t, y - 0.006 * (0.4 + depth) * (1 - t * t))
                for t in (-1, -0.5, 0, 0.5, 1)
            ]
            self.line(arc, self.rng.choice(colours), 0.004 + 0.005 * depth)


@cache
def _ramp(colours: tuple[RGB, ...], height: int) -> Image.Image:
    at = np.linspace(0, len(colours) - 1, height)
    channels = [np.interp(at, np.arange(len(colours)), [c[i] for c in colours]) for i in range(3)]
    column = np.stack(channels, axis=1).round().astype(np.uint8)[:, None]
    return Image.fromarray(np.repeat(column, SIDE, axis=1))
