"""Exports say what their models say, without torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captioner.agreement import Agreement, compare
from captioner.backbones import load_backbone
from captioner.checkpoint import save_model
from captioner.commands import main
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, SearchConfig
from captioner.errors import InputError
from captioner.exporting import export_model
from captioner.folders import MODELS
from captioner.images import open_photo, photo_array
from captioner.model import Captioner
from captioner.precision import halve
from captioner.runtime import FILES, OnnxCaptioner, find_export
from captioner.scenes import prepare_scenes
from captioner.vocabulary import SPECIAL, Vocabulary
from conftest import BACKBONE

ROOT = Path(__file__).resolve().parents[1]
WORDS = Vocabulary((*SPECIAL, *(f"word{i}" for i in range(60))), max_words=8)

WITHOUT = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "timm", "nltk", "matplotlib", "onnx"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from captioner.commands import main
main(sys.argv[1:])
"""
"""The command line as it is where the extra `train` was not installed."""


def run_without_torch(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def leave(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


def draw(count: int) -> list[np.ndarray]:
    """Coloured noise, coarse and fine."""
    generator = np.random.default_rng(count)
    sides = generator.integers(2, 30, count)
    return [generator.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in sides]


def make_model(folder: Path, weights: Path, maps: str = "last", **decoder: object) -> Path:
    """A small model that has learned nothing, but for whose captions differ from photo to photo."""
    torch.manual_seed(0)
    encoder = EncoderConfig(backbone=BACKBONE, maps=maps, features=24)
    network, encoder = load_backbone(encoder, weights)
    sizes = {"embedding": 12, "hidden": 16, "features": encoder.features, "attention": 10}
    captioner = Captioner(ModelConfig(encoder, DecoderConfig(**(sizes | decoder))), WORDS, network)
    photos = [photo_array(Image.fromarray(noise), encoder.preprocessing) for noise in draw(30)]
    with torch.inference_mode():
        images = torch.from_numpy(np.stack(photos))
        captioner.encoder.fit(captioner.encoder.see(images).mean(dim=1))
        captioner.decoder.score.weight *= 3
    save_model(
        folder, captioner.config, WORDS, captioner.saved_tensors(), {}, "# A model of nothing\n"
    )
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for number, noise in enumerate(draw(200)):
        Image.fromarray(noise).resize((80, 60)).save(folder / f"{number:03d}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def model(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "gru", weights, cell="gru")


@pytest.fixture(scope="module")
def export(model: Path, pictures: list[Path]) -> Path:
    folder = model.parent / "exported"
    export_model(model, folder, "float32", pictures[:4])
    return folder


@pytest.fixture
def copied(export: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(export, tmp_path / "copied"))


DECODERS = [
    {"cell": "rnn"},
    {"cell": "gru", "layers": 2},
    {"cell": "lstm", "maps": "early+last"},
    {"cell": "lstm", "layers": 3},
    {"cell": "gru", "kind": "attention"},
    {"cell": "lstm", "kind": "attention", "layers": 2, "maps": "early+last"},
    {"cell": "rnn", "kind": "attention"},
    {"cell": "lstm", "kind": "adaptive"},
    {"cell": "lstm", "kind": "att2in"},
    {"cell": "lstm", "kind": "updown"},
    {"cell": "gru", "kind": "updown"},
    {"cell": "lstm", "kind": "aoa"},
    {"cell": "gru", "kind": "aoa", "hidden": 128},
]


@pytest.mark.parametrize(
    "decoder", DECODERS, ids=lambda settings: "-".join(map(str, settings.values()))
)
def test_every_decoder_gives_what_torch_gives(decoder, weights, pictures, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", weights, **decoder)
    agreement = export_model(model, tmp_path / "onnx", "float32", pictures[:3])
    assert agreement.difference < 1e-4
    of_torch, of_onnx = (
        Captioner.from_pretrained(model),
        OnnxCaptioner.from_folder(tmp_path / "onnx"),
    )
    for number, beams in ((1, 1), (2, 5), (7, 3)):
        arrays = np.stack([
            photo_array(open_photo(file), of_torch.preprocessing) for file in pictures[:number]
        ])  # fmt: skip
        features = [c.features(c.make_look(1)(arrays)) for c in (of_torch, of_onnx)]
        for config in (
            SearchConfig(beams, num_captions=beams),
            SearchConfig(num_captions=2, sample=True),
        ):
            theirs, ours = (
                c.search(f, config) for c, f in zip((of_torch, of_onnx), features, strict=True)
            )
            assert [[c.caption for c in found] for found in ours] == [
                [c.caption for c in found] for found in theirs
            ]
            np.testing.assert_allclose(
                [c.log_prob for found in ours for c in found],
                [c.log_prob for found in theirs for c in found],
                atol=1e-4,
            )


def test_two_hundred_pictures_caption_for_caption(model, export, pictures) -> None:
    of_torch, of_onnx = Captioner.from_pretrained(model), OnnxCaptioner.from_folder(export)
    captions = of_torch(pictures)
    assert of_onnx(pictures) == captions
    assert len({*captions}) > 50
    alone = [of_onnx(file) for file in pictures[:20]]
    assert alone == captions[:20]


@pytest.mark.photos
@pytest.mark.slow
def test_the_packaged_export_says_of_photos_nearly_what_torch_says(photos: Path) -> None:
    files = sorted((photos / "flickr8k" / "images").glob("*.jpg"))[:100]
    of_torch = Captioner.from_pretrained("flickr8k")
    of_onnx = OnnxCaptioner.from_folder(MODELS / "flickr8k" / "onnx")
    pairs = zip(of_onnx(files), of_torch(files), strict=True)
    assert sum(one == other for one, other in pairs) >= 90  # its weights have 16 bits


def test_an_export_is_found_by_the_name_of_its_model(trained: Path) -> None:
    assert OnnxCaptioner.from_pretrained().config.made_from
    with pytest.raises(InputError, match="has no export; make one with captioner export"):
        OnnxCaptioner.from_pretrained(trained)


def test_the_packaged_export_is_that_of_the_packaged_model() -> None:
    assert find_export("flickr8k") == MODELS / "flickr8k" / "onnx"
    assert find_export(MODELS / "flickr8k" / "onnx") == MODELS / "flickr8k" / "onnx"


@pytest.mark.parametrize(("precision", "size"), [("float16", 0.65), ("int8", 0.55)])
def test_less_precise_exports_are_smaller_and_say_nearly_the_same(
    trained, coloured, tmp_path, precision, size
) -> None:
    files = sorted((coloured / "images").iterdir())
    export_model(trained, tmp_path / "float32", "float32", files[:8])
    agreement = export_model(trained, tmp_path / precision, precision, files[:24])
    assert 0 < agreement.difference < 1
    assert agreement.same_captions >= 0.9 * agreement.photos
    for name in ("encoder.onnx", "step.onnx"):
        sizes = [(tmp_path / p / name).stat().st_size for p in (precision, "float32")]
        assert sizes[0] < size * sizes[1], name
    assert f'"{precision}"' in (tmp_path / precision / "config.json").read_text()


def test_weights_are_halved_unasked_only_where_that_loses_nothing(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    exact = np.array([[0.5, -2.0]], np.float32)
    inexact = np.array([[0.1], [1e6]], np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(exact, "a"), numpy_helper.from_array(inexact, "b")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "f.onnx")
    halve(tmp_path / "f.onnx", exactly=True)
    types = {t.name: t.data_type for t in onnx.load(tmp_path / "f.onnx").graph.initializer}
    assert types == {"a.half": TensorProto.FLOAT16, "b": TensorProto.FLOAT}
    halve(tmp_path / "f.onnx", exactly=False)  # 1e6 is beyond half precision
    types = {t.name: t.data_type for t in onnx.load(tmp_path / "f.onnx").graph.initializer}
    assert types == {"a.half": TensorProto.FLOAT16, "b": TensorProto.FLOAT}
    onnx.checker.check_model(onnx.load(tmp_path / "f.onnx"))


@pytest.mark.parametrize("name", ["config.json", *FILES])
@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
def test_a_folder_that_is_not_whole_is_refused(copied: Path, name: str, harm: str) -> None:
    file = copied / name
    data = bytearray(file.read_bytes())
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif name == "config.json":
        about = json.loads(data)
        file.write_text(json.dumps(about | {"precision": "float64"}))
    else:
        data[len(data) // 2] ^= 0x01
        file.write_bytes(data)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        OnnxCaptioner.from_folder(copied)


def test_files_of_other_networks_are_refused(copied: Path, model: Path) -> None:
    with pytest.raises(InputError, match="this is a captioner; what is wanted"):
        OnnxCaptioner.from_folder(model)
    about = json.loads((copied / "config.json").read_text())
    for harm in ({"states": ["other"]}, {"format": 99}, {"max_words": "many"}):
        (copied / "config.json").write_text(json.dumps(about | harm))
        with pytest.raises(InputError, match="copied"):
            OnnxCaptioner.from_folder(copied)


def test_an_unreadable_photo_in_a_batch(export: Path, pictures: list[Path]) -> None:
    captioner = OnnxCaptioner.from_folder(export)
    results = list(captioner.stream([pictures[0], b"no photo", pictures[1]], batch_size=2))
    assert [isinstance(result, InputError) for result in results] == [False, True, False]
    assert [results[0][0].caption, results[2][0].caption] == captioner(pictures[:2])
    assert captioner([]) == []
    with pytest.raises(InputError, match=r"none\.jpg"):
        captioner("none.jpg")


def test_an_export_is_used_while_it_is_that_of_the_model(model, export, tmp_path) -> None:
    run = tmp_path / "run"
    shutil.copytree(model, run / "best")
    assert find_export(run) is None
    shutil.copytree(export, run / "onnx")
    assert find_export(run) == run / "onnx"
    assert find_export(run / "best") is None
    shutil.copytree(export, run / "best" / "onnx")
    assert find_export(run / "best") == find_export(run) == run / "best" / "onnx"
    about = json.loads((run / "best" / "config.json").read_text())
    about["sha256"]["model.safetensors"] = "of another epoch"
    (run / "best" / "config.json").write_text(json.dumps(about))
    assert find_export(run) is None
    with pytest.raises(InputError, match="no such folder"):
        find_export(tmp_path / "nothing")


def test_an_export_that_fails_leaves_what_was_there(
    model, copied, pictures, monkeypatch, tmp_path
) -> None:
    before = (copied / "config.json").read_bytes()
    wrong = Agreement(photos=1, difference=0.5, same_captions=1)
    monkeypatch.setattr("captioner.exporting.compare", lambda *_: wrong)
    with pytest.raises(InputError, match="does not do what the model does"):
        export_model(model, copied, "float32", pictures[:1])
    assert (copied / "config.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]


def test_the_comparison_finds_a_changed_weight(model, export, pictures) -> None:
    captioner = Captioner.from_pretrained(model)
    arrays = [photo_array(open_photo(file), captioner.preprocessing) for file in pictures[:4]]
    images = np.stack(arrays)
    exported = OnnxCaptioner.from_folder(export)
    assert compare(captioner, exported, [images]).difference < 1e-4
    captioner.decoder.score.bias.data[5] += 1e-2
    found = compare(captioner, exported, [images])
    assert (found.photos, found.difference > 1e-4) == (4, True)


def test_exporting_from_the_command_line(capsys, model, tmp_path: Path) -> None:
    code, out, _ = leave(capsys, "export", model, "--to", "onnx", tmp_path / "new" / "onnx")
    assert (code, out.startswith(f"wrote {tmp_path / 'new' / 'onnx'}, ")) == (0, True)
    assert "24 of 24 captions are the model's" in out
    assert sorted(path.name for path in (tmp_path / "new" / "onnx").iterdir()) == [
        "README.md", "config.json", "encoder.onnx", "step.onnx", "vocabulary.json"
    ]  # fmt: skip
    card = (tmp_path / "new" / "onnx" / "README.md").read_text()
    assert card.startswith("# A model of nothing\n")
    assert "## Exported to ONNX" in card


def test_what_cannot_be_exported(capsys, model, export, pictures, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    wanted = {
        (model, tmp_path): "holds something else",
        (model, tmp_path / "notes.txt"): "holds something else",
        (tmp_path / "none", tmp_path / "new"): "not a model",
        (export, tmp_path / "new"): "this is a captioner exported to ONNX",
        (model, tmp_path / "new", "--photos", "none.jpg"): r"none.jpg: there is no such file",
        (model, tmp_path / "new", "--photos", str(tmp_path / "*.jpg")): "fits no file",
        (model, tmp_path / "notes.txt" / "new", "--photos", pictures[0]): "cannot be written",
    }
    for arguments, told in wanted.items():
        code, out, err = leave(capsys, "export", *arguments)
        assert (code, out) == (2, ""), arguments
        assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_captions_come_from_the_export_and_else_from_torch(
    capsys, model, export, pictures, tmp_path, monkeypatch
) -> None:
    expected = OnnxCaptioner.from_folder(export)(pictures[0])
    for name in (model, export):
        code, out, err = leave(capsys, "caption", pictures[0], "--model", name)
        assert (code, out, err) == (0, f"{expected}\n", "")
    code, _, err = leave(capsys, "caption", pictures[0], "--model", export, "--ensemble", export)
    assert (code, "exported to ONNX" in err) == (2, True)
    opened = []
    monkeypatch.setattr("captioner.commands.sources._has_nvidia_driver", lambda: True)
    monkeypatch.setattr(
        "captioner.commands.sources.choose_device", lambda name: opened.append(name) or "cpu"
    )
    code, out, _ = leave(capsys, "caption", pictures[0], "--model", export)
    assert (code, out, opened) == (0, f"{expected}\n", ["auto"])


def test_captioning_needs_no_torch(export: Path, model: Path, pictures, tmp_path: Path) -> None:
    expected = OnnxCaptioner.from_folder(export)(pictures[0])
    sheet = tmp_path / "sheet.png"
    done = run_without_torch("caption", pictures[0], "--model", export, "--sheet", sheet)
    assert done == (0, f"{expected}\n", f"picture sheet: {sheet}\n")
    code, out, err = run_without_torch("caption", pictures[0], "--format", "json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["captions"][0]["caption"].split()) > 2
    code, _, err = run_without_torch("caption", pictures[0], "--model", model)
    assert (code, err) == (2, NEEDS_TORCH)


NEEDS_TORCH = (
    "captioner: this needs torch, which is not installed: "
    "pip install 'captioner[train]' brings it\n"
)


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["evaluate"], ["calibrate", "--model", "flickr8k", "--data", "x"],
     ["lm", "train"], ["lm", "write", "runs/x"],
     ["export", "flickr8k", "--to", "onnx", "onnx"], ["caption", "x.jpg", "--device", "cuda"],
     ["caption", "x.jpg", "--lm", "runs/x"]],
    ids=" ".join,
)  # fmt: skip
def test_other_commands_name_what_is_missing(arguments: list[str]) -> None:
    code, out, err = run_without_torch(*arguments)
    assert (code, out, err) == (2, "", NEEDS_TORCH)


def test_help_needs_no_torch() -> None:
    for command in ("train", "caption", "evaluate", "calibrate", "export", "data"):
        code, out, err = run_without_torch(command, "--help")
        assert (code, "usage" in out, err) == (0, True, ""), command


def test_drawn_scenes_need_no_torch(tmp_path: Path) -> None:
    arguments = ["data", "scenes", "--images", "24", "--workers", "1", "--output", tmp_path / "s"]
    assert run_without_torch(*arguments)[0] == 0
    assert prepare_scenes(tmp_path / "s", images=24) == tmp_path / "s"
