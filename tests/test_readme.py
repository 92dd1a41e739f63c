"""What a reader of the documents relies on: their commands, code, tables, trees and links."""

import doctest
import functools
import importlib.util
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from PIL import Image

import captioner
from captioner.calibration import calibrate
from captioner.coco import prepare_coco
from captioner.commands import main
from captioner.config import DecoderConfig, EncoderConfig, LanguageTrainConfig
from captioner.datasets import LAYOUTS, read_dataset
from captioner.decoders import PooledDecoder
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.folders import DEFAULT_MODEL, MODELS
from captioner.language_runs import LanguageRun, train_language_model
from captioner.losses import temporal_softmax_loss
from captioner.runs import begin
from captioner.scenes import prepare_scenes
from conftest import BACKBONE

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "results/README.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
README = TEXTS["README.md"]
SHIPPED = (MODELS / DEFAULT_MODEL / "config.json").is_file()
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")

PROGRAMS = {
    "train.py": ["train"],
    "caption.py": ["caption"],
    "evaluate.py": ["evaluate"],
    "data/prepare_coco.py": ["data", "coco"],
    "data/prepare_flickr8k.py": ["data", "flickr8k"],
    "data/prepare_scenes.py": ["data", "scenes"],
}
WRITES = ("--out", "--output", "--sheet", "--explain")
NOT_RUN = {
    "python -m venv": "an installation",
    "pip install": "an installation",
    "captioner serve": "runs until it is stopped; see tests/test_serve_command.py",
    "curl": "wants a server; see tests/test_serving.py",
    "make": "an installation and a training of minutes",
    ".venv/bin/python -m pytest": "these very tests",
    "python -m benchmarks": "minutes; see tests/test_benchmarks.py",
    "python results/tables.py": "writes to the README; `--check` is tested below",
}
SIZES = ["--embedding", "8", "--hidden", "8", "--batch-size", "32", "--epochs", "1"]
SMALL = {
    "train": ["--backbone", BACKBONE, *SIZES],
    "lm train": SIZES,
    "captioner.reading": ["--scenes", "60", "--epochs", "1"],
    "data scenes": ["--images", "24", "--workers", "1"],
}


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXTS[document], re.DOTALL | re.MULTILINE)


SYSTEMS = re.findall(r"^\|.*\| `(.*)` \|$", README, re.MULTILINE)
"""What shows each system of the tutorials; `pytest FILE` is run with all the tests."""
COMMANDS = sorted(
    {line for name in TEXTS for block in blocks(name, "bash") for line in block.splitlines()}
    | {command for command in SYSTEMS if not command.startswith("pytest")}
)
RUN = [command for command in COMMANDS if not command.startswith(tuple(NOT_RUN))]
LINKS = sorted({(name, *link) for name, text in TEXTS.items() for link in LINK.findall(text)})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_scenes(tmp_path_factory.mktemp("drawn") / "scenes", images=24, workers=1)


