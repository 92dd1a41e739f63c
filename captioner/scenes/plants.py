"""Drawings of what grows, and of houses.

Each function draws one thing in the frame of its brush (foot at the origin, height one); `rng`
chooses the small differences between two things of a kind.
"""

import math
import random

from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink, Shade

LEAF = Shade((120, 195, 85), (50, 130, 55))
LEAF_LINE = (35, 95, 45)
WOOD = Shade((165, 110, 70), (95, 60, 38))


def draw_tree(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.28, 0.28)
    brush.polygon(
        [(-0.1, 0.0), (-0.06, 0.2), (-0.05, 0.5), (0.05, 0.5), (0.06, 0.2), (0.11, 0.0)],
        WOOD, (70, 45, 30),
    )  # fmt: skip
    brush.stroke([(0.0, 0.3), (0.17, 0.46)], (120, 78, 48), 0.04)
    crown = [
        (-0.24, 0.52, 0.17), (0.24, 0.52, 0.17), (0.0, 0.5, 0.17), (-0.28, 0.67, 0.17),
        (0.28, 0.67, 0.17), (-0.15, 0.82, 0.17), (0.15, 0.82, 0.17), (0.0, 0.68, 0.24),
        (0.0, 0.85, 0.15),
    ]  # fmt: skip
    crown = [(x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.015, 0.015), r) for x, y, r in crown]
    for x, y, radius in crown:
        brush.ellipse(x, y, radius + 0.012, radius + 0.012, ink.line)
    for x, y, radius in crown:
        brush.ellipse(x, y, radius, radius, ink.dark)
    for x, y, radius in crown:
        brush.ellipse(x - 0.02, y + 0.025, radius * 0.82, radius * 0.8, ink.ball)
    for _ in range(70):
        angle, far = rng.uniform(0, 2 * math.pi), math.sqrt(rng.random())
        x, y = 0.38 * far * math.cos(angle), 0.68 + 0.26 * far * math.sin(angle)
        lit = x < 0.35 * (y - 0.62) + 0.08
        slant = rng.uniform(-0.012, 0.012)
        leaf = [(x - 0.026, y - slant), (x, y + 0.013), (x + 0.026, y + slant), (x, y - 0.013)]
        tones = [ink.light, ink.ball.light] if lit else [ink.dark, ink.base]
        brush.polygon(leaf, rng.choice(tones))


def draw_flower(brush: Brush, ink: Ink, rng: random.Random) -> None:
    num_petals = rng.choice([5, 6, 8])
    brush.shadow(-0.14, 0.14)
    brush.stroke([(0.0, 0.0), (0.03, 0.3), (0.0, 0.65)], LEAF_LINE, 0.05, True)
    brush.stroke([(0.0, 0.0), (0.03, 0.3), (0.0, 0.65)], (80, 160, 70), 0.034, True)
    brush.curve([(0.02, 0.1), (0.14, 0.14), (0.27, 0.3), (0.12, 0.27)], LEAF, LEAF_LINE)
    brush.curve([(0.02, 0.18), (-0.12, 0.2), (-0.25, 0.38), (-0.1, 0.34)], LEAF, LEAF_LINE)
    y, reach = 0.675, 0.185
    for i in range(num_petals):
        angle = 2 * math.pi * (i + 0.25) / num_petals
        px, py = reach * math.cos(angle), y + reach * math.sin(angle)
        brush.ellipse(px, py, 0.14, 0.7 / num_petals, ink.ball, ink.line, tilt=math.degrees(angle))
    heart = Shade((255, 225, 90), (225, 150, 30), True)
    if ink.colour in ("yellow", "orange"):
        heart = Shade((150, 90, 50), (80, 45, 25), True)
    brush.ellipse(0.0, y, 0.095, 0.095, heart, (120, 75, 25))
    for i in range(6):
        brush.ellipse(0.05 * math.cos(i), y + 0.05 * math.sin(i), 0.01, 0.01, (120, 75, 25))


