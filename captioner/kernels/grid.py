"""Captions of photos in a grid, so that those of a photo can be worked on together."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Grid:
    """Captions as slots (photo, k), photos and captions in the order of their length.

    Those that go on then fill a corner of the grid, rows by slots; each step works on that corner
    alone.

    Args:
        photo: Number of each caption's photo; the longest caption first. The first n of them go on.
        num_photos: How many photos there are (P); those without a caption get no row.

    Example: two captions of photo 1 and one of photo 0.

        >>> grid = Grid(torch.tensor([1, 0, 1]), 2)
        >>> grid.put(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(2).tolist()
        [[1.0, 3.0], [2.0, 0.0]]
        >>> grid.put(torch.tensor([[1.0]])).shape
        torch.Size([1, 1, 1])
    """

    def __init__(self, photo: Int[Tensor, " N"], num_photos: int) -> None:
        same = photo.unsqueeze(0) == photo.unsqueeze(1)  # (N, N)
        self._slot = same.tril(-1).sum(dim=1)  # how many longer captions the photo has
        first = self._slot == 0
        self.photos = photo[first]
        """Number of the photo of each row."""
        rank = photo.new_zeros(num_photos)
        rank[self.photos] = torch.arange(len(self.photos), device=photo.device)
        self._row = rank[photo]
        rows, slots = (part.cummax(0).values + 1 for part in (self._row, self._slot))
        self._corner = list(zip(rows.tolist(), slots.tolist(), strict=True))

    @property
    def slots(self) -> int:
        """Of the whole grid."""
        return self._corner[-1][1]

    def corner(self, n: int) -> tuple[int, int]:
        """Rows and slots that hold the first n captions."""
        return self._corner[n - 1]

    def put(self, captions: Float[Tensor, "n X"]) -> Float[Tensor, "P K X"]:
        """The first n captions in their slots; the others are nought."""
        n, width = captions.shape
        rows, slots = self.corner(n)
        full = rows * slots == n
        grid = (captions.new_empty if full else captions.new_zeros)(rows * slots, width)
        return grid.index_copy_(0, self._place(n), captions).view(rows, slots, width)

    def take(self, grid: Float[Tensor, "P K X"], n: int) -> Float[Tensor, "n X"]:
        """The inverse of `put`."""
        return grid.flatten(0, 1).index_select(0, self._place(n))

    def _place(self, n: int) -> Int[Tensor, " n"]:
        return self._row[:n] * self._corner[n - 1][1] + self._slot[:n]
