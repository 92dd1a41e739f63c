"""Drawings of animals.

Each function draws one thing in the frame of its brush (foot at the origin, height one); `rng`
chooses the small differences between two things of a kind.
"""

import random

from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink, Shade, mix

BEAK = Shade((255, 190, 70), (225, 130, 20))
NIGHT = (28, 26, 32)


def _draw_eye(brush: Brush, x: float, y: float, radius: float) -> None:
    brush.ellipse(x, y, radius, radius, (255, 255, 255), NIGHT)
    brush.ellipse(x + radius * 0.15, y, radius * 0.62, radius * 0.66, NIGHT)
    brush.ellipse(x + radius * 0.3, y + radius * 0.3, radius * 0.2, radius * 0.2, (255, 255, 255))


def draw_dog(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.52, 0.5)
    tail = rng.uniform(0.72, 0.9)
    brush.stroke([(-0.46, 0.52), (-0.6, 0.6), (-0.64, tail)], ink.line, 0.1, True)
    brush.stroke([(-0.46, 0.52), (-0.6, 0.6), (-0.64, tail)], ink.middle, 0.075, True)
    for x in (-0.32, 0.24):
        brush.box(x, 0.0, x + 0.13, 0.35, ink.dark, ink.line, corner=0.05)
    brush.curve(
        [(-0.52, 0.45), (-0.5, 0.6), (-0.2, 0.63), (0.2, 0.64), (0.42, 0.6), (0.42, 0.36),
         (0.25, 0.26), (-0.1, 0.3), (-0.42, 0.26)],
        ink.flat, ink.line,
    )  # fmt: skip
    for x in (-0.46, 0.3):
        brush.box(x, 0.0, x + 0.15, 0.42, ink.middle, corner=0.06)
        brush.stroke([(x + 0.01, 0.3), (x + 0.0, 0.05)], ink.line, 0.01)
        brush.stroke([(x + 0.15, 0.3), (x + 0.15, 0.05)], ink.line, 0.01)
        brush.ellipse(x + 0.1, 0.045, 0.1, 0.045, ink.light, ink.line)
    brush.curve([(0.2, 0.55), (0.22, 0.75), (0.5, 0.75), (0.48, 0.5), (0.36, 0.42)], ink.middle)
    brush.stroke([(0.2, 0.62), (0.34, 0.55), (0.48, 0.57)], (190, 45, 50), 0.05)
    brush.ellipse(0.38, 0.79, 0.21, 0.2, ink.flat, ink.line)
    muzzle = mix(ink.light, (255, 250, 240), 0.45)
    brush.ellipse(0.57, 0.71, 0.15, 0.11, muzzle, ink.line)
    brush.ellipse(0.68, 0.76, 0.055, 0.045, NIGHT)
    brush.stroke([(0.66, 0.7), (0.6, 0.65), (0.5, 0.66)], NIGHT, 0.014, True)
    _draw_eye(brush, 0.46, 0.84, 0.045)
    brush.curve(
        [(0.24, 0.97), (0.14, 0.92), (0.07, 0.72), (0.12, 0.6), (0.22, 0.64), (0.29, 0.82)],
        Shade(ink.dark, ink.line), ink.line,
    )  # fmt: skip


