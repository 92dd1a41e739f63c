"""A report has evaluate's numbers, every photo and word, and leads nowhere out of its folder."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_reports import ODD, make_photos, make_run
from PIL import Image
from test_export import leave, make_model

from captioner.config import SearchConfig
from captioner.datasets import read_dataset
from captioner.evaluation import evaluate
from captioner.explaining import Word
from captioner.model import Captioner
from captioner.reporting import look_inside, write_report
from captioner.reporting.inside import read_epochs
from captioner.reporting.packing import CHUNK, pack_attention, pack_details, pack_index
from captioner.reporting.summary import bins_of, shares

PAGE = Path(__file__).resolve().parents[1] / "captioner" / "reporting" / "page"


def received(file: Path) -> tuple[str, object]:
    """The name and value that a script of data hands over."""
    text = file.read_text(encoding="ascii")
    found = re.fullmatch(r'report\.receive\("([\w-]+)",(.*)\)\n', text, re.DOTALL)
    assert found
    return found[1], json.loads(found[2])


@pytest.fixture(scope="module")
def model(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "looking", weights, kind="attention")


def test_numbers_are_those_of_evaluate(trained: Path, coloured: Path) -> None:
    captioner, dataset = Captioner.from_pretrained(trained), read_dataset(coloured)
    search = SearchConfig(beam_size=4, seed=3)
    inside = look_inside(captioner, trained, dataset, "test", search=search)
    evaluated = evaluate(captioner, dataset, "test", search=search, seed=3)
    record, results = evaluated.record, evaluated.results
    told = inside.evaluation.record
    for name in ("metrics", "intervals", "shares", "different_captions", "search", "beam_size"):
        assert told[name] == record[name], name
    index = pack_index([inside], ["x"] * 8)
    (run,) = index["runs"]
    assert run["captions"] == [result["caption"] for result in results]
    assert run["metrics"][-1][:2] == ["CIDEr-D", round(100 * record["metrics"]["cider_d"], 2)]
    assert np.mean(run["scores"]) == pytest.approx(100 * record["metrics"]["cider_d"], abs=0.05)
    assert (run["name"], index["data"], index["split"]) == ("trained", "coloured", "test")
    assert all(len(found) == 4 for found in inside.evaluation.found)
    for words, found in zip(inside.words, inside.evaluation.found, strict=True):
        assert " ".join(word.word for word in words).rstrip() == found[0].caption
        total = sum(np.log(word.probability) for word in words)
        assert total == pytest.approx(found[0].log_prob, abs=1e-3)


def test_curves_are_those_of_the_log(trained: Path, tmp_path: Path) -> None:
    epochs = read_epochs(trained / "best")
    lines = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert epochs == [line for line in lines if "epoch" in line]
    assert len(epochs) > 1
    assert read_epochs(tmp_path) == []
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"epoch": 1}\n{"epoch": 2')
    assert read_epochs(tmp_path) == [{"epoch": 1}]


def test_bins_and_shares() -> None:
    assert bins_of(np.array([0.0, 0.0])).tolist()[0] == 0
    for top in (0.3, 7.0, 99.0, 1000.0):
        edges = bins_of(np.linspace(0, top, 50))
        assert 10 <= len(edges) - 1 <= 21
        assert edges[-2] >= 0.95 * top
        assert sum(shares(np.linspace(0, 2 * top, 50), edges)) == pytest.approx(100)
    assert shares(np.array([100.0]), np.array([0.0, 50.0, 100.0])) == [0.0, 100.0]


def test_attention_is_a_byte_for_each_place() -> None:
    grids = [np.array([[0.1, 0.2], [0.31, 0.4]]), np.array([[0.5, 0.2], [0.2, 0.1]])]
    packed = pack_attention([Word("a", 1.0, (), grid) for grid in grids])
    assert (packed["size"], packed["scale"]) == ([2, 2], [10.0, 50.0])
    levels = list(base64.b64decode(packed["levels"]))
    assert levels == [0, 64, 134, 191, 255, 64, 64, 0]
    assert pack_attention([Word("a", 1.0, (), None)]) is None


def test_details_have_words_and_the_tree(tmp_path: Path) -> None:
    run = make_run("x", make_photos(tmp_path, 5), beams=3)
    details = pack_details(run, 4)
    words = [word for word, _, _ in details["words"]]
    assert " ".join(words).rstrip() == run.evaluation.found[4][0].caption
    assert [log_prob for log_prob, _ in details["beam"]] == [-1.0, -2.0, -3.0]

    def captions(branch: list, before: str = "") -> dict[int, str]:
        phrase, numbers, after = branch
        text = f"{before} {phrase}".strip()
        if not after:
            return dict.fromkeys(numbers, text)
        return {number: t for part in after for number, t in captions(part, text).items()}

    said = captions(details["tree"])
    assert said == {i: c.caption for i, c in enumerate(run.evaluation.found[4])}


def test_a_folder_has_all_photos_under_names_of_its_own(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", CHUNK + 7)
    photos[5].file.write_text("no photo")
    runs = [make_run("one", photos), make_run("two", photos, side=None, confident=False, seed=1)]
    folder = tmp_path / "new" / "report"
    (bad,) = write_report(folder, runs, [str(photo.image_id) for photo in photos])
    assert photos[5].file.name in str(bad)
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    pages = {file.name for file in PAGE.iterdir()}
    data = {f"data/run-{run}-{chunk}.js" for run in (0, 1) for chunk in (0, 1)}
    small = {f"photos/{n}.jpg" for n in range(len(photos)) if n != 5}
    assert names == pages | data | small | {"report.json", "data/index.js"}
    with Image.open(folder / "photos" / "3.jpg") as image, Image.open(photos[3].file) as whole:
        assert np.abs(np.asarray(image, int)[0, 0] - np.asarray(whole, int)[0, 0]).max() < 12
    name, index = received(folder / "data" / "index.js")
    assert (name, index["without"], index["names"][0]) == ("index", [5], "a<b>&'c'.jpg")
    assert index["runs"][0]["captions"][: len(ODD)] == list(ODD)
    assert index["runs"][1]["confidence"] is None
    name, details = received(folder / "data" / "run-1-1.js")
    assert (name, len(details)) == ("run-1-1", 7)
    assert details[0] == json.loads(json.dumps(pack_details(runs[1], CHUNK)))
    about = json.loads((folder / "report.json").read_text())
    assert [run["photos"] for run in about["runs"]] == [CHUNK + 7] * 2

    write_report(folder, runs[:1], ["x"] * len(photos), photos=False)  # in its place
    assert not (folder / "photos").exists()
    _, index = received(folder / "data" / "index.js")
    assert index["without"] == list(range(len(photos)))
    assert [file.name for file in folder.parent.iterdir()] == ["report"]


def test_nothing_on_the_pages_leads_out_of_the_folder() -> None:
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, file
        assert re.findall(r"https?://[^\"\s]*", text) in ([], ["http://www.w3.org/2000/svg"]), file
        for refused in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert refused not in text, file
        assert "fetch(" not in text, file
        assert 'type="module"' not in text, file
    index = (PAGE / "index.html").read_text()
    named = set(re.findall(r'(?:src|href)="([\w.]+\.(?:js|css))"', index))
    assert named == {file.name for file in PAGE.iterdir()} - {"index.html"}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_can_be_told_from_their_ground(scheme: int) -> None:
    """Contrast of 4.5 at least, as WCAG 2.2 asks of text (success criterion 1.4.3)."""
    blocks = re.findall(r":root \{(.*?)\}", (PAGE / "style.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme]))
    for text in ("ink", "soft", "first", "second", "people"):
        for ground in ("paper", "panel"):
            low, high = sorted(luminance(colours[name]) for name in (text, ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_the_command(capsys, trained: Path, model: Path, coloured: Path, tmp_path: Path) -> None:
    options = ["--data", coloured, "--output", tmp_path / "report", "--limit", 6]
    code, out, err = leave(capsys, "report", trained, *options, "--against", model)
    assert code == 0, err
    assert err.splitlines()[-1] == f"report: {tmp_path / 'report' / 'index.html'}"
    assert out.splitlines()[0] == "trained"
    assert "6 photos" in out
    _, index = received(tmp_path / "report" / "data" / "index.js")
    assert [run["name"] for run in index["runs"]] == ["trained", "looking"]
    assert [len(run["curves"][0]["points"]) > 0 for run in index["runs"]] == [True, False]
    assert index["names"][0] == "images/033.jpg"
    title, value, low, high = index["differences"][-1]
    first, second = (run["metrics"][-1][1] for run in index["runs"])
    assert title == "CIDEr-D"
    assert value == pytest.approx(first - second, abs=0.011)
    assert low <= value <= high
    _, looked = received(tmp_path / "report" / "data" / "run-1-0.js")
    assert [part["attention"] is None for part in looked] == [False] * 6
    _, pooled = received(tmp_path / "report" / "data" / "run-0-0.js")
    assert [part["attention"] for part in pooled] == [None] * 6

    again = ["--against", trained, "--no-photos"]
    code, out, err = leave(capsys, "report", trained / "best", *options, *again)
    assert code == 0, err
    assert {"trained", "trained (2)"} <= set(out.splitlines())
    assert not (tmp_path / "report" / "photos").exists()


def test_what_the_command_refuses(capsys, trained: Path, coloured: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for place in (tmp_path / "mine", tmp_path / "mine" / "thesis.txt"):
        code, out, err = leave(capsys, "report", trained, "--data", coloured, "--output", place)
        assert (code, out) == (2, "")
        assert "holds something else; give a new or empty folder" in err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    options = ["--data", coloured, "--output", tmp_path / "new"]
    for arguments, told in (
        ([tmp_path / "nowhere", *options], "not a model"),
        ([trained, *options, "--split", "dev"], "no split 'dev'"),
        ([trained, *options, "--limit", 0], "--limit must be above 0"),
        ([trained, *options, "--against", tmp_path / "nowhere"], "not a model"),
    ):
        code, out, err = leave(capsys, "report", *arguments)
        assert (code, out) == (2, "")
        assert told in err
    assert not (tmp_path / "new").exists()
