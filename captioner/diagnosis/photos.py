"""Photos that cannot be read, and photos that are the same."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner.datasets import PhotoSet
from captioner.diagnosis.finding import Finding
from captioner.errors import InputError
from captioner.extraction import num_threads
from captioner.images import open_photo

SIDE = 16
"""Pixels to which a photo is made small to be compared."""
ALIKE = 3.0
"""Root mean square distance, in levels of 255, below which two such photos are the same one, saved
once more or made smaller."""
PLAIN = 3.0
"""Deviation of the levels of a photo below which it shows nothing to compare."""
NAMED = 3
"""Examples in a finding."""
BLOCK = 1024


def check_photos(dataset: PhotoSet) -> list[Finding]:
    """Look at every photo once: is it whole, and is it, or one like it, in another split too?

    A photo of test that was trained on makes scores too good. Found are copies, also those saved
    once more or made smaller; not crops or mirror images.
    """
    files = [photo.file for of_split in dataset.splits.values() for photo in of_split]
    splits = [split for split, photos in dataset.splits.items() for _ in photos]
    small, errors = _small(files)
    findings = []
    if errors:
        told = "; ".join(str(error) for error in errors[:NAMED])
        findings.append(
            Finding(
                "photos", "bad", f"{len(errors):,} of {len(files):,} cannot be read: {told}",
                "mend them, or leave them out with --skip-bad",
            )
        )  # fmt: skip
    else:
        findings.append(Finding("photos", "well", f"all {len(files):,} can be read"))
    across, within = [], []
    for one, other in same_photos(small):
        pair = f"{dataset.root.name}/{files[one].name} and {files[other].name}"
        if splits[one] != splits[other]:
            across.append(f"{pair} ({splits[one]}, {splits[other]})")
        else:
            within.append(f"{pair} ({splits[one]})")
    if across:
        findings.append(
            Finding(
                "leaks", "bad",
                f"{len(across):,} pairs of the same photo in two splits: {_some(across)}",
                "leave one of each pair out, or put both into train: scores on photos that were "
                "learned from are too good",
            )
        )  # fmt: skip
    else:
        findings.append(Finding("leaks", "well", "no photo is in two splits"))
    if within:
        findings.append(
            Finding(
                "copies", "doubtful",
                f"{len(within):,} pairs of the same photo in one split: {_some(within)}",
                "leave one of each pair out, or give one photo the captions of both",
            )
        )  # fmt: skip
    return findings


def same_photos(small: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of photos that are the same.

    Args:
        small: Photos (P, X) made small; those of a single colour are the same as no other, and nor
            are those that are not numbers.

    Example:

        >>> cat, dog = np.tile([0.0, 200.0], 8), np.tile([200.0, 0.0], 8)
        >>> list(same_photos(np.stack([cat, dog, cat + 1, np.full(16, 9.0)])))
        [(0, 2)]
    """
    known = np.flatnonzero(np.nan_to_num(small.std(axis=1)) > PLAIN)
    centre = small[known].mean(axis=0) if len(known) else 0.0
    photos = small[known] - centre
    squares = np.square(photos).sum(axis=1)
    limit = ALIKE**2 * small.shape[1]
    for first in range(0, len(photos), BLOCK):
        rows = slice(first, first + BLOCK)
        apart = squares[rows, None] + squares - 2 * photos[rows] @ photos.T
        for row, column in zip(*np.nonzero(apart < limit), strict=True):
            if first + row < column:
                yield int(known[first + row]), int(known[column])


def _small(files: Sequence[Path]) -> tuple[np.ndarray, list[InputError]]:
    """All photos made small (P, SIDE * SIDE * 3), and the errors of those that cannot be read."""

    def load(file: Path) -> np.ndarray | InputError:
        try:
            photo = open_photo(file, smallest=4 * SIDE).resize((SIDE, SIDE))
        except InputError as error:
            return error
        return np.asarray(photo, dtype=np.float32).ravel()

    small = np.full((len(files), 3 * SIDE * SIDE), np.nan, np.float32)
    errors = []
    with ThreadPoolExecutor(num_threads()) as pool:
        looked = pool.map(load, files)
        for row, found in enumerate(
            tqdm(looked, total=len(files), desc="Photos", unit="photo", delay=2, disable=None)
        ):
            if isinstance(found, InputError):
                errors.append(found)
            else:
                small[row] = found
    return small, errors


def _some(pairs: Sequence[str]) -> str:
    more = len(pairs) - NAMED
    return "; ".join(pairs[:NAMED]) + (f"; {more:,} more" if more > 0 else "")
