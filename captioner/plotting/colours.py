"""Colours of numbers, light enough for black text."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
WHITE: Colour = (255, 255, 255)
BLUE: Colour = (67, 147, 195)
"""Of -1."""
RED: Colour = (222, 94, 80)
"""Of +1."""
GREEN: Colour = (50, 162, 96)
"""Of what is certain, or wide open."""


def signed(value: float) -> Colour:
    """Blue for -1, white for 0, red for +1; what lies beyond has the colour of the end.

    >>> signed(-1.0), signed(0.0), signed(2.0)
    ((67, 147, 195), (255, 255, 255), (222, 94, 80))
    """
    return blend(abs(value), RED if value > 0 else BLUE)


def blend(share: float, full: Colour) -> Colour:
    """White for 0, the full colour for 1 and beyond.

    >>> blend(0.5, (55, 155, 255))
    (155, 205, 255)
    """
    share = min(1.0, max(0.0, share))
    red, green, blue = (round(255 + (part - 255) * share) for part in full)
    return red, green, blue


def hexadecimal(colour: Colour) -> str:
    """A colour as HTML and matplotlib write it.

    >>> hexadecimal((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)
