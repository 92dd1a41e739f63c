"""Drawings of things of the house.

Each function draws one thing in the frame of its brush (foot at the origin, height one); `rng`
chooses the small differences between two things of a kind.
"""

import math
import random

from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink, Shade, mix


def draw_chair(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.32, 0.34)
    for x in (-0.2, 0.27):
        brush.box(x, 0.07, x + 0.05, 0.45, ink.dark, ink.line)
    for x in (-0.23, 0.18):
        brush.box(x, 0.45, x + 0.06, 1.0, ink.deep, ink.line, corner=0.025)
    if rng.random() < 0.5:
        for y in (0.58, 0.72, 0.86):
            brush.box(-0.18, y, 0.19, y + 0.08, ink.flat, ink.line)
    else:
        brush.box(-0.2, 0.86, 0.21, 0.96, ink.flat, ink.line)
        for x in (-0.1, 0.0, 0.1):
            brush.box(x - 0.02, 0.48, x + 0.03, 0.87, ink.flat, ink.line)
    brush.polygon([(-0.33, 0.41), (-0.22, 0.52), (0.3, 0.52), (0.26, 0.41)], ink.flat, ink.line)
    brush.box(-0.33, 0.36, 0.26, 0.42, ink.deep, ink.line)
    for x in (-0.33, 0.2):
        brush.box(x, 0.0, x + 0.06, 0.37, ink.flat, ink.line)
    brush.stroke([(-0.27, 0.16), (0.2, 0.16)], ink.dark, 0.03)


def draw_sofa(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.98, 0.98)
    for x in (-0.85, 0.77):
        brush.box(x, 0.0, x + 0.08, 0.12, (85, 55, 38), (50, 32, 22))
    brush.box(-0.82, 0.3, 0.82, 1.0, ink.flat, ink.line, corner=0.16)
    brush.stroke([(0, 0.5), (0, 0.97)], ink.detail, 0.014)
    brush.box(-0.85, 0.1, 0.85, 0.34, ink.deep, ink.line, corner=0.04)
    for left in (-0.72, 0.01):
        brush.box(left, 0.32, left + 0.71, 0.52, ink.flat, ink.line, corner=0.07)
    for x in (-0.95, 0.7):
        brush.box(x, 0.08, x + 0.25, 0.7, ink.flat, ink.line, corner=0.12)
        brush.ellipse(x + 0.125, 0.6, 0.07, 0.06, ink.deep, ink.detail)
    for x in (-0.4, 0.4) if rng.random() < 0.5 else ():
        for y in (0.66, 0.84):
            brush.ellipse(x, y, 0.02, 0.02, ink.detail)


def draw_cup(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.46, 0.34)
    handle = [(0.22, 0.7), (0.44, 0.68), (0.45, 0.38), (0.2, 0.22)]
    brush.stroke(handle, ink.line, 0.14, True)
    brush.stroke(handle, ink.middle, 0.1, True)
    brush.curve(
        [(-0.5, 0.88), (-0.48, 0.4), (-0.4, 0.08), (-0.25, 0.0), (0.05, 0.0), (0.2, 0.08),
         (0.28, 0.4), (0.3, 0.88), (-0.1, 0.8)],
        ink.flat, ink.line, 0.016,
    )  # fmt: skip
    brush.ellipse(-0.1, 0.88, 0.4, 0.11, ink.light, ink.line, width=0.016)
    brush.ellipse(-0.1, 0.865, 0.33, 0.075, Shade((140, 90, 55), (85, 50, 30)))
    if rng.random() < 0.5:
        band = (255, 255, 255, 150) if ink.colour != "white" else (90, 110, 160, 150)
        brush.polygon(
            [(-0.47, 0.5), (-0.1, 0.44), (0.27, 0.5), (0.26, 0.4), (-0.1, 0.34), (-0.46, 0.4)],
            band,
        )  # fmt: skip
    brush.stroke([(-0.37, 0.68), (-0.35, 0.3)], (*mix(ink.light, (255, 255, 255), 0.5), 150), 0.045)


def draw_hat(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.8, 0.8)
    tall = rng.uniform(0.92, 1.0)
    brush.ellipse(0.0, 0.2, 0.85, 0.19, ink.deep, ink.line, width=0.018)
    brush.ellipse(0.0, 0.24, 0.72, 0.13, ink.base)
    brush.curve(
        [(-0.46, 0.28), (-0.43, 0.7), (-0.3, tall), (0.0, tall - 0.08), (0.3, tall), (0.43, 0.7),
         (0.46, 0.28), (0.0, 0.18)],
        ink.flat, ink.line, 0.018,
    )  # fmt: skip
    ribbon = (60, 50, 55) if ink.colour not in ("black", "brown", "purple") else (225, 210, 180)
    brush.curve(
        [(-0.46, 0.28), (0.0, 0.18), (0.46, 0.28), (0.45, 0.44), (0.0, 0.35), (-0.45, 0.44)],
        ribbon, ink.line,
    )  # fmt: skip


