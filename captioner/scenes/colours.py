"""The colours of things: their names, their ranges of shades, and the paints mixed from a shade."""

import colorsys
import random
from dataclasses import dataclass

RGB = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

SHADES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((352, 363), (0.82, 0.95), (0.78, 0.90)),
    "orange": ((24, 30), (0.90, 1.00), (0.95, 1.00)),
    "yellow": ((48, 53), (0.78, 0.92), (0.96, 1.00)),
    "green": ((112, 142), (0.62, 0.80), (0.50, 0.66)),
    "blue": ((212, 224), (0.76, 0.90), (0.72, 0.90)),
    "purple": ((272, 284), (0.60, 0.74), (0.54, 0.70)),
    "pink": ((332, 340), (0.38, 0.48), (0.97, 1.00)),
    "brown": ((20, 27), (0.56, 0.68), (0.40, 0.50)),
    "black": ((200, 260), (0.00, 0.15), (0.12, 0.17)),
    "white": ((30, 60), (0.00, 0.03), (0.96, 1.00)),
    "gray": ((200, 220), (0.02, 0.06), (0.50, 0.60)),
}
"""Hue in degrees, saturation and value of each colour, as (least, most).

Eleven basic colour terms (Berlin and Kay 1969). The ranges keep well apart, so that no two people
would give one shade two names.
"""


def mix(colour: RGB, other: RGB, share: float) -> RGB:
    """The colour that lies `share` of the way to `other`.

    Example:

        >>> mix((0, 100, 200), (100, 100, 100), 0.5)
        (50, 100, 150)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def choose_shade(colour: str, rng: random.Random) -> RGB:
    """A shade that everybody would call `colour`.

    Example:

        >>> red, green, blue = choose_shade("red", random.Random(0))
        >>> red > 190 and green < 60 and blue < 60
        True
    """
    hue, saturation, value = (rng.uniform(least, most) for least, most in SHADES[colour])
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


@dataclass(frozen=True)
class Shade:
    """Paint that goes from light at the upper left to dark at the lower right."""

    light: RGB
    dark: RGB
    round: bool = False
    """Whether the light falls as on a ball, not as on a wall."""


@dataclass(frozen=True)
class Ink:
    """All the paints of one thing, mixed from its one shade."""

    colour: str
    base: RGB

    @property
    def light(self) -> RGB:
        return mix(self.base, (255, 255, 255), 0.14 if self.colour == "black" else 0.24)

    @property
    def dark(self) -> RGB:
        if self.colour == "white":
            return mix(self.base, (120, 140, 175), 0.28)
        if self.colour in ("yellow", "orange"):
            # Yellow that is mixed with black or blue turns green; in the shade it looks orange.
            return mix(self.base, (205, 95, 0), 0.36)
        return mix(self.base, (15, 10, 40), 0.26)

    @property
    def middle(self) -> RGB:
        """As light as `flat` halfway, for patches that must not show on it."""
        return mix(self.flat.light, self.flat.dark, 0.5)

    @property
    def line(self) -> RGB:
        """Outlines."""
        if self.colour == "white":
            return (120, 126, 140)
        return mix(self.base, (10, 5, 25), 0.55)

    @property
    def detail(self) -> RGB:
        """Lines inside the shape, to be seen on black as well."""
        return (98, 100, 110) if self.colour == "black" else self.line

    @property
    def flat(self) -> Shade:
        """For walls and cloth."""
        return Shade(self.light, mix(self.base, self.dark, 0.6))

    @property
    def deep(self) -> Shade:
        """For sides that face away from the light."""
        return Shade(self.base, self.dark)

    @property
    def ball(self) -> Shade:
        """For round things."""
        return Shade(mix(self.light, (255, 255, 255), 0.2), self.dark, round=True)
