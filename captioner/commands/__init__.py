"""The command line: `captioner train | caption | evaluate | calibrate | export | …`, and scripts.

Nothing heavy is imported before it is needed, so that `--help` answers at once.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from captioner.errors import InputError
from captioner.files import unwritable

COMMANDS = {
    "train": "train a captioner on photos with captions",
    "caption": "caption photos",
    "evaluate": "score a captioner on photos with captions",
    "metrics": "score anyone's captions: a results file against what people wrote",
    "report": "show what a captioner says of each photo, and why, as pages for a browser",
    "calibrate": "let a captioner tell how likely its captions are to be good",
    "consensus": "let a captioner learn what people say of photos, to choose among its captions",
    "doctor": "look for what may go wrong with a data set, a training or a model",
    "export": "make files of a captioner that need no torch",
    "data": "prepare a data set: scenes, coco or flickr8k",
    "serve": "a web page and an HTTP interface for captions",
    "lm": "language models: train, write, score, inspect",
}

EXTRAS = {
    "train": frozenset(
        {"torch", "torchvision", "timm", "onnx", "nltk", "pycocotools", "matplotlib", "safetensors"}
    ),
    "serve": frozenset({"fastapi", "starlette", "pydantic", "uvicorn", "python_multipart"}),
}
"""Packages that captioning does without, by the extra that brings them."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console command `captioner`; leaves with the command's exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] == "--version":
        from captioner import __version__

        print(f"captioner {__version__}")
    elif name := choose("captioner", COMMANDS, argv):
        importlib.import_module(f"captioner.commands.{name}").main(argv[1:])


def choose(program: str, commands: Mapping[str, str], argv: Sequence[str]) -> str | None:
    """The command that the first argument names; None where help was asked for and given.

    Leaves with exit code 2 where there is no such command.
    """
    if argv and argv[0] in commands:
        return argv[0]
    lines = "\n".join(f"  {name:<10} {about}" for name, about in commands.items())
    usage = f"usage: {program} COMMAND …\n\n{lines}\n\n{program} COMMAND --help tells more."
    if argv and argv[0] in ("-h", "--help"):
        print(usage)
        return None
    wrong = f"{program}: no command {argv[0]!r}\n" if argv else ""
    print(wrong + usage, file=sys.stderr)
    sys.exit(2)


def finish(command: Callable[[], int]) -> None:
    """Run a command and leave with its exit code; a person's mistake is told without a traceback.

    Exit codes: 0 well, 1 some of it failed, 2 nothing could be done, 130 interrupted.
    """
    import logging

    # What is noted on the way goes to stderr; stdout is for captions and scores alone.
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("captioner").setLevel(logging.INFO)
    try:
        sys.exit(command())
    except InputError as error:
        print(f"captioner: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
        if extra is None:
            raise
        print(
            f"captioner: this needs {package}, which is not installed: "
            f"pip install 'captioner[{extra}]' brings it",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("captioner: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _forget_stdout()
        sys.exit(1)


def say(text: str, end: str = "\n") -> None:
    """Print on stdout, at once: captions and scores, nothing else.

    Raises:
        InputError: if stdout leads to a file that cannot take it.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _forget_stdout()
        raise unwritable(Path("stdout"), error) from error


def _forget_stdout() -> None:
    """What is left in its buffer would fail once more, with a traceback, when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
