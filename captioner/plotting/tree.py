"""The captions of a beam as a tree, drawn with Pillow."""

from collections.abc import Sequence
from typing import Any, Protocol

from captioner.vocabulary import readable

LINE, FORK = 24, 22
"""Pixels from line to line, and of the lines that lead from a phrase to what follows."""
INK, LINES, CHOSEN = (60, 60, 60), (170, 170, 170), (0, 90, 160)


class TreeNode(Protocol):
    """A word and what came after it, as `captioner.explaining.Branch`."""

    @property
    def word(self) -> str:
        """Empty at the root and where a caption ended."""

    @property
    def captions(self) -> list[int]:
        """Numbers of the captions that go through here."""

    @property
    def after(self) -> "Sequence[TreeNode]":
        """What followed."""


class Tree:
    """A tree of words from left to right: words that nothing parts stand together as a phrase.

    The first caption runs along the top, and is the coloured one.

    Args:
        root: Its `after` holds the first words.
        font: Of the text.
    """

    def __init__(self, root: TreeNode, font: Any) -> None:
        self.font = font
        self.texts: list[tuple[float, int, str, bool]] = []
        self.lines: list[tuple[float, int, int]] = []
        rows, self.width = self._place(root, 0.0, 0)
        self.height = LINE * rows

    def _place(self, node: TreeNode, x: float, row: int) -> tuple[int, int]:
        """How many rows a branch takes, and where its longest caption ends."""
        first, end = row, x
        for number, branch in enumerate(node.after):
            begin = x + FORK if len(node.after) > 1 else x
            phrase, last = phrase_of(branch)
            if len(node.after) > 1:
                self.lines.append((x, first, row))
            text = phrase or "(end)"
            self.texts.append((begin, row, text, 0 in branch.captions and number == 0))
            after = begin + self.font.getlength(text) + 6
            rows, reached = self._place(last, after, row) if last.after else (1, after)
            row, end = row + rows, max(end, reached)
        return max(1, row - first), round(end)

    def draw(self, draw: Any, left: int, top: int) -> None:
        """Draw it with its upper left corner here."""
        middle = LINE // 2 - 2
        for x, first, row in self.lines:
            x0, x1 = left + x + 4, left + x + FORK - 4
            y0, y1 = top + LINE * first + middle, top + LINE * row + middle
            draw.line([(x0, y0), (x0, y1), (x1, y1)], fill=LINES, width=2)
        for x, row, text, chosen in self.texts:
            colour = CHOSEN if chosen else INK
            draw.text((left + x, top + LINE * row), text, fill=colour, font=self.font)


def phrase_of(branch: TreeNode) -> tuple[str, TreeNode]:
    """The words from here on until captions part, and the branch of the last of them."""
    words = [branch.word]
    while len(branch.after) == 1:
        (branch,) = branch.after
        words.append(branch.word)
    return readable(words).strip(), branch
