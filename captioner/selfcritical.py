"""Self-critical training: a captioner learns from the scores of captions that it drew itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from captioner.cells import State
from captioner.config import SearchConfig
from captioner.data import Shows, shown
from captioner.metrics import CiderReward, bleu_counts
from captioner.metrics.bleu import smooth_bleu
from captioner.metrics.health import stammers
from captioner.model import Captioner
from captioner.refinements import SelfCriticalSettings
from captioner.search import Found, search
from captioner.vocabulary import END, PAD, START, UNK, Vocabulary

UNSAID = [PAD, START, UNK]
"""What is never drawn."""


@dataclass(frozen=True)
class PhotoBatch:
    """Some photos, of which captions are to be drawn.

    Args:
        features: Of each.
        numbers: Of each, as the reward counts them.
    """

    features: Float[Tensor, "P ..."]
    numbers: Int[Tensor, " P"]

    def to(self, device: torch.device) -> "PhotoBatch":
        """The same on another device."""
        return PhotoBatch(self.features.to(device), self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def num_words(self) -> int:
        """None is known yet."""
        return 0


class PhotoData:
    """All photos of a split, in batches.

    Args:
        features: Of each photo, as `CaptionData` takes them.
    """

    def __init__(self, features: np.ndarray | Shows) -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def num_batches(self, size: int) -> int:
        """Batches in an epoch."""
        return -(-len(self) // size)

    def batches(self, size: int, seed: int, epoch: int, skip: int = 0) -> Iterator[PhotoBatch]:
        """One epoch of batches of photos, in an order that seed and epoch alone decide."""
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        for rows in torch.randperm(len(self), generator=generator).split(size)[skip:]:
            yield PhotoBatch(shown(self.features, rows, seed, epoch), rows)


class Judge:
    """What a drawn caption is worth, from the human captions of its photo.

        reward = CIDEr-D  +  bleu BLEU-4  -  repetition [it says something twice]

    Args:
        captions: Those of each training photo.
        vocabulary: Turns them into indices; what it does not know is UNK, which is never drawn.
        bleu: Weight of BLEU-4 of the sentence, 0 to 1, smoothed.
        repetition: What a caption loses that stammers.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
        bleu: float = 0.0,
        repetition: float = 0.0,
    ) -> None:
        self.vocabulary, self.bleu, self.repetition = vocabulary, bleu, repetition
        split = [[vocabulary.split(caption) for caption in photo] for photo in captions]
        self.references = [[" ".join(words) for words in photo] for photo in split]
        # END counts as a word: else captions learn to end with "with a".
        self.cider = CiderReward(
            [[vocabulary.indices(words) for words in photo] for photo in split], END
        )

    def score(self, words: Int[np.ndarray, "M T"], photos: Int[np.ndarray, " M"]) -> np.ndarray:
        """Reward of each caption (M).

        Args:
            words: Indices without START; what follows END is ignored.
            photos: Number of the photo of each.
        """
        rewards = self.cider.score(words, photos)
        if self.bleu or self.repetition:
            texts = [say(row, self.vocabulary) for row in words.tolist()]
        if self.bleu:
            counts = [
                bleu_counts(text, self.references[n]) for text, n in zip(texts, photos, strict=True)
            ]
            rewards = rewards + self.bleu * smooth_bleu(np.stack(counts))
        if self.repetition:
            rewards = rewards - self.repetition * np.array([stammers(t.split()) for t in texts])
        return rewards


def say(indices: Sequence[int], vocabulary: Vocabulary) -> str:
    """The words up to END, with single spaces between them."""
    spoken = indices[: indices.index(END)] if END in indices else indices
    return " ".join(vocabulary.words[index] for index in spoken if index != PAD)


