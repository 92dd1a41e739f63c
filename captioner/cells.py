"""The recurrent cells: rnn, gru, lstm; one step at a time or over whole captions.

Adding one: a class with torch's interface of `nn.GRU`, and its line in `CELLS`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    # h_t = tanh(Wx x_t + Wh h_{t-1} + b)                            (Elman 1990)
    "rnn": nn.RNN,
    # h_t = (1 - z_t) * candidate_t + z_t * h_{t-1}                  (Cho et al. 2014, eqs. 5-8)
    "gru": nn.GRU,
    # c_t = f_t * c_{t-1} + i_t * candidate_t, h_t = o_t * tanh c_t  (Hochreiter et al. 1997)
    "lstm": nn.LSTM,
}

State = tuple[Tensor, ...]
"""What a cell carries from word to word: h, and c for the LSTM; each (N, layers, H)."""


def make_cell(name: str, inputs: int, hidden: int, layers: int, dropout: float) -> nn.RNNBase:
    """A stack of `layers` cells, batch first, with the initial weights that learn well.

    Input weights are Xavier, recurrent weights orthogonal (Saxe et al. 2014, arXiv:1312.6120) for
    each gate, biases zero, and the forget gate of an LSTM starts open: its bias sums to 1
    (Jozefowicz et al. 2015). Dropout acts between layers, never along time.
    """
    cell = CELLS[name](
        inputs, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
    )
    for key, weight in cell.named_parameters():
        if "bias" in key:
            nn.init.zeros_(weight)
            if name == "lstm" and "bias_ih" in key:
                # torch orders the gates: input, forget, candidate, output.
                nn.init.ones_(weight.data[hidden : 2 * hidden])
        else:
            for gate in weight.data.split(hidden):
                (nn.init.orthogonal_ if "weight_hh" in key else nn.init.xavier_uniform_)(gate)
    return cell


def first_state(cell: nn.RNNBase, h0: Float[Tensor, "N layers H"]) -> State:
    """The state before the first word: h0, and an empty memory c0 = 0 for the LSTM."""
    return (h0, torch.zeros_like(h0)) if isinstance(cell, nn.LSTM) else (h0,)


def to_torch(state: State) -> Tensor | tuple[Tensor, Tensor]:
    """The state in the order that torch's cells take: (layers, N, H), a lone tensor unless LSTM."""
    turned = tuple(part.transpose(0, 1).contiguous() for part in state)
    return turned if len(turned) == 2 else turned[0]  # type: ignore[return-value]


def from_torch(state: Tensor | tuple[Tensor, Tensor]) -> State:
    """The inverse of `to_torch`."""
    parts = state if isinstance(state, tuple) else (state,)
    return tuple(part.transpose(0, 1) for part in parts)
