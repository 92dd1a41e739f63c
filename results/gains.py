"""The README's tables of experiments: what helps, from the records in experiments/."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from captioner.errors import InputError
from captioner.files import read_json
from results.catalogue import EXPERIMENTS, GROUPS, SIZE, Experiment
from results.markdown import Record, lines_of, machine, short

INTRODUCTION = f"""### Experiments

Each line is trained anew with its seeds, and chosen and scored on the validation photos of
Flickr8k: the mean over the seeds, times 100, and in brackets the lowest and the highest. *Gain*:
in CIDEr-D, beyond the line that it is compared with, seed by seed. *Break off*, *say a thing
twice*: shares of the captions. So that two cores could train all of them, they are smaller and
shorter than the presets, `{SIZE}`, where they do not say otherwise.
[results/experiments.py](results/experiments.py) runs all of them; the records, which the names
lead to, also have the other scores and their 95 % intervals over photos.
"""
ABOUT = {
    "decoders": "**Decoders**, compared with the pooled LSTM.",
    "ingredients": "**Ingredients** of training, each alone, compared with the line without it\n"
    "that stands above.",
    "features": "**Features**: which CNN, and what is taken of it.",
    "data": "**Data**: from how many photos a captioner learns; the first line has all of them.\n"
    "The fewer they are, the more often each is seen.",
    "search": "**Search** with the captioner with attention, compared with three beams.\n"
    "*Consensus*: what people would say chooses. *Search*: seconds for all of the photos.",
    "self-critical": "**Self-critical training** goes on from the captioner with attention, which\n"
    "stands in the first line; its time comes on top.",
    "fine-tuning": "**Fine-tuning** of the CNN goes on from there, too.",
}
CURVE = "CIDEr-D on validation photos against the number of training photos"
SHARES = ("break_off", "say_something_twice")
HEADS = (
    "experiment", "settings", "seeds", "CIDEr-D", "gain", "BLEU-4", "ROUGE-L", "break off",
    "say a thing twice",
)  # fmt: skip
BY_NAME = {one.name: one for one in EXPERIMENTS}

Records = dict[str, dict[int, Record]]
"""Of each experiment, by its name, the record of each seed."""


def read_experiments(folder: Path) -> Records:
    """The records NAME-seedN.json of a folder.

    Raises:
        InputError: if one of them is of no experiment that there is, or not whole.
    """
    records: Records = {}
    for file in sorted(folder.glob("*.json")):
        record = read_json(file, "the record of an experiment")
        try:
            name, seed = record["experiment"], record["seed"]
            cells({seed: record}, {}, BY_NAME[name], timed=True)  # a key that is missing shows here
            notes({seed: record})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file}: not the record of an experiment in results/catalogue.py "
                f"({type(error).__name__} {error}); delete it"
            ) from None
        if file.name != f"{name}-seed{seed}.json":
            raise InputError(f"{file}: the record of {name}, seed {seed}; give it that name")
        records.setdefault(name, {})[seed] = record
    return records


def experiments_section(folder: Path) -> str:
    """All tables of experiments; nothing where there is no record."""
    records = read_experiments(folder)
    parts = []
    for group in GROUPS:
        of_group = [one for one in EXPERIMENTS if one.group == group and one.name in records]
        if of_group:
            seen = f"![{CURVE}](results/data-curve.png)\n\n" * (group == "data")
            parts.append(f"{ABOUT[group]}\n\n{seen}{group_table(of_group, records)}")
    return "\n".join([INTRODUCTION, *parts]) if parts else ""


def group_table(experiments: Sequence[Experiment], records: Records) -> str:
    """A line for each experiment, and before it the one that it is compared with."""
    rows = {}
    searches = experiments[0].group == "search"
    for one in experiments:
        for name in (one.against, one.name):
            if name in records and name not in rows:
                # What is only here to be compared with shows no gain of its own.
                against = records.get(one.against, {}) if name == one.name != one.against else {}
                rows[name] = cells(records[name], against, BY_NAME[name], timed=not searches)
    shown = {(name, seed): record for name in rows for seed, record in records[name].items()}
    heads = (*HEADS, "search" if searches else "training")
    return lines_of(heads, list(rows.values()), [notes(shown)])


def cells(
    records: dict[int, Record], against: dict[int, Record], experiment: Experiment, timed: bool
) -> tuple[str, ...]:
    """A line of a table; `HEADS` names its cells.

    Args:
        records: Of the experiment, by seed.
        against: Of the one that it is compared with.
        experiment: The experiment.
        timed: Tell how long the training took, not the search.
    """
    first = min(records)
    added = " ".join(experiment.evaluate if experiment.model_of else experiment.train)
    added = added.replace(f" {SIZE}", "")  # the introduction has it
    scores = {
        metric: spread([100 * one["metrics"][metric] for one in records.values()])
        for metric in ("cider_d", "bleu_4", "rouge_l")
    }
    gains = [
        100 * (one["metrics"]["cider_d"] - against[seed]["metrics"]["cider_d"])
        for seed, one in records.items()
        if seed in against
    ]
    shares = [fmean(one["shares"][name] for one in records.values()) for name in SHARES]
    minutes = fmean(one["training"]["minutes"] for one in records.values())
    seconds = fmean(one["seconds"]["search"] for one in records.values())
    return (
        f"[{experiment.name}](results/experiments/{experiment.name}-seed{first}.json)",
        f"`{added}`"
        + ", consensus" * experiment.consensus
        + f", {1 + len(experiment.ensemble)} seeds together" * bool(experiment.ensemble),
        str(len(records)),
        scores["cider_d"],
        spread(gains, "+") if gains else "–",
        scores["bleu_4"],
        scores["rouge_l"],
        *(f"{share:.1%}" for share in shares),
        f"{minutes:.0f} min" if timed else f"{seconds:.1f} s",
    )


def spread(values: Sequence[float], sign: str = "") -> str:
    """The mean of some numbers, and the least and the greatest where there are several.

    >>> spread([1.0, 2.0, 4.5]), spread([0.25], "+")
    ('2.5 (1.0 to 4.5)', '+0.2')
    """
    mean, low, high = (f"{value:{sign}.1f}" for value in (fmean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})" if len(values) > 1 else mean


def notes(records: Mapping[Any, Record]) -> str:
    """What the lines of a table have in common."""
    machines = " ".join(sorted({machine(record) for record in records.values()}))
    beams = sorted({record["beam_size"] for record in records.values()})
    commits = sorted(
        {short(part["commit"]) for one in records.values() for part in (one, one["training"])}
    )
    return f"Beams: {', '.join(map(str, beams))}. {machines} Commit: {', '.join(commits)}."
