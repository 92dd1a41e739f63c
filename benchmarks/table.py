"""The records as a table: in Markdown for the README, and plainly for a terminal."""

from pathlib import Path
from typing import Any

from benchmarks.records import read_records

Record = dict[str, Any]

HEADS = (
    "work",
    "target",
    "usual way",
    "captioner",
    "ratio (from, to)",
    "share of a matrix product",
)


def cells(record: Record) -> tuple[str, ...]:
    """A row of the table; `HEADS` names its cells."""
    target = "–" if record["target"] is None else f"{record['target']:g}"
    ratio = record["ratio"]
    share = record.get("share")
    return (
        record["work"],
        target,
        amount(record, "usual"),
        amount(record, "ours"),
        f"{ratio['median']:.2f} ({ratio['min']:.2f}, {ratio['max']:.2f})",
        f"{share['usual']['median']:.0%}, {share['ours']['median']:.0%}" if share else "–",
    )


def amount(record: Record, way: str) -> str:
    """How much of it is done in a second; of a thing that is done once, how long it takes.

    >>> record = {"amount": 40, "unit": "photos", "quantity": "seconds", "ours": {"median": 2.5}}
    >>> amount(record, "ours"), amount(record | {"amount": 1}, "ours")
    ('16 photos/s', '2.5 s')
    """
    median = record[way]["median"]
    if record["quantity"] != "seconds":
        return f"{median:.0f} {record['quantity']}"
    if record["amount"] == 1:
        return f"{median:.2g} s"
    return f"{rounded(record['amount'] / median)} {record['unit']}/s"


def rounded(value: float) -> str:
    """Two digits at least, and none behind the point that nobody needs.

    >>> rounded(3.14159), rounded(31.4159), rounded(31415.9)
    ('3.1', '31', '31,416')
    """
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def speed_table(folder: Path) -> str:
    """Markdown, with a link to each record and what they have in common below."""
    records = read_records(folder)
    if not records:
        return "No records yet.\n"
    rows = [HEADS, ("---",) * len(HEADS)]
    for record in records:
        work, *others = cells(record)
        rows.append((f"[{work}](benchmarks/records/{record['benchmark']}.json)", *others))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *dict.fromkeys(map(circumstances, records))]) + "\n"


def circumstances(record: Record) -> str:
    """Where and when it was measured.

    >>> circumstances({"hardware": {"processor": "Xeon", "cores": 2, "threads": 1},
    ...                "commit": "b4c821b9a4b6+", "date": "2026-11-22"})
    'Machine: Xeon, 2 cores, threads: 1. Commit: b4c821b+. Date: 2026-11-22.'
    """
    hardware, commit = record["hardware"], record["commit"]
    short = "none" if commit is None else commit[:7] + "+" * commit.endswith("+")
    return (
        f"Machine: {hardware['processor']}, {hardware['cores']} cores, "
        f"threads: {hardware['threads']}. Commit: {short}. Date: {record['date']}."
    )


def plain_table(records: list[Record]) -> str:
    """The same for a terminal."""
    rows = [HEADS, *(cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
