"""Drawings of things that travel.

Each function draws one thing in the frame of its brush (foot at the origin, height one); `rng`
chooses the small differences between two things of a kind.
"""

import math
import random

from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink, Shade, mix

GLASS = Shade((225, 243, 252), (120, 170, 200))
TYRE = (38, 38, 44)
STEEL = Shade((225, 228, 233), (130, 135, 145))
LAMP = (255, 240, 160)


def _draw_wheel(brush: Brush, x: float, radius: float) -> None:
    brush.ellipse(x, radius, radius, radius, TYRE)
    brush.ellipse(x, radius, radius * 0.58, radius * 0.58, STEEL, (90, 92, 100))
    brush.ellipse(x, radius, radius * 0.2, radius * 0.2, (80, 82, 90))


def draw_car(brush: Brush, ink: Ink, rng: random.Random) -> None:
    roof = rng.uniform(0.25, 0.42)
    brush.shadow(-1.02, 1.02)
    brush.curve(
        [(-0.78, 0.6), (-0.46, 0.95), (-0.1, 1.0), (roof - 0.05, 0.96), (roof + 0.42, 0.6),
         (0, 0.5)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.curve(
        [(-1.02, 0.25), (-1.04, 0.5), (-0.85, 0.62), (0.0, 0.63), (0.7, 0.6), (1.0, 0.5),
         (1.04, 0.28), (0.9, 0.18), (-0.9, 0.18)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.polygon([(-0.62, 0.63), (-0.42, 0.89), (-0.1, 0.91), (-0.1, 0.63)], GLASS, ink.line)
    brush.polygon(
        [(-0.02, 0.63), (-0.02, 0.91), (roof - 0.08, 0.87), (roof + 0.24, 0.63)], GLASS, ink.line
    )
    brush.stroke([(-0.06, 0.6), (-0.06, 0.24)], ink.detail, 0.014)
    brush.stroke([(-0.98, 0.36), (0.98, 0.36)], ink.detail, 0.012)
    brush.box(-0.34, 0.49, -0.18, 0.53, STEEL)
    brush.box(0.14, 0.49, 0.3, 0.53, STEEL)
    brush.ellipse(0.95, 0.44, 0.06, 0.07, LAMP, ink.line)
    brush.ellipse(-1.0, 0.46, 0.04, 0.06, (225, 60, 50), ink.line)
    brush.box(-1.06, 0.2, -0.86, 0.27, STEEL, corner=0.03)
    brush.box(0.86, 0.2, 1.06, 0.27, STEEL, corner=0.03)
    for x in (-0.62, 0.62):
        brush.ellipse(x, 0.24, 0.27, 0.27, mix(ink.line, (20, 20, 25), 0.5))
        _draw_wheel(brush, x, 0.22)


def draw_bus(brush: Brush, ink: Ink, rng: random.Random) -> None:
    num_windows = rng.choice([4, 5])
    brush.shadow(-0.95, 0.95)
    brush.box(-0.95, 0.12, 0.95, 1.0, ink.flat, ink.line, corner=0.11)
    brush.box(-0.95, 0.2, 0.95, 0.29, ink.dark)
    stripe = (250, 250, 250, 190) if ink.colour != "white" else (90, 100, 120, 160)
    brush.box(-0.945, 0.42, 0.945, 0.46, stripe)
    step = 1.36 / num_windows
    for i in range(num_windows):
        left = -0.87 + i * step
        brush.box(left, 0.53, left + step - 0.07, 0.84, GLASS, ink.line, corner=0.04)
    brush.box(0.54, 0.17, 0.75, 0.86, GLASS, ink.line)
    brush.stroke([(0.645, 0.17), (0.645, 0.86)], ink.line, 0.014)
    brush.polygon([(0.81, 0.5), (0.955, 0.5), (0.955, 0.82), (0.81, 0.86)], GLASS, ink.line)
    brush.ellipse(0.92, 0.3, 0.045, 0.05, LAMP, ink.line)
    brush.box(-0.955, 0.28, -0.91, 0.38, (225, 60, 50), ink.line)
    brush.box(-0.6, 0.9, 0.4, 0.95, ink.dark, corner=0.02)
    for x in (-0.55, 0.34):
        brush.ellipse(x, 0.18, 0.2, 0.2, mix(ink.line, (20, 20, 25), 0.5))
        _draw_wheel(brush, x, 0.165)


def draw_truck(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.98, 0.98)
    brush.box(-0.95, 0.15, 0.9, 0.27, (70, 72, 80))
    brush.box(-0.98, 0.27, 0.38, 1.0, ink.flat, ink.line, corner=0.02)
    for i in range(rng.choice([5, 6])):
        rib = -0.8 + 0.2 * i
        brush.stroke([(rib, 0.32), (rib, 0.95)], ink.detail, 0.01)
    brush.polygon(
        [(0.42, 0.2), (0.42, 0.84), (0.72, 0.84), (0.86, 0.54), (0.97, 0.48), (0.97, 0.2)],
        ink.deep, ink.line,
    )  # fmt: skip
    brush.polygon([(0.5, 0.54), (0.5, 0.76), (0.69, 0.76), (0.79, 0.54)], GLASS, ink.line)
    brush.stroke([(0.5, 0.5), (0.5, 0.24)], ink.detail, 0.012)
    brush.box(0.54, 0.42, 0.64, 0.46, STEEL)
    brush.ellipse(0.93, 0.35, 0.04, 0.055, LAMP, ink.line)
    brush.box(0.84, 0.16, 1.0, 0.23, STEEL, corner=0.02)
    for x in (-0.7, -0.3, 0.66):
        brush.ellipse(x, 0.19, 0.2, 0.19, (45, 46, 54))
        _draw_wheel(brush, x, 0.17)


def draw_bicycle(brush: Brush, ink: Ink, rng: random.Random) -> None:
    radius, rear, front = 0.36, -0.5, 0.5
    brush.shadow(-0.85, 0.85)
    for x in (rear, front):
        for tilt in range(0, 180, 30):
            brush.ellipse(x, radius, radius * 0.9, 0.004, (170, 172, 180), tilt=tilt + 10)
        brush.stroke(_ring(x, radius, radius), TYRE, 0.055)
        brush.stroke(_ring(x, radius, 0.85 * radius), ink.base, 0.035)
        brush.ellipse(x, radius, 0.04, 0.04, (110, 112, 120))
    crank, seat, head = (-0.08, 0.32), (-0.22, 0.78), (0.36, 0.8)
    tubes = [[(rear, radius), crank, seat, (rear, radius)], [seat, head], [crank, (0.38, 0.72)]]
    for width, paint in ((0.085, ink.line), (0.062, ink.base)):
        for tube in tubes:
            brush.stroke(tube, paint, width)
        brush.stroke([(front, radius), (0.35, 0.84)], paint, width)
    brush.stroke([(0.35, 0.84), (0.32, 0.95), (0.46, 0.97), (0.52, 0.9)], (60, 62, 70), 0.05)
    brush.stroke([seat, (-0.24, 0.88)], (110, 112, 120), 0.04)
    brush.curve(
        [(-0.42, 0.9), (-0.4, 0.95), (-0.2, 0.93), (-0.06, 0.88), (-0.2, 0.86)],
        (50, 40, 38),
    )  # fmt: skip
    brush.ellipse(*crank, 0.09, 0.09, STEEL, (80, 82, 90))
    pedal = rng.choice([-0.14, 0.14])
    brush.stroke([crank, (-0.08 + pedal, 0.32 - 0.16)], (60, 62, 70), 0.035)
    brush.box(-0.15 + pedal, 0.12, -0.01 + pedal, 0.165, (50, 50, 55))


def _ring(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """A circle as a line that closes."""
    angles = [math.pi * i / 20 for i in range(42)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


def draw_airplane(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.polygon([(0.1, 0.5), (-0.12, 0.86), (0.02, 0.86), (0.4, 0.5)], ink.deep, ink.line)
    brush.polygon([(-0.98, 0.5), (-1.08, 1.0), (-0.86, 1.0), (-0.56, 0.55)], ink.flat, ink.line)
    brush.curve(
        [(-1.08, 0.56), (-0.7, 0.6), (0.2, 0.64), (0.8, 0.6), (1.08, 0.44), (0.9, 0.31),
         (0.3, 0.26), (-0.4, 0.3)],
        ink.flat, ink.line,
    )  # fmt: skip
    brush.curve([(0.82, 0.57), (0.96, 0.51), (0.98, 0.46), (0.82, 0.47)], GLASS, ink.line)
    for i in range(rng.choice([6, 7])):
        brush.ellipse(-0.5 + 0.18 * i, 0.5, 0.042, 0.05, GLASS, ink.line)
    stripe = (250, 250, 250, 180) if ink.colour != "white" else (80, 110, 160, 190)
    brush.polygon([(-0.8, 0.46), (1.0, 0.4), (1.0, 0.37), (-0.8, 0.42)], stripe)
    brush.polygon([(0.16, 0.36), (-0.36, 0.02), (-0.14, 0.0), (0.52, 0.36)], ink.deep, ink.line)
    brush.polygon([(-0.8, 0.5), (-1.12, 0.36), (-0.98, 0.35), (-0.56, 0.49)], ink.deep, ink.line)
    brush.ellipse(0.14, 0.17, 0.15, 0.065, STEEL, (90, 92, 100))


def draw_boat(brush: Brush, ink: Ink, rng: random.Random) -> None:
    sail = Shade((255, 253, 244), (222, 216, 200))
    brush.ellipse(0, 0.0, 0.68, 0.05, (255, 255, 255, 90))
    brush.stroke([(0.0, 0.25), (0.0, 0.98)], (120, 80, 50), 0.03)
    brush.curve(
        [(0.05, 0.34), (0.04, 0.6), (0.05, 0.93), (0.3, 0.62), (0.52, 0.34)],
        sail, (150, 145, 135),
    )  # fmt: skip
    brush.curve(
        [(-0.04, 0.34), (-0.05, 0.6), (-0.04, 0.84), (-0.24, 0.56), (-0.42, 0.34)],
        sail, (150, 145, 135),
    )  # fmt: skip
    if rng.random() < 0.6:
        brush.polygon([(0.055, 0.5), (0.055, 0.6), (0.33, 0.6), (0.405, 0.5)], ink.base)
    brush.polygon([(0.0, 0.99), (0.17, 0.95), (0.0, 0.91)], ink.base, ink.line)
    brush.polygon(
        [(-0.6, 0.3), (0.66, 0.3), (0.58, 0.12), (0.42, 0.0), (-0.4, 0.0), (-0.54, 0.12)],
        ink.flat, ink.line, 0.014,
    )  # fmt: skip
    brush.polygon([(-0.62, 0.31), (0.68, 0.31), (0.66, 0.26), (-0.6, 0.26)], ink.dark, ink.line)
    for x in (-0.3, 0.0, 0.3):
        brush.ellipse(x, 0.16, 0.045, 0.045, GLASS, ink.line)
    for x in (-0.55, -0.15, 0.25):
        brush.stroke([(x, -0.02), (x + 0.1, 0.01), (x + 0.25, -0.02)], (245, 250, 255), 0.014, True)
