"""`captioner metrics` works alone on anyone's files, and says what is wrong with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.commands import main
from captioner.scoring import score

REFERENCES = {7: ["A dog runs.", "The dog runs fast"], 8: ["Two cats sit.", "cats on a mat"]}
CAPTIONS = {7: "a dog runs", 8: "a cat sits on a mat"}


def write(file: Path, value: object) -> str:
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(file)


def results(captions: dict) -> list[dict]:
    return [{"image_id": photo, "caption": text} for photo, text in captions.items()]


@pytest.fixture
def truth(tmp_path: Path) -> str:
    told = [{"image_id": i, "caption": text} for i, texts in REFERENCES.items() for text in texts]
    return write(tmp_path / "truth.json", {"images": [{"id": 8}, {"id": 7}], "annotations": told})


@pytest.fixture
def ours(tmp_path: Path) -> str:
    return write(tmp_path / "ours.json", results(CAPTIONS))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["metrics", *arguments])
    return left.value.code or 0


def test_json_is_the_record_of_evaluate(truth: str, ours: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "new" / "scores.json"
    assert run(ours, truth, "--format", "json", "--output", str(file)) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads(file.read_text())
    expected = score([CAPTIONS[8], CAPTIONS[7]], [REFERENCES[8], REFERENCES[7]]).record
    assert record == expected
    assert list(record["metrics"]) == [
        "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "cider_d"
    ]  # fmt: skip


def test_the_table_shows_all_that_was_asked_for(truth, ours, tmp_path, capsys) -> None:
    other = write(tmp_path / "other.json", results({7: "a cat", 8: "two cats sit"}))
    told = {"annotations": [{"image_id": 1, "caption": "A dog runs!"}]}
    training = write(tmp_path / "training.json", told)
    options = ["--against", other, "--training", training, "--person", "--meteor", "python"]
    assert run(ours, truth, *options) == 0
    said = capsys.readouterr().out
    assert "95 % interval over 2 photos" in said
    assert "captions that are new: 50.0%" in said
    assert "METEOR by: METEOR, exact + stem" in said
    assert "with 1 references, one human caption left out in turn" in said
    assert "ours.json against other.json" in said
    assert said.count("cider_d") == 3
    assert said.count("meteor ") == 3


def test_a_comparison_is_the_same_the_other_way_round(truth, ours, tmp_path, capsys) -> None:
    other = write(tmp_path / "other.json", results({7: "a cat", 8: "two cats sit"}))
    found = []
    for pair in ((ours, other), (other, ours)):
        assert run(pair[0], truth, "--against", pair[1], "--format", "json") == 0
        found.append(json.loads(capsys.readouterr().out)["against"]["comparison"])
    for name, one in found[0].items():
        assert one["difference"] == pytest.approx(-found[1][name]["difference"])
        assert one["better"] == pytest.approx(1 - found[1][name]["better"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        ([], "has no captions"),
        ({"captions": []}, "not a list of"),
        ([3], "entry 1 is no object"),
        ([{"caption": "a dog"}], "entry 1 has no image_id"),
        ([{"image_id": 7}], "entry 1, photo 7, has no caption"),
        (
            results(CAPTIONS) + results({7: "x"}),
            r"photo 7 has two captions (the second is entry 3)",
        ),
        (results({**CAPTIONS, 9: "x", 10: "y"}), "2 of 4 captions are of photos that"),
        (results({7: "a dog"}), "1 of 2 photos of"),
        (results({str(photo): told for photo, told in CAPTIONS.items()}), "write them alike"),
        ("[" * 100_000, "cannot be read as JSON"),
        (f'[{{"image_id": {"9" * 5000}}}]', "cannot be read as JSON"),
    ],
)
def test_results_that_do_not_fit_are_told(value, told: str, truth, tmp_path, capsys) -> None:
    file = write(tmp_path / "bad.json", value)
    assert run(file, truth) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"captioner: {file}: ")
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], 'has no list "annotations"'),
        ({"annotations": []}, "has no captions"),
        ({"annotations": [], "images": None}, "has no captions"),
        ({"annotations": [], "images": [{"id": [1]}, 3]}, "has no captions"),
        ({"annotations": [{"caption": "a"}]}, "annotation 1 has no image_id"),
        ({"annotations": [{"image_id": 7, "caption": None}]}, "annotation 1, photo 7, has no"),
    ],
)
def test_references_that_do_not_fit_are_told(value, told: str, ours, tmp_path, capsys) -> None:
    file = write(tmp_path / "bad.json", value)
    assert run(ours, file) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"captioner: {file}: ")
    assert told in said


def test_other_mistakes(truth, ours, tmp_path, capsys) -> None:
    assert run(str(tmp_path / "none.json"), truth) == 2
    assert "none.json: missing" in capsys.readouterr().err
    part = write(tmp_path / "part.json", results({7: "a dog"}))
    assert run(part, truth, "--partial") == 0
    assert "over 1 photos" in capsys.readouterr().out
    assert run(part, truth, "--partial", "--against", ours) == 2
    assert "its photos are not those of" in capsys.readouterr().err
    one = write(tmp_path / "one.json", {"annotations": results(CAPTIONS)})
    assert run(ours, one, "--person") == 2
    assert "one human caption alone" in capsys.readouterr().err
    assert run(ours, truth, "--seed", "-1") == 2
    for seconds in ("0", "nan", "1e300"):
        assert run(ours, truth, "--timeout", seconds) == 2
    for place in (ours, truth):
        assert run(ours, truth, "--output", place) == 2
        assert "is read as well" in capsys.readouterr().err
    assert run(ours, truth, "--output", str(tmp_path)) == 2
    assert "is a folder" in capsys.readouterr().err


def test_captions_without_words_and_files_of_windows(truth, ours, tmp_path, capsys) -> None:
    file = tmp_path / "marked.json"
    file.write_bytes(b"\xef\xbb\xbf" + Path(ours).read_bytes())
    assert run(str(file), truth, "--format", "json") == 0
    whole = json.loads(capsys.readouterr().out)["metrics"]
    blank = write(tmp_path / "blank.json", results({**CAPTIONS, 7: "  "}))
    assert run(blank, truth, "--format", "json", "--person", "--meteor", "python") == 0
    half = json.loads(capsys.readouterr().out)["metrics"]
    assert 0 < half["cider"] < whole["cider"]


BARE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "nltk", "onnxruntime", "pycocotools", "pycocoevalcap", "timm"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
from captioner.commands import main
main(sys.argv[1:])
"""


def test_it_needs_the_base_installation_alone(truth, ours) -> None:
    command = [sys.executable, "-c", BARE, "metrics", ours, truth, "--person"]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "cider_d" in done.stdout
    done = subprocess.run(
        [*command, "--meteor", "python"], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 2
    assert "pip install 'captioner[meteor]'" in done.stderr


def test_its_help_imports_no_metric(monkeypatch) -> None:
    code = (
        "import sys; from captioner.commands.metrics import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('numpy' in sys.modules, file=sys.stderr)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert "--against" in done.stdout
    assert done.stderr.strip() == "False"
