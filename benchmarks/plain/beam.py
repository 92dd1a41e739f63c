"""Beam search as tutorials write it: one photo at a time, finished captions in Python lists."""

import torch
from torch import Tensor

from benchmarks.plain.pooled import PlainPooled
from captioner.vocabulary import END, PAD, START, UNK


@torch.inference_mode()
def beam_caption(
    decoder: PlainPooled, features: Tensor, beam_size: int, max_words: int
) -> list[int]:
    """The caption of one photo with the best mean log-probability per word, END counted.

    Among the `beam_size` likeliest ways to go on, those that end are finished; the likeliest that
    do not end go on, until so many are finished that none which runs is better as it stands.

    Args:
        decoder: The network.
        features: Of the photo (D).
        beam_size: K.
        max_words: END is said after so many words at the latest.

    Returns:
        Its words, END among them.
    """
    state = decoder.start(features.unsqueeze(0))
    words = torch.tensor([START])
    totals = torch.zeros(1)
    captions: list[list[int]] = [[]]
    finished: list[tuple[float, list[int]]] = []
    for t in range(max_words + 1):
        log_probs, state = decoder.step(words, state)  # (K, V)
        log_probs[:, [PAD, START, UNK]] = float("-inf")
        if t == 0:
            log_probs[:, END] = float("-inf")
        if t == max_words:
            log_probs[:, END + 1 :] = float("-inf")
        V = log_probs.shape[1]
        best, where = (totals.unsqueeze(1) + log_probs).flatten().topk(2 * beam_size)
        going: list[tuple[float, int, int]] = []
        ranked = zip(best.tolist(), where.tolist(), strict=True)
        for rank, (total, place) in enumerate(ranked):
            beam, word = divmod(place, V)
            if word != END:
                going.append((total, beam, word))
            elif rank < beam_size and total > float("-inf"):
                finished.append((total / (t + 1), [*captions[beam], END]))
        going = going[:beam_size]
        finished = sorted(finished, key=lambda found: -found[0])[:beam_size]
        if len(finished) == beam_size and going[0][0] / (t + 1) <= finished[-1][0]:
            break
        captions = [[*captions[beam], word] for _, beam, word in going]
        rows = torch.tensor([beam for _, beam, _ in going])
        state = (state[0][rows], state[1][rows])
        words = torch.tensor([word for _, _, word in going])
        totals = torch.tensor([total for total, _, _ in going])
    return finished[0][1]
