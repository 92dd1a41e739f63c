"""Folders of models: where they are, whether they are whole, and what their settings say.

Nothing here needs torch: an exported model is captioned with where there is none.
"""

import dataclasses
import hashlib
import shutil
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from captioner.errors import InputError
from captioner.files import read_json, unwritable

FORMAT = 1
"""Raised when a folder written today could not be read by yesterday's program."""

MODELS = Path(__file__).parent / "models"
"""The models that come with the package, a folder each."""
DEFAULT_MODEL = "flickr8k"

ABOUT = ("format", "kind", "sha256")
"""What config.json says besides the settings."""


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


def title_of(folder: Path) -> str:
    """What the model in a folder is called: by its own name, or by that of its run.

    >>> title_of(Path("runs/mine/best")), title_of(Path("models/flickr8k"))
    ('mine', 'flickr8k')
    """
    return (folder.parent if folder.name == "best" else folder).name


def read_about(folder: Path) -> dict[str, Any]:
    """The config.json of a model's folder.

    Raises:
        InputError: if it is missing, is no model's, or of another version.
    """
    value = read_json(folder / "config.json", "the settings of a model")
    if not isinstance(value, dict) or "format" not in value:
        raise InputError(f"{folder / 'config.json'}: not the settings of a model; fetch it again")
    if value["format"] != FORMAT:
        raise InputError(
            f"{folder}: a model of format {value['format']}, but this program reads {FORMAT};"
            " install the version of captioner that made it, or train it again"
        )
    return value


def checksums(about: Mapping[str, Any]) -> dict[str, Any]:
    """The SHA-256 of each file of a folder, as its config.json tells them."""
    found = about.get("sha256")
    return found if isinstance(found, dict) else {}


def check_file(file: Path, sha256: Any) -> None:
    """Refuse a file that is missing, cut short or changed.

    Raises:
        InputError: if it is.
    """
    try:
        whole = sha256 == hash_file(file)
    except FileNotFoundError:
        raise InputError(f"{file}: missing; fetch or save the model again") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
    if not whole:
        raise InputError(
            f"{file}: not the file that was saved with this model (cut short, changed "
            "or of another model); fetch or save the model again"
        )


def hash_file(file: Path) -> str:
    """Its SHA-256."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def hash_files(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each of these files."""
    return {name: hash_file(folder / name) for name in names}


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place when the block ends well.

    Raises:
        InputError: if it cannot be written; what was there before stays.
    """
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    try:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        had = folder.exists()
        if had:
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if had:
                old.rename(folder)
            raise
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)


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
    except ValueError as error:
        raise InputError(f"{file}: cannot be used ({error}); mend it or make it again") from None


def _field(hint: Any, value: Any, name: str, file: Path) -> Any:
    if dataclasses.is_dataclass(hint):
        return parse(hint, value, file)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        fits = value in arguments
    elif origin is tuple and arguments[-1] is Ellipsis:
        fits = isinstance(value, list) and all(isinstance(part, arguments[0]) for part in value)
        value = tuple(value) if fits else value
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
