"""The shape of the package, read from its source: imports point one way, files stay small."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "captioner"

# Lowest first. A module imports from layers below its own alone; a folder counts as one module.
LAYERS = [
    "errors refinements",
    "files averaging config metrics cells losses reference kernels",
    "presets vocabulary layouts download provenance scenes folders precision scoring results_files",
    "confidence consensus views search coco datasets data images encoder decoders plotting card",
    "joining flickr8k backbones checkpoint graphs resume logbook texts corruption",
    "extraction several",
    "features streaming language",
    "model runtime",
    "ensemble agreement explaining",
    "evaluation training selfcritical reranking inspection exporting finetuning",
    "validation calibration regression reporting",
    "material",
    "runs diagnosis",
    "language_runs serving",
    "commands",
    "release reading",
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "timm", "matplotlib", "nltk", "pycocotools", "onnxruntime", "scipy"}
LIGHT = ["errors", "refinements", "files", "config", "presets", "vocabulary", "layouts", "datasets",
         "download", "coco", "flickr8k", "provenance", "plotting", "scenes", "commands", "card",
         "release", "texts", "folders", "images", "search", "extraction", "streaming",
         "runtime", "confidence", "consensus", "views", "several", "serving",
         "explaining"]  # fmt: skip
"""What the command line imports before it is told what to do, and what serves without torch."""


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that are imported anywhere in a piece of source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "captioner":
            yield from (f"captioner.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "." * node.level


def own(names: Iterator[str]) -> set[str]:
    """The modules of the package among these names."""
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "captioner" and len(part) > 1}


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}


def test_every_module_has_its_layer() -> None:
    modules = {name_of(file) for file in FILES} - {"__init__"}
    assert modules - LAYER.keys() == set(), "give it a layer in LAYERS"


def test_imports_point_one_way(trees: dict[Path, ast.Module]) -> None:
    upwards = [
        f"{file.relative_to(PACKAGE)} imports {other}"
        for file, tree in trees.items()
        if (name := name_of(file)) != "__init__"
        for other in own(imports(tree)) & LAYER.keys() - {name}
        if LAYER[other] >= LAYER[name]
    ]
    assert upwards == []


def test_imports_inside_the_package_are_absolute(trees: dict[Path, ast.Module]) -> None:
    assert [file for file, tree in trees.items() if any(n[0] == "." for n in imports(tree))] == []


def test_the_search_knows_no_model_and_the_metrics_no_tensors(trees) -> None:
    of = {
        name: {i.split(".")[0] for f, t in trees.items() if name_of(f) == name for i in imports(t)}
        for name in ("metrics", "scenes", "search")
    }
    assert "torch" not in of["metrics"] | of["scenes"]
    known = {m for f, t in trees.items() if name_of(f) == "search" for m in own(imports(t))}
    assert known == {"config", "search", "vocabulary"}


def test_nothing_heavy_is_imported_before_it_is_needed(trees: dict[Path, ast.Module]) -> None:
    for file, tree in trees.items():
        if name_of(file) in (*LIGHT, "__init__"):
            outermost = ast.Module([node for node in tree.body if not isinstance(
                node, ast.FunctionDef | ast.ClassDef | ast.If)], [])  # fmt: skip
            names = {name.split(".")[0] for name in imports(outermost)}
            assert not names & HEAVY, file
            assert own(imports(outermost)) <= {*LIGHT}, file


def test_files_are_small() -> None:
    for file in [*FILES, *PACKAGE.parent.glob("*.py")]:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 300, file


def test_nothing_is_unpickled(trees: dict[Path, ast.Module]) -> None:
    refused = {"pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "dill.load"}
    for file, tree in trees.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            options = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert called not in refused, file
            if called == "torch.load":
                assert options.get("weights_only") == "True", file
            if called == "np.load":
                assert options.get("allow_pickle") == "False", file
            assert options.get("allow_pickle") != "True", file
            assert called not in ("eval", "exec"), file


def test_the_source_names_no_folder_of_a_machine() -> None:
    place = re.compile(r"""(?<![\w.:/])(/(home|root|tmp|work|mnt|Users|data)/\w|[A-Z]:\\\\\w)""")
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert not place.search(text), (file, place.search(text))
    assert place.search('"/home/ada/photos"')
    assert not place.search("images/root/x https://example.org/data/x")
