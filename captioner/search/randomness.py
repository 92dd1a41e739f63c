"""Random numbers that depend on what they are for, and not on what was drawn before."""

import numpy as np
from jaxtyping import Float, Int, UInt32

MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], dtype=np.uint64)
WEYL = np.array([0x9E3779B9, 0xBB67AE85], dtype=np.uint64)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counter: Int[np.ndarray, "... 4"], key: tuple[int, int]) -> UInt32[np.ndarray, "... 4"]:
    """Four random numbers for each counter: Philox4x32-10.

    Salmon et al. 2011 (Parallel random numbers: as easy as 1, 2, 3; SC11, section 3.3). Ten rounds
    of (c0, c1, c2, c3) <- (high(c2 M1) ^ c1 ^ k0, low(c2 M1), high(c0 M0) ^ c3 ^ k1, low(c0 M0)).

    Args:
        counter: Four numbers of 32 bits each.
        key: Two of 32 bits.

    Example: the authors' own first known answer.

        >>> [f"{x:08x}" for x in philox(np.zeros(4, int), (0, 0))]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c = counter.astype(np.uint64)
    k = np.array(key, dtype=np.uint64)
    for _ in range(10):
        product = c[..., [2, 0]] * MULTIPLIERS[[1, 0]]
        high, low = product >> HALF, product & LOW
        mixed = high ^ c[..., [1, 3]] ^ k
        c = np.stack([mixed[..., 0], low[..., 0], mixed[..., 1], low[..., 1]], axis=-1)
        k = (k + WEYL) & LOW
    return c.astype(np.uint32)


def uniforms(
    seed: int, photos: Int[np.ndarray, " N"], samples: int, steps: int
) -> Float[np.ndarray, "N K T"]:
    """A random number from 0 to 1, never 1, for each step of each sample of each photo.

    They are the same whichever photos, and however many samples and steps, are asked for besides.

    Args:
        seed: From 0 to 2**64 - 1.
        photos: Number of each photo.
        samples: Captions per photo (K).
        steps: Words per caption (T).
    """
    blocks = -(-steps // 4)
    counter = np.zeros((len(photos), samples, blocks, 4), dtype=np.int64)
    counter[..., 0] = np.arange(blocks)
    counter[..., 1] = np.arange(samples)[:, None]
    counter[..., 2] = (photos & 0xFFFFFFFF)[:, None, None]
    counter[..., 3] = (photos >> 32)[:, None, None]
    numbers = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    numbers = numbers.reshape(len(photos), samples, 4 * blocks)[:, :, :steps]
    # 23 bits: more would round to 1 where they are multiplied by a sum of 32-bit floats.
    return ((numbers >> 9) * 2.0**-23).astype(np.float32)
