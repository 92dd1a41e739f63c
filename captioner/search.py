"""Greedy, beam and sampled search over any step function.

A search knows no model. It takes `step(words, state) -> (log_probs, state)`, where `words` (N,) are
the last words of N captions, `log_probs` (N, V) those of the words that may follow, and `state` a
tuple of tensors with N rows each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from captioner.vocabulary import END, PAD, START, UNK

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State]]
NEVER = float("-inf")


@dataclass(frozen=True)
class Found:
    """The captions found for N photos, K for each, the best first.

    Args:
        words: Indices without START, with END, then PAD.
        log_probs: Sum over the words and END, in nats; -inf marks a place left empty because the
            vocabulary does not have so many captions.
    """

    words: Int[Tensor, "N K T"]
    log_probs: Float[Tensor, "N K"]


def _sayable(log_probs: Tensor, first: bool, last: bool) -> Tensor:
    """What may be said: never PAD, START or UNK, no END at once, and only END at the last."""
    log_probs = log_probs.clone()
    log_probs[:, [PAD, START, UNK]] = NEVER
    if last:
        log_probs[:, :END] = NEVER
        log_probs[:, END + 1 :] = NEVER
    elif first:
        log_probs[:, END] = NEVER
    return log_probs


@torch.inference_mode()
def greedy_search(step: Step, state: State, max_words: int = 20) -> Found:
    """Say the likeliest word at each step.

    Args:
        step: The network.
        state: Its state before the first word.
        max_words: END is said after so many words at the latest.
    """
    num = len(state[0])
    words = torch.full((num,), START, device=state[0].device)
    running = torch.ones_like(words, dtype=torch.bool)
    total = torch.zeros(num, device=words.device)
    said = []
    for t in range(max_words + 1):
        log_probs, state = step(words, state)
        best, words = _sayable(log_probs, t == 0, t == max_words).max(dim=1)
        total += torch.where(running, best, 0)
        said.append(torch.where(running, words, PAD))
        running &= words != END
        if not running.any():
            break
    return Found(torch.stack(said, dim=1).unsqueeze(1), total.unsqueeze(1))


@torch.inference_mode()
def beam_search(
    step: Step,
    state: State,
    beam_size: int = 3,
    max_words: int = 20,
    num_captions: int = 1,
) -> Found:
    """Keep the `beam_size` likeliest beginnings; of the finished captions give the best.

    Finished captions are compared by their mean log-probability per word (END counted), so that a
    long caption is not worse for being long (Wu et al. 2016, arXiv:1609.08144, eq. 14 with
    alpha = 1). All photos and beams go through the network together; a photo leaves the batch as
    soon as it has `beam_size` finished captions that no running one beats as it stands.

    Args:
        step: The network.
        state: Its state before the first word, one row a photo.
        beam_size: Beams per photo (K). One beam is greedy search.
        max_words: END is said after so many words at the latest.
        num_captions: Different captions to give per photo, at most `beam_size`.

    Raises:
        ValueError: if `num_captions` is not between 1 and `beam_size`.
    """
    if not 1 <= num_captions <= beam_size:
        raise ValueError(f"num_captions {num_captions} must be between 1 and {beam_size}")
    device, num, K = state[0].device, len(state[0]), beam_size
    finished = torch.full((num, K, max_words + 1), PAD, device=device)
    finished_log_probs = torch.full((num, K), NEVER, device=device)
    finished_means = torch.full((num, K), NEVER, device=device)

    photos = torch.arange(num, device=device)  # the photos that still run, (n,)
    state = tuple(part.repeat_interleave(K, dim=0) for part in state)  # (n * K, ...)
    words = torch.full((num * K,), START, device=device)
    said = torch.empty((num, K, 0), dtype=torch.long, device=device)
    totals = torch.full((num, K), NEVER, device=device)
    totals[:, 0] = 0  # the K beams are equal at first, so that one alone counts

    for t in range(max_words + 1):
        n = len(photos)
        log_probs, state = step(words, state)
        log_probs = _sayable(log_probs, t == 0, t == max_words)
        V = log_probs.shape[1]
        candidates = (totals.unsqueeze(2) + log_probs.view(n, K, V)).flatten(1)  # (n, K * V)
        # Among twice as many as there are beams, at least K do not end (one END per beam).
        best, where = candidates.topk(min(2 * K, K * V), dim=1)  # (n, 2K)
        beam, word = where // V, where % V
        said_then = torch.cat(
            [said.gather(1, beam.unsqueeze(2).expand(-1, -1, t)), word.unsqueeze(2)], dim=2
        )  # (n, 2K, t + 1)
        ends = word == END

        # Those among the first K that end join the finished ones, of which the best K stay.
        ending = ends & (torch.arange(best.shape[1], device=device) < K) & (best > NEVER)
        pool_means = torch.cat([finished_means[photos], (best / (t + 1)).where(ending, NEVER)], 1)
        pool_log_probs = torch.cat([finished_log_probs[photos], best], dim=1)
        padded = torch.nn.functional.pad(said_then, (0, max_words - t), value=PAD)
        kept_means, kept = pool_means.topk(K, dim=1)
        finished_means[photos] = kept_means
        finished_log_probs[photos] = pool_log_probs.gather(1, kept).where(kept_means > NEVER, NEVER)
        pool_words = torch.cat([finished[photos], padded], dim=1)
        finished[photos] = pool_words.gather(1, kept.unsqueeze(2).expand(-1, -1, max_words + 1))

        # The best K that do not end go on.
        totals, going = best.masked_fill(ends, NEVER).topk(min(K, best.shape[1]), dim=1)
        if totals.shape[1] < K:  # a vocabulary smaller than the beam
            missing = K - totals.shape[1]
            totals = torch.nn.functional.pad(totals, (0, missing), value=NEVER)
            going = torch.nn.functional.pad(going, (0, missing))
        undone = totals[:, 0] / (t + 1) > kept_means[:, -1]
        if not undone.any():
            break
        rows = (torch.arange(n, device=device).unsqueeze(1) * K + beam.gather(1, going))[undone]
        state = tuple(part[rows.flatten()] for part in state)
        words = word.gather(1, going)[undone].flatten()
        said = said_then.gather(1, going.unsqueeze(2).expand(-1, -1, t + 1))[undone]
        totals, photos = totals[undone], photos[undone]

    length = int((finished[:, :num_captions] != PAD).sum(dim=2).max())
    return Found(finished[:, :num_captions, :length], finished_log_probs[:, :num_captions])


def _likely(log_probs: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Log-probabilities (not normalised) of the words that may be drawn."""
    log_probs = (log_probs / temperature).log_softmax(dim=1)
    ordered, words = log_probs.sort(dim=1, descending=True)
    dropped = torch.zeros_like(ordered, dtype=torch.bool)
    if top_k:
        dropped[:, top_k:] = True
    # A word stays if those before it do not hold the share yet, so that the likeliest always stays.
    before = ordered.exp().cumsum(dim=1) - ordered.exp()
    dropped |= before >= top_p
    dropped[:, 0] = False
    return log_probs.scatter(1, words, ordered.masked_fill(dropped, NEVER))


