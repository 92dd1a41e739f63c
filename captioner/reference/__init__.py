"""Every layer once more in NumPy, with its backward pass written out by hand.

What the fast layers compute on tensors lies here in the open: a reader can follow each product, and
tests hold the fast layers against it. As everywhere, N captions, T words, E, H, V; but D stands for
the size of any layer's inputs. Read in this order:

    activations   sigmoid and tanh
    layers        affine, word vectors, the loss
    rnn lstm gru  one step, then all steps; forward and backward
    cells         the three by name, for what is built on top of them
    stacks        deep and bidirectional ones
    truncated     backpropagation through time in chunks
    weights       random, or carried over from torch
    gates         what the gates did at each word
    gradients     checked by small steps; how they fade with distance
    optimisers    SGD, Adagrad, RMSProp, Adam; clipping
    network       the whole captioner: loss, gradients, captions, training
"""

from captioner.reference.activations import sigmoid, sigmoid_gradient, tanh, tanh_gradient
from captioner.reference.cells import CELLS, Cell, State, Weights
from captioner.reference.gates import gru_gates, lstm_gates
from captioner.reference.gradients import gradient_by_distance, numerical_gradient, relative_error
from captioner.reference.gru import (
    GRUStep,
    gru_backward,
    gru_forward,
    gru_step_backward,
    gru_step_forward,
)
from captioner.reference.layers import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from captioner.reference.lstm import (
    LSTMStep,
    lstm_backward,
    lstm_forward,
    lstm_step_backward,
    lstm_step_forward,
)
from captioner.reference.network import ReferenceCaptioner
from captioner.reference.optimisers import (
    OPTIMISERS,
    SGD,
    Adagrad,
    Adam,
    Optimiser,
    RMSProp,
    clip_gradients,
)
from captioner.reference.rnn import (
    RNNStep,
    concatenated,
    rnn_backward,
    rnn_forward,
    rnn_step_backward,
    rnn_step_concatenated,
    rnn_step_forward,
)
from captioner.reference.stacks import (
    bidirectional_backward,
    bidirectional_forward,
    deep_backward,
    deep_bidirectional_backward,
    deep_bidirectional_forward,
    deep_forward,
)
from captioner.reference.truncated import truncated_bptt
from captioner.reference.weights import (
    captioner_from_torch,
    from_torch,
    gradients_to_torch,
    initial_weights,
)

__all__ = [
    "CELLS",
    "OPTIMISERS",
    "SGD",
    "Adagrad",
    "Adam",
    "Cell",
    "GRUStep",
    "LSTMStep",
    "Optimiser",
    "RMSProp",
    "RNNStep",
    "ReferenceCaptioner",
    "State",
    "Weights",
    "affine_backward",
    "affine_forward",
    "bidirectional_backward",
    "bidirectional_forward",
    "captioner_from_torch",
    "clip_gradients",
    "concatenated",
    "deep_backward",
    "deep_bidirectional_backward",
    "deep_bidirectional_forward",
    "deep_forward",
    "from_torch",
    "gradient_by_distance",
    "gradients_to_torch",
    "gru_backward",
    "gru_forward",
    "gru_gates",
    "gru_step_backward",
    "gru_step_forward",
    "initial_weights",
    "lstm_backward",
    "lstm_forward",
    "lstm_gates",
    "lstm_step_backward",
    "lstm_step_forward",
    "numerical_gradient",
    "relative_error",
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_concatenated",
    "rnn_step_forward",
    "sigmoid",
    "sigmoid_gradient",
    "tanh",
    "tanh_gradient",
    "temporal_affine_backward",
    "temporal_affine_forward",
    "temporal_softmax_loss",
    "truncated_bptt",
    "word_embedding_backward",
    "word_embedding_forward",
]
