"""The places where things are shown: what can be there, and what people call them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from captioner.scenes import landscapes
from captioner.scenes.backdrop import Backdrop


@dataclass(frozen=True)
class Place:
    """A kind of background."""

    paint: Callable[[Backdrop], None]
    horizon: float
    """Where the ground begins, from the top; things that fly stay above it."""
    homes: tuple[str, ...]
    """Which things can be here, by `Kind.homes`."""
    ground: tuple[str, ...]
    """Colours that would be lost on the ground."""
    sky: tuple[str, ...]
    """Colours that would be lost above the horizon."""
    here: tuple[str, ...]
    """Phrases that follow "a car parked", for what is on the ground, on water or on a table."""
    above: tuple[str, ...] = ()
    """Phrases that follow "a bird flying"."""
    scenery: tuple[str, ...] = ()
    """Phrases that follow "with" or "and" and name what is behind."""
    shows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds that are part of the background, and their colours there: naming them is no error."""


PLACES: dict[str, Place] = {
    "meadow": Place(
        paint=landscapes.paint_meadow, horizon=0.6, homes=("land", "air"),
        ground=("green",), sky=("blue", "white"),
        here=("in a green meadow", "on the grass", "in a field", "in a grassy field",
              "on the green grass", "in the meadow"),
        above=("over a meadow", "over green hills", "above a grassy field", "over the hills"),
        scenery=("green hills in the background", "hills behind"),
    ),
    "beach": Place(
        paint=landscapes.paint_beach, horizon=0.62, homes=("land", "air"),
        ground=("yellow", "white"), sky=("blue", "white"),
        here=("on the beach", "on a sandy beach", "on the sand by the sea", "at the beach",
              "on a beach near the water"),
        above=("over the beach", "over a sandy beach", "above the sea", "at the beach"),
        scenery=("the sea in the background", "the ocean behind"),
    ),
    "street": Place(
        paint=landscapes.paint_street, horizon=0.5, homes=("land", "air"),
        ground=("gray", "black", "white"), sky=("gray", "white", "brown"),
        here=("on a city street", "on the street", "in the city", "on a road in the city",
              "in front of some buildings"),
        above=("over the city", "over a city street", "above the buildings", "in the city"),
        scenery=("tall buildings in the background", "city buildings behind"),
        shows={"house": ("gray", "brown", "white")},
    ),
    "snow": Place(
        paint=landscapes.paint_snow, horizon=0.6, homes=("land", "air"),
        ground=("white", "gray"), sky=("blue", "white", "gray"),
        here=("in the snow", "on a snowy field", "in a snowy field", "on the white snow",
              "on the snow in winter"),
        above=("over a snowy field", "over the snow", "above the snowy hills", "over white hills"),
        scenery=("snowy hills in the background", "snow all around"),
    ),
    "desert": Place(
        paint=landscapes.paint_desert, horizon=0.6, homes=("land", "air"),
        ground=("yellow", "orange", "brown"), sky=("white", "blue", "yellow"),
        here=("in the desert", "on the sand in a desert", "in a sandy desert", "on desert sand",
              "in the hot desert"),
        above=("over the desert", "over a sandy desert", "above the desert"),
        scenery=("sand dunes in the background", "the sun in the sky"),
    ),
    "night": Place(
        paint=landscapes.paint_night, horizon=0.62, homes=("land", "air"),
        ground=("black", "blue", "purple", "gray", "brown", "green"),
        sky=("black", "blue", "purple", "gray", "brown"),
        here=("at night", "under the moon", "on the grass at night",
              "in the dark under the stars", "on a starry night"),
        above=("at night", "under the moon", "in the night sky", "in a dark sky",
               "in the starry sky"),
        scenery=("the moon in the sky", "stars in the night sky"),
    ),
    "forest": Place(
        paint=landscapes.paint_forest, horizon=0.68, homes=("land",),
        ground=("green", "brown", "gray"), sky=("green", "white"),
        here=("in the forest", "in the woods", "in a green forest", "on the ground in a forest"),
        scenery=("a forest in the background", "the woods behind"),
        shows={"tree": ("green", "brown")},
    ),
    "lake": Place(
        paint=landscapes.paint_lake, horizon=0.48, homes=("water", "air"),
        ground=("blue", "gray"), sky=("blue", "white", "gray"),
        here=("on a lake", "on the calm lake", "on the lake near the mountains", "on the water"),
        above=("over a lake", "over the lake", "above the water", "above the mountains"),
        scenery=("mountains in the background", "snowy mountains behind"),
    ),
    "sea": Place(
        paint=landscapes.paint_sea, horizon=0.47, homes=("water", "air"),
        ground=("blue",), sky=("blue", "white"),
        here=("on the sea", "on the ocean", "on the blue water", "at sea", "on the blue sea"),
        above=("over the sea", "over the ocean", "above the water", "over blue water"),
        scenery=("a blue sky in the background", "waves all around"),
    ),
    "sunset": Place(
        paint=landscapes.paint_sunset, horizon=0.47, homes=("water", "air"),
        ground=("purple", "orange", "pink", "gray", "brown"),
        sky=("purple", "orange", "pink", "gray", "brown", "yellow"),
        here=("on the sea at sunset", "on the water at sunset", "on the ocean in the evening",
              "at sunset"),
        above=("over the sea at sunset", "at sunset", "in the evening sky",
               "over the water at sunset"),
        scenery=("the sun setting in the background", "an orange sky behind"),
    ),
    "sky": Place(
        paint=landscapes.paint_sky, horizon=0.98, homes=("air",),
        ground=(), sky=("blue", "white"),
        here=(),
        above=("in the blue sky", "in the sky", "in a cloudy sky", "among the clouds",
               "high in the sky"),
        scenery=("white clouds in the background", "clouds all around"),
    ),
    "underwater": Place(
        paint=landscapes.paint_water, horizon=0.9, homes=("deep",),
        ground=("blue", "gray"), sky=(),
        here=("under the water", "in the water", "in the sea", "in the blue sea", "in the ocean"),
        scenery=("seaweed in the background", "bubbles in the water"),
    ),
    "room": Place(
        paint=landscapes.paint_room, horizon=0.68, homes=("home",),
        ground=(), sky=(),
        here=("in a room", "on the floor", "on a wooden floor", "in the living room",
              "near a window"),
        scenery=("a window in the background", "a window behind"),
    ),
    "table": Place(
        paint=landscapes.paint_table, horizon=0.6, homes=("table",),
        ground=(), sky=(),
        here=("on a table", "on the table", "on a wooden table", "on top of a table"),
        scenery=("a plain wall in the background", "a wall behind"),
    ),
}  # fmt: skip