def draw_book(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.75, 0.75)
    pages = Shade((255, 252, 240), (215, 205, 180))
    brush.polygon(
        [(-0.84, 0.04), (0.5, 0.04), (0.82, 0.5), (0.82, 0.44), (0.5, -0.02), (-0.84, -0.02)],
        ink.dark, ink.line,
    )  # fmt: skip
    brush.polygon([(-0.8, 0.04), (0.48, 0.04), (0.48, 0.32), (-0.8, 0.32)], pages, (150, 140, 115))
    brush.polygon(
        [(0.48, 0.04), (0.8, 0.5), (0.8, 0.78), (0.48, 0.32)],
        Shade((235, 226, 200), (190, 178, 150)),
        (150, 140, 115),
    )
    for y in (0.1, 0.16, 0.22, 0.27):
        brush.stroke([(-0.78, y), (0.48, y), (0.8, y + 0.46)], (190, 180, 155), 0.01)
    brush.polygon([(-0.84, 0.3), (0.5, 0.3), (0.84, 0.8), (0.78, 0.98), (-0.4, 0.98)], ink.line)
    brush.polygon(
        [(-0.84, 0.38), (0.5, 0.38), (0.82, 0.99), (-0.46, 0.99)], ink.flat, ink.line, 0.016
    )
    brush.polygon([(-0.84, 0.38), (0.5, 0.38), (0.5, 0.3), (-0.84, 0.3)], ink.dark, ink.line)
    brush.polygon([(0.5, 0.38), (0.82, 0.99), (0.82, 0.91), (0.5, 0.3)], ink.dark, ink.line)
    brush.curve([(-0.84, 0.0), (-0.93, 0.18), (-0.84, 0.38), (-0.8, 0.2)], ink.dark, ink.line)
    label = (255, 248, 225) if ink.colour != "white" else (120, 130, 160)
    brush.polygon([(-0.36, 0.6), (0.34, 0.6), (0.46, 0.84), (-0.22, 0.84)], label, ink.line)
    for share in (0.35, 0.65) if rng.random() < 0.7 else (0.5,):
        left, y = -0.36 + 0.14 * share, 0.6 + 0.24 * share
        brush.stroke([(left + 0.12, y), (left + 0.56, y)], (110, 100, 95), 0.022)


def draw_clock(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.34, 0.34)
    for side in (-1, 1):
        brush.stroke([(side * 0.24, 0.16), (side * 0.34, 0.02)], (70, 72, 80), 0.06)
        brush.stroke([(side * 0.2, 0.78), (side * 0.28, 0.9)], (90, 92, 100), 0.04)
        brush.ellipse(side * 0.27, 0.86, 0.17, 0.12, ink.ball, ink.line, tilt=side * -38)
    brush.box(-0.03, 0.86, 0.03, 0.96, (90, 92, 100))
    brush.box(-0.08, 0.94, 0.08, 1.0, ink.base, ink.line, corner=0.025)
    brush.ellipse(0, 0.46, 0.45, 0.45, ink.ball, ink.line, width=0.018)
    brush.ellipse(0, 0.46, 0.32, 0.32, (255, 253, 245), ink.line)
    for hour in range(12):
        x, y = math.sin(hour * math.pi / 6), math.cos(hour * math.pi / 6)
        inner = 0.24 if hour % 3 == 0 else 0.265
        brush.stroke(
            [(inner * x, 0.46 + inner * y), (0.295 * x, 0.46 + 0.295 * y)], (45, 45, 50), 0.022
        )
    time = rng.uniform(0, 12)
    for turn, length, width in ((time / 12, 0.15, 0.036), (time % 1, 0.23, 0.022)):
        x, y = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
        brush.stroke([(0, 0.46), (length * x, 0.46 + length * y)], (35, 35, 40), width)
    brush.ellipse(0, 0.46, 0.028, 0.028, (190, 50, 45))


def draw_lamp(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.2, 0.22)
    brush.ellipse(0, 0.03, 0.2, 0.04, ink.dark, ink.line)
    if rng.random() < 0.5:
        brush.box(-0.028, 0.04, 0.028, 0.5, Shade((215, 180, 110), (140, 105, 55)), (95, 70, 35))
    else:
        brush.curve(
            [(-0.03, 0.5), (-0.05, 0.4), (-0.15, 0.22), (-0.08, 0.05), (0.08, 0.05), (0.15, 0.22),
             (0.05, 0.4), (0.03, 0.5)],
            ink.ball, ink.line,
        )  # fmt: skip
    brush.polygon([(-0.36, 0.46), (0.36, 0.46), (0.2, 1.0), (-0.2, 1.0)], ink.flat, ink.line, 0.014)
    brush.polygon([(-0.12, 0.46), (0.1, 0.46), (0.05, 1.0), (-0.07, 1.0)], (255, 245, 190, 70))
    brush.polygon([(-0.36, 0.46), (0.36, 0.46), (0.345, 0.51), (-0.345, 0.51)], ink.dark)
    brush.polygon([(-0.21, 0.96), (0.21, 0.96), (0.2, 1.0), (-0.2, 1.0)], ink.dark)
    brush.ellipse(0, 0.46, 0.34, 0.025, (255, 240, 170))
    brush.stroke([(0.14, 0.45), (0.14, 0.33)], (120, 95, 50), 0.01)
    brush.ellipse(0.14, 0.32, 0.016, 0.016, (235, 205, 120))