@pytest.fixture
def place(coloured: Path, trained: Path, drawn: Path, tmp_path: Path, monkeypatch) -> Path:
    """The folder that a reader works in, with all that the documents take for granted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("captioner.commands.sources.SCENES", 24)
    monkeypatch.setattr("captioner.calibration.FEWEST", 8)
    for folder in ("photos", "path/to/Flickr8k"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("photo.jpg", "photos/tower.png"):
        Image.new("RGB", (64, 48), "red").save(tmp_path / file)
    (tmp_path / "path/to/Flickr8k/Images").symlink_to(coloured / "images")
    photos = sorted(file.name for file in (coloured / "images").iterdir())
    table = "image,caption\n" + "".join(f"{name},A picture\n" for name in photos)
    (tmp_path / "path/to/Flickr8k/captions.txt").write_text(table)
    told = (coloured / "captions_test.json").read_text()
    (tmp_path / "references.json").write_text(told)
    ids = [image["id"] for image in json.loads(told)["images"]]
    for name in ("results.json", "other.json"):
        captions = [{"image_id": i, "caption": f"a picture of {name}"} for i in ids]
        (tmp_path / name).write_text(json.dumps(captions))
    if not SHIPPED:
        (tmp_path / DEFAULT_MODEL).symlink_to(trained / "best")
    return tmp_path


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a language model, of the sizes of `SMALL`."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "text.txt").write_text("a picture\nthe picture is red\n" * 30)
    config = LanguageTrainConfig(cell="gru", embedding=8, hidden=8, epochs=1)
    run = LanguageRun(str(folder / "text.txt"), 0, "cpu", config)
    begin(folder / "run", run)
    train_language_model(folder / "run", run)
    return folder / "run"


def provide(text: str, coloured: Path, trained: Path, drawn: Path, taught: Path) -> None:
    """Data sets and finished runs where a command or a program wants to find them."""
    for name in re.findall(
        r"(?:--model |--ensemble |--against |report |--resume |--begin-with |from_pretrained\(\")"
        r"(runs/[\w-]+)",
        text,
    ):
        shutil.copytree(trained, name)
    for name in re.findall(r"(?:lm (?!train)\w+ |--lm |--init-decoder )(runs/[\w-]+)", text):
        shutil.copytree(taught, name)
    for name in re.findall(r"--model (exported)", text):
        shutil.copytree(MODELS / DEFAULT_MODEL / "onnx", name)
    if "--min-confidence" in text and "runs/my_photos" in text:
        calibrate("runs/my_photos", read_dataset(coloured))
    for name in re.findall(
        r"(?:--data |lm train (?=my_photos)|read_dataset\(\")(?!scenes)([\w/]+)", text
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).symlink_to(drawn if name.endswith("scenes") else coloured)
    for name in re.findall(r"--more-data ([\w/]+)", text):
        Path(name).symlink_to(drawn)


@pytest.mark.parametrize("command", RUN)
def test_commands(
    command: str, place, coloured, trained, drawn, taught, weights, monkeypatch, capsys
) -> None:
    """Each runs as it stands, in this process, on small data and with a small network."""
    provide(command, coloured, trained, drawn, taught)
    monkeypatch.setattr("captioner.texts.DRAWN", 40)
    monkeypatch.setattr("captioner.texts.read_docs", lambda: ["for name in names:"] * 100)
    # Wrapped, so that its options are still read from its signature; nothing is fetched.
    fetch = functools.wraps(prepare_coco)(lambda *args, **kwargs: Path("data/coco"))
    monkeypatch.setattr("captioner.coco.prepare_coco", fetch)
    python, script, *arguments = shlex.split(command)
    if python == "captioner":
        program, arguments = [script, arguments[0]], arguments[1:]
    elif script == "-m":
        program, arguments = [arguments[0]], arguments[1:]
    else:
        assert python == "python"
        program = PROGRAMS[script]
    if "<" in arguments:
        *arguments, _, photo = arguments
        stdin = SimpleNamespace(buffer=io.BytesIO(Path(photo).read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
    small = [] if "--resume" in arguments else SMALL.get(" ".join(program), [])
    if "--begin-with" in arguments:  # its sizes are the model's
        small = ["--epochs", "1"]
    elif program == ["train"] and small:
        small = [*small, "--backbone-weights", str(weights)]
    run = main
    if script == "-m":
        run, program = importlib.import_module(f"{program[0]}.__main__").main, []
    with pytest.raises(SystemExit) as left:
        run([*program, *arguments, *small])
    said = capsys.readouterr()
    assert not left.value.code, said.err
    written = [Path(arguments[i + 1]) for i, word in enumerate(arguments) if word in WRITES]
    assert all(path.exists() for path in written)
    assert said.out or written


def test_every_system_of_the_tutorials_has_its_file_and_its_command() -> None:
    assert len(SYSTEMS) > 20
    for command in SYSTEMS:
        program, *arguments = shlex.split(command)
        if program == "pytest":
            assert (ROOT / arguments[0]).is_file(), command
        else:
            assert command in COMMANDS


def test_what_is_not_run_is_still_there() -> None:
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in COMMANDS), start
    targets = {
        word for command in COMMANDS if command.startswith("make") for word in command.split()[1:]
    }
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert targets <= set(phony[1].split())
    extras = set(re.findall(r"'\.\[(\w+)\]'", README))
    assert extras
    for extra in extras:
        assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("number", range(len(blocks("README.md", "python"))))
def test_python(number: int, place, coloured, trained, drawn, taught, capsys) -> None:
    code = blocks("README.md", "python")[number]
    provide(code, coloured, trained, drawn, taught)
    exec(compile(code, f"README.md, Python {number}", "exec"), {})
    assert capsys.readouterr().out or Path("docs/images/scenes.png").is_file()


def test_the_table_of_captions_is_a_data_set(tmp_path: Path) -> None:
    (table,) = blocks("README.md", "csv")
    (tmp_path / "captions.csv").write_text(table)
    (tmp_path / "images").mkdir()
    for name in ("beach.jpg", "kitchen.jpg", "tower.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / name)
    splits = read_dataset(tmp_path).splits
    found = {split: [photo.captions for photo in photos] for split, photos in splits.items()}
    assert found == {
        "train": [("Two dogs run along the beach.", "Wet dogs, happy dogs.")],
        "val": [("A cup of tea on the kitchen table.",)],
        "test": [("The old tower at night.",)],
    }


def test_layouts_formulas_and_sizes_are_those_of_the_code() -> None:
    assert textwrap.dedent(LAYOUTS) in README
    for part in (Encoder, PooledDecoder, temporal_softmax_loss):
        formulas = re.findall(r"^    (?!>>>)(\w+ += .*)$", inspect.getdoc(part), re.MULTILINE)
        assert formulas
        for formula in formulas:
            assert f"\n{formula}\n" in README
    encoder, decoder = EncoderConfig(), DecoderConfig()
    sizes = f"C = {encoder.channels}, D = {encoder.features}, E = {decoder.embedding}"
    assert f"{sizes}, H = {decoder.hidden}." in README


def test_the_tree_names_every_module() -> None:
    (tree,) = (block for block in blocks("README.md", "text") if "\ncaptioner/\n" in block)
    named, folders = set(), []
    for line in tree[tree.index("captioner/\n") :].splitlines():
        indent, name, about = re.fullmatch(r"( *)(\S+) *(.*)", line).groups()
        folders = [*folders[: len(indent) // 4], name]
        if name.endswith(".py"):
            assert about, f"{name} has no description"
            named.add("".join(folders))
    files = {file.relative_to(ROOT).as_posix() for file in (ROOT / "captioner").rglob("*.py")}
    assert named == files


@pytest.mark.parametrize(("document", "file", "heading"), LINKS)
def test_links_lead_somewhere(document: str, file: str, heading: str) -> None:
    target = (ROOT / document).parent / file if file else ROOT / document
    if not SHIPPED and MODELS in target.parents:
        pytest.skip("the model is not part of this copy")
    assert target.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings]
        assert heading in slugs


def test_what_contributors_are_sent_to_is_there() -> None:
    rows = re.findall(r"^\| (?!to add|---).*$", TEXTS["CONTRIBUTING.md"], re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        _, _, file, touch, _, _ = row.split("|")
        if link := LINK.search(file):
            text = (ROOT / link[1]).read_text(encoding="utf-8")
            for name in re.findall(r"`([A-Za-z_]+)`", touch):
                assert re.search(rf"\b{name}\b", text), f"{name} is not in {link[1]}"


def test_the_picture_sheet_is_small() -> None:
    sheet = ROOT / "docs" / "images" / "scenes.png"
    with Image.open(sheet) as image:
        assert image.format == "PNG"
    assert sheet.stat().st_size < 400_000


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == captioner.__version__
    assert all(citation[key] for key in ("message", "title", "authors"))
    newest = re.search(r"^## (\S+)", TEXTS["CHANGELOG.md"], re.MULTILINE)
    assert newest
    assert newest[1] == captioner.__version__


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "results" / "tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_records(tables: ModuleType) -> None:
    command = [sys.executable, str(ROOT / "results" / "tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert doctest.testmod(tables) == (0, 8)


def make_record(data: str, cider_d: float, **more) -> str:
    scores = {"cider_d": cider_d, "bleu_4": 0.2, "rouge_l": 0.4}
    intervals = {name: [value - 0.01, value + 0.01] for name, value in scores.items()}
    rest = {"different_captions": 7, "photos": 900, "beam_size": 3, "commit": "0123456789+"}
    machine = {"processor": "Chip", "cores": 2}
    record = {"data": data, "metrics": scores, "intervals": intervals, "hardware": machine}
    return json.dumps(record | rest | more)


def test_tables_of_made_records(tables: ModuleType, tmp_path: Path) -> None:
    truth = dict.fromkeys(tables.SHARES, 0.5) | {f"num_{key}": 8 for key in tables.SHARES}
    files = {
        "f-rnn-test.json": make_record("f", 0.3),
        "f-lstm-test.json": make_record("f", 0.5, training={"minutes": 20.4}),
        "scenes-demo-test.json": make_record("scenes", 2.5, truth=truth),
        "f-rnn-test.captions.json": "[]",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    names = tables.make_tables(tmp_path)
    marks = [f"<!-- results: {name} -->\nold\n<!-- end of results -->\n" for name in names]
    readme = tmp_path / "R.md"
    readme.write_text("above\n" + "between\n".join(marks) + "below\n")
    assert tables.write_tables(tmp_path, readme, check=True) == 1
    assert readme.read_text().count("old") == 5
    assert tables.write_tables(tmp_path, readme) == 0
    assert tables.write_tables(tmp_path, readme, check=True) == 0
    parts = readme.read_text().removeprefix("above\n").split("between\n")
    photos, scenes, language, help_, speed = parts
    rest = "| 20.0 (19.0 to 21.0) | 40.0 (39.0 to 41.0) | 7 of 900 | –"
    assert photos.splitlines()[4:8] == [
        f"| f | [lstm](results/f-lstm-test.json) | 3 beams | 50.0 (49.0 to 51.0) {rest} | 20 min |",
        f"| f | [rnn](results/f-rnn-test.json) | 3 beams | 30.0 (29.0 to 31.0) {rest} | – |",
        "",
        "Machine: Chip, 2 cores. Commit: 0123456+.",
    ]
    assert scenes.count("| 50.0 % of 8") == 4
    assert "No records yet." in language
    assert "No records yet." in help_
    assert "| work | target |" in speed or "No records yet." in speed
    assert speed.endswith("<!-- end of results -->\nbelow\n")

    (tmp_path / "bad-test.json").write_text("{}")
    with pytest.raises(InputError, match=r"bad-test.json: not the record"):
        tables.read_records(tmp_path)
    with pytest.raises(InputError, match="the README has marks"):
        tables.fill("no marks", {"photos": ""})


def test_tables_of_language_models(tables: ModuleType, tmp_path: Path) -> None:
    common = {"data": "f", "commit": "0123456789", "hardware": {"processor": "Chip", "cores": 2}}
    rows = [
        {"model": "3-grams", "test_perplexity": 30.0, "val_perplexity": 29.0},
        {"model": "gru", "test_perplexity": 20.125, "val_perplexity": 19.0,
         "training": {"minutes": 9.6, "epochs": 5}},
    ]  # fmt: skip
    (tmp_path / "f-perplexity.json").write_text(json.dumps(common | {"rows": rows}))
    assert tables.language_table(tmp_path).splitlines()[2:] == [
        "| [f](results/f-perplexity.json) | gru | 20.12 | 19.00 | 10 min, 5 epochs |",
        "| [f](results/f-perplexity.json) | 3-grams | 30.00 | 29.00 | – |",
        "",
        "Machine: Chip, 2 cores. Commit: 0123456.",
    ]
    gain = {"gain": -0.02, "gain_interval": [-0.03, 0.01], "gain_of_each_seed": [0.01, -0.05]}
    record = common | {
        "beam_size": 5,
        "init_decoder": gain | {"plain": [0.5, 0.6], "started": [0.51, 0.55]},
        "reranking": gain | {"plain": [0.5, 0.6], "reranked": [0.51, 0.55], "weight": -0.2},
    }
    (tmp_path / "f-language-help.json").write_text(json.dumps(record))
    cells = "55.0 | 53.0 | -2.0 (-3.0 to +1.0) | +1.0, -5.0 |"
    link = "[f](results/f-language-help.json)"
    assert tables.help_table(tmp_path).splitlines()[2:] == [
        f"| {link} | decoder begun with it | {cells}",
        f"| {link} | its second opinion, weight -0.2 | {cells}",
        "",
        "Beams: 5. Machine: Chip, 2 cores. Commit: 0123456.",
    ]
