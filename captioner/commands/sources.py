"""What a command works with: the data set meant by --data, the device meant by --device."""

from pathlib import Path

from captioner.errors import InputError

SCENES = 6000
"""Pictures of the default data set."""


def find_data(name: str) -> Path:
    """The path of a data set; `scenes` is drawn first where it is not there yet."""
    if name != "scenes" or Path(name).exists():
        return Path(name)
    from captioner.extraction import cache_folder
    from captioner.scenes import prepare_scenes

    return prepare_scenes(cache_folder() / "scenes", images=SCENES, seed=0)


def choose_device(name: str) -> str:
    """The device to work on.

    Raises:
        InputError: if there is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name}: not to be had here ({str(error).splitlines()[0]}); try --device cpu"
        ) from None
    return name
