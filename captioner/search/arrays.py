"""Torch tensors and NumPy arrays through one interface, and the few things that it lacks."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Int, Shaped

Array = Any
"""A torch tensor, on any device, or a NumPy array."""

NEVER = float("-inf")


def namespace(array: Array) -> ModuleType:
    """The functions of the array's library, by the names of the array API standard."""
    if isinstance(array, np.ndarray) and hasattr(np, "cumulative_sum"):
        return np  # since 2.1 it keeps to the standard; array_api_compat would import all of NumPy
    return array_api_compat.array_namespace(array)


def device_of(array: Array) -> Any:
    """Where it lies; NumPy's arrays know of a device since version 2 only."""
    return array_api_compat.device(array)


def no_gradients(array: Array) -> AbstractContextManager[Any]:
    """Where torch need not note down how its tensors were computed."""
    if array_api_compat.is_torch_array(array):
        import torch

        return torch.inference_mode()
    return nullcontext()


def topk(
    array: Shaped[Array, "... W"], count: int
) -> tuple[Shaped[Array, "... k"], Int[Array, "... k"]]:
    """The `count` largest along the last axis, the largest first, and their places.

    >>> topk(np.array([[0.1, 0.4, 0.2], [0.5, 0.0, 0.7]]), 2)[1].tolist()
    [[1, 2], [2, 0]]
    """
    if array_api_compat.is_torch_array(array):
        best = array.topk(count)
        return best.values, best.indices
    width = array.shape[-1]
    if count == 1:
        places = array.argmax(axis=-1)[..., None]
    elif count < width:
        some = np.argpartition(array, width - count, axis=-1)[..., width - count :]
        order = np.argsort(-np.take_along_axis(array, some, axis=-1), axis=-1, kind="stable")
        places = np.take_along_axis(some, order, axis=-1)
    else:
        places = np.argsort(-array, axis=-1, kind="stable")
    return np.take_along_axis(array, places, axis=-1), places


def rows_of(parts: Iterable[Array], rows: Int[Array, " r"]) -> tuple[Array, ...]:
    """These rows of every array."""
    if array_api_compat.is_torch_array(rows):
        return tuple(part.index_select(0, rows) for part in parts)
    return tuple(part[rows] for part in parts)


def along(
    array: Shaped[Array, "..."], places: Int[Array, "..."], axis: int
) -> Shaped[Array, "..."]:
    """The values at these places along an axis; the other axes of both alike, or of length 1
    in `places`.

    As `take_along_axis`, but for torch's, which looks through all places for negative ones first.
    """
    if array_api_compat.is_torch_array(array):
        shape = list(array.shape)
        shape[axis] = places.shape[axis]
        return array.gather(axis, places.expand(shape))
    return np.take_along_axis(array, places, axis=axis)


def forbid(log_probs: Shaped[Array, "... V"], words: Int[Array, "... P"]) -> None:
    """Write -inf in the place of these words, row by row."""
    if array_api_compat.is_torch_array(log_probs):
        log_probs.scatter_(-1, words, NEVER)
    else:
        np.put_along_axis(log_probs, words, NEVER, axis=-1)
