"""Tables in Markdown, and what stands below them."""

from typing import Any

Record = dict[str, Any]


def lines_of(heads: tuple[str, ...], rows: list[tuple[str, ...]], notes: list[str]) -> str:
    """A table in Markdown and notes below it."""
    if not rows:
        return "No records yet.\n"
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ("---",) * len(heads), *rows)]
    return "\n".join([*lines, "", *dict.fromkeys(notes)]) + "\n"


def machine(record: Record) -> str:
    """Where it was measured."""
    hardware = record["hardware"]
    return f"Machine: {hardware['processor']}, {hardware['cores']} cores."


def short(commit: str | None) -> str:
    """A commit as people write it, `+` where the code had been changed since.

    >>> short("b4c821b9a4b672de81c5028a7ef93fa838070d3c+"), short(None)
    ('b4c821b+', 'none')
    """
    return "none" if commit is None else commit[:7] + "+" * commit.endswith("+")
