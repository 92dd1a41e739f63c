"""What a recurrent cell does with its gates, element by element, and its backward pass.

Gates and states stand in rows: (N, G H) and (N, H).
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

States = Float[Tensor, "N H"]
Gates = Float[Tensor, "N G"]

# Named to the overload: finding it anew at each call takes longer than a small product.
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.default
_tanh_backward_into = torch.ops.aten.tanh_backward.grad_input


class _Lstm(Function):
    """i, f, o = sigmoid, a = tanh; c' = f c + i a; h' = o tanh c'."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        H = c.shape[1]
        gates = gates.detach()  # nobody else needs them as they were
        gates[:, : 2 * H].sigmoid_()
        i, f, a, o = gates.split(H, dim=1)
        a.tanh_()
        o.sigmoid_()
        after = torch.addcmul(f * c, i, a)
        squashed = after.tanh()
        ctx.save_for_backward(gates, c, squashed)
        return o * squashed, after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor, dafter: Tensor) -> tuple[Tensor, Tensor]:
        gates, c, squashed = ctx.saved_tensors
        H = c.shape[1]
        i, f, a, o = gates.split(H, dim=1)
        dgates = torch.empty_like(gates)
        di, df, da, do = dgates.split(H, dim=1)
        dc = dafter + _tanh_backward(dh * o, squashed)
        torch.mul(dc, a, out=di)
        torch.mul(dc, c, out=df)
        torch.mul(dc, i, out=da)
        torch.mul(dh, squashed, out=do)
        both = dgates[:, : 2 * H]
        _sigmoid_backward(both, gates[:, : 2 * H], grad_input=both)
        _tanh_backward_into(da, a, grad_input=da)
        _sigmoid_backward(do, o, grad_input=do)
        return dgates, dc.mul_(f)


class _Gru(Function):
    """r, z = sigmoid; n = tanh(x_n + r h_n); h' = (1 - z) n + z h."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recurrent: Tensor, h: Tensor) -> Tensor:
        H = h.shape[1]
        r, z = (inputs[:, : 2 * H] + recurrent[:, : 2 * H]).sigmoid_().split(H, dim=1)
        recurrent = recurrent[:, 2 * H :]
        n = torch.addcmul(inputs[:, 2 * H :], r, recurrent).tanh_()
        ctx.save_for_backward(r, z, n, recurrent, h)
        return torch.lerp(n, h, z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dafter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r, z, n, recurrent, h = ctx.saved_tensors
        H = h.shape[1]
        dinputs = h.new_empty(len(h), 3 * H)
        dr, dz, dn = dinputs.split(H, dim=1)
        _sigmoid_backward(dafter * (h - n), z, grad_input=dz)
        dh = dafter * z
        _tanh_backward_into(dafter - dh, n, grad_input=dn)
        _sigmoid_backward(dn * recurrent, r, grad_input=dr)
        return dinputs, torch.cat([dinputs[:, : 2 * H], dn * r], dim=1), dh


class _Rnn(Function):
    """h' = tanh."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor) -> Tensor:
        h = gates.tanh()
        ctx.save_for_backward(h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> Tensor:
        return _tanh_backward(dh, ctx.saved_tensors[0])


def lstm(gates: Gates, h: States, c: States) -> tuple[States, States]:
    """Hochreiter & Schmidhuber 1997, with forget gates; gates i, f, a, o as in torch.nn.LSTM.

    It writes into `gates`.
    """
    return _Lstm.apply(gates, c)


def gru(inputs: Gates, recurrent: Gates, h: States) -> tuple[States]:
    """Cho et al. 2014; gates r, z, n as in torch.nn.GRU, of inputs and of the last state apart."""
    return (_Gru.apply(inputs, recurrent, h),)


def rnn(gates: Gates, h: States) -> tuple[States]:
    """Elman 1990, as torch.nn.RNN."""
    return (_Rnn.apply(gates),)


STEPS: dict[str, Callable[..., tuple[States, ...]]] = {"rnn": rnn, "gru": gru, "lstm": lstm}
"""One step of a cell by its name.

    step(W_ih x + b_ih + W_hh h + b_hh, *state)    -> state, h first    (rnn, lstm)
    step(W_ih x + b_ih, W_hh h + b_hh, *state)     -> state             (gru)
"""