def draw_mushroom(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.26, 0.28)
    brush.curve(
        [(-0.13, 0.55), (-0.15, 0.25), (-0.2, 0.04), (0.0, 0.0), (0.2, 0.04), (0.15, 0.25),
         (0.13, 0.55)],
        Shade((255, 250, 235), (205, 190, 165)), (130, 115, 95),
    )  # fmt: skip
    brush.ellipse(0, 0.5, 0.4, 0.08, (225, 210, 185), (130, 115, 95))
    for i in range(-6, 7):
        brush.stroke(
            [(i * 0.025, 0.53), (i * 0.055, 0.45 + 0.002 * i * i * 0.4)], (180, 160, 135), 0.008
        )
    brush.curve(
        [(-0.5, 0.5), (-0.46, 0.7), (-0.25, 0.93), (0, 1.0), (0.25, 0.93), (0.46, 0.7), (0.5, 0.5),
         (0.25, 0.55), (0.0, 0.57), (-0.25, 0.55)],
        ink.ball, ink.line,
    )  # fmt: skip
    spot = (255, 252, 245) if ink.colour != "white" else (205, 190, 170)
    for x, y, size in (
        (-0.22, 0.75, 0.07),
        (0.05, 0.85, 0.085),
        (0.28, 0.72, 0.065),
        (0.03, 0.66, 0.05),
        (-0.36, 0.6, 0.035),
        (0.4, 0.58, 0.03),
    ):
        brush.ellipse(x + rng.uniform(-0.02, 0.02), y, size, size * 0.8, spot)


def draw_apple(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.36, 0.38)
    brush.curve(
        [(0.0, 0.74), (-0.2, 0.82), (-0.42, 0.7), (-0.47, 0.45), (-0.34, 0.14), (-0.14, 0.0),
         (0.0, 0.04), (0.14, 0.0), (0.34, 0.14), (0.47, 0.45), (0.42, 0.7), (0.2, 0.82)],
        ink.ball, ink.line, 0.016,
    )  # fmt: skip
    brush.curve([(-0.14, 0.75), (0.0, 0.69), (0.14, 0.75), (0.0, 0.73)], ink.line)
    lean = rng.uniform(-0.04, 0.1)
    brush.stroke([(0.0, 0.7), (0.02, 0.82), (lean, 0.96)], (95, 62, 38), 0.05, True)
    brush.curve([(0.03, 0.82), (0.16, 0.95), (0.36, 0.96), (0.26, 0.84)], LEAF, LEAF_LINE)
    brush.stroke([(0.05, 0.83), (0.28, 0.93)], LEAF_LINE, 0.01)
    brush.ellipse(-0.24, 0.6, 0.06, 0.11, (255, 255, 255, 120), tilt=-25)


def draw_house(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.52, 0.52)
    roof = Shade((190, 95, 75), (130, 55, 45))
    if ink.colour in ("red", "orange", "brown", "pink"):
        roof = Shade((110, 118, 132), (66, 72, 86))
    roof_line = (60, 40, 40)
    brush.box(0.2, 0.65, 0.33, 0.98, Shade((180, 120, 100), (120, 75, 62)), roof_line)
    brush.box(0.18, 0.95, 0.35, 1.0, (110, 70, 60), roof_line)
    brush.box(-0.44, 0.0, 0.44, 0.58, ink.flat, ink.line)
    for y in (0.12, 0.24, 0.36, 0.48):
        brush.stroke([(-0.43, y), (0.43, y)], (*ink.line, 60), 0.008)
    ridge = rng.choice([0.0, 0.0, 0.36])
    top = 0.97 if ridge == 0 else 0.95
    brush.polygon([(-0.56, 0.55), (-ridge, top), (ridge, top), (0.56, 0.55)], roof, roof_line)
    brush.box(-0.56, 0.53, 0.56, 0.575, (245, 240, 230), roof_line)
    door = rng.choice([-0.08, 0.1])
    brush.box(door - 0.09, 0.0, door + 0.09, 0.36, WOOD, (60, 40, 30))
    brush.ellipse(door + 0.055, 0.17, 0.014, 0.014, (250, 215, 110))
    glass = Shade((255, 246, 200), (170, 210, 230))
    for x in (door - 0.25, door + 0.25):
        brush.box(x - 0.09, 0.2, x + 0.09, 0.42, (250, 248, 242), ink.line)
        brush.box(x - 0.07, 0.22, x + 0.07, 0.4, glass, (110, 110, 110))
        brush.stroke([(x, 0.22), (x, 0.4)], (250, 248, 242), 0.014)
        brush.stroke([(x - 0.07, 0.31), (x + 0.07, 0.31)], (250, 248, 242), 0.014)
    brush.ellipse(0.0, 0.69, 0.055, 0.055, glass, (250, 248, 242), width=0.02)
