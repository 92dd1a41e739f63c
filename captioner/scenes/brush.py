"""Drawing in a thing's own frame, where the foot is at the origin and the height is one."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from captioner.scenes.colours import RGB, Shade, mix

SIZE = 256
"""Width and height of a picture in pixels."""

OVERSAMPLING = 2
"""Pictures are drawn this many times larger and reduced by a box filter: smooth edges."""

Point = tuple[float, float]
Paint = RGB | tuple[int, int, int, int] | Shade


@cache
def _circle(num_points: int) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@cache
def _catmull_rom(num_points: int) -> np.ndarray:
    """Weights of four neighbours at each of the points between the middle two."""
    t = np.linspace(0, 1, num_points, endpoint=False)
    return 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1
    )


@cache
def _light(is_round: bool) -> Image.Image:
    """How much light falls where: from the upper left, on a wall or on a ball."""
    y, x = np.mgrid[0:256, 0:256] / 255
    far = np.hypot(x - 0.33, y - 0.28) * 1.25 if is_round else 0.3 * x + 0.7 * y
    return Image.fromarray((255 * np.clip(1 - far, 0, 1)).astype(np.uint8))


def smooth(points: Sequence[Point], closed: bool = True) -> np.ndarray:
    """A curve through all the points (Catmull and Rom 1974), six points to a piece.

    Example: a closed curve through four points has 4 x 6 points and goes through the first.

        >>> curve = smooth([(0, 0), (1, 0), (1, 1), (0, 1)])
        >>> curve.shape, curve[0].tolist(), curve[6].tolist()
        ((24, 2), [0.0, 0.0], [1.0, 0.0])
    """
    corners = np.asarray(points, dtype=float)
    if closed:
        around = np.concatenate([corners[-1:], corners, corners[:2]])
    else:
        around = np.concatenate([corners[:1], corners, corners[-1:]])
    windows = np.stack([around[i : len(around) - 3 + i] for i in range(4)])
    curve = np.einsum("tk,kpc->ptc", _catmull_rom(6), windows).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, corners[-1:]])


class Brush:
    """Draws on a picture, in the frame of one thing.

    In that frame x goes to the right and y up, (0, 0) is the middle of the foot, and the thing is
    one unit high.

    Args:
        image: What is drawn on.
        x: Where the foot is, in pixels of `image` from the left.
        y: Where the foot is, in pixels of `image` from the top.
        height: Height of the thing in pixels of `image`.
        mirror: Whether right and left are exchanged.
        angle: Turn to the left around the middle of the thing, in degrees.
    """

    def __init__(
        self,
        image: Image.Image,
        x: float,
        y: float,
        height: float,
        mirror: bool = False,
        angle: float = 0.0,
    ) -> None:
        self._image = image
        # Mixing a see-through paint with what is below costs time, so plain paints do without.
        self._plain = ImageDraw.Draw(image)
        self._glazing = ImageDraw.Draw(image, "RGBA")
        self._height = height
        side = -1.0 if mirror else 1.0
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self._matrix = height * np.array([[side * cos, -side * sin], [-sin, -cos]])
        centre = np.array([0.0, 0.5])
        self._offset = np.array([x, y - height / 2]) - self._matrix @ centre

    def _draw(self, paint: tuple[int, ...]) -> ImageDraw.ImageDraw:
        return self._plain if len(paint) == 3 else self._glazing

    def _pixels(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        return np.asarray(points, dtype=float) @ self._matrix.T + self._offset

    def polygon(
        self,
        points: Sequence[Point] | np.ndarray,
        paint: Paint,
        line: RGB | None = None,
        width: float = 0.012,
    ) -> None:
        """Fill the polygon, with a thin `line` around it where one is given."""
        pixels = self._pixels(points)
        if isinstance(paint, Shade):
            self._fill(pixels, paint)
        else:
            self._draw(paint).polygon(pixels.ravel().tolist(), fill=paint)
        if line is not None:
            around = np.concatenate([pixels, pixels[:2]]).ravel().tolist()
            joint = "curve" if len(pixels) < 12 else None
            self._plain.line(around, fill=line, width=self._thickness(width), joint=joint)

    def curve(
        self,
        points: Sequence[Point],
        paint: Paint,
        line: RGB | None = None,
        width: float = 0.012,
    ) -> None:
        """Fill the smooth shape whose edge goes through the points."""
        self.polygon(smooth(points), paint, line, width)

    def ellipse(
        self,
        x: float,
        y: float,
        across: float,
        up: float,
        paint: Paint,
        line: RGB | None = None,
        tilt: float = 0.0,
        width: float = 0.012,
    ) -> None:
        """Fill an ellipse around (x, y): half axes `across` and `up`, turned by `tilt` degrees."""
        points = _circle(36) * (across, up)
        if tilt:
            cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
            points = points @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(points + np.array([x, y]), paint, line, width)

    def box(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        paint: Paint,
        line: RGB | None = None,
        corner: float = 0.0,
        width: float = 0.012,
    ) -> None:
        """Fill a rectangle, its corners rounded by the radius `corner`."""
        if not corner:
            corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
            self.polygon(corners, paint, line, width)
            return
        middle = np.array([(left + right) / 2, (bottom + top) / 2])
        half = np.array([(right - left) / 2, (top - bottom) / 2]) - corner
        circle = _circle(28)
        signs = np.where(np.roll(circle, 1, axis=0) + circle > 0, 1.0, -1.0)
        self.polygon(middle + signs * half + circle * corner, paint, line, width)

    def stroke(
        self,
        points: Sequence[Point],
        paint: RGB | tuple[int, int, int, int],
        width: float,
        curved: bool = False,
    ) -> None:
        """Draw a line of the given width (in heights of the thing) with round ends."""
        pixels = self._pixels(smooth(points, closed=False) if curved else points)
        thickness = self._thickness(width)
        joint = "curve" if len(pixels) > 2 else None
        self._draw(paint).line(pixels.ravel().tolist(), fill=paint, width=thickness, joint=joint)
        if thickness > 4 and len(paint) == 3:
            radius = thickness / 2 - 0.5
            for x, y in (pixels[0], pixels[-1]):
                self._plain.ellipse((x - radius, y - radius, x + radius, y + radius), fill=paint)

    def shadow(self, left: float, right: float, y: float = 0.0) -> None:
        """The shadow on the ground between `left` and `right`."""
        middle, half = (left + right) / 2, (right - left) / 2
        for grow in (1.1, 0.95, 0.8):
            self.ellipse(middle, y, half * grow, min(0.2 * half, 0.06) * grow, (10, 15, 40, 40))

    def _thickness(self, width: float) -> int:
        return max(OVERSAMPLING - 1, round(width * self._height))

    def _fill(self, pixels: np.ndarray, shade: Shade) -> None:
        if np.ptp(pixels, axis=0).max() < 12 * OVERSAMPLING:
            middle = mix(shade.dark, shade.light, 0.5)
            self._plain.polygon(pixels.ravel().tolist(), fill=middle)
            return
        self._plain.polygon(pixels.ravel().tolist(), fill=shade.dark)
        left, top = (int(v) for v in np.floor(pixels.min(axis=0)))
        right, bottom = (int(v) + 1 for v in np.ceil(pixels.max(axis=0)))
        size = (right - left, bottom - top)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon((pixels - (left, top)).ravel().tolist(), fill=255)
        light = _light(shade.round).resize(size, Image.Resampling.NEAREST)
        self._image.paste(shade.light, (left, top), ImageChops.multiply(mask, light))
