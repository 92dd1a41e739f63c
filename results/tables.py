"""Write the README's tables of results from the records in this folder and in benchmarks/records.

python results/tables.py            fill the tables in
python results/tables.py --check    exit code 1 if they say anything but the records
"""

import re
import sys
from pathlib import Path

import tyro

from captioner.commands import finish
from captioner.errors import InputError
from captioner.files import read_json, write_text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # neither folder is installed
from benchmarks.records import FOLDER
from benchmarks.table import speed_table
from results.curve import FILE as CURVE
from results.curve import draw_curve
from results.gains import experiments_section, read_experiments
from results.markdown import Record, lines_of, machine, short

RESULTS = Path(__file__).resolve().parent
README = RESULTS.parent / "README.md"
BLOCK = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end of results -->)", re.DOTALL)
SECTION = re.compile(r"(<!-- experiments -->\n).*?(<!-- end of experiments -->)", re.DOTALL)


def read_records(folder: Path) -> dict[str, Record]:
    """The records `DATA-MODEL-test.json` of a folder, by file name: data sets in the order of their
    names, the models of each from the best CIDEr-D down.

    Raises:
        InputError: if one of them is no record of an evaluation.
    """
    records = {}
    for file in folder.glob("*-test.json"):
        record = read_json(file, "the record of an evaluation")
        try:
            # A key that is missing shows here, where the file's name is at hand.
            describe(file.name, record)
            records[file.name] = record
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file}: not the record of an evaluation ({type(error).__name__} {error}); "
                "make it again with evaluate.py --output"
            ) from None

    def rank(name: str) -> tuple[str, float, str]:
        return records[name]["data"], -records[name]["metrics"]["cider_d"], name

    return {name: records[name] for name in sorted(records, key=rank)}


def describe(name: str, record: Record) -> list[str]:
    """A record's cells in the table that it belongs to."""
    return describe_scenes(name, record) if "truth" in record else describe_photos(name, record)


def describe_photos(name: str, record: Record) -> list[str]:
    """A row of the table of photos; `PHOTO_HEADS` names its cells."""
    scores = [score(record, metric) for metric in ("cider_d", "bleu_4", "rouge_l")]
    different = f"{record['different_captions']:,} of {record['photos']:,}"
    return [
        record["data"], link(name, record), search(record), *scores, different, amiss(record),
        training(record),
    ]  # fmt: skip


def search(record: Record) -> str:
    """How captions were looked for.

    >>> search({"beam_size": 3}), search({"beam_size": 20, "consensus": True})
    ('3 beams', '20 beams, consensus')
    >>> search({"beam_size": 20, "consensus": True, "search": {"views": 6}})
    '20 beams, 6 views, consensus'
    """
    views = record.get("search", {}).get("views", 1)
    seen = f", {views} views" if views > 1 else ""
    return f"{record['beam_size']} beams{seen}" + ", consensus" * record.get("consensus", False)


def amiss(record: Record) -> str:
    """Shares of captions that break off, and that say something twice, if it tells them.

    >>> amiss({"shares": {"break_off": 0.001, "say_something_twice": 0.02}}), amiss({})
    ('0.1%, 2.0%', '–')
    """
    shares = record.get("shares")
    return f"{shares['break_off']:.1%}, {shares['say_something_twice']:.1%}" if shares else "–"


def describe_scenes(name: str, record: Record) -> list[str]:
    """A row of the table of drawn scenes; `SCENE_HEADS` names its cells."""
    shares = [share(record["truth"], key) for key in SHARES]
    return [link(name, record), score(record, "cider_d"), *shares, training(record)]


PHOTO_HEADS = (
    "data", "model", "search", "CIDEr-D", "BLEU-4", "ROUGE-L", "different captions",
    "break off, say a thing twice", "training",
)  # fmt: skip
SHARES = ("things_right", "things_right_held_out", "colours_right", "colours_right_held_out")
SCENE_HEADS = (
    "model", "CIDEr-D", "things right", "things right, held out", "colours right",
    "colours right, held out", "training",
)  # fmt: skip


def link(name: str, record: Record) -> str:
    """The model's name, leading to its record.

    >>> link("flickr8k-lstm-test.json", {"data": "flickr8k"})
    '[lstm](results/flickr8k-lstm-test.json)'
    """
    return f"[{name.removesuffix('-test.json').removeprefix(record['data'] + '-')}](results/{name})"


def score(record: Record, metric: str) -> str:
    """A score and its 95 % interval, times 100 as papers print them.

    >>> score({"metrics": {"bleu_4": 0.2071}, "intervals": {"bleu_4": [0.1949, 0.2202]}}, "bleu_4")
    '20.7 (19.5 to 22.0)'
    """
    low, high = record["intervals"][metric]
    return f"{100 * record['metrics'][metric]:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def share(truth: dict[str, float], key: str) -> str:
    """A share of pictures, and how many pictures it is a share of.

    >>> share({"things_right": 0.908, "num_things_right": 500}, "things_right")
    '90.8 % of 500'
    """
    return f"{100 * truth[key]:.1f} % of {truth[f'num_{key}']}"


