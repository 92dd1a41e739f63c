"""What surrounds the recurrent cell: affine layers, word vectors and the loss.

Each `..._forward` returns its output and a cache, that which its `..._backward` will need again.
Each `..._backward` takes the gradient of the loss with respect to the output (`dout` is short for
dloss/dout) and returns the gradient with respect to each input, in the same order and shapes.
Everything is the chain rule: Rumelhart, Hinton & Williams 1986, "Learning representations by
back-propagating errors".
"""

import numpy as np

AffineCache = tuple[np.ndarray, np.ndarray]
WordsCache = tuple[np.ndarray, tuple[int, ...]]


def affine_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, AffineCache]:
    """Weighted sums of the inputs: out = x W + b.

    Args:
        x: Inputs (N, D).
        W: Weights (D, M), a column for each of the M outputs.
        b: Bias (M,).

    Returns:
        out (N, M) and the cache.

    Example: features to the first hidden state, h0 = features W_proj + b_proj.

        >>> out, _ = affine_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.ones(1))
        >>> out.tolist()
        [[12.0]]
    """
    return x @ W + b, (x, W)


def affine_backward(
    dout: np.ndarray, cache: AffineCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx = dout W^T,   dW = x^T dout,   db = sum over the batch of dout.

    Args:
        dout: Gradient of the output (N, M).

    Returns:
        dx (N, D), dW (D, M), db (M,).

    Example: two inputs, one output.

        >>> _, cache = affine_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.ones(1))
        >>> [gradient.tolist() for gradient in affine_backward(np.array([[10.0]]), cache)]
        [[[30.0, 40.0]], [[10.0], [20.0]], [10.0]]
    """
    x, W = cache
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def word_embedding_forward(words: np.ndarray, W_embed: np.ndarray) -> tuple[np.ndarray, WordsCache]:
    """The vector of each word: row `word` of W_embed.

    The same as multiplying a one-hot vector of length V by W_embed, without the many zeros.

    Args:
        words: Indices (N, T), or of any shape.
        W_embed: A vector for each word (V, E).

    Returns:
        x (N, T, E) and the cache.

        >>> x, _ = word_embedding_forward(np.array([[2, 0]]), np.array([[1, 2], [3, 4], [5, 6]]))
        >>> x.tolist()
        [[[5, 6], [1, 2]]]
    """
    return W_embed[words], (words, W_embed.shape)


def word_embedding_backward(dx: np.ndarray, cache: WordsCache) -> np.ndarray:
    """dW_embed[v] = sum of dx over all places where word v stands. Words not said get zero.

    Args:
        dx: Gradient of the word vectors (N, T, E).

    Returns:
        dW_embed (V, E).

    Example: word 1 is said twice.

        >>> _, cache = word_embedding_forward(np.array([[1, 1, 0]]), np.zeros((3, 1)))
        >>> word_embedding_backward(np.array([[[10.0], [1.0], [5.0]]]), cache).ravel().tolist()
        [5.0, 11.0, 0.0]
    """
    words, shape = cache
    dW = np.zeros(shape, dtype=dx.dtype)
    # `dW[words] += dx` would keep only one of two gradients for a word that is said twice.
    np.add.at(dW, words, dx)
    return dW


def temporal_affine_forward(
    h: np.ndarray, W: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, AffineCache]:
    """The same affine layer at every step: scores_t = h_t W + b.

    Args:
        h: Hidden states (N, T, H).
        W: Weights (H, V).
        b: Bias (V,).

    Returns:
        scores (N, T, V) and the cache.

        >>> h = np.array([[[1.0], [2.0], [3.0]]])
        >>> temporal_affine_forward(h, np.array([[10.0, -1.0]]), np.zeros(2))[0].tolist()
        [[[10.0, -1.0], [20.0, -2.0], [30.0, -3.0]]]
    """
    N, T, H = h.shape
    scores, cache = affine_forward(h.reshape(N * T, H), W, b)  # (N * T, V)
    return scores.reshape(N, T, -1), cache


def temporal_affine_backward(
    dscores: np.ndarray, cache: AffineCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of all steps add up in dW and db, since all steps share W and b.

    Args:
        dscores: Gradient of the scores (N, T, V).

    Returns:
        dh (N, T, H), dW (H, V), db (V,).
    """
    N, T, V = dscores.shape
    dh, dW, db = affine_backward(dscores.reshape(N * T, V), cache)
    return dh.reshape(N, T, -1), dW, db


def temporal_softmax_loss(
    scores: np.ndarray, y: np.ndarray, mask: np.ndarray
) -> tuple[float, np.ndarray]:
    """Negative log-likelihood of the true captions, and its gradient.

        p       = softmax(scores) = exp(scores) / sum over v of exp(scores)
        loss    = -1/N  sum_n  sum_t  mask[n, t]  log p[n, t, y[n, t]]
        dscores =  1/N  mask (p - onehot(y))

    Summed over words, averaged over captions (Vinyals et al. 2015, arXiv:1411.4555, eq. 1).

    Args:
        scores: Score of each word at each step, before the softmax (N, T, V).
        y: Index of the word that truly comes next (N, T); any valid one where `mask` is False.
        mask: True on words and on the end token, False on padding (N, T).

    Returns:
        loss in nats per caption, and dscores (N, T, V).

    Raises:
        ValueError: if `y` or `mask` is not (N, T).

    Example: four equally likely words, a caption of three words; 3 ln 4.

        >>> y, mask = np.zeros((1, 3), dtype=int), np.ones((1, 3), dtype=bool)
        >>> loss, dscores = temporal_softmax_loss(np.zeros((1, 3, 4)), y, mask)
        >>> round(loss, 4), dscores[0, 0].tolist()
        (4.1589, [-0.75, 0.25, 0.25, 0.25])
    """
    N, T, _ = scores.shape
    if y.shape != (N, T) or mask.shape != (N, T):
        raise ValueError(f"y {y.shape} and mask {mask.shape} must both be {(N, T)}")
    # The softmax does not change when all scores of a step move together; exp(0) cannot overflow.
    shifted = scores - scores.max(axis=2, keepdims=True)  # (N, T, V)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    n, t = np.nonzero(mask)  # places of the M real words, each (M,)
    loss = -log_p[n, t, y[n, t]].sum() / N
    dscores = np.exp(log_p) * mask[:, :, None]
    dscores[n, t, y[n, t]] -= 1
    return float(loss), dscores / N
