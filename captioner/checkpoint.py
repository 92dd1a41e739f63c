"""The folder that a model is: settings, vocabulary, weights, metrics and a card.

Nothing in it is unpickled. config.json holds the SHA-256 of the vocabulary and of the weights, so
that a folder that was cut short, mixed up or changed is refused.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from captioner.config import LanguageConfig, ModelConfig
from captioner.errors import InputError
from captioner.files import replacing, write_json, write_text
from captioner.folders import (
    ABOUT,
    FORMAT,
    check_file,
    checksums,
    hash_files,
    parse,
    read_about,
    replacing_folder,
)
from captioner.vocabulary import Vocabulary

FILES = ("vocabulary.json", "model.safetensors")

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

    with replacing_folder(folder) as new:
        with replacing(new / "model.safetensors") as temporary:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
        vocabulary.save(new / "vocabulary.json")
        write_json(new / "metrics.json", metrics)
        write_text(new / "README.md", card)
        (kind,) = (name for name, settings in KINDS.items() if isinstance(config, settings))
        about = {"format": FORMAT, "kind": kind, "sha256": hash_files(new, FILES)}
        write_json(new / "config.json", about | asdict(config))


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

    value = read_about(folder)
    kind = value.get("kind", "captioner")
    if KINDS.get(kind) is not settings:
        (wanted,) = (name for name, other in KINDS.items() if other is settings)
        raise InputError(f"{folder}: this is a {kind}; what is wanted here is a {wanted}")
    sums = checksums(value)
    for name in FILES:
        check_file(folder / name, sums.get(name))
    given = {key: part for key, part in value.items() if key not in ABOUT}
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
