"""Tokens in signs that can be seen, and drawn."""

import unicodedata
from functools import cache

FONT = "DejaVu Sans Mono"
"""The font of tokens in pictures; matplotlib brings it along."""
LONGEST = 24
"""Characters of a token that are shown."""


def visible(token: str, space: str = " ") -> str:
    """A token in signs that can be seen: ↵ ends a line, ⇥ is a tab; long ones are shortened.

    Args:
        token: Word, or character.
        space: How a blank is shown.

    >>> visible("\\n"), visible(" ", space="␣"), visible("so" + 30 * "o")
    ('↵', '␣', 'soooooooooooooooooooooo…')
    """
    signs = {"\n": "↵", "\t": "⇥", " ": space}
    shown = "".join(
        signs.get(sign, "�" if unicodedata.category(sign) in ("Cc", "Cs") else sign)
        for sign in token
    )
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def drawable(text: str) -> str:
    """The same with □ for signs that the font of the pictures lacks."""
    return "".join(sign if ord(sign) in _signs() else "□" for sign in text)


@cache
def _signs() -> frozenset[int]:
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(findfont(FONT)).get_charmap())