def draw_cat(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.36, 0.42)
    tail = [(0.2, 0.07), (0.42, 0.08), (0.47, 0.25), (0.4, 0.4)]
    brush.stroke(tail, ink.line, 0.11, True)
    brush.stroke(tail, ink.middle, 0.085, True)
    brush.curve(
        [(-0.28, 0.06), (-0.32, 0.25), (-0.22, 0.5), (0, 0.6), (0.22, 0.5), (0.32, 0.25),
         (0.28, 0.06), (0, 0)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.ellipse(0, 0.3, 0.14, 0.2, mix(ink.light, (255, 250, 240), 0.4))
    for side in (-1, 1):
        brush.curve(
            [(side * 0.06, 0.02), (side * 0.05, 0.3), (side * 0.17, 0.32), (side * 0.19, 0.02)],
            ink.middle,
            ink.detail,
        )
        brush.polygon(
            [(side * 0.28, 0.74), (side * 0.29, 1.0), (side * 0.08, 0.88)], ink.base, ink.line
        )
        brush.polygon(
            [(side * 0.25, 0.8), (side * 0.26, 0.94), (side * 0.14, 0.88)], (240, 165, 165)
        )
    brush.ellipse(0, 0.7, 0.31, 0.23, ink.flat, ink.line)
    if rng.random() < 0.6 and ink.colour != "black":
        for x in (-0.08, 0.0, 0.08):
            brush.stroke([(x, 0.92), (x * 0.8, 0.83)], ink.dark, 0.022)
        for side in (-1, 1):
            for y in (0.2, 0.28, 0.36):
                brush.stroke([(side * 0.3, y), (side * 0.2, y + 0.01)], ink.dark, 0.022)
    eye = rng.choice([(140, 200, 90), (250, 205, 80)])
    for side in (-1, 1):
        brush.ellipse(side * 0.13, 0.72, 0.065, 0.06, eye, NIGHT)
        brush.ellipse(side * 0.13, 0.72, 0.02, 0.052, NIGHT)
    brush.ellipse(0, 0.6, 0.1, 0.065, mix(ink.light, (255, 250, 240), 0.5))
    brush.polygon([(-0.035, 0.65), (0.035, 0.65), (0, 0.61)], (225, 120, 125))
    whisker = (235, 235, 238) if ink.colour in ("black", "brown", "gray") else (110, 105, 105)
    for side in (-1, 1):
        brush.stroke([(0, 0.615), (side * 0.025, 0.575), (side * 0.075, 0.585)], NIGHT, 0.013, True)
        for y in (0.55, 0.6, 0.65):
            brush.stroke([(side * 0.12, 0.6), (side * 0.4, y)], whisker, 0.008)


def draw_bird(brush: Brush, ink: Ink, rng: random.Random) -> None:
    """A bird that stands."""
    brush.shadow(-0.25, 0.3)
    for x in (-0.02, 0.12):
        brush.stroke([(x, 0.25), (x, 0.03)], (215, 130, 40), 0.03)
        brush.stroke([(x - 0.05, 0.01), (x, 0.03), (x + 0.1, 0.01)], (215, 130, 40), 0.025)
    brush.polygon([(-0.3, 0.42), (-0.7, 0.34), (-0.68, 0.48), (-0.3, 0.6)], ink.deep, ink.line)
    brush.curve(
        [(-0.42, 0.5), (-0.2, 0.68), (0.08, 0.78), (0.12, 0.94), (0.32, 0.99), (0.47, 0.84),
         (0.42, 0.6), (0.3, 0.32), (0.05, 0.2), (-0.25, 0.28)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.ellipse(0.2, 0.42, 0.19, 0.18, mix(ink.light, (255, 250, 240), 0.35), tilt=30)
    brush.curve(
        [(-0.48, 0.36), (-0.3, 0.58), (0.0, 0.64), (0.14, 0.52), (-0.05, 0.38)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.stroke([(-0.36, 0.44), (-0.04, 0.5)], ink.detail, 0.014)
    brush.polygon([(0.44, 0.88), (0.66, 0.79), (0.44, 0.74)], BEAK, (140, 85, 20))
    _draw_eye(brush, 0.33, 0.86, 0.055)


def draw_flying_bird(brush: Brush, ink: Ink, rng: random.Random) -> None:
    lift = rng.uniform(0.9, 1.0)
    brush.curve(
        [(-0.1, 0.42), (-0.4, 0.7), (-0.62, lift), (-0.2, 0.88), (0.12, 0.5)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.polygon(
        [(-0.36, 0.34), (-0.8, 0.2), (-0.76, 0.36), (-0.82, 0.5), (-0.34, 0.46)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.curve(
        [(-0.46, 0.38), (-0.1, 0.5), (0.3, 0.56), (0.5, 0.6), (0.66, 0.52), (0.6, 0.36),
         (0.25, 0.18), (-0.15, 0.2)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.ellipse(0.16, 0.29, 0.28, 0.09, mix(ink.light, (255, 250, 240), 0.35), tilt=10)
    brush.curve(
        [(0.26, 0.46), (0.2, 0.75), (0.02, lift + 0.02), (-0.14, 0.96), (-0.24, 0.84),
         (-0.26, 0.62), (-0.14, 0.36)],
        ink.flat, ink.line,
    )  # fmt: skip
    for x, y in ((-0.1, 0.92), (-0.2, 0.78), (-0.22, 0.62)):
        brush.stroke([(x, y), (0.05, 0.5)], ink.detail, 0.012)
    brush.polygon([(0.64, 0.54), (0.84, 0.46), (0.64, 0.42)], BEAK, (140, 85, 20))
    _draw_eye(brush, 0.53, 0.5, 0.045)


def draw_duck(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.5, 0.45)
    brush.curve(
        [(-0.58, 0.52), (-0.5, 0.4), (-0.46, 0.14), (-0.15, 0.0), (0.25, 0.0), (0.46, 0.2),
         (0.44, 0.42), (0.2, 0.46), (-0.1, 0.4), (-0.36, 0.42)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.ellipse(0.28, 0.78, 0.22, 0.21, ink.flat, ink.line)
    brush.curve(
        [(0.12, 0.6), (0.09, 0.36), (0.26, 0.26), (0.43, 0.34), (0.44, 0.6), (0.28, 0.68)],
        ink.middle,
    )  # fmt: skip
    for side in (
        [(0.12, 0.6), (0.11, 0.52), (0.06, 0.43)],
        [(0.43, 0.61), (0.42, 0.52), (0.45, 0.4)],
    ):
        brush.stroke(side, ink.line, 0.012, True)
    brush.curve(
        [(-0.4, 0.28), (-0.2, 0.38), (0.08, 0.34), (0.12, 0.2), (-0.12, 0.1)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.stroke([(-0.28, 0.26), (-0.02, 0.22)], ink.detail, 0.014)
    bill = BEAK if ink.colour not in ("orange", "yellow") else Shade((250, 140, 60), (215, 85, 20))
    brush.curve(
        [(0.46, 0.84), (0.56, 0.78), (0.72, 0.78), (0.7, 0.7), (0.46, 0.69)],
        bill, (140, 70, 10),
    )  # fmt: skip
    brush.stroke([(0.48, 0.76), (0.66, 0.745)], (140, 70, 10), 0.01)
    _draw_eye(brush, 0.35, 0.84, 0.045)


def draw_fish(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.polygon(
        [(-0.42, 0.5), (-0.86, 0.9), (-0.74, 0.5), (-0.86, 0.1), (-0.42, 0.5)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.curve(
        [(-0.3, 0.75), (-0.2, 0.98), (0.15, 0.98), (0.3, 0.8), (0, 0.7)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.curve([(-0.15, 0.2), (-0.2, 0.02), (0.05, 0.04), (0.15, 0.2)], ink.deep, ink.line)
    brush.curve(
        [(-0.56, 0.5), (-0.3, 0.76), (0.15, 0.88), (0.6, 0.72), (0.82, 0.48), (0.6, 0.25),
         (0.15, 0.12), (-0.3, 0.26)],
        ink.flat, ink.line,
    )  # fmt: skip
    if rng.random() < 0.5:
        for x, high in ((-0.22, 0.2), (0.05, 0.28)):
            band = (255, 255, 255, 200) if ink.colour != "white" else (90, 95, 110, 150)
            brush.ellipse(x, 0.5, 0.055, high, band)
    else:
        for x, y in (
            (-0.3, 0.5),
            (-0.12, 0.64),
            (-0.12, 0.38),
            (0.06, 0.5),
            (0.06, 0.74),
            (0.06, 0.28),
        ):
            brush.stroke([(x, y + 0.07), (x - 0.06, y), (x, y - 0.07)], ink.detail, 0.016, True)
    brush.stroke([(0.36, 0.78), (0.28, 0.52), (0.36, 0.24)], ink.detail, 0.018, True)
    brush.curve([(0.2, 0.46), (-0.04, 0.4), (0.0, 0.26), (0.2, 0.36)], ink.light, ink.line)
    brush.stroke([(0.78, 0.42), (0.7, 0.38), (0.64, 0.4)], ink.line, 0.018, True)
    _draw_eye(brush, 0.55, 0.58, 0.08)


def draw_butterfly(brush: Brush, ink: Ink, rng: random.Random) -> None:
    spot = (
        rng.choice([(255, 255, 255), (255, 225, 110)]) if ink.colour != "white" else (150, 155, 170)
    )
    edge = NIGHT if ink.colour != "black" else (95, 95, 105)
    for side in (-1, 1):
        brush.curve(
            [(0, 0.5), (side * 0.2, 0.46), (side * 0.46, 0.36), (side * 0.48, 0.12),
             (side * 0.26, 0.02), (side * 0.1, 0.2)],
            ink.deep, edge, 0.028,
        )  # fmt: skip
        brush.curve(
            [(0, 0.52), (side * 0.14, 0.8), (side * 0.42, 0.98), (side * 0.62, 0.86),
             (side * 0.56, 0.6), (side * 0.3, 0.46)],
            ink.flat, edge, 0.028,
        )  # fmt: skip
        for x, y, radius in ((0.44, 0.82, 0.06), (0.5, 0.68, 0.035), (0.34, 0.2, 0.055)):
            brush.ellipse(side * x, y, radius, radius, spot)
        brush.stroke([(side * 0.05, 0.56), (side * 0.3, 0.76)], ink.detail, 0.012)
        brush.stroke([(side * 0.05, 0.46), (side * 0.28, 0.3)], ink.detail, 0.012)
        brush.stroke([(0, 0.74), (side * 0.05, 0.9), (side * 0.16, 0.97)], edge, 0.016, True)
    brush.ellipse(0, 0.48, 0.045, 0.26, Shade((90, 75, 70), (35, 28, 30)))
    brush.ellipse(0, 0.74, 0.055, 0.055, (50, 40, 40))
