"""Where things are in a picture and how large; lengths are shares of the picture's side."""

import random
from dataclasses import dataclass, replace

from captioner.scenes.kinds import Kind

Box = tuple[float, float, float, float]
"""Left, top, right and lower edge, from the upper left corner."""


@dataclass(frozen=True)
class Figure:
    """One drawing of a thing."""

    thing: int
    """Which thing of the scene it is."""
    x: float
    """Middle of the foot, from the left."""
    foot: float
    """From the top."""
    height: float
    mirror: bool
    angle: float
    """Turn to the left in degrees."""

    def box(self, aspect: float) -> Box:
        """The rectangle that a thing of this width to height fills, its turn left aside.

        Example:

            >>> Figure(0, x=0.5, foot=0.9, height=0.5, mirror=False, angle=0.0).box(aspect=1.2)
            (0.2, 0.4, 0.8, 0.9)
        """
        half = aspect * self.height / 2
        return self.x - half, self.foot - self.height, self.x + half, self.foot

    def swapped(self) -> "Figure":
        """The same, of the other of two things."""
        return replace(self, thing=1 - self.thing)


def _place(
    rng: random.Random, thing: int, x: float, foot: float, height: float, home: str
) -> Figure:
    swing = {"air": 9.0, "deep": 7.0, "water": 2.5}.get(home, 0.6)
    return Figure(thing, x, foot, height, rng.random() < 0.5, rng.uniform(-swing, swing))


def _choose_foot(rng: random.Random, home: str, horizon: float, height: float) -> float:
    """A height for the foot at which the thing is where it belongs, and inside the picture."""
    if home == "air":
        return rng.uniform(height + 0.04, max(height + 0.06, min(0.8, horizon + 0.14)))
    if home == "deep":
        return rng.uniform(height + 0.05, max(height + 0.06, 0.9))
    return rng.uniform(max(height + 0.04, horizon + 0.12), 0.94)


def arrange_group(
    rng: random.Random, aspect: float, home: str, horizon: float, count: int
) -> tuple[Figure, ...]:
    """Place one to four things of a kind: alone, in a row, or in two rows.

    Args:
        rng: Source of chance.
        aspect: Width of the thing divided by its height.
        home: Where it is, one of `Kind.homes`.
        horizon: Where the ground begins, from the top.
        count: How many.
    """
    if count == 1:
        height = min(rng.uniform(0.42, 0.78), 0.9 / aspect)
        half = aspect * height / 2
        x = 0.5 + rng.uniform(-1, 1) * min(0.22, 0.46 - half if half < 0.46 else 0)
        return (_place(rng, 0, x, _choose_foot(rng, home, horizon, height), height, home),)
    in_a_row = count == 2 or (count == 3 and aspect < 1.15)
    rows = [count] if in_a_row else [2, count - 2]
    tallest = 0.48 if len(rows) == 1 else 0.31 if home in ("air", "deep") else 0.27
    height = rng.uniform(0.88, 1.0) * min(0.88 / max(rows) / aspect, tallest)
    stagger = rng.choice([-0.12, 0.12]) if rows == [2, 2] else 0.0
    half = aspect * height / 2
    figures = []
    for i, in_row in enumerate(rows):
        if len(rows) == 1:
            foot = _choose_foot(rng, home, horizon, height)
        elif home in ("air", "deep"):
            foot = (0.42, 0.82)[i]
        else:
            foot = (0.95 - max(1.02 * height, 0.18), 0.95)[i]
        free = 0.94 / in_row - aspect * height
        for j in range(in_row):
            x = 0.03 + 0.94 * (j + 0.5) / in_row + rng.uniform(-0.35, 0.35) * max(free, 0)
            x = min(0.98 - half, max(0.02 + half, x + (stagger if i else -stagger)))
            lift = (
                rng.uniform(-0.06, 0.06) if home in ("air", "deep") else rng.uniform(-0.012, 0.012)
            )
            lowest = min(0.96, max(foot + lift, height + 0.03))
            figures.append(_place(rng, 0, x, lowest, height, home))
    return tuple(sorted(figures, key=lambda figure: figure.foot))


def arrange_pair(
    rng: random.Random, relation: str, kinds: tuple[Kind, Kind], home: str, horizon: float
) -> tuple[Figure, ...]:
    """Place two things, the first of them in the given relation to the second.

    Args:
        rng: Source of chance.
        relation: "next to", "on", "under", "above" or "in front of".
        kinds: The first thing and the second.
        home: Where the second is, one of `Kind.homes`.
        horizon: Where the ground begins, from the top.

    Returns:
        Figure of thing 0 and figure of thing 1, in the order in which they are drawn.
    """
    return _ARRANGEMENTS[relation](rng, *kinds, home, horizon)


