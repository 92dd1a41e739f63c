"""Paintings of the places, each with small differences from one picture to the next.

Every function paints the whole of a backdrop; lengths are shares of its side, from the upper left
corner.
"""

import math

import numpy as np

from captioner.scenes.backdrop import Backdrop
from captioner.scenes.colours import mix

DAY = ((112, 178, 232), (190, 224, 246), (232, 244, 250))
CLOUD = (252, 252, 255)
WALLS = [(218, 198, 160), (158, 196, 200), (176, 202, 158), (192, 184, 216)]
"""Light, so that dark things stand out, but not so light that white ones do not."""


def paint_meadow(picture: Backdrop) -> None:
    picture.gradient(0, 0.7, *DAY)
    picture.clouds(0.3, CLOUD)
    picture.hills(0.5, 0.05, 1.0, (150, 196, 140))
    picture.hills(0.56, 0.05, 1.4, (122, 186, 104))
    picture.hills(0.63, 0.03, 0.8, (108, 180, 82))
    picture.polygon([(0, 0.8), (1, 0.74), (1, 1), (0, 1)], (96, 168, 72))
    picture.tufts(0.68, 1.0, 60, [(74, 144, 58), (128, 196, 92), (88, 158, 66)])


def paint_beach(picture: Backdrop) -> None:
    picture.gradient(0, 0.45, *DAY)
    picture.clouds(0.25, CLOUD, 3)
    picture.gradient(0.42, 0.62, (40, 120, 180), (90, 185, 210))
    picture.ripples(0.44, 0.58, 26, [(200, 235, 245), (60, 150, 195)])
    picture.hills(0.615, 0.008, 2.0, (246, 252, 252))
    picture.hills(0.63, 0.008, 2.0, (214, 186, 138))
    picture.hills(0.66, 0.008, 2.0, (240, 216, 166))
    picture.specks(0.68, 1.0, 90, [(222, 194, 142), (250, 232, 192), (206, 178, 130)], 0.008, 0.003)


def paint_street(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.6, *DAY)
    left = -rng.uniform(0, 0.1)
    while left < 1:
        wide, top = rng.uniform(0.14, 0.24), rng.uniform(0.1, 0.36)
        wall = rng.choice(
            [(196, 176, 158), (178, 188, 196), (206, 192, 164), (190, 166, 160), (170, 178, 170)]
        )
        picture.box(left, top, left + wide, 0.66, wall)
        picture.box(left + wide - 0.025, top, left + wide, 0.66, mix(wall, (60, 60, 90), 0.2))
        for row in np.arange(top + 0.04, 0.58, 0.085):
            for column in np.arange(left + 0.02, left + wide - 0.05, 0.05):
                picture.box(
                    column,
                    row,
                    column + 0.026,
                    row + 0.045,
                    rng.choice([(120, 150, 175), (228, 222, 190)]),
                )
        left += wide
    picture.box(0, 0.64, 1, 0.72, (206, 202, 196))
    picture.box(0, 0.715, 1, 0.73, (166, 162, 158))
    picture.gradient(0.73, 1.0, (128, 130, 136), (104, 106, 112))
    picture.specks(0.74, 1.0, 50, [(118, 120, 126), (136, 138, 144)], 0.01, 0.003)
    start = rng.uniform(-0.2, 0)
    for i in range(6):
        x = start + 0.25 * i
        picture.polygon(
            [(x, 0.95), (x + 0.13, 0.95), (x + 0.12, 0.97), (x - 0.01, 0.97)], (236, 232, 214)
        )


def paint_snow(picture: Backdrop) -> None:
    picture.gradient(0, 0.65, (150, 182, 214), (206, 222, 236))
    picture.hills(0.5, 0.06, 1.2, (196, 214, 232))
    picture.hills(0.58, 0.04, 0.9, (222, 234, 244))
    picture.hills(0.66, 0.02, 0.7, (240, 246, 251))
    picture.specks(0.7, 1.0, 30, [(214, 226, 240), (224, 234, 245)], 0.04, 0.006)
    if picture.rng.random() < 0.6:
        picture.specks(0.0, 1.0, 90, [(255, 255, 255), (246, 250, 255)], 0.0065, 0.0065)


def paint_desert(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.65, (120, 188, 226), (206, 228, 226), (250, 236, 202))
    picture.ellipse(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2), 0.06, 0.06, (255, 244, 190))
    x = rng.uniform(0.1, 0.7)
    picture.polygon([(x - 0.06, 0.6), (x, 0.42), (x + 0.2, 0.42), (x + 0.28, 0.6)], (206, 150, 110))
    picture.hills(0.58, 0.04, 1.1, (232, 190, 132))
    picture.hills(0.66, 0.03, 0.9, (240, 204, 146))
    picture.hills(0.8, 0.03, 0.7, (234, 194, 132))
    for i in range(7):
        y = 0.72 + 0.042 * i
        picture.line(
            [(x / 12, y + 0.008 * math.sin(x + i)) for x in range(13)], (218, 176, 116), 0.003
        )


