"""The folder that a model is: settings, vocabulary, weights, metrics and a card.

Nothing in it is unpickled. config.json holds the SHA-256 of the vocabulary and of the weights, so
that a folder that was cut short, mixed up or changed is refused.
"""

import dataclasses
import hashlib
import shutil
import types
import typing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from captioner.config import LanguageConfig, ModelConfig
from captioner.errors import InputError
from captioner.files import read_json, replacing, unwritable, write_json, write_text
from captioner.vocabulary import Vocabulary

FORMAT = 1
"""Raised when a folder written today could not be read by yesterday's program."""

MODELS = Path(__file__).parent / "models"
"""The models that come with the package, a folder each."""
DEFAULT_MODEL = "flickr8k"


KINDS = {"captioner": ModelConfig, "language model": LanguageConfig}
"""What can be in a folder. A folder that does not say is a captioner's, from before the others."""

C = TypeVar("C", ModelConfig, LanguageConfig)


@dataclass(frozen=True)
class Saved(Generic[C]):
    """What a model's folder holds."""

    config: C
    vocabulary: Vocabulary
    tensors: dict[str, Tensor]


def save_model(
    folder: Path,
    config: ModelConfig | LanguageConfig,
    vocabulary: Vocabulary,
    tensors: dict[str, Tensor],
    metrics: dict[str, Any],
    card: str,
) -> None:
    """Write a model's folder beside its place, and then move it there in one step.

    Raises:
        InputError: if it cannot be written; a model that was there before stays.
    """
    from safetensors.torch import save_file

    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    try:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)
        with replacing(new / "model.safetensors") as temporary:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
        vocabulary.save(new / "vocabulary.json")
        write_json(new / "metrics.json", metrics)
        write_text(new / "README.md", card)
        checksums = {name: _sha256(new / name) for name in ("vocabulary.json", "model.safetensors")}
        (kind,) = (name for name, settings in KINDS.items() if isinstance(config, settings))
        about = {"format": FORMAT, "kind": kind, "sha256": checksums}
        write_json(new / "config.json", about | asdict(config))
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)


def find_model(name: str | Path) -> Path:
    """The folder of a model given by its path, or by the name of one that comes with the package.

    Raises:
        InputError: if there is no such model; it lists those there are.
    """
    path = Path(name)
    if (path / "config.json").is_file():
        return path
    if (path / "best" / "config.json").is_file():  # the folder of a run
        return path / "best"
    if not path.is_dir() and (MODELS / str(name) / "config.json").is_file():
        return MODELS / str(name)
    shipped = sorted(file.parent.name for file in MODELS.glob("*/config.json"))
    reason = "this folder holds no config.json" if path.is_dir() else "there is no such folder"
    raise InputError(
        f"{name}: not a model ({reason}); give a folder that train.py made"
        + (f", or one of these names: {', '.join(shipped)}" if shipped else "")
    )


def read_model(folder: Path, settings: type[C]) -> Saved[C]:
    """Read and check a model's folder.

    Args:
        folder: Of the model.
        settings: `ModelConfig` for a captioner, `LanguageConfig` for a language model.

    Raises:
        InputError: if a file is missing, cut short, changed, or of another version; or if the model
            is of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    value = read_json(folder / "config.json", "the settings of a model")
    if not isinstance(value, dict) or "format" not in value:
        raise InputError(f"{folder / 'config.json'}: not the settings of a model; fetch it again")
    if value["format"] != FORMAT:
        raise InputError(
            f"{folder}: a model of format {value['format']}, but this program reads {FORMAT};"
            " install the version of captioner that made it, or train it again"
        )
    kind = value.get("kind", "captioner")
    if KINDS.get(kind) is not settings:
        (wanted,) = (name for name, other in KINDS.items() if other is settings)
        raise InputError(f"{folder}: this is a {kind}; what is wanted here is a {wanted}")
    checksums = value["sha256"] if isinstance(value.get("sha256"), dict) else {}
    for name in ("vocabulary.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: missing; fetch or save the model again")
        if checksums.get(name) != _sha256(folder / name):
            raise InputError(
                f"{folder / name}: not the file that was saved with this model (cut short, changed "
                "or of another model); fetch or save the model again"
            )
    about = ("format", "kind", "sha256")
    given = {key: part for key, part in value.items() if key not in about}
    config = parse(settings, given, folder / "config.json")
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    try:
        tensors = load_file(folder / "model.safetensors")
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{folder / 'model.safetensors'}: not a whole file of weights ({error}); fetch it again"
        ) from None
    return Saved(config, vocabulary, tensors)


def fill(module: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    """Give a network the weights that were read from a folder.

    Raises:
        InputError: if they are not the weights of such a network.
    """
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(
            f"{folder}: the weights do not fit the settings "
            f"({' '.join(str(error).split())[:200]}); "
            "fetch or save the model again"
        ) from None


def parse(kind: Any, value: Any, file: Path) -> Any:
    """A dataclass from JSON: no field unknown, each of its type.

    A field that is missing takes its default: a new setting's default is what was done before it.

    Raises:
        InputError: naming the file and the field.
    """
    if not isinstance(value, dict):
        raise InputError(f"{file}: {kind.__name__} ought to be a table of settings")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise InputError(
            f"{file}: the settings {', '.join(map(repr, unknown))} are unknown; it was written by "
            "another version: install that one, or make it again"
        )
    known = {name: _field(hints[name], value[name], name, file) for name in value}
    try:
        return kind(**known)
    except TypeError as error:
        raise InputError(f"{file}: not whole ({error}); fetch or make it again") from None


def _field(hint: Any, value: Any, name: str, file: Path) -> Any:
    if dataclasses.is_dataclass(hint):
        return parse(hint, value, file)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        fits = value in arguments
    elif origin is tuple:
        fits = isinstance(value, list) and len(value) == len(arguments)
        value = tuple(value) if fits else value
    elif origin in (typing.Union, types.UnionType):
        fits = isinstance(value, arguments)
    elif hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    if not fits:
        raise InputError(f"{file}: {name} = {value!r} is not usable; fetch or save the model again")
    return value


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