class SelfCritical:
    """The gradient of the expected reward (Williams 1992), by K captions drawn of each photo.

        loss = - 1 / (P K)  sum_p  sum_k  (r_pk - b_pk)  sum_t log p(w_pkt | w_pk1 ... w_pk,t-1)

    The baseline b is the reward of the caption that greedy search gives (Rennie et al. 2017, Self-
    critical sequence training for image captioning, arXiv:1612.00563, eq. 9), or the mean reward of
    the photo's other K - 1 captions (Kool et al. 2019, Buy 4 REINFORCE samples, get a baseline for
    free; Luo 2020, arXiv:2003.09971). PAD, START and UNK are neither drawn nor counted.

    Args:
        captioner: Whose decoder learns.
        judge: Of what it says.
        config: How many are drawn, and what they are compared to.
    """

    def __init__(self, captioner: Captioner, judge: Judge, config: SelfCriticalSettings) -> None:
        self.captioner, self.judge, self.config = captioner, judge, config
        self.trained = captioner.decoder
        self.rewards: list[float] = []
        self.finished: list[float] = []

    def loss(self, batch: PhotoBatch, carried: State = ()) -> tuple[Float[Tensor, ""], State]:
        """The loss of the captions drawn, and nothing to carry on."""
        words, numbers = self._draw(batch)  # (M, T)
        rewards = self.judge.score(words.numpy(), numbers.numpy())
        advantages = torch.from_numpy(rewards - self._baseline(batch, rewards)).float()
        ends = words == END
        self.rewards.append(float(rewards.mean()))
        self.finished.append(float(ends.any(dim=1).float().mean()))
        lengths = (ends.long().cumsum(dim=1) - ends.long() == 0).sum(dim=1)  # END counted
        return self._weighted(batch.features, words, lengths, advantages), ()

    def train(self) -> None:
        """Made ready for training."""
        self.captioner.train()

    @property
    def limit(self) -> int:
        """Most words in a caption."""
        return self.captioner.vocabulary.max_words

    def figures(self) -> dict[str, float]:
        """Of the batches since the last call: mean reward, and share of captions that ended."""
        figures = {
            "reward": float(np.mean(self.rewards)),
            "finished": float(np.mean(self.finished)),
        }
        self.rewards, self.finished = [], []
        return figures

    def _draw(self, batch: PhotoBatch) -> tuple[Int[Tensor, "M T"], Int[Tensor, " M"]]:
        """K captions of each photo, side by side, and the photos' numbers."""
        K = self.config.samples
        seed = int(torch.randint(2**62, ()))  # of the run's random numbers
        draw = SearchConfig(sample=True, num_captions=K, max_words=self.limit, seed=seed)
        self.captioner.eval()  # what is drawn is drawn from the whole network
        found = self._search(batch.features, draw, batch.numbers.tolist())
        # The search ends what grew too long; that END is not the caption's own doing.
        return found.words.flatten(0, 1)[:, : self.limit].cpu(), batch.numbers.repeat_interleave(K)

    def _search(
        self,
        features: Float[Tensor, "P ..."],
        config: SearchConfig,
        numbers: Sequence[int] | None = None,
    ) -> Found:
        return search(*self.captioner.begin(features), config, numbers=numbers)

    def _baseline(self, batch: PhotoBatch, rewards: np.ndarray) -> np.ndarray:
        K = self.config.samples
        if self.config.baseline == "mean":
            of_photo = rewards.reshape(-1, K)
            others = (of_photo.sum(axis=1, keepdims=True) - of_photo) / (K - 1)
            return others.reshape(-1)
        greedy = SearchConfig(beam_size=1, max_words=self.limit)
        found = self._search(batch.features, greedy)
        return self.judge.score(
            found.words[:, 0, : self.limit].cpu().numpy(), batch.numbers.numpy()
        ).repeat(K)

    def _weighted(
        self,
        features: Float[Tensor, "P ..."],
        words: Int[Tensor, "M T"],
        lengths: Int[Tensor, " M"],
        advantages: Float[Tensor, " M"],
    ) -> Float[Tensor, ""]:
        decoder, device = self.captioner.decoder, features.device
        self.captioner.train()
        begun = torch.cat([torch.full_like(words[:, :1], START), words[:, :-1]], dim=1)
        weights = advantages.unsqueeze(1).repeat(1, words.shape[1])
        inputs, targets, packed = (
            pack_padded_sequence(part.to(device), lengths, batch_first=True, enforce_sorted=False)
            for part in (begun, words, weights)
        )
        photo = torch.arange(len(features), device=device)
        hidden, _ = decoder.read(features, photo.repeat_interleave(self.config.samples), inputs)
        return decoder.loss(hidden, targets, importance=packed.data, unsaid=UNSAID)
