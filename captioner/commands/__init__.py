"""The command line: `captioner train | caption | evaluate | data`, and the scripts of the same names.

Nothing heavy is imported before it is needed, so that `--help` answers at once.
"""

import importlib
import sys
from collections.abc import Callable, Sequence

from captioner.errors import InputError

COMMANDS = {
    "train": "train a captioner on photos with captions",
    "caption": "caption photos",
    "evaluate": "score a captioner on photos with captions",
    "data": "prepare a data set: scenes, coco or flickr8k",
}


def main(argv: Sequence[str] | None = None) -> None:
    """The console command `captioner`; leaves with the command's exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in COMMANDS:
        module = importlib.import_module(f"captioner.commands.{argv[0]}")
        module.main(argv[1:])
        return
    lines = "\n".join(f"  {name:<10} {about}" for name, about in COMMANDS.items())
    usage = f"usage: captioner COMMAND …\n\n{lines}\n\ncaptioner COMMAND --help tells more."
    if argv and argv[0] in ("-h", "--help"):
        print(usage)
        return
    if argv and argv[0] == "--version":
        from captioner import __version__

        print(f"captioner {__version__}")
        return
    wrong = f"captioner: no command {argv[0]!r}\n" if argv else ""
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
    except KeyboardInterrupt:
        print("captioner: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        sys.exit(1)
