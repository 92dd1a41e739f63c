"""Additive attention over the places of photos, a few photos at a time in the cache."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from captioner.kernels.grid import Grid

# Named to the overload: finding it anew at each call takes longer than small products.
_softmax_backward = torch.ops.aten._softmax_backward_data.default
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input

CHUNK = 1 << 20
"""Numbers worked on at once: four megabytes, about what the caches of two cores hold."""
LARGEST = 43.0
"""Of a key or a query: exp(2 x) of more is infinite, and tanh has been 1 for long."""


class PlacesInView:
    """Soft attention of many steps over the same places (Bahdanau et al. 2015, arXiv:1409.0473).

        e[n, l] = w . tanh(keys[photo n, l] + queries[n])
        alpha   = softmax over l of e
        z[n]    = sum_l alpha[n, l] values[photo n, l]

    What stands in the way of speed is tanh(keys + queries), (N, L, A) at each step. In its place is

        s = 1 / (1 + exp(2 keys) exp(2 queries)),    tanh(keys + queries) = 1 - 2 s

    whose exponentials are those of keys and queries alone. It is made for a few photos at a time,
    for all captions of each from one copy of its keys, and always in the same piece of memory,
    which so stays in the processor's cache; in the backward pass it is made anew rather than kept.
    The gradients of keys and w are collected over all steps.

    Made anew for each forward pass; `backward` may run once.

    Args:
        keys: Of the places of P photos.
        values: What is read there; no gradient flows into them.
        w: Weighs the components of a key.
        grid: Where captions stand. A step looks for the first n of them.
    """

    def __init__(
        self,
        keys: Float[Tensor, "P L A"],
        values: Float[Tensor, "P L D"],
        w: Float[Tensor, " A"],
        grid: Grid,
    ) -> None:
        keys = keys.index_select(0, grid.photos)
        self.grid = grid
        self.keys, self.w = exp_twice(keys.detach()), w.detach()
        self.values = values.index_select(0, grid.photos)
        size = grid.slots * keys[0].numel()
        self.together = max(1, CHUNK // size)
        self._room = keys.new_empty(self.together * size)
        self._one = keys.new_ones(())
        self.grads: list[Tensor] = []
        self._token: Tensor = _Collect.apply(keys, w, self.grads)

    def __call__(
        self, queries: Float[Tensor, "n A"], total: bool = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What is read, z (n, D), where, alpha (n, L), and how well all fits, if that is wanted.

        Args:
            queries: Of the first n captions.
            total: Whether log sum exp e (n) is wanted.
        """
        return _Attend.apply(queries, self._token, self, total)

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
        dkeys, dw, dsum = ctx.grads
        ctx.grads.clear()
        # tanh = 1 - 2 s, and so w gets sum dfit tanh = sum dfit - 2 sum dfit s.
        return dkeys.mul_(4 * w), dsum.sub(dw, alpha=2), None


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, token: Tensor, view: PlacesInView, total: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        n = len(queries)
        grid = view.grid.put(exp_twice(queries))
        fits = grid.new_empty(*grid.shape[:2], view.keys.shape[1])  # (P, K, L)
        for match, fit in view.matches(grid, fits):
            torch.mv(match.view(-1, match.shape[3]), view.w, out=fit.view(-1))
        fits.mul_(-2)  # e, less the sum of w
        alpha = fits.softmax(dim=2)
        z = torch.bmm(alpha, view.values[: len(alpha)])
        whole = None
        if total:  # the likeliest place's share is its exp(e) over the sum of all
            fit = fits.amax(dim=2) - alpha.amax(dim=2).log() + view.w.sum()
            whole = view.grid.take(fit.unsqueeze(2), n).squeeze(1)
        ctx.view, ctx.n = view, n
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grid, alpha)
        return view.grid.take(z, n), view.grid.take(alpha, n), whole

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, dz: Tensor | None, dalpha: Tensor | None, dtotal: Tensor | None
    ) -> tuple[Tensor, Tensor, None, None]:
        grid, alpha = ctx.saved_tensors
        view: PlacesInView = ctx.view
        put = view.grid.put
        if not view.grads:
            view.grads += [torch.zeros_like(part) for part in (view.keys, view.w, view.w[0])]
        dkeys, dw, dsum = view.grads
        looked = torch.zeros_like(alpha) if dalpha is None else put(dalpha)
        if dz is not None:
            looked.baddbmm_(put(dz), view.values[: len(grid)].transpose(1, 2))
        dfits = _softmax_backward(looked, alpha, 2, alpha.dtype)
        if dtotal is not None:
            dfits.addcmul_(put(dtotal.unsqueeze(1)), alpha)
            dsum += dtotal.sum()  # the softmax keeps the sum of the others at nought
        dgrid = torch.empty_like(grid)
        P, K, L = alpha.shape
        ones = grid.new_ones(max(view.together * K, P), 1, max(K, L))
        over_places, over_captions = ones[..., :L], ones[..., :K]
        parts = (dfits.unsqueeze(3), dgrid.unsqueeze(2), dkeys[:P].view(P, 1, -1))
        for match, dfit, dquery, dkey in view.matches(grid, *parts):
            p, _, _, A = match.shape
            dw.addmv_(match.view(-1, A).t(), dfit.view(-1))
            # d tanh / dx = 4 s (1 - s); sums by products with ones are quicker than `sum`.
            slope = _sigmoid_backward(dfit.expand_as(match), match, grad_input=match)
            torch.bmm(over_places[: p * K], slope.view(p * K, L, A), out=dquery.view(p * K, 1, A))
            torch.baddbmm(dkey, over_captions[:p], slope.view(p, K, L * A), out=dkey)
        dqueries = view.grid.take(dgrid, ctx.n).mul_(4 * view.w)
        return dqueries, grid.new_empty(0), None, None