def paint_night(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.72, (14, 18, 52), (30, 40, 92), (66, 76, 130))
    picture.specks(0.0, 0.6, 60, [(255, 255, 240), (200, 210, 250)], 0.004, 0.004)
    x, y = rng.choice([rng.uniform(0.08, 0.25), rng.uniform(0.75, 0.92)]), rng.uniform(0.09, 0.18)
    for radius, shine in ((0.1, 26), (0.08, 36)):
        picture.ellipse(x, y, radius, radius, (230, 230, 255, shine))
    picture.ellipse(x, y, 0.055, 0.055, (250, 246, 220))
    for dx, dy, radius in ((-0.02, -0.01, 0.012), (0.015, 0.02, 0.009), (0.02, -0.022, 0.007)):
        picture.ellipse(x + dx, y + dy, radius, radius, (228, 222, 194))
    picture.hills(0.6, 0.05, 1.1, (34, 48, 82))
    picture.hills(0.68, 0.03, 0.9, (38, 64, 74))
    picture.gradient(0.78, 1.0, (44, 78, 76), (34, 60, 62))
    picture.hills(0.77, 0.015, 0.8, (44, 78, 76))
    picture.tufts(0.8, 1.0, 40, [(32, 58, 58), (62, 100, 92)])


def paint_forest(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.75, (206, 228, 200), (176, 210, 168))
    for depth, count in ((0, 9), (1, 6)):
        shade = mix((120, 140, 112), (84, 70, 56), depth)
        for i in range(count):
            x, wide = (i + rng.uniform(0.1, 0.9)) / count, 0.014 + 0.014 * depth
            foot = 0.66 + 0.05 * depth
            picture.polygon(
                [(x - wide, foot), (x - 0.6 * wide, 0), (x + 0.6 * wide, 0), (x + wide, foot)],
                shade,
            )
    for depth, count in ((0, 14), (1, 14)):
        for i in range(count):
            x, y = (i + rng.random()) / count, rng.uniform(-0.02, 0.16 - 0.07 * depth)
            picture.ellipse(
                x, y, 0.11, 0.09, rng.choice([(96, 152, 92), (78, 136, 80), (116, 168, 104)])
            )
    picture.hills(0.69, 0.015, 1.3, (110, 150, 84))
    picture.hills(0.74, 0.012, 0.9, (128, 166, 92))
    picture.tufts(0.72, 1.0, 55, [(94, 134, 70), (154, 188, 112), (104, 146, 78)])


def paint_lake(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.5, *DAY)
    picture.clouds(0.2, CLOUD, 3)
    x = rng.uniform(-0.2, 0.1)
    while x < 1:
        wide, top = rng.uniform(0.2, 0.32), rng.uniform(0.2, 0.32)
        picture.polygon(
            [(x - 0.1, 0.5), (x + wide / 2, top), (x + wide + 0.1, 0.5)], (128, 144, 168)
        )
        picture.polygon(
            [(x + wide / 2, top), (x + wide + 0.1, 0.5), (x + wide / 2 + 0.04, 0.5)],
            (108, 124, 150),
        )
        share = 0.28
        y, half = top + share * (0.5 - top), share * (wide / 2 + 0.1)
        peak, third = x + wide / 2, half / 3
        snow = [(peak - half, y), (peak, top), (peak + half, y)]
        snow += [(peak + third, y - 0.012), (peak, y + 0.012), (peak - third, y - 0.01)]
        picture.polygon(snow, (246, 249, 253))
        x += wide
    picture.hills(0.475, 0.012, 2.2, (92, 142, 92))
    picture.gradient(0.5, 1.0, (112, 172, 200), (60, 128, 172))
    picture.ripples(0.52, 1.0, 60, [(170, 214, 230), (84, 150, 188), (50, 112, 156)])


def paint_sea(picture: Backdrop) -> None:
    picture.gradient(0, 0.5, *DAY)
    picture.clouds(0.3, CLOUD)
    picture.gradient(0.48, 1.0, (44, 116, 176), (30, 138, 180), (70, 172, 196))
    picture.ripples(0.5, 1.0, 80, [(188, 230, 240), (28, 102, 156), (120, 196, 220)])


def paint_sunset(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 0.5, (108, 90, 150), (226, 130, 120), (252, 190, 110), (255, 222, 140))
    x = rng.uniform(0.15, 0.85)
    for radius, shine in ((0.16, 50), (0.12, 70)):
        picture.ellipse(x, 0.47, radius, radius, (255, 244, 190, shine))
    picture.ellipse(x, 0.47, 0.075, 0.075, (255, 246, 200))
    for _ in range(rng.randint(2, 4)):
        y, cx, wide = rng.uniform(0.08, 0.36), rng.random(), rng.uniform(0.08, 0.2)
        picture.ellipse(cx, y, wide, 0.012, (250, 180, 150, 160))
        picture.ellipse(cx + 0.06, y + 0.014, wide, 0.009, (200, 120, 140, 140))
    picture.gradient(0.5, 1.0, (214, 150, 120), (116, 96, 136), (58, 66, 116))
    for i in range(16):
        y, wide = 0.505 + 0.03 * i, 0.035 + 0.006 * i
        cx = x + rng.uniform(-0.02, 0.02)
        picture.line([(cx - wide, y), (cx + wide, y)], (255, 226, 150, 200 - 9 * i), 0.008)
    picture.ripples(0.52, 1.0, 50, [(236, 176, 140), (70, 70, 120), (150, 116, 140)])


