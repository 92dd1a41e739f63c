"""What is kept of a benchmark: a JSON file that says how to measure it again."""

import importlib.metadata
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.catalogue import BENCHMARKS, Benchmark
from benchmarks.inputs import Setting
from benchmarks.measuring import Comparison, Pair, spread
from captioner.errors import InputError
from captioner.files import read_json
from captioner.provenance import provenance

FOLDER = Path(__file__).resolve().parent / "records"
PACKAGES = ("torchvision", "timm", "onnxruntime", "pillow")

Record = dict[str, Any]


def make_record(
    name: str,
    benchmark: Benchmark,
    setting: Setting,
    pair: Pair,
    found: Comparison,
    copy_rate: float,
) -> Record:
    """The record of one benchmark.

    Args:
        name: In the catalogue.
        benchmark: The entry of that name.
        setting: Under what conditions it ran.
        pair: What ran.
        found: What was measured.
        copy_rate: Bytes per second that a large copy reads and writes.
    """
    record: Record = {
        "benchmark": name,
        "work": benchmark.work,
        "target": benchmark.target,
        "quick": setting.quick,
        "data": None if setting.data is None else setting.data.resolve().name,
        "amount": pair.amount,
        "unit": pair.unit,
        "quantity": pair.quantity,
        "rounds": len(found.usual),
        "usual": {**spread(found.usual), "all": list(found.usual)},
        "ours": {**spread(found.ours), "all": list(found.ours)},
        "ratio": spread(found.ratios),
        "about": pair.about,
        "ceilings": {"copy_bytes_per_second": copy_rate},
    }
    if pair.flops and found.matrix_rates:
        record["ceilings"]["matrix_flops_per_second"] = spread(found.matrix_rates)
        record["useful_flops"] = pair.flops
        record["share"] = {
            "usual": spread(found.shares(found.usual, pair.flops)),
            "ours": spread(found.shares(found.ours, pair.flops)),
        }
    made = provenance(setting.seed)
    made["command"] = " ".join(["python -m benchmarks", *map(shlex.quote, sys.argv[1:])])
    made["versions"] |= {package: importlib.metadata.version(package) for package in PACKAGES}
    return record | made


def read_records(folder: Path = FOLDER) -> list[Record]:
    """The records of a folder, in the order of the catalogue.

    Raises:
        InputError: if one of them is no record of a benchmark.
    """
    records = []
    for name in BENCHMARKS:
        file = folder / f"{name}.json"
        if not file.is_file():
            continue
        record = read_json(file, "the record of a benchmark")
        if not isinstance(record, dict) or record.get("benchmark") != name:
            raise InputError(
                f"{file}: not the record of a benchmark; "
                f"make it again: python -m benchmarks --only {name}"
            )
        records.append(record)
    return records


def last_line(records: list[Record], names: list[str]) -> str:
    """One JSON object: how many times faster ours is, by the name of each benchmark.

    >>> last_line([{"benchmark": "beam", "ratio": {"median": 5.04321}}], ["beam", "cider"])
    '{"beam": 5.043}'
    """
    ratios = {record["benchmark"]: round(record["ratio"]["median"], 3) for record in records}
    return json.dumps({name: ratios[name] for name in names if name in ratios})
