"""What the machine gives at best: matrix products and copies, to hold the benchmarks against."""

import time

import torch

SHAPES = (1024, 2048)
"""Sides of the square matrices; the best of them counts."""
COPIED = 64 * 2**20
"""Numbers in a copy, of four bytes each: far more than any cache holds."""


class Ceilings:
    """The machine's rates with the threads that torch uses now; matrices are made once."""

    def __init__(self) -> None:
        self.matrices = [(torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)) for n in SHAPES]
        self.matrix_rate()

    @torch.inference_mode()
    def matrix_rate(self) -> float:
        """Floating-point operations per second of an fp32 matrix product: 2 n^3 each, the best."""
        best = 0.0
        for a, b, out in self.matrices:
            began = time.perf_counter()
            torch.matmul(a, b, out=out)
            best = max(best, 2 * len(a) ** 3 / (time.perf_counter() - began))
        return best


def copy_rate(repeats: int = 5) -> float:
    """Bytes per second that a large copy reads and writes, the best of some."""
    source, target = torch.ones(COPIED), torch.zeros(COPIED)
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        target.copy_(source)
        best = min(best, time.perf_counter() - began)
    return 2 * source.nbytes / best
