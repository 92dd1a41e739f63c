"""Drawings of things to take outside.

Each function draws one thing in the frame of its brush (foot at the origin, height one); `rng`
chooses the small differences between two things of a kind.
"""

import math
import random

from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink, mix


def draw_umbrella(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.3, 0.3)
    handle = [(0.0, 0.95), (0.0, 0.12), (0.03, 0.03), (0.1, 0.02), (0.14, 0.1)]
    brush.stroke(handle[:2], (95, 95, 105), 0.03)
    brush.stroke(handle[1:], (120, 75, 45), 0.05, True)
    edge = [(-0.55 + 1.1 * i / 24, _hem(i / 6)) for i in range(25)]
    brush.polygon([*_rib(0.55), *reversed(_rib(-0.55)), *edge], ink.flat, ink.line, 0.014)
    # The panels meet at the tip; every other one is darker, as cloth that is turned away.
    for left, right in ((-0.275, 0.0), (0.275, 0.55)):
        panel = [(left + (right - left) * i / 6, _hem(i / 6)) for i in range(7)]
        brush.polygon([*panel, *_rib(right), *reversed(_rib(left))], (*ink.dark, 150))
    for x in (-0.275, 0.0, 0.275):
        brush.stroke(_rib(x), ink.detail, 0.01)
    brush.box(-0.015, 0.95, 0.015, 1.0, (95, 95, 105))


def _hem(panels: float) -> float:
    """Height of the edge, so many panels from its end: an arc for each panel."""
    return 0.56 + 0.045 * math.sin(math.pi * (panels % 1))


def _rib(x: float) -> list[tuple[float, float]]:
    """A quarter of an ellipse, from the edge at `x` to the tip."""
    angles = [math.pi * i / 24 for i in range(13)]
    return [(x * math.cos(angle), 0.56 + 0.4 * math.sin(angle)) for angle in angles]


def draw_kite(brush: Brush, ink: Ink, rng: random.Random) -> None:
    top, left, right, bottom = (0.05, 1.0), (-0.28, 0.72), (0.34, 0.74), (0.0, 0.32)
    middle = (0.03, 0.73)
    sway = rng.uniform(0.1, 0.22)
    tail = [bottom, (sway, 0.24), (-0.02, 0.14), (sway, 0.05), (0.05, 0.0)]
    brush.stroke(tail, (90, 90, 100), 0.014, True)
    for x, y in tail[1:4]:
        brush.polygon([(x, y), (x - 0.08, y + 0.04), (x - 0.08, y - 0.03)], ink.base, ink.line)
        brush.polygon([(x, y), (x + 0.08, y + 0.03), (x + 0.08, y - 0.04)], ink.base, ink.line)
    brush.polygon([top, left, bottom, right], ink.flat, ink.line, 0.016)
    brush.polygon([top, right, middle], (*ink.dark, 130))
    brush.polygon([left, bottom, middle], (*ink.dark, 130))
    brush.stroke([top, bottom], ink.detail, 0.014)
    brush.stroke([left, right], ink.detail, 0.014)


def draw_balloon(brush: Brush, ink: Ink, rng: random.Random) -> None:
    sway = rng.choice([-1, 1]) * rng.uniform(0.03, 0.07)
    brush.stroke([(0, 0.4), (sway, 0.28), (-sway, 0.14), (sway, 0.0)], (80, 80, 90), 0.012, True)
    brush.polygon([(0, 0.42), (-0.045, 0.37), (0.045, 0.37)], ink.dark, ink.line)
    brush.curve(
        [(0, 0.4), (-0.15, 0.48), (-0.26, 0.66), (-0.24, 0.85), (-0.1, 0.98), (0.1, 0.98),
         (0.24, 0.85), (0.26, 0.66), (0.15, 0.48)],
        ink.ball, ink.line,
    )  # fmt: skip
    brush.ellipse(-0.11, 0.83, 0.04, 0.075, (255, 255, 255, 170), tilt=-25)


def draw_ball(brush: Brush, ink: Ink, rng: random.Random) -> None:
    brush.shadow(-0.4, 0.42)
    brush.ellipse(0, 0.5, 0.5, 0.5, ink.ball, ink.line, width=0.016)
    band = (255, 255, 255, 215) if ink.colour != "white" else (110, 120, 150, 160)
    tilt = rng.uniform(-35, 35)
    turn = math.radians(tilt)
    arc = [(0.5 * math.cos(a), 0.1 * math.sin(a)) for a in (math.pi * i / 16 for i in range(17))]
    upper = [(x, 0.075 - y) for x, y in arc]
    lower = [(x, -0.075 - y) for x, y in reversed(arc)]
    strip = [(x * 0.985, y) for x, y in upper + lower]
    brush.polygon(
        [
            (x * math.cos(turn) - y * math.sin(turn), 0.5 + x * math.sin(turn) + y * math.cos(turn))
            for x, y in strip
        ],
        band,
    )
    brush.ellipse(-0.2, 0.74, 0.1, 0.06, (*mix(ink.light, (255, 255, 255), 0.7), 180), tilt=35)
