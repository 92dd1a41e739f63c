"""What the pages of a report show, as plain values: overview, columns over photos, details."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from captioner.explaining import Word, beam_tree
from captioner.metrics import compare
from captioner.metrics.ptb import tokenise
from captioner.plotting import (
    LOSS,
    REWARD,
    SCORE,
    TreeNode,
    attention_scale,
    phrase_of,
    points_of,
)
from captioner.reporting.inside import Inside
from captioner.reporting.summary import bins_of, shares, word_shares

CHUNK = 50
"""Photos whose details are in one file."""
WORDS = 30
"""Most said words that are listed."""
TITLES = {
    **{f"bleu_{n}": f"BLEU-{n}" for n in (1, 2, 3, 4)},
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "cider_d": "CIDEr-D",
    "spice": "SPICE",
}
"""What metrics are called."""


def pack_index(runs: Sequence[Inside], names: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """All that the pages need at once: everything but the details of photos.

    Scores are times 100, as papers print them.

    Args:
        runs: One model, or two that captioned the same photos.
        names: Of the photos.
        seed: Of the interval of the difference of two.
    """
    first = runs[0].evaluation
    people = [list(photo.captions) for photo in first.photos]
    written = [caption for of_photo in people for caption in of_photo]
    said = [found[0].caption for run in runs for found in run.evaluation.found]
    each = sorted({*written, *said})
    words = {caption: of.split() for caption, of in zip(each, tokenise(each), strict=True)}
    by_people = word_shares([words[caption] for caption in written])
    index: dict[str, Any] = {
        "data": first.record["data"],
        "split": first.record["split"],
        "chunk": CHUNK,
        "names": list(names),
        "people": people,
        "runs": [_pack_run(run, by_people, words) for run in runs],
        "charts": _pack_charts(runs, written, words),
        "differences": None,
    }
    if len(runs) == 2:
        found = compare(runs[0].evaluation.each, runs[1].evaluation.each, seed=seed)
        index["differences"] = [
            [TITLES.get(name, name), *map(_hundred, (one.difference, *one.interval))]
            for name, one in found.items()
        ]
    return index


def _pack_run(
    run: Inside, by_people: Mapping[str, float], words: Mapping[str, list[str]]
) -> dict[str, Any]:
    told, record = run.evaluation, run.evaluation.record
    best = [found[0] for found in told.found]
    sure = [caption.confidence for caption in best]
    said = word_shares([words[caption.caption] for caption in best])
    return {
        "name": run.name,
        "fit": run.fit,
        "metrics": [
            [TITLES.get(name, name), _hundred(value), *map(_hundred, record["intervals"][name])]
            for name, value in record["metrics"].items()
        ],
        "facts": _facts(record),
        "curves": [
            {
                "title": curve.title,
                "best": curve.best,
                "points": points_of(curve, run.epochs),
            }
            for curve in (LOSS, REWARD, SCORE)
        ],
        "captions": [caption.caption for caption in best],
        "scores": [round(100 * score, 1) for score in told.each["cider_d"].tolist()],
        "confidence": None if None in sure else [round(100 * (c or 0), 1) for c in sure],
        "words": [[w, p, by_people.get(w, 0)] for w, p in list(said.items())[:WORDS]],
        "unsaid": [[w, p] for w, p in by_people.items() if w not in said][:WORDS],
    }


def _facts(record: dict[str, Any]) -> list[list[str]]:
    """What else is known of an evaluation, as pairs of name and value."""
    found = record["shares"]
    training = record.get("training", {})
    facts = [
        ["photos", f"{record['photos']:,}"],
        ["different captions", f"{record['different_captions']:,}"],
        ["words in a caption", f"{record['mean_length']:.1f}"],
        ["break off", f"{found['break_off']:.1%}"],
        ["say a thing twice", f"{found['say_something_twice']:.1%}"],
        ["are captions of this data's training photos", f"{found['training_captions']:.1%}"],
        ["beams", str(record["beam_size"])],
        ["chosen by what people would say", "yes" if record["consensus"] else "no"],
    ]
    if record["search"]:
        facts.append(["search", ", ".join(f"{k} {v}" for k, v in record["search"].items())])
    if calibration := record.get("calibration"):
        facts.append(
            [
                "calibration error of the confidence",
                f"{calibration['expected_calibration_error']:.3f}",
            ]
        )
    facts += [[name, str(training[name])] for name in ("cell", "epochs") if name in training]
    facts += [["date", record["date"]], ["command", record["command"]]]
    return facts


def _pack_charts(
    runs: Sequence[Inside], written: Sequence[str], words: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """Distributions over photos or captions, in percent."""
    lengths = [len(words[caption]) for caption in written]
    scores, said, sure = [], [], []
    for run in runs:
        best = [found[0] for found in run.evaluation.found]
        scores.append((run.name, 100 * run.evaluation.each["cider_d"]))
        said.append((run.name, np.array([len(words[caption.caption]) for caption in best])))
        told = [100 * caption.confidence for caption in best if caption.confidence is not None]
        if len(told) == len(best):
            sure.append((run.name, np.array(told)))
    longest = int(max(np.percentile(lengths, 99), *(part.max() for _, part in said)))
    counts = np.append(np.arange(longest + 1, dtype=float), np.inf)
    people = ("people", np.array(lengths))
    together = np.concatenate([part for _, part in scores])
    charts = [_pack_chart("Score of each photo", "CIDEr-D", bins_of(together), scores)]
    charts.append(_pack_chart("Length of captions", "words", counts, [*said, people]))
    if sure:
        charts.append(_pack_chart("Confidence", "percent", np.arange(0.0, 101.0, 5.0), sure))
    return charts


def _pack_chart(
    title: str, unit: str, edges: np.ndarray, series: Sequence[tuple[str, np.ndarray]]
) -> dict[str, Any]:
    return {
        "title": title,
        "unit": unit,
        "edges": [edge if np.isfinite(edge) else None for edge in edges.tolist()],
        "series": [{"name": name, "values": shares(part, edges)} for name, part in series],
    }


def pack_details(run: Inside, number: int) -> dict[str, Any]:
    """Why a caption of a photo was said: its words, where the decoder looked, and the beam.

    Attention goes from 0 to 255 between its least and its greatest value in this caption, a byte
    for each place, row by row and word by word, in base64.

    Args:
        run: The model.
        number: Of the photo.
    """
    words = run.words[number]
    found = run.evaluation.found[number]
    return {
        "words": [
            [word.word, _share(word.probability), [[w, _share(p)] for w, p in word.likeliest]]
            for word in words
        ],
        "attention": pack_attention(words),
        "beam": [
            [round(c.log_prob, 2), None if c.confidence is None else _share(c.confidence)]
            for c in found
        ],
        "tree": _pack_tree(beam_tree([caption.caption for caption in found])),
    }


def pack_attention(words: Sequence[Word]) -> dict[str, Any] | None:
    """The attention of all words of a caption; None where there is none."""
    looked = [word.attention for word in words if word.attention is not None]
    if len(looked) < len(words):
        return None
    low, high = attention_scale(looked)
    spread = (np.stack(looked) - low) / (high - low if high > low else 1)
    levels = np.rint(255 * spread).astype(np.uint8)
    return {
        "size": list(looked[0].shape),
        "scale": [round(100 * low, 2), round(100 * high, 2)],
        "levels": base64.b64encode(levels.tobytes()).decode("ascii"),
    }


def _pack_tree(branch: TreeNode) -> list[Any]:
    """[phrase, numbers of the captions, what comes after]; a phrase is what nothing parts."""
    after = []
    for part in branch.after:
        phrase, last = phrase_of(part)
        after.append([phrase, part.captions, _pack_tree(last)[2]])
    return ["", branch.captions, after]


def _share(value: float) -> float:
    return round(100 * value, 1)


def _hundred(value: float) -> float:
    return round(100 * value, 2)