def paint_sky(picture: Backdrop) -> None:
    picture.gradient(0, 1.0, (86, 160, 226), (150, 204, 242), (206, 232, 248))
    picture.clouds(0.95, CLOUD, 7)


def paint_water(picture: Backdrop) -> None:
    rng = picture.rng
    picture.gradient(0, 1.0, (110, 200, 226), (52, 146, 190), (24, 92, 142))
    for _ in range(4):
        x, wide = rng.random(), rng.uniform(0.04, 0.09)
        picture.polygon(
            [(x, 0), (x + wide, 0), (x - 0.1 + 2 * wide, 0.8), (x - 0.2, 0.8)], (220, 250, 255, 28)
        )
    picture.hills(0.88, 0.02, 1.2, (186, 172, 130))
    picture.hills(0.92, 0.02, 0.9, (206, 190, 146))
    for _ in range(rng.randint(4, 7)):
        x, tall, lean = rng.random(), rng.uniform(0.12, 0.3), rng.uniform(-0.03, 0.03)
        for side in (-1, 0, 1):
            weed = []
            for t in (0, 0.2, 0.4, 0.6, 0.8, 1 - 0.15 * abs(side)):
                wave = lean * t * t + 0.012 * math.sin(9 * t + side)
                weed.append((x + side * 0.015 + wave, 0.95 - tall * t))
            picture.line(weed, rng.choice([(40, 120, 90), (60, 140, 96)]), 0.014)
    for _ in range(rng.randint(5, 10)):
        x, y, radius = rng.random(), rng.uniform(0.05, 0.85), rng.uniform(0.005, 0.013)
        picture.ellipse(x, y, radius, radius, (225, 246, 252, 150))


def paint_room(picture: Backdrop) -> None:
    rng = picture.rng
    wall = rng.choice(WALLS)
    picture.gradient(0, 0.68, wall, mix(wall, (150, 140, 130), 0.12))
    for i in range(10):
        picture.box(0.1 * i, 0, 0.1 * i + 0.05, 0.68, (*mix(wall, (255, 255, 255), 0.3), 110))
    x = rng.choice([0.05, 0.65])
    picture.box(x, 0.07, x + 0.3, 0.4, (250, 248, 244))
    picture.box(x + 0.02, 0.09, x + 0.28, 0.38, (178, 218, 240))
    picture.polygon(
        [(x + 0.02, 0.38), (x + 0.02, 0.33), (x + 0.15, 0.3), (x + 0.28, 0.34), (x + 0.28, 0.38)],
        (150, 194, 140),
    )
    picture.box(x + 0.142, 0.09, x + 0.158, 0.38, (250, 248, 244))
    picture.box(x + 0.02, 0.225, x + 0.28, 0.24, (250, 248, 244))
    picture.box(x - 0.015, 0.395, x + 0.315, 0.42, (236, 232, 226))
    picture.box(0, 0.65, 1, 0.69, (248, 246, 242))
    picture.gradient(0.69, 1.0, (206, 166, 122), (190, 146, 102))
    for i, y in enumerate((0.69, 0.735, 0.795, 0.875, 0.97)):
        picture.line([(0, y), (1, y)], (158, 116, 78), 0.004)
        for j in range(4):
            seam = (j + 0.5 * (i % 2)) / 3.5
            picture.line([(seam, y), (0.5 + (seam - 0.5) * 1.12, y + 0.07)], (164, 122, 84), 0.003)


def paint_table(picture: Backdrop) -> None:
    rng = picture.rng
    wall = rng.choice(WALLS)
    picture.gradient(0, 0.64, mix(wall, (255, 255, 255), 0.12), mix(wall, (90, 80, 90), 0.1))
    for _ in range(3):
        picture.ellipse(
            rng.random(), rng.uniform(0.1, 0.5), 0.16, 0.16, (*mix(wall, (255, 255, 255), 0.5), 60)
        )
    picture.gradient(0.6, 0.95, (204, 160, 112), (222, 180, 132))
    for _ in range(22):
        y, x, wide = rng.uniform(0.62, 0.94), rng.random(), rng.uniform(0.1, 0.3)
        picture.line(
            [(x - wide, y), (x, y + 0.004), (x + wide, y)],
            rng.choice([(190, 146, 100), (234, 196, 150)]),
            0.003,
        )
    picture.box(0, 0.6, 1, 0.606, (170, 126, 84))
    picture.gradient(0.95, 1.0, (160, 114, 72), (136, 94, 58))
