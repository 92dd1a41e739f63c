"""Weights of a cell: made at random, or carried over from torch and back.

Torch keeps the transposes, one matrix (gates * H, D) and one (gates * H, H), and two biases that it
adds. Its GRU orders the gates as here; its LSTM puts the candidate before the output gate.
"""

from collections.abc import Mapping

import numpy as np

from captioner.reference.cells import CELLS, Weights

TORCH_ORDER = {"rnn": [0], "gru": [0, 1, 2], "lstm": [0, 1, 3, 2]}
"""Which of torch's blocks stands where. Each order is its own inverse."""
USUAL_KEEP_BIAS = {"rnn": 0.0, "gru": 0.0, "lstm": 1.0}


def _reordered(cell: str, blocks: np.ndarray) -> np.ndarray:
    """The blocks along the first axis in torch's order, if they were in ours, and back."""
    parts = np.split(blocks, CELLS[cell].gates)
    return np.concatenate([parts[i] for i in TORCH_ORDER[cell]])


def from_torch(
    cell: str,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> Weights:
    """Weights of torch.nn.RNN, GRU or LSTM, as the functions here take them.

    The two biases become their sum, but for the candidate of the GRU, whose second bias is inside
    the reset: there b has a fourth part.

    Args:
        cell: rnn, gru or lstm.
        weight_ih, weight_hh: (gates * H, D) and (gates * H, H), as arrays.
        bias_ih, bias_hh: (gates * H,) each.

    Returns:
        Wx (D, gates * H), Wh (H, gates * H), b (gates * H,), or (4H,) for the GRU.

    Example: torch's bias of an LSTM of one unit; the last two change places.

        >>> zero = np.zeros(4)
        >>> from_torch("lstm", zero, zero, np.array([1, 2, 3, 4]), zero)[2].tolist()
        [1.0, 2.0, 4.0, 3.0]
    """
    H = len(bias_ih) // CELLS[cell].gates
    if cell == "gru":
        gates = bias_ih[: 2 * H] + bias_hh[: 2 * H]
        b = np.concatenate([gates, bias_ih[2 * H :], bias_hh[2 * H :]])
    else:
        b = _reordered(cell, bias_ih + bias_hh)
    return _reordered(cell, weight_ih).T.copy(), _reordered(cell, weight_hh).T.copy(), b


def gradients_to_torch(
    cell: str, dWx: np.ndarray, dWh: np.ndarray, db: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the weights that `from_torch` gave, in torch's order and shapes.

    Two biases that are added have the same gradient. (The weights themselves could not be carried
    back, since nobody knows which bias had which share of the sum.)

    Returns:
        Gradients of weight_ih, weight_hh, bias_ih and bias_hh.

        >>> zero = np.zeros((1, 3))
        >>> _, _, bias_ih, bias_hh = gradients_to_torch("gru", zero, zero, np.arange(4.0))
        >>> bias_ih.tolist(), bias_hh.tolist()
        ([0.0, 1.0, 2.0], [0.0, 1.0, 3.0])
    """
    H = len(dWh)
    if cell == "gru":
        bias_ih, bias_hh = db[: 3 * H], np.concatenate([db[: 2 * H], db[3 * H :]])
    else:
        bias_ih = bias_hh = _reordered(cell, db)
    return _reordered(cell, dWx.T), _reordered(cell, dWh.T), bias_ih, bias_hh


def captioner_from_torch(cell: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters of a `ReferenceCaptioner` from the weights of the fast decoder of one layer.

    Args:
        cell: rnn, gru or lstm.
        tensors: The decoder's `state_dict`, each tensor as an array.

    Raises:
        ValueError: if the decoder has more than one layer.
    """
    if "cell.weight_ih_l1" in tensors:
        raise ValueError("the decoder has several layers; the reference captioner has one")
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    Wx, Wh, b = from_torch(cell, *(tensors[f"cell.{name}_l0"] for name in names))
    return {
        "W_proj": tensors["project.weight"].T.copy(),
        "b_proj": tensors["project.bias"].copy(),
        "W_embed": tensors["embed.weight"].copy(),
        "Wx": Wx,
        "Wh": Wh,
        "b": b,
        "W_vocab": tensors["score.weight"].T.copy(),
        "b_vocab": tensors["score.bias"].copy(),
    }


def initial_weights(
    cell: str,
    D: int,
    H: int,
    generator: np.random.Generator,
    keep_bias: float | None = None,
) -> Weights:
    """Random weights that learn well, by the same recipe as the fast cells.

    Input weights are Xavier, uniform within sqrt(6 / (D + H)) (Glorot & Bengio 2010); recurrent
    weights of each gate are orthogonal (Saxe et al. 2014, arXiv:1312.6120), so that Wh alone
    neither shrinks nor stretches; biases are zero, but for the gate that keeps the past.

    Args:
        cell: rnn, gru or lstm.
        D, H: Size of the inputs and of the hidden state.
        generator: Where the random numbers come from.
        keep_bias: Bias of the LSTM's forget gate or of the GRU's update gate. With 0 half of the
            past is gone after each step, with 3 a twentieth. If not given, 1 for the LSTM (Gers et
            al. 2000; Jozefowicz et al. 2015) and 0 for the GRU.

    Returns:
        Wx (D, gates * H), Wh (H, gates * H), b (gates * H,).
    """
    gates = CELLS[cell].gates
    bound = np.sqrt(6 / (D + H))
    Wx = generator.uniform(-bound, bound, (D, gates * H))
    # The Q of a random matrix's QR factors is a random rotation, perhaps with a reflection.
    Wh = np.concatenate(
        [np.linalg.qr(generator.standard_normal((H, H)))[0] for _ in range(gates)], axis=1
    )
    b = np.zeros(gates * H)
    # The second gate is the one that keeps, in both; the simple RNN has no second gate.
    b[H : 2 * H] = USUAL_KEEP_BIAS[cell] if keep_bias is None else keep_bias
    return Wx, Wh, b