@torch.inference_mode()
def sample_search(
    step: Step,
    state: State,
    max_words: int = 20,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    words: Int[Tensor, " N"] | None = None,
    endless: bool = False,
    generator: torch.Generator | None = None,
) -> Found:
    """Draw each next word by lot.

    A word's chance is softmax(log_probs / temperature), among the `top_k` likeliest words (Fan et
    al. 2018, arXiv:1805.04833) and among the fewest that hold the share `top_p` together (Holtzman
    et al. 2020, arXiv:1904.09751).

    Args:
        step: The network.
        state: Its state before the first word that is drawn.
        max_words: END is said after so many words at the latest.
        temperature: Below 1 the likely words become likelier; 0 is greedy search.
        top_k: 0 for all words.
        top_p: 1 for all words.
        words: The words said last; START by default.
        endless: END is a word like any other, and `max_words` of them are drawn.
        generator: Source of the random numbers.

    Returns:
        One caption each, and its log-probability at temperature 1.

    Raises:
        ValueError: if temperature or `top_k` is below 0, or `top_p` not above 0 and up to 1.
    """
    if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature and top_k must be at least 0, top_p above 0 and at most 1")
    num = len(state[0])
    start = torch.full((num,), START, device=state[0].device)
    words = start if words is None else words
    running = torch.ones_like(start, dtype=torch.bool)
    total = torch.zeros(num, device=words.device)
    said = []
    for t in range(max_words if endless else max_words + 1):
        log_probs, state = step(words, state)
        first, last = (False, False) if endless else (t == 0, t == max_words)
        allowed = _sayable(log_probs, first, last)
        if temperature == 0:
            words = allowed.argmax(dim=1)
        else:
            chances = _likely(allowed, temperature, top_k, top_p).exp()
            words = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        chosen = allowed.gather(1, words.unsqueeze(1)).squeeze(1)
        total += torch.where(running, chosen, 0)
        said.append(torch.where(running, words, PAD))
        if not endless:
            running &= words != END
            if not running.any():
                break
    return Found(torch.stack(said, dim=1).unsqueeze(1), total.unsqueeze(1))
