"""Features computed once and kept on disk: the frozen CNN sees each photo once, ever."""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from captioner.datasets import Photo, PhotoSet
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.extraction import cache_folder, look_at, make_look
from captioner.files import read_json, unwritable, write_json
from captioner.views import View, fixed_view, may_mirror

logger = logging.getLogger("captioner")

FLUSH = 512
"""Photos after which the file on disk is brought up to date."""
PATIENCE = 1.0
"""Seconds to wait for another program in silence."""


class FeatureCache:
    """The maps of a data set's photos under one encoder, in one memory-mapped file.

    A row of the file is the CRC-32 of a photo's map and then the map itself, fp16. A row is ready
    when its checksum is right, so that an interrupted extraction goes on where it stopped, and
    rows that were cut off or damaged are computed again. Beside it lies the fingerprint of
    encoder, weights, preprocessing and photos (path, size and time of each); when that no longer
    fits, the file is begun anew.

    Args:
        root: Folder of the data set; it only names the cache.
        files: All its photos, whether they are needed now or later.
        encoder: The CNN and its preprocessing.
        places: Keep the maps of all places (L, C) rather than their mean (C).
        folder: Folder of the cache.
        views: What is seen of each; the whole by default.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[Path],
        encoder: Encoder,
        places: bool = False,
        folder: Path | None = None,
        views: Sequence[View] | None = None,
    ) -> None:
        self.places = places
        self.views = views
        self.files = list(files)
        self.encoder = encoder
        self.folder = (folder or cache_folder()) / "features"
        self.row = {file: number for number, file in enumerate(self.files)}
        config = encoder.config
        identity = hashlib.sha256(
            json.dumps(
                [config.backbone, config.maps, config.weights_sha256, asdict(config.preprocessing)]
                + ["places"] * places
                + [views] * (views is not None)
            ).encode()
        )
        place = identity.copy()
        place.update(str(root.resolve()).encode())
        self.file = self.folder / f"{root.resolve().name}-{place.hexdigest()[:16]}.npy"
        for file in self.files:
            status = file.stat() if file.exists() else None
            # As seen from the folder, by whatever path a command was given that.
            name = str(file.relative_to(root) if file.is_relative_to(root) else file.resolve())
            known = (name, status.st_size, status.st_mtime_ns) if status else (name,)
            identity.update(json.dumps(known).encode())
        self.fingerprint = identity.hexdigest()

    def _open(self) -> np.memmap:
        channels = self.encoder.config.channels
        shape = (self.encoder.count_places(), channels) if self.places else (channels,)
        dtype = np.dtype([("crc", "<u4"), ("map", "<f2", shape)])
        about = self.file.with_suffix(".json")
        try:
            current = read_json(about, "the note beside a feature cache")
            fresh = isinstance(current, dict) and current.get("fingerprint") == self.fingerprint
        except InputError:
            fresh = False
        try:
            if fresh and self.file.exists():
                try:
                    rows = np.load(self.file, mmap_mode="r+", allow_pickle=False)
                    if rows.dtype == dtype and rows.shape == (len(self.files),):
                        return rows
                except (ValueError, EOFError):
                    pass  # cut short: begun anew below
            about.unlink(missing_ok=True)
            self.file.unlink(missing_ok=True)
            rows = np.lib.format.open_memmap(
                self.file, mode="w+", dtype=dtype, shape=(len(self.files),)
            )
            if hasattr(os, "posix_fallocate"):
                # Room is taken now: a mapped file that meets a full disk later kills the process.
                with self.file.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, self.file.stat().st_size)
        except OSError as error:
            raise unwritable(self.file, error) from error
        write_json(about, {"fingerprint": self.fingerprint, "photos": len(self.files)})
        return rows

    def maps(
        self, files: Sequence[Path], description: str = "Features"
    ) -> tuple[np.ndarray, dict[Path, InputError]]:
        """The maps of these photos, computed where they are not ready.

        Returns:
            Maps (n, C) or (n, L, C), fp16, and the errors of the photos that could not be read
            (their rows are zero).
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._turn():
                rows = self._open()
                numbers = [self.row[file] for file in files]
                missing = [number for number in numbers if not _is_ready(rows[number])]
                errors = self._compute(rows, missing, description) if missing else {}
                return np.array(rows["map"][numbers]), errors
        except OSError as error:
            raise unwritable(self.file, error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Two programs that begin on the same photos take turns; the second finds all ready."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.file.with_suffix(".lock"))
        try:
            held = lock.acquire(timeout=PATIENCE)
        except Timeout:
            logger.warning("waiting for another program that computes features of these photos")
            held = lock.acquire()
        with held:
            yield

    def _compute(
        self, rows: np.memmap, missing: Sequence[int], description: str
    ) -> dict[Path, InputError]:
        from tqdm import tqdm

        errors: dict[Path, InputError] = {}
        look = make_look(self.encoder, len(missing), self.places, self.folder.parent)
        sources = [self.files[number] for number in missing]
        with tqdm(total=len(missing), desc=description, unit="photo", disable=None) as bar:
            since = 0
            views = None if self.views is None else [self.views[number] for number in missing]
            seen_at = look_at(sources, look, self.encoder.config.preprocessing, views=views)
            for seen, maps, bad in seen_at:
                errors |= {sources[i]: error for i, error in bad.items()}
                for i, values in zip(seen, maps.astype("<f2"), strict=True):
                    rows["map"][missing[i]] = values
                    rows["crc"][missing[i]] = _crc(values)
                bar.update(len(seen) + len(bad))
                since += len(seen)
                if since >= FLUSH:
                    rows.flush()
                    since = 0
        rows.flush()
        return errors


def _is_ready(row: np.void) -> bool:
    return bool(row["crc"] != 0 and row["crc"] == _crc(row["map"]))


def _crc(values: np.ndarray) -> int:
    """Never nought, which marks a row that is still empty."""
    return zlib.crc32(np.ascontiguousarray(values).tobytes()) or 1


def dataset_cache(dataset: PhotoSet, encoder: Encoder, places: bool = False) -> FeatureCache:
    """The features of all photos of a data set, whatever split is asked for first."""
    files = [photo.file for photos in dataset.splits.values() for photo in photos]
    return FeatureCache(dataset.root, files, encoder, places)


def with_maps(
    cache: FeatureCache, photos: Sequence[Photo], skip_bad: bool, description: str
) -> tuple[list[Photo], np.ndarray]:
    """The photos and their maps; an unreadable one is an error, or is left out."""
    maps, errors = cache.maps([photo.file for photo in photos], description)
    if errors:
        told = "\n  ".join(str(error) for error in list(errors.values())[:5])
        if not skip_bad:
            raise InputError(
                f"{len(errors)} photos cannot be read, the first of them:\n  {told}\n"
                "Mend them, or leave them out with --skip-bad; the features of the others are kept."
            )
        logger.warning("%d photos that cannot be read are left out:\n  %s", len(errors), told)
    good = [number for number, photo in enumerate(photos) if photo.file not in errors]
    if not good:
        raise InputError("no photo is left to work with")
    return [photos[number] for number in good], maps[good]


def other_views(
    dataset: PhotoSet,
    encoder: Encoder,
    train: Sequence[Photo],
    number: int,
    places: bool,
    skip_bad: bool,
) -> Iterator[np.ndarray]:
    """Maps of the kept views of training photos but the first, which is the whole photo.

    Args:
        dataset: They are of its split `train`.
        encoder: Looks at them.
        train: The photos.
        number: Of the views, the first counted.
        places: Whether maps of places are wanted.
        skip_bad: Leave photos out that cannot be read.
    """
    everyone = dataset.split("train")
    files = [photo.file for photo in everyone]
    mirrors = [may_mirror(photo.captions) for photo in everyone]
    for view in range(1, number):
        seen = [fixed_view(file, view, may) for file, may in zip(files, mirrors, strict=True)]
        cache = FeatureCache(dataset.root, files, encoder, places, views=seen)
        yield with_maps(cache, train, skip_bad, f"View {view + 1} of {number}")[1]


def project(encoder: Encoder, maps: np.ndarray) -> np.ndarray:
    """Features of maps: (P, C) -> (P, D), or of places (P, L, C) -> (P, L, D), these in fp16.

    Once for all epochs, and a few photos at a time.
    """
    import torch

    shape = (*maps.shape[:-1], encoder.config.features)
    features = np.empty(shape, dtype=np.float32 if maps.ndim == 2 else np.float16)
    with torch.inference_mode():
        for first in range(0, len(maps), 64):
            rows = slice(first, first + 64)
            part = torch.from_numpy(maps[rows]).to(encoder.mean.device).float()
            features[rows] = encoder.project(part).cpu().numpy()
    return features
