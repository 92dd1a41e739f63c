"""Image captions from a CNN encoder and an RNN decoder.

The letters of shapes, the same in every module:

    N captions in a batch      V words in the vocabulary    E size of a word vector
    T words in a caption       L places in an image         H size of a hidden state
    P photos                   D features of a place        K beams
    M real words of a batch    C channels of the CNN        S side of a photo in pixels
"""

from typing import Any

__version__ = "0.1.0"

# Imported when they are first used: torch takes seconds, and `--help` needs none of it.
_PUBLIC = {
    "Caption": "captioner.streaming",
    "Captioner": "captioner.model",
    "InputError": "captioner.errors",
    "OnnxCaptioner": "captioner.runtime",
    "SearchConfig": "captioner.config",
    "Vocabulary": "captioner.vocabulary",
    "read_dataset": "captioner.datasets",
    "score_captions": "captioner.metrics",
}
__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'captioner' has no attribute {name!r}")
    import importlib

    try:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(
            f"captioner.{name} needs torch, which is not installed: pip install 'captioner[train]' "
            "brings it; captioner.OnnxCaptioner captions photos without it"
        ) from None