def training(record: Record) -> str:
    """How long the model was trained, as far as the record knows.

    >>> training({"training": {"minutes": 19.6, "epochs": 8}}), training({})
    ('20 min, 8 epochs', '–')
    """
    about = record.get("training", {})
    parts = [f"{about['minutes']:.0f} min"] if "minutes" in about else []
    epochs = about.get("epochs")
    parts += [f"{epochs} epoch" + "s" * (epochs > 1)] if epochs else []
    return ", ".join(parts) or "–"


def write_table(heads: tuple[str, ...], records: dict[str, Record]) -> str:
    """A table in Markdown, with what its rows have in common below it."""
    beams = sorted({record["beam_size"] for record in records.values()})
    machines = sorted(
        {f"{r['hardware']['processor']}, {r['hardware']['cores']} cores" for r in records.values()}
    )
    commits = sorted({short(record["commit"]) for record in records.values()})
    note = f"Machine: {'; '.join(machines)}. Commit: {', '.join(commits)}."
    if "search" not in heads:
        note = f"Beams: {', '.join(map(str, beams))}. {note}"
    return lines_of(heads, [tuple(describe(*item)) for item in records.items()], [note])


def language_table(folder: Path) -> str:
    """Perplexity of language models, from the records `DATA-perplexity.json`."""
    heads = ("data", "model", "test perplexity", "validation perplexity", "training")
    rows, notes = [], []
    for file in sorted(folder.glob("*-perplexity.json")):
        record = read_json(file, "the record of language models")
        link = f"[{record['data']}](results/{file.name})"
        for row in sorted(record["rows"], key=lambda row: row["test_perplexity"]):
            scores = [f"{row[f'{split}_perplexity']:.2f}" for split in ("test", "val")]
            rows.append((link, row["model"], *scores, training(row)))
        notes.append(f"{machine(record)} Commit: {short(record['commit'])}.")
    return lines_of(heads, rows, notes)


def help_table(folder: Path) -> str:
    """What a language model does for a captioner, from the records `DATA-language-help.json`."""
    heads = ("data", "help", "CIDEr-D without", "with", "gain", "gain of each seed")
    rows, notes = [], []
    for file in sorted(folder.glob("*-language-help.json")):
        record = read_json(file, "the record of what language models help")
        weight = record["reranking"]["weight"]
        for key, after, name in (
            ("init_decoder", "started", "decoder begun with it"),
            ("reranking", "reranked", f"its second opinion, weight {weight:+.1f}"),
        ):
            found = record[key]
            means = [100 * sum(found[arm]) / len(found[arm]) for arm in ("plain", after)]
            low, high = found["gain_interval"]
            gain = f"{100 * found['gain']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            each = ", ".join(f"{100 * value:+.1f}" for value in found["gain_of_each_seed"])
            link = f"[{record['data']}](results/{file.name})"
            rows.append((link, name, *(f"{mean:.1f}" for mean in means), gain, each))
        notes.append(
            f"Beams: {record['beam_size']}. {machine(record)} Commit: {short(record['commit'])}."
        )
    return lines_of(heads, rows, notes)


def make_tables(folder: Path) -> dict[str, str]:
    """All tables by the name that their place in the README has."""
    records = read_records(folder)
    scenes = {name: record for name, record in records.items() if "truth" in record}
    photos = {name: record for name, record in records.items() if name not in scenes}
    return {
        "photos": write_table(PHOTO_HEADS, photos),
        "scenes": write_table(SCENE_HEADS, scenes),
        "language": language_table(folder),
        "help": help_table(folder),
        "speed": speed_table(FOLDER),
    }


def fill(text: str, tables: dict[str, str]) -> str:
    """The README with its tables filled in; everything outside their marks stays as it is.

    Raises:
        InputError: if a table has no place, or a place no table.
    """
    marks = sorted(match[2] for match in BLOCK.finditer(text))
    if marks != sorted(tables):
        raise InputError(
            f"the README has marks for the tables {marks}, but there are {sorted(tables)}; put "
            "<!-- results: NAME --> and <!-- end of results --> around the place of each"
        )
    return BLOCK.sub(lambda match: f"{match[1]}\n{tables[match[2]]}\n{match[3]}", text)


def fill_section(text: str, section: str) -> str:
    """The README with its section on experiments filled in; empty while there is no record.

    Raises:
        InputError: if it has no place.

    >>> fill_section("<!-- experiments -->\\nold\\n<!-- end of experiments -->", "")
    '<!-- experiments -->\\n<!-- end of experiments -->'
    """
    if section and not SECTION.search(text):
        raise InputError(
            "there are records of experiments, but the README has no place for them; put "
            "<!-- experiments --> and <!-- end of experiments --> there"
        )
    filled = f"\n{section}\n" if section else ""
    return SECTION.sub(lambda match: f"{match[1]}{filled}{match[2]}", text)


def write_tables(results: Path = RESULTS, readme: Path = README, check: bool = False) -> int:
    """Fill the tables of results in.

    Args:
        results: Folder of the records.
        readme: The file with the tables.
        check: Write nothing; exit code 1 if the file would change.
    """
    before = readme.read_text(encoding="utf-8")
    after = fill(before, make_tables(results))
    after = fill_section(after, experiments_section(results / "experiments"))
    if check and after != before:
        print(f"{readme.name} is out of date; run: python results/tables.py")
        return 1
    if not check:
        write_text(readme, after)
        draw_curve(read_experiments(results / "experiments"), results / CURVE)
    return 0


if __name__ == "__main__":
    finish(lambda: tyro.cli(write_tables))
