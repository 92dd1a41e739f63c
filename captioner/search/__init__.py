"""Greedy, sampled and beam search over any step function, on torch tensors or NumPy arrays.

A search knows no model. It takes

    step(words, state, memory) -> log_probs, state

for n photos with K captions each, those of a photo side by side: `words` (n * K,) are the last
words, `log_probs` (n * K, V) those of the words that may follow. `state` is a tuple of arrays with
n * K rows that goes with the captions; `memory` is one of arrays with n rows, a row per photo: what
the network looks at again at every word. n shrinks as photos are done, and K is 1 before the first
word, where all captions of a photo are still the same. `log_probs` belong to the search from then
on: it writes into them.
"""

from captioner.search.arrays import Array
from captioner.search.ensemble import Member, exchanging, joint_step
from captioner.search.found import Found, State, Step
from captioner.search.search import search

__all__ = [
    "Array",
    "Found",
    "Member",
    "State",
    "Step",
    "exchanging",
    "joint_step",
    "search",
]
