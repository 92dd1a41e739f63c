"""The kinds of things: what they are called, which colours they have and where they are found."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from captioner.scenes import animals, objects, plants, toys, vehicles
from captioner.scenes.brush import Brush
from captioner.scenes.colours import Ink

Drawing = Callable[[Brush, Ink, random.Random], None]


@dataclass(frozen=True)
class Kind:
    """A kind of thing."""

    draw: Drawing
    aspect: float
    """Width divided by height."""
    colours: tuple[str, ...]
    homes: tuple[str, ...]
    """Where it is found: "land", "air", "water", "deep" (under water), "home" (a room), "table"."""
    bulk: int
    """How large such things are: 1 fits in a hand, 2 in a room, 3 is larger."""
    words: tuple[str, ...]
    """What people call it; the first is the usual one."""
    plurals: tuple[str, ...]
    """The same, of several."""
    doing: tuple[str, ...] = ("standing",)
    """What it does on the ground, on the water or on the table."""
    flying: Drawing | None = None
    """How it is drawn in the air, where that differs."""
    flying_aspect: float | None = None
    """Width divided by height in the air, where that differs."""
    touch: float = 1.0
    """Height of its top surface, where another thing can stand, as a share of its height."""

    def shape(self, home: str) -> float:
        """Width divided by height there.

        Example: a bird that flies spreads its wings.

            >>> KINDS["bird"].shape("air") > KINDS["bird"].shape("land")
            True
        """
        return self.flying_aspect or self.aspect if home == "air" else self.aspect


ALL = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "gray",
)
BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
PAINT = (*BRIGHT, "white", "black")
FUR = ("brown", "black", "white", "gray", "orange")

KINDS: dict[str, Kind] = {
    "car": Kind(
        vehicles.draw_car, 2.12, (*PAINT, "gray"), ("land",), 3,
        ("car", "automobile"), ("cars",), ("parked", "standing"),
    ),
    "bus": Kind(
        vehicles.draw_bus, 1.92, PAINT, ("land",), 3,
        ("bus",), ("buses",), ("parked", "standing", "stopped"),
    ),
    "truck": Kind(
        vehicles.draw_truck, 2.0, (*PAINT, "gray"), ("land",), 3,
        ("truck",), ("trucks",), ("parked", "standing", "stopped"),
    ),
    "bicycle": Kind(
        vehicles.draw_bicycle, 1.78, BRIGHT, ("land",), 2,
        ("bicycle", "bike"), ("bicycles", "bikes"), ("parked", "standing"),
    ),
    "airplane": Kind(
        vehicles.draw_airplane, 2.25, (*PAINT, "gray"), ("air",), 3,
        ("airplane", "plane"), ("airplanes", "planes"), ("flying",),
    ),
    "boat": Kind(
        vehicles.draw_boat, 1.35, (*BRIGHT, "brown", "black", "white"), ("water",), 3,
        ("boat", "sailboat"), ("boats",), ("floating", "sailing"),
    ),
    "house": Kind(
        plants.draw_house, 1.14, (*BRIGHT, "white", "gray", "brown"), ("land",), 3,
        ("house", "cottage"), ("houses",), ("standing",), touch=0.92,
    ),
    "tree": Kind(
        plants.draw_tree, 0.94, ("green", "red", "orange", "yellow", "pink"), ("land",), 3,
        ("tree",), ("trees",), ("standing", "growing"),
    ),
    "flower": Kind(
        plants.draw_flower, 0.66, (*BRIGHT, "white"), ("land",), 1,
        ("flower",), ("flowers",), ("growing", "blooming"), touch=0.94,
    ),
    "mushroom": Kind(
        plants.draw_mushroom, 1.0, ("red", "brown", "orange", "purple", "yellow", "white", "blue"),
        ("land",), 1, ("mushroom",), ("mushrooms",), ("growing", "standing"), touch=0.97,
    ),
    "dog": Kind(
        animals.draw_dog, 1.48, FUR, ("land", "home"), 2,
        ("dog", "puppy"), ("dogs", "puppies"), ("standing", "waiting"),
    ),
    "cat": Kind(
        animals.draw_cat, 1.0, FUR, ("land", "home"), 2,
        ("cat", "kitten"), ("cats", "kittens"), ("sitting",),
    ),
    "bird": Kind(
        animals.draw_bird, 1.4, (*BRIGHT, "brown", "black", "white"), ("air", "land"), 1,
        ("bird",), ("birds",), ("standing",
        "sitting"), flying=animals.draw_flying_bird, flying_aspect=1.68,
    ),
    "fish": Kind(
        animals.draw_fish, 1.7, ("red", "orange", "yellow", "green", "purple", "pink", "black",
        "white"), ("deep",), 1,
        ("fish",), ("fish",), ("swimming",),
    ),
    "butterfly": Kind(
        animals.draw_butterfly, 1.25, (*BRIGHT, "white", "brown"), ("air",), 1,
        ("butterfly",), ("butterflies",), ("flying",),
    ),
    "duck": Kind(
        animals.draw_duck, 1.44, ("yellow", "white", "brown", "gray", "green", "orange"),
        ("water", "land"), 2, ("duck",), ("ducks",), ("sitting", "resting"),
    ),
    "umbrella": Kind(
        toys.draw_umbrella, 1.12, (*BRIGHT, "black", "white"), ("land",), 2,
        ("umbrella",), ("umbrellas",), ("standing", "open"),
    ),
    "chair": Kind(
        objects.draw_chair, 0.68, (*BRIGHT, "brown", "black", "white"), ("home", "land"), 2,
        ("chair",), ("chairs",), ("standing", "placed"), touch=0.46,
    ),
    "sofa": Kind(
        objects.draw_sofa, 1.92, (*BRIGHT, "brown", "black", "white", "gray"), ("home",), 3,
        ("sofa", "couch"), ("sofas",), ("standing", "placed"), touch=0.48,
    ),
    "lamp": Kind(
        objects.draw_lamp, 0.74, (*BRIGHT, "white"), ("table", "home"), 2,
        ("lamp",), ("lamps",), ("standing", "placed"),
    ),
    "cup": Kind(
        objects.draw_cup, 1.06, ALL, ("table",), 1,
        ("cup", "mug"), ("cups", "mugs"), ("standing", "sitting", "placed"),
    ),
    "apple": Kind(
        plants.draw_apple, 0.97, ("red", "green", "yellow"), ("table",), 1,
        ("apple",), ("apples",), ("lying", "sitting"),
    ),
    "book": Kind(
        objects.draw_book, 1.8, (*BRIGHT, "brown", "black", "white"), ("table", "home"), 1,
        ("book",), ("books",), ("lying", "placed"), touch=0.72,
    ),
    "clock": Kind(
        objects.draw_clock, 0.94, (*BRIGHT, "black", "gray"), ("table",), 1,
        ("clock", "alarm clock"), ("clocks",), ("standing", "sitting"),
    ),
    "hat": Kind(
        objects.draw_hat, 1.72, (*BRIGHT, "brown", "black", "white"), ("table", "land", "home"), 1,
        ("hat",), ("hats",), ("lying",),
    ),
    "ball": Kind(
        toys.draw_ball, 1.0, (*BRIGHT, "white"), ("land", "home"), 1,
        ("ball",), ("balls",), ("lying", "resting"),
    ),
    "kite": Kind(
        toys.draw_kite, 0.66, BRIGHT, ("air",), 2,
        ("kite",), ("kites",), ("flying",),
    ),
    "balloon": Kind(
        toys.draw_balloon, 0.54, BRIGHT, ("air",), 1,
        ("balloon",), ("balloons",), ("floating", "flying"),
    ),
}  # fmt: skip
