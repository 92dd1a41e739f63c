"""A whole captioner from the layers of this package, small enough to read in one go."""

from dataclasses import dataclass

import numpy as np

from captioner.reference.cells import CELLS, State
from captioner.reference.layers import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from captioner.reference.optimisers import Adam, Optimiser, clip_gradients
from captioner.reference.weights import captioner_from_torch, initial_weights

# The first indices of `captioner.vocabulary`, which lies above this package.
PAD, START, END = 0, 1, 2


@dataclass
class ReferenceCaptioner:
    """From the features of a photo to the scores of each next word, and back.

        h0     = features W_proj + b_proj               (N, 512)      -> (N, H)
        x      = W_embed[captions_in]                   (N, T)        -> (N, T, E)
        h      = rnn, gru or lstm (x, h0, Wx, Wh, b)    (N, T, E)     -> (N, T, H)
        scores = h W_vocab + b_vocab                    (N, T, H)     -> (N, T, V)
        loss   = temporal softmax loss (scores, captions_out)

    Karpathy & Fei-Fei 2015 (arXiv:1412.2306); Vinyals et al. 2015 (arXiv:1411.4555).

    Args:
        parameters: W_proj (D, H), b_proj (H,), W_embed (V, E), Wx (E, gates * H),
            Wh (H, gates * H), b (gates * H,), W_vocab (H, V), b_vocab (V,). Training changes
            them in place.
        cell: rnn, gru or lstm.
        pad, start, end: Indices of the words that are none.

    Example: with all scores zero it guesses evenly among four words; word and END cost 2 ln 4.

        >>> captioner = ReferenceCaptioner.random(4, "lstm", 5, 6, 7)
        >>> captioner.parameters["W_vocab"][:] = 0
        >>> loss, gradients = captioner.loss(np.ones((1, 5)), np.array([[START, 3, END, PAD]]))
        >>> round(loss, 4), gradients["W_embed"].shape
        (2.7726, (4, 6))
    """

    parameters: dict[str, np.ndarray]
    cell: str = "rnn"
    pad: int = PAD
    start: int = START
    end: int = END

    @classmethod
    def random(
        cls,
        num_words: int = 1004,
        cell: str = "rnn",
        input_dim: int = 512,
        wordvec_dim: int = 256,
        hidden_dim: int = 512,
        seed: int = 0,
    ) -> "ReferenceCaptioner":
        """An untrained captioner.

        Args:
            num_words: Size of the vocabulary (V).
            cell: rnn, gru or lstm.
            input_dim: Size of the photo's features (D).
            wordvec_dim: Size of a word vector (E).
            hidden_dim: Size of the hidden state (H).
            seed: Of the random weights.
        """
        generator = np.random.default_rng(seed)
        Wx, Wh, b = initial_weights(cell, wordvec_dim, hidden_dim, generator)
        return cls(
            {
                "W_proj": generator.standard_normal((input_dim, hidden_dim)) / np.sqrt(input_dim),
                "b_proj": np.zeros(hidden_dim),
                "W_embed": generator.standard_normal((num_words, wordvec_dim)) / 100,
                "Wx": Wx,
                "Wh": Wh,
                "b": b,
                "W_vocab": generator.standard_normal((hidden_dim, num_words)) / np.sqrt(hidden_dim),
                "b_vocab": np.zeros(num_words),
            },
            cell,
        )

    @classmethod
    def from_torch(cls, tensors: dict[str, np.ndarray], cell: str) -> "ReferenceCaptioner":
        """With the weights of the fast decoder: its `state_dict`, each tensor as an array."""
        return cls(captioner_from_torch(cell, tensors), cell)

    def loss(self, features: np.ndarray, words: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """The loss of true captions, and its gradient with respect to each parameter.

        The network reads each word and is asked for the next (teacher forcing).

        Args:
            features: Of the photos (N, D).
            words: Captions from START to END, then PAD (N, T).

        Returns:
            Nats per caption, and the gradients under the names of the parameters.
        """
        p, (forward, backward, *_) = self.parameters, CELLS[self.cell]
        captions_in, captions_out = words[:, :-1], words[:, 1:]  # (N, T - 1) each
        mask = captions_out != self.pad

        h0, proj_cache = affine_forward(features, p["W_proj"], p["b_proj"])
        x, embed_cache = word_embedding_forward(captions_in, p["W_embed"])
        h, cell_cache = forward(x, h0, p["Wx"], p["Wh"], p["b"])
        scores, vocab_cache = temporal_affine_forward(h, p["W_vocab"], p["b_vocab"])
        loss, dscores = temporal_softmax_loss(scores, captions_out, mask)

        g = {}
        dh, g["W_vocab"], g["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        dx, dh0, g["Wx"], g["Wh"], g["b"] = backward(dh, cell_cache)
        g["W_embed"] = word_embedding_backward(dx, embed_cache)
        _, g["W_proj"], g["b_proj"] = affine_backward(dh0, proj_cache)
        return loss, g

    def caption(self, features: np.ndarray, max_words: int = 16) -> np.ndarray:
        """The likeliest word at each step, until all captions have ended (greedy search).

        Args:
            features: Of the photos (N, D).
            max_words: Captions are cut off after so many words.

        Returns:
            Words without START, with END, then PAD (N, T), T at most `max_words`.
        """
        p, cell = self.parameters, CELLS[self.cell]
        h0, _ = affine_forward(features, p["W_proj"], p["b_proj"])
        state: State = (h0,)
        last = np.full(len(features), self.start)
        running = np.ones(len(features), dtype=bool)
        said = np.full((len(features), max_words), self.pad)
        for t in range(max_words):
            x, _ = word_embedding_forward(last[:, None], p["W_embed"])  # (N, 1, E)
            prev_h, *memory = state
            h, cache = cell.forward(x, prev_h, p["Wx"], p["Wh"], p["b"], *memory)  # (N, 1, H)
            state = cell.last_state(cache)
            scores, _ = affine_forward(h[:, 0], p["W_vocab"], p["b_vocab"])  # (N, V)
            scores[:, [self.pad, self.start]] = -np.inf  # nobody says these
            last = scores.argmax(axis=1)
            said[running, t] = last[running]
            running &= last != self.end
            if not running.any():
                return said[:, : t + 1]
        return said

    def train(
        self,
        features: np.ndarray,
        words: np.ndarray,
        optimiser: Optimiser | None = None,
        epochs: int = 50,
        batch_size: int = 25,
        max_norm: float = 5.0,
        seed: int = 0,
    ) -> list[float]:
        """Learn captions: each epoch goes once through all of them, in a new order.

        Args:
            features: Of the photos, one row for each caption (P, D).
            words: Captions from START to END, then PAD (P, T).
            optimiser: Adam with its usual settings if not given.
            epochs: How often each caption is seen.
            batch_size: Captions of a batch (N); the last batch of an epoch may be smaller.
            max_norm: Gradients longer than this are clipped to it.
            seed: Of the order.

        Returns:
            The mean loss of each epoch, in nats per caption.
        """
        optimiser = optimiser or Adam()
        generator = np.random.default_rng(seed)
        losses = []
        for _ in range(epochs):
            total = 0.0
            order = generator.permutation(len(words))
            for start in range(0, len(words), batch_size):
                batch = order[start : start + batch_size]
                loss, gradients = self.loss(features[batch], words[batch])
                clip_gradients(gradients, max_norm)
                optimiser.update(self.parameters, gradients)
                total += loss * len(batch)
            losses.append(total / len(words))
        return losses
