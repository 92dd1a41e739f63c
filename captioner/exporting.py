"""A trained captioner as a folder of ONNX files that need no torch, held against torch."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from captioner.agreement import Agreement, compare
from captioner.confidence import FILE as CONFIDENCE
from captioner.config import Preprocessing
from captioner.consensus import FILE as CONSENSUS
from captioner.errors import InputError
from captioner.extraction import look_at
from captioner.files import write_json, write_text
from captioner.folders import (
    FORMAT,
    checksums,
    find_model,
    hash_files,
    read_about,
    replacing_folder,
)
from captioner.graphs import DecoderStep, PhotosToState, write_graph
from captioner.images import Source
from captioner.model import Captioner
from captioner.precision import halve, quantise_convolutions, quantise_weights
from captioner.provenance import command
from captioner.runtime import ATTENTION, FILES, KIND, ExportConfig, OnnxCaptioner, Precision
from captioner.vocabulary import START

STORED = {
    "float32": "in 32 bits, or in 16 where that loses nothing",
    "float16": "in 16 bits, and cast to 32 when they are loaded",
    "int8": "in 8 bits, and most products are computed in whole numbers",
}
CLOSE = {"float32": 1e-4, "float16": 0.5, "int8": float("inf")}
"""How far a number may be from torch's, in parts of it (of 1 at least). float16 and int8 change the
weights: for them the captions tell how much that matters."""


def export_model(
    model: str | Path, folder: Path, precision: Precision, photos: Sequence[Source]
) -> Agreement:
    """Write a captioner as ONNX files, hold them against torch, and only then keep them.

    Args:
        model: Folder or name of the captioner.
        folder: Where to: new, empty, or an earlier export.
        precision: float32 keeps what the model computes. float16 rounds the weights to half
            precision, which takes half the space. int8 computes in whole numbers.
        photos: To compare the captions of; for int8 also to see what the CNN's layers give.

    Returns:
        How well they agree.

    Raises:
        InputError: if the model or a photo cannot be read, the folder cannot be written or holds
            something else, or the export does not do what the model does.
    """
    folder = Path(folder).absolute()
    check_place(folder)
    source = find_model(model)
    captioner = Captioner.from_pretrained(source)
    batches = list(_batches(photos, captioner.preprocessing))
    with replacing_folder(folder) as new:
        states, memories = write_graphs(captioner, new)
        store(new, precision, batches)
        captioner.vocabulary.save(new / "vocabulary.json")
        config = ExportConfig(
            precision=precision,
            max_words=captioner.vocabulary.max_words,
            states=states,
            memories=memories,
            made_from=checksums(read_about(source))["model.safetensors"],
            preprocessing=captioner.preprocessing,
        )
        about = {"format": FORMAT, "kind": KIND, "sha256": hash_files(new, FILES)}
        write_json(new / "config.json", about | asdict(config))
        for name in (CONFIDENCE, CONSENSUS):
            if (source / name).exists():
                shutil.copyfile(source / name, new / name)
        agreement = compare(captioner, OnnxCaptioner.from_folder(new), batches)
        alike = precision != "float32" or agreement.same_captions == agreement.photos
        if not (alike and agreement.difference <= CLOSE[precision]):
            raise InputError(
                f"{folder}: not written, for it does not do what the model does ({agreement}); "
                "try other versions of torch, onnx and onnxruntime"
            )
        write_text(new / "README.md", describe(source, config, agreement))
    return agreement


def check_place(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier export, which is replaced.

    Raises:
        InputError: if it does.
    """
    if folder.is_dir() and any(folder.iterdir()):
        with suppress(InputError):
            if read_about(folder).get("kind") == KIND:
                return
    elif folder.is_dir() or not folder.exists():
        return
    raise InputError(f"{folder}: holds something else; give a new or empty folder")


def write_graphs(captioner: Captioner, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write encoder.onnx and step.onnx in 32 bits.

    Returns:
        The names of what they call state, and of what they call memory.
    """
    size = captioner.preprocessing.size
    images = np.zeros((2, 3, size, size), np.float32)
    _, state, memory = captioner.begin(captioner.features(captioner.make_look(1)(images)))
    states = {f"state_{i}": part for i, part in enumerate(state)}
    memories = {f"memory_{i}": part for i, part in enumerate(memory)}
    write_graph(
        PhotosToState(captioner.encoder, captioner.decoder),
        {"images": torch.from_numpy(images)},
        dict.fromkeys(("images", *states, *memories, "pooled"), "P"),
        folder / "encoder.onnx",
    )
    given = {"words": torch.full((4,), START)}
    given |= {name: part.repeat_interleave(2, dim=0) for name, part in states.items()}
    after = ["log_probs", *(f"next_{name}" for name in states)]
    if captioner.places:
        after.append(ATTENTION)
    write_graph(
        DecoderStep(captioner.decoder, len(states)),
        given | memories,
        dict.fromkeys(given, "R") | dict.fromkeys(memories, "P") | dict.fromkeys(after, "R"),
        folder / "step.onnx",
    )
    return tuple(states), tuple(memories)


def store(folder: Path, precision: Precision, batches: Iterable[np.ndarray]) -> None:
    """Bring the weights of both files to this precision.

    Args:
        folder: Holds encoder.onnx and step.onnx in 32 bits.
        precision: As of `export_model`.
        batches: Photos (N, 3, S, S), which int8 needs.
    """
    encoder, step = folder / "encoder.onnx", folder / "step.onnx"
    if precision == "int8":
        quantise_convolutions(encoder, ({"images": images} for images in batches))
        quantise_weights(step)
    for file in (encoder, step):
        halve(file, exactly=precision == "float32")


def _batches(photos: Sequence[Source], preprocessing: Preprocessing) -> Iterator[np.ndarray]:
    for _, images, errors in look_at(photos, lambda images: images, preprocessing):
        for error in errors.values():
            raise error
        yield images


def describe(source: Path, config: ExportConfig, agreement: Agreement) -> str:
    """The README.md of an export: the card of its model, and how it was exported."""
    state = ", ".join(config.states)
    memory = ", ".join(config.memories) or "nothing"
    size = config.preprocessing.size
    card = source / "README.md"
    about = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return f"""{about}
## Exported to ONNX

This folder was made of the model described above by

    {command()}

and captions photos without torch:

    captioner caption photo.jpg --model PATH_OF_THIS_FOLDER

Unlike the model's own folder it always holds the weights of the CNN as well. The weights are stored
{STORED[config.precision]}. On {agreement.photos} pictures the outputs differed
from torch's by at most {agreement.difference:.1g} of their size, and {agreement.same_captions}
captions were the same.

`encoder.onnx`: images (P, 3, {size}, {size}), normalised as config.json says, to state ({state})
and memory ({memory}), and the pooled features, a row per photo.

`step.onnx`: words (R), the last of each caption, 1 at first; state, a row per caption; memory, a
row per photo, the captions of a photo side by side. To log_probs (R, V) of the next word, and the
state after it, with `next_` before its names; and where the decoder looked, `attention` (R, L), if
it looks at the L places of a photo.

`vocabulary.json`: the words by index; 2 ends a caption.
"""
