"""What training shows a decoder in place of the true words and features."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from captioner.config import TrainConfig
from captioner.data import Batch, CaptionData
from captioner.decoders import PhotoDecoder
from captioner.kernels import dropout
from captioner.vocabulary import UNK


class Corrupted:
    """Captions as a run shows them: with words mixed, words hidden and features silenced.

    What is to be foretold stays true. All random numbers are torch's own, which a checkpoint holds.

    Args:
        examples: The true ones.
        decoder: Draws the words that are mixed in.
        config: How much of each; where it is nought, nothing changes and nothing is drawn.
    """

    def __init__(self, examples: CaptionData, decoder: PhotoDecoder, config: TrainConfig) -> None:
        self.examples = examples
        self.decoder = decoder
        self.config = config

    def num_batches(self, size: int) -> int:
        """Batches in an epoch."""
        return self.examples.num_batches(size)

    def batches(self, size: int, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """One epoch of batches on the decoder's device; as of `CaptionData.batches`."""
        chance = sampling_chance(self.config, epoch)
        device = self.decoder.embed.weight.device
        for true in self.examples.batches(size, seed, epoch, skip):
            batch = true.to(device)
            words = mix_in(self.decoder, batch, chance)
            yield replace(
                batch,
                features=silence(batch.features, self.config.feature_dropout),
                words=hide(words, self.config.word_dropout),
            )


def sampling_chance(config: TrainConfig, epoch: int) -> float:
    """Chance that a word is replaced by one drawn, in an epoch counted from nought.

    It rises in a straight line, from nought in the first epoch to the whole in the last one, or
    earlier if the rise takes a share of the epochs only (Bengio et al. 2015, arXiv:1506.03099,
    section 2.4).

    >>> config = TrainConfig(scheduled_sampling=0.25, epochs=6)
    >>> [sampling_chance(config, epoch) for epoch in range(6)]
    [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    """
    rise = config.scheduled_sampling_rise * (config.epochs - 1)
    return config.scheduled_sampling * (min(1.0, epoch / rise) if rise else 1.0)


@torch.no_grad()
def mix_in(decoder: PhotoDecoder, batch: Batch, chance: float) -> PackedSequence:
    """Scheduled sampling in two passes: some words read are what the decoder would have said.

    The decoder reads the true words, says at each place what might come next, and each word read
    but START becomes, with this chance, what was said at the place before it (Mihaylova & Martins
    2019, arXiv:1906.07651, section 3; Duckworth et al. 2019, arXiv:1906.04331). It says it as a
    search does: without dropout, and never PAD, START, END or UNK, after which no search reads on.

    Returns:
        The words to read, in the packed order of the true ones.
    """
    words = batch.words
    first = int(words.batch_sizes[0])
    if not chance or first == len(words.data):
        return words
    device = words.data.device
    # In packed order the place before (caption n, step t) is as far back as step t - 1 is long.
    back = words.batch_sizes[:-1].repeat_interleave(words.batch_sizes[1:]).to(device)
    rows = torch.arange(first, len(words.data), device=device)
    chosen = torch.rand(len(rows), device=device) < chance
    rows, before = rows[chosen], (rows - back)[chosen]
    training = decoder.training
    decoder.eval()
    hidden, _ = decoder.read(batch.features, batch.photo, words)
    decoder.train(training)
    mixed = words.data.clone()
    mixed[rows] = draw(decoder.score(hidden.h[before]))
    return words._replace(data=mixed)


def draw(scores: Float[Tensor, "R V"]) -> Tensor:
    """A real word for each row (R), by the chances that its scores give to real words."""
    summed = scores[:, UNK + 1 :].softmax(dim=1).cumsum(dim=1)
    # 1 - rand is above 0: no word without a chance is drawn.
    lot = (1 - torch.rand_like(summed[:, :1])) * summed[:, -1:]
    return torch.searchsorted(summed, lot).squeeze(1) + UNK + 1


def hide(words: PackedSequence, share: float) -> PackedSequence:
    """Words but START become UNK with this chance, so that a decoder looks at the photo more.

    Bowman et al. 2016 (arXiv:1511.06349, section 3.3).
    """
    if not share:
        return words
    first = int(words.batch_sizes[0])
    start, rest = words.data[:first], words.data[first:]
    hidden = torch.rand(len(rest), device=rest.device) < share
    return words._replace(data=torch.cat([start, rest.masked_fill(hidden, UNK)]))


def silence(features: Float[Tensor, "P ... D"], share: float) -> Float[Tensor, "P ... D"]:
    """Dropout of a photo's features, of each at all its places and for all its captions alike."""
    if not share:
        return features
    whole = features.new_ones(len(features), *(1,) * (features.ndim - 2), features.shape[-1])
    return features * dropout(whole, share, training=True)
