"""What a command works with: data, text, device, seed, and a language model's second opinion."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.errors import InputError
from captioner.files import unwritable

if TYPE_CHECKING:
    from captioner.ensemble import Ensemble
    from captioner.model import Captioner
    from captioner.reranking import Reranker
    from captioner.runtime import OnnxCaptioner

SCENES = 6000
"""Pictures of the default data set."""


def find_data(name: str) -> Path:
    """The path of a data set; `scenes` is drawn first where it is not there yet."""
    if name != "scenes" or Path(name).exists():
        return Path(name)
    from captioner.extraction import cache_folder
    from captioner.scenes import prepare_scenes

    folder = cache_folder() / "scenes"
    try:
        return prepare_scenes(folder, images=SCENES, seed=0)
    except OSError as error:
        raise InputError(f"{unwritable(folder, error)} by CAPTIONER_CACHE") from error


def read_text(source: str) -> str:
    """The text itself, or that of the file that it names, or of stdin where it is `-`.

    Raises:
        InputError: if file or stdin is no text.
    """
    from captioner.texts import read_lines

    if source == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"stdin: no text in UTF-8 (byte {error.start})") from None
        return text.replace("\r\n", "\n").removesuffix("\n")
    try:
        is_file = Path(source).is_file()
    except (OSError, ValueError):  # a text too long for a name
        is_file = False
    return "\n".join(read_lines(Path(source))) if is_file else source


def check_seed(seed: int) -> None:
    """Refuse a seed that a source of random numbers would refuse, in other words.

    Raises:
        InputError: if it does not fit into 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"--seed {seed}: choose one between 0 and {2**32 - 1}")


def choose_device(name: str) -> str:
    """The device to work on.

    Raises:
        InputError: if there is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if torch.device(name).type not in ("cpu", "cuda"):
            raise RuntimeError("neither auto nor cpu, cuda or cuda:N")
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name}: not to be had here ({str(error).splitlines()[0]}); try --device cpu"
        ) from None
    return name


def check_second_opinion(model: Path | None, beam_size: int) -> None:
    """Refuse a language model where there is nothing to choose among.

    Raises:
        InputError: if the search has one beam.
    """
    if model and beam_size == 1:
        raise InputError("--lm sorts the captions of a beam anew; give --beam-size 2 or more")


def second_opinion(model: Path, weight: float, device: str) -> "Reranker":
    """A language model that sorts the captions of each beam anew.

    Raises:
        InputError: if it is not a language model.
    """
    from captioner.language import LanguageModel
    from captioner.reranking import Reranker

    return Reranker(LanguageModel.from_pretrained(model, device), weight)


def open_captioner(models: Sequence[str], device: str) -> "Captioner | Ensemble":
    """The captioner of this name, or an ensemble of several.

    Raises:
        InputError: if one cannot be read, or they do not go together.
    """
    from captioner.ensemble import Ensemble
    from captioner.model import Captioner
    from captioner.runtime import is_export

    for model in models:
        if is_export(model):
            raise InputError(
                f"{model}: exported to ONNX, it captions photos on the CPU, without --lm and "
                "--ensemble, and no more; give the model that it was made from"
            )
    members = [Captioner.from_pretrained(model, device) for model in models]
    return Ensemble(members) if len(members) > 1 else members[0]


def open_exported(model: str, device: str) -> "OnnxCaptioner | None":
    """The export of a model where it is the quickest, which it is but on a GPU.

    Returns:
        None where there is none that is up to date, or another device is to be used.

    Raises:
        InputError: if there is no such model, or its export is not whole.
    """
    if device not in ("auto", "cpu"):
        return None
    if device == "auto" and _has_nvidia_driver() and _is_installed("torch"):
        device = choose_device(device)
        if device != "cpu":
            return None
    from captioner.runtime import OnnxCaptioner, find_export

    folder = find_export(model)
    return None if folder is None else OnnxCaptioner.from_folder(folder)


def _has_nvidia_driver() -> bool:
    """Whether there may be a GPU to use; torch would know for certain, but takes seconds to ask."""
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", ""), "System32", "nvcuda.dll").exists()
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False