def _arrange_beside(
    rng: random.Random, first: Kind, second: Kind, home: str, horizon: float
) -> tuple[Figure, ...]:
    difference = first.bulk - second.bulk
    heights = [rng.uniform(0.4, 0.5) * (1.25, 1.0, 0.75)[1 - difference], 0.0]
    heights[1] = rng.uniform(0.4, 0.5) * (1.25, 1.0, 0.75)[1 + difference]
    gap = rng.uniform(0.02, 0.06)
    width = first.aspect * heights[0] + second.aspect * heights[1] + gap
    shrink = min(1.0, 0.93 / width)
    heights = [height * shrink for height in heights]
    left = rng.uniform(0.03, max(0.031, 0.97 - width * shrink))
    foot = rng.uniform(max(max(heights) + 0.04, horizon + 0.12), 0.93)
    figures = []
    order = [0, 1] if rng.random() < 0.5 else [1, 0]
    for thing in order:
        wide = (first, second)[thing].aspect * heights[thing]
        level = foot + rng.uniform(-0.012, 0.012)
        figures.append(_place(rng, thing, left + wide / 2, level, heights[thing], home))
        left += wide + gap * shrink
    return tuple(figures)


def _arrange_on(
    rng: random.Random, first: Kind, second: Kind, home: str, horizon: float
) -> tuple[Figure, ...]:
    low = min(
        rng.uniform(0.5, 0.58) if second.touch > 0.6 else rng.uniform(0.62, 0.7),
        0.84 / second.aspect,
    )
    foot = rng.uniform(0.88, 0.94)
    top = foot - second.touch * low
    seat = 0.62 * second.aspect * low if second.touch > 0.6 else 0.8 * second.aspect * low
    high = min((0.24, 0.34, 0.36)[first.bulk - 1] * rng.uniform(0.95, 1.1), top - 0.03)
    high = min(high, max(seat, 0.2) / first.aspect)
    x = 0.5 + rng.uniform(-1, 1) * max(0.0, min(0.15, 0.46 - second.aspect * low / 2))
    room = max(0.0, seat - first.aspect * high) / 2 if second.aspect > 1.5 else 0.0
    base = Figure(1, x, foot, low, rng.random() < 0.5, 0.0)
    # A sitter's shadow must fall on the seat, so it sits a little in from the rear edge.
    depth = 0.03 * low if second.touch < 0.9 else 0.0
    rider = Figure(0, x + rng.uniform(-room, room), top + depth, high, rng.random() < 0.5, 0.0)
    return base, rider


def _arrange_under(
    rng: random.Random, first: Kind, second: Kind, home: str, horizon: float
) -> tuple[Figure, ...]:
    seat = second.touch < 0.6
    high = rng.uniform(0.74, 0.8) if seat else rng.uniform(0.78, 0.86)
    foot = rng.uniform(0.9, 0.95)
    low = (0.3 if seat else 0.36) * high * rng.uniform(0.9, 1.0)
    low = min(low, (0.46 if seat else 0.6) * second.aspect * high / first.aspect)
    x = 0.5 + rng.uniform(-1, 1) * max(0.0, min(0.08, 0.48 - second.aspect * high / 2))
    side = 0.0 if seat else rng.choice([-1, 1]) * rng.uniform(0.1, 0.16)
    shelter = _place(rng, 1, x, foot - 0.005, high, home)
    below = _place(rng, 0, x + side * high, foot - (0.015 if seat else 0.0), low, home)
    return (below, shelter) if seat else (shelter, below)


def _arrange_above(
    rng: random.Random, first: Kind, second: Kind, home: str, horizon: float
) -> tuple[Figure, ...]:
    low = min(rng.uniform(0.38, 0.46), 0.8 / second.aspect)
    foot = rng.uniform(max(0.88, horizon + 0.14), 0.94)
    high = min(rng.uniform(0.3, 0.38), 0.62 / first.shape("air"), foot - low - 0.08)
    x = 0.5 + rng.uniform(-1, 1) * max(0.0, min(0.16, 0.46 - second.aspect * low / 2))
    shift = rng.uniform(-0.1, 0.1)
    bottom = rng.uniform(high + 0.03, foot - low - 0.04)
    half = first.shape("air") * high / 2
    over = min(0.97 - half, max(0.03 + half, x + shift))
    return _place(rng, 1, x, foot, low, home), _place(rng, 0, over, bottom, high, "air")


def _arrange_before(
    rng: random.Random, first: Kind, second: Kind, home: str, horizon: float
) -> tuple[Figure, ...]:
    foot = rng.uniform(max(0.8, horizon + 0.1), 0.84)
    far = min(rng.uniform(0.62, 0.72), 0.88 / second.aspect, foot - 0.04)
    near_foot = rng.uniform(0.93, 0.96)
    wide = second.aspect * far
    near = min((0.3, 0.4, 0.4)[first.bulk - 1] * rng.uniform(0.9, 1.05), 0.5 * wide / first.aspect)
    x = 0.5 + rng.uniform(-1, 1) * max(0.0, min(0.14, 0.46 - wide / 2))
    side = rng.choice([-1, 1]) * rng.uniform(0.22, 0.36) * wide
    half = first.aspect * near / 2
    near_x = min(0.97 - half, max(0.03 + half, x + side))
    return _place(rng, 1, x, foot, far, home), _place(rng, 0, near_x, near_foot, near, home)


_ARRANGEMENTS = {
    "next to": _arrange_beside,
    "on": _arrange_on,
    "under": _arrange_under,
    "above": _arrange_above,
    "in front of": _arrange_before,
}
