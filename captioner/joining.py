"""Several data sets as one: the training photos of all, the other splits of the first."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from captioner.datasets import PhotoSet, read_dataset
from captioner.errors import InputError


def read_datasets(
    path: str | Path, more: Sequence[str | Path] = (), *, seed: int = 0, skip_bad: bool = False
) -> PhotoSet:
    """Read a data set and let the training photos of others join its own.

    What a captioner is judged by stays what it was: the val and test photos of the others are
    learned from no more than those of the first.

    Args:
        path: As of `read_dataset`.
        more: Paths of others.
        seed: As of `read_dataset`, for each.
        skip_bad: As of `read_dataset`, for each.

    Returns:
        With names below the folder that all of them lie in.

    Raises:
        InputError: as of `read_dataset`; if one lies within another, or has no train split.
    """
    if not more:
        return read_dataset(path, seed=seed, skip_bad=skip_bad)
    sets = [
        read_dataset(Path(one).resolve(), seed=seed, skip_bad=skip_bad) for one in (path, *more)
    ]
    seen: list[Path] = []
    for one in sets:
        if any(one.root.is_relative_to(other) or other.is_relative_to(one.root) for other in seen):
            raise InputError(f"{one.root} is given twice, or lies within another; leave it out")
        seen.append(one.root)
    train = tuple(photo for one in sets for photo in one.split("train"))
    return replace(
        sets[0],
        root=Path(os.path.commonpath(seen)),
        title="+".join(one.title for one in sets),
        splits=sets[0].splits | {"train": train},
    )
