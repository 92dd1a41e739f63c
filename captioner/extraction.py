"""Photos through the CNN, quickly: decoded in parallel, in batches, by onnxruntime on a CPU.

torch is imported only where a network of torch is to be used.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from captioner.config import Preprocessing
from captioner.errors import InputError
from captioner.images import Source, open_photo, photo_array
from captioner.views import WHOLE, View

if TYPE_CHECKING:
    from captioner.encoder import Encoder

Look = Callable[[np.ndarray], np.ndarray]
"""Photos (N, 3, S, S) -> maps of the CNN: pooled (N, C), or of all places (N, L, C)."""

BATCH = 8
"""Photos a batch on a CPU: more of them fall out of its caches and are slower."""
WORTH_EXPORTING = 40
"""Photos from which on the export, a few seconds, is won back by onnxruntime."""

S = TypeVar("S")
T = TypeVar("T")


def cache_folder() -> Path:
    """Where what can be made again is kept: CAPTIONER_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("CAPTIONER_CACHE") or platformdirs.user_cache_dir("captioner"))


def num_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_look(
    encoder: "Encoder", photos: int, places: bool = False, cache: Path | None = None
) -> Look:
    """The fastest way to put so many photos through the encoder's CNN.

    On a GPU that is torch. On a CPU onnxruntime is three to five times faster, once the network is
    exported; the exported file is kept in the cache, by the fingerprint of the weights.

    Args:
        encoder: On the device that is to be used.
        photos: About how many there are; for a few of them no export is made.
        places: Give the maps of all places rather than their mean.
        cache: Folder of the exported networks.
    """
    device = encoder.mean.device
    if device.type == "cpu":
        config = encoder.config
        kind = f"{config.backbone}-{config.maps}-{config.preprocessing.size}-maps"
        name = f"{kind}-{config.weights_sha256[:16]}.onnx"
        file = (cache or cache_folder()) / "onnx" / name
        if not file.exists() and photos >= WORTH_EXPORTING:
            try:
                export_backbone(encoder, file)
            except InputError as error:  # a cache that cannot be written only costs time
                logging.getLogger("captioner").warning(
                    "%s; going on with torch, more slowly", error
                )
        if file.exists():
            return _onnx_look(file, "places" if places else "pooled", photos)
    import torch

    @torch.inference_mode()
    def look(images: np.ndarray) -> np.ndarray:
        maps = encoder.see(torch.from_numpy(images).to(device))  # (N, L, C)
        return (maps if places else maps.mean(dim=1)).cpu().numpy()

    return look


def export_backbone(encoder: "Encoder", file: Path) -> None:
    """Write the CNN as an ONNX file: any number of photos -> maps of all places, and pooled."""
    import torch

    from captioner.graphs import PhotosToMaps, write_graph

    size = encoder.config.preprocessing.size
    images = {"images": torch.zeros(2, 3, size, size)}
    write_graph(
        PhotosToMaps(encoder), images, dict.fromkeys(("images", "places", "pooled"), "P"), file
    )


def open_session(file: Path, threads: int) -> Any:
    """An ONNX file, ready to run.

    Args:
        file: Which.
        threads: That share the work of each operation.

    Raises:
        InputError: if onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin between runs would take the processor from those that decode photos.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        raise InputError(
            f"{file}: onnxruntime {onnxruntime.__version__} cannot run this network "
            f"({str(error).splitlines()[0][:200]}); make or fetch it again"
        ) from None


def side_by_side(
    session: Callable[[int], Any], look: Callable[[Any, np.ndarray], np.ndarray]
) -> Look:
    """A look with each processor at a share of the photos, or all of them at a photo alone.

    For a few photos shares are quicker than all processors at each layer: they need not wait for
    one another.

    Args:
        session: The session of the CNN that has so many threads.
        look: What such a session makes of photos.
    """
    threads = num_threads()
    pool = ThreadPoolExecutor(threads)

    def together(images: np.ndarray) -> np.ndarray:
        if len(images) == 1:
            return look(session(threads), images)
        shares = np.array_split(images, min(threads, len(images)))
        return np.concatenate(list(pool.map(partial(look, session(1)), shares)))

    return together


def _onnx_look(file: Path, output: str, photos: int) -> Look:
    session = cache(partial(open_session, file))
    try:
        session(num_threads() if photos == 1 else 1)
    except InputError:
        file.unlink(missing_ok=True)
        raise InputError(
            f"{file}: this exported network was damaged and has been deleted; run the command again"
        ) from None
    return side_by_side(session, lambda one, images: one.run([output], {"images": images})[0])


def look_at(
    sources: Iterable[Source],
    look: Look,
    preprocessing: Preprocessing,
    batch_size: int = BATCH,
    views: Iterable[View] | None = None,
    together: Sequence[View] = (),
) -> Iterator[tuple[list[int], np.ndarray, dict[int, InputError]]]:
    """Put photos through the CNN, batch by batch, while the next ones are decoded.

    Memory stays flat however many photos there are.

    Args:
        sources: The photos.
        look: The CNN.
        preprocessing: What is done to a photo first.
        batch_size: Photos, or views of them, that go through the CNN at once.
        views: What is seen of each; the whole by default.
        together: Views of every photo, in place of these; its maps then stand side by side.

    Yields:
        Numbers of the photos seen, their maps, and the errors of those that could
        not be read, by number. Every photo is in one or the other, in order.
    """

    def load(seen: tuple[Source, View]) -> np.ndarray | InputError:
        source, view = seen
        try:
            photo = open_photo(source, smallest=preprocessing.size)
            arrays = [photo_array(one.of(photo), preprocessing) for one in together or (view,)]
            return np.stack(arrays)
        except InputError as error:
            return error

    batch_size = max(1, batch_size // max(1, len(together)))
    with ThreadPoolExecutor(max_workers=num_threads()) as pool:
        seen = zip(sources, views or repeat(WHOLE))  # noqa: B905 - repeat has no end
        loaded = _ahead(pool, load, seen, count=3 * batch_size)
        numbered = enumerate(loaded)
        while batch := list(islice(numbered, batch_size)):
            errors = {i: array for i, array in batch if isinstance(array, InputError)}
            good = [(i, array) for i, array in batch if not isinstance(array, InputError)]
            maps = look(np.concatenate([array for _, array in good])) if good else np.zeros((0, 0))
            if together and good:
                maps = maps.reshape(len(good), len(together), *maps.shape[1:])
            yield [i for i, _ in good], maps, errors


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[S], T], items: Iterable[S], count: int
) -> Iterator[T]:
    """`pool.map` that works on at most `count` items ahead of its reader."""
    items = iter(items)
    waiting = [pool.submit(function, item) for item in islice(items, count)]
    while waiting:
        done = waiting.pop(0).result()
        waiting.extend(pool.submit(function, item) for item in islice(items, 1))
        yield done
