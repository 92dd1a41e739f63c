"""Additive attention over the places of photos, a few photos at a time in the cache."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# Named to the overload: finding it anew at each call takes longer than small products.
_softmax_backward = torch.ops.aten._softmax_backward_data.default
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input

CHUNK = 1 << 19
"""Numbers worked on at once: two megabytes, which the second caches of two cores hold."""
LARGEST = 43.0
"""Of a key or a query: exp(2 x) of more is infinite, and tanh has been 1 for long."""


class PlacesInView:
    """Soft attention of many steps over the same places (Bahdanau et al. 2015, arXiv:1409.0473).

        e[n, l] = w . tanh(keys[photo n, l] + queries[n])
        alpha   = softmax over l of e
        z[n]    = sum_l alpha[n, l] values[photo n, l]

    What stands in the way of speed is tanh(keys + queries), (N, L, A) at each step. In its place is

        s = 1 / (1 + exp(2 keys) exp(2 queries)),    tanh(keys + queries) = 1 - 2 s

    whose exponentials are those of keys and queries alone; the softmax does not see that all e are
    less by the sum of w. It is made for a few photos at a time, for all captions of each from one
    copy of its keys, and always in the same piece of memory, which so stays in the processor's
    cache; in the backward pass it is made anew rather than kept. The gradients of keys and w are
    collected over all steps.

    Captions take slots (photo, k) in a grid, photos and captions in the order of their length, so
    that those that go on fill a corner of it; each step works on that corner alone.

    Made anew for each forward pass; `backward` may run once.

    Args:
        keys: Of the places of P photos.
        values: What is read there; no gradient flows into them.
        w: Weighs the components of a key.
        photo: Number of each caption's photo; the longest caption first. A step looks for the
            first n of these captions.
    """

    def __init__(
        self,
        keys: Float[Tensor, "P L A"],
        values: Float[Tensor, "P L D"],
        w: Float[Tensor, " A"],
        photo: Int[Tensor, " N"],
    ) -> None:
        same = photo.unsqueeze(0) == photo.unsqueeze(1)  # (N, N)
        self._slot = same.tril(-1).sum(dim=1)  # how many longer captions the photo has
        first = self._slot == 0
        rank = torch.empty(len(keys), dtype=torch.long, device=photo.device)
        rank[photo[first]] = torch.arange(int(first.sum()), device=photo.device)
        self._row = rank[photo]
        self._corner = [
            (rows + 1, slots + 1)
            for rows, slots in zip(
                self._row.cummax(0).values.tolist(),
                self._slot.cummax(0).values.tolist(),
                strict=True,
            )
        ]
        keys = keys.index_select(0, photo[first])
        self.keys, self.values, self.w = exp_twice(keys.detach()), values[photo[first]], w.detach()
        self.together = max(1, CHUNK // (self._corner[-1][1] * keys[0].numel()))
        self._room = keys.new_empty(self.together * self._corner[-1][1] * keys[0].numel())
        self._one = keys.new_ones(())
        self.grads: list[Tensor] = []
        self._token: Tensor = _Collect.apply(keys, w, self.grads)

    def __call__(self, queries: Float[Tensor, "n A"]) -> tuple[Tensor, Tensor]:
        """What is read, z (n, D), and where, alpha (n, L)."""
        n = len(queries)
        rows, slots = self._corner[n - 1]
        place = self._row[:n] * slots + self._slot[:n]
        return _Attend.apply(queries, self._token, self, place, (rows, slots))

    def matches(
        self, queries: Float[Tensor, "P K A"], *others: Float[Tensor, "P ..."]
    ) -> Iterator[tuple[Tensor, ...]]:
        """s of the captions of a few photos (p, K, L, A), until the next, and the others' parts.

        Args:
            queries: exp(2 queries).
            others: What else has a row per photo.
        """
        keys = self.keys[: len(queries)].unsqueeze(1)
        shape = (self.together, queries.shape[1], *keys.shape[2:])
        room = self._room[: math.prod(shape)].view(shape)
        parts = (whole.split(self.together) for whole in (keys, queries.unsqueeze(2), *others))
        for some_keys, some_queries, *rest in zip(*parts, strict=True):
            match = torch.addcmul(self._one, some_keys, some_queries, out=room[: len(some_keys)])
            yield match.reciprocal_(), *rest


def exp_twice(x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """exp(2 x), finite and not 0."""
    return (2 * x.clamp(-LARGEST, LARGEST)).exp_()


class _Collect(Function):
    @staticmethod
    def forward(ctx: Any, keys: Tensor, w: Tensor, grads: list[Tensor]) -> Tensor:
        ctx.grads = grads
        ctx.save_for_backward(w)
        return keys.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (w,) = ctx.saved_tensors
        dkeys, dw = ctx.grads
        ctx.grads.clear()
        return dkeys.mul_(4 * w), dw.mul_(-2), None


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        token: Tensor,
        view: PlacesInView,
        place: Tensor,
        corner: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        grid = _put(exp_twice(queries), place, corner)
        fits = grid.new_empty(*corner, view.keys.shape[1])  # (P, K, L)
        for match, fit in view.matches(grid, fits):
            torch.mv(match.view(-1, match.shape[3]), view.w, out=fit.view(-1))
        alpha = fits.mul_(-2).softmax(dim=2)
        z = torch.bmm(alpha, view.values[: len(alpha)])
        ctx.view, ctx.corner = view, corner
        ctx.save_for_backward(grid, alpha, place)
        return _take(z, place), _take(alpha, place)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor, dalpha: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grid, alpha, place = ctx.saved_tensors
        view: PlacesInView = ctx.view
        if not view.grads:
            view.grads += [torch.zeros_like(view.keys), torch.zeros_like(view.w)]
        dkeys, dw = view.grads
        by_read = torch.bmm(_put(dz, place, ctx.corner), view.values[: len(grid)].transpose(1, 2))
        dalpha = by_read.add_(_put(dalpha, place, ctx.corner))
        dfits = _softmax_backward(dalpha, alpha, 2, alpha.dtype)
        dgrid = torch.empty_like(grid)
        P, K, L = alpha.shape
        ones = grid.new_ones(max(view.together * K, P), 1, max(K, L))
        over_places, over_captions = ones[..., :L], ones[..., :K]
        parts = (dfits.unsqueeze(3), dgrid.unsqueeze(2), dkeys[:P].view(P, 1, -1))
        for match, dfit, dquery, dkey in view.matches(grid, *parts):
            p, _, _, A = match.shape
            # dw = sum dfit tanh = -2 sum dfit s, for over the places dfit sums to nought.
            dw.addmv_(match.view(-1, A).t(), dfit.view(-1))
            # d tanh / dx = 4 s (1 - s); sums by products with ones are quicker than `sum`.
            slope = _sigmoid_backward(dfit.expand_as(match), match, grad_input=match)
            torch.bmm(over_places[: p * K], slope.view(p * K, L, A), out=dquery.view(p * K, 1, A))
            torch.baddbmm(dkey, over_captions[:p], slope.view(p, K, L * A), out=dkey)
        dqueries = _take(dgrid, place).mul_(4 * view.w)
        return dqueries, dz.new_empty(0), None, None, None


def _put(rows: Tensor, place: Tensor, corner: tuple[int, int]) -> Tensor:
    """Rows of captions into their places in the grid, which is nought elsewhere."""
    size, width = corner[0] * corner[1], rows.shape[1]
    grid = rows.new_empty(size, width) if size == len(rows) else rows.new_zeros(size, width)
    return grid.index_copy_(0, place, rows).view(*corner, width)


def _take(grid: Tensor, place: Tensor) -> Tensor:
    """The inverse of `_put`."""
    return grid.flatten(0, 1).index_select(0, place)
