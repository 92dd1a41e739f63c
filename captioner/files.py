"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from captioner.errors import InputError


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary path beside `file` that takes its place when the block ends well.

    Raises:
        InputError: if the folder cannot be written or the disk is full; the old file stays.
    """
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # A file made by mkstemp is closed to others; an ordinary one follows the umask.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, file)
    except OSError as error:
        raise unwritable(file, error) from error
    except SafetensorError as error:  # its own words for a full disk
        raise InputError(f"{file}: cannot be written ({error}); make room for it") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def unwritable(file: Path, error: OSError) -> InputError:
    """What to tell a person whose file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{file}: the disk is full; make room and run the command again")
    return InputError(
        f"{file}: cannot be written ({error.strerror or error}); choose another place"
    )


def write_text(file: Path, text: str) -> None:
    """Write a text file (UTF-8) in one step; errors as of `replacing`."""
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(file: Path, value: Any) -> None:
    """Write a JSON file in one step; errors as of `replacing`."""
    write_text(file, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(file: Path, kind: str) -> Any:
    """The value in a JSON file.

    Args:
        file: Which.
        kind: What it ought to be, for the error: "the vocabulary of a model".

    Raises:
        InputError: if it is missing, is not UTF-8 or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))  # Windows begins files with a mark
    except FileNotFoundError:
        raise InputError(f"{file}: missing ({kind})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{file}: cannot be read as JSON ({error}); it ought to be {kind}: "
            "fetch or make it again"
        ) from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
