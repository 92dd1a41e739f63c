"""Captioner = encoder + decoder + vocabulary. The whole architecture, on one screen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from captioner.backbones import restore_backbone
from captioner.cells import State
from captioner.checkpoint import DEFAULT_MODEL, fill, find_model, read_model
from captioner.config import ModelConfig
from captioner.data import Batch
from captioner.decoder import PooledDecoder
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.extraction import look_at, make_look
from captioner.images import Source, check_preprocessing
from captioner.losses import softmax_loss
from captioner.search import beam_search, greedy_search
from captioner.vocabulary import Vocabulary


@dataclass(frozen=True)
class Caption:
    """One caption of a photo and its log-probability in nats, END included."""

    caption: str
    log_prob: float


class Captioner(nn.Module):
    """Photos in, captions out.

        photo    -> encoder -> features (N, D) -> decoder.start -> state
        words so far, state -> decoder.step    -> log-probabilities of the next word

    Args:
        config: What the network is.
        vocabulary: The words that it knows.
        backbone: The CNN; without it the captioner works on cached maps alone.
    """

    def __init__(
        self, config: ModelConfig, vocabulary: Vocabulary, backbone: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.encoder = Encoder(config.encoder, backbone)
        self.decoder = PooledDecoder(config.decoder, len(vocabulary))
        self.rerank: Callable[[list[list[Caption]]], list[list[Caption]]] | None = None
        """Sorts the captions of each photo's beam anew, as `captioner.reranking.Reranker` does."""

    @classmethod
    def from_pretrained(
        cls, name: str | Path = DEFAULT_MODEL, device: str | torch.device = "cpu"
    ) -> "Captioner":
        """A trained captioner, ready to caption.

        Args:
            name: The folder of a model or of a run, or the name of a model of the package.
            device: Where it shall work.

        Raises:
            InputError: if there is no such model or its files are not whole.
        """
        folder = find_model(name)
        saved = read_model(folder, ModelConfig)
        tensors = {key: value.float() for key, value in saved.tensors.items()}
        mark = "encoder.backbone."
        cnn = {
            key.removeprefix(mark): tensors.pop(key)
            for key in list(tensors)
            if key.startswith(mark)
        }
        try:
            check_preprocessing(saved.config.encoder.preprocessing)
            captioner = cls(saved.config, saved.vocabulary)
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{folder / 'config.json'}: these settings cannot be used "
                f"({str(error).splitlines()[0][:200]}); fetch or save the model again"
            ) from None
        fill(captioner, tensors, folder)
        captioner.encoder.attach(restore_backbone(saved.config.encoder, cnn))
        return captioner.to(device).eval()

    def saved_tensors(self) -> dict[str, Tensor]:
        """All weights, but for those of a CNN that comes in a package of its own."""
        packaged = self.config.encoder.weights == "package"
        return {
            key: value.detach().cpu()
            for key, value in self.state_dict().items()
            if not (packaged and key.startswith("encoder.backbone."))
        }

    def loss(self, batch: Batch, carried: State = ()) -> tuple[Float[Tensor, ""], State]:
        """Temporal softmax loss of true captions, computed on their real words alone.

        Args:
            batch: Captions and the maps of their photos.
            carried: Nothing: each caption begins with its own photo.

        Returns:
            Nats per caption, and nothing to carry to the next batch.
        """
        state = self.decoder.start(self.encoder.project(batch.maps))
        scores, _ = self.decoder.packed_scores(state, batch.words)
        return softmax_loss(scores.data, batch.targets.data, num_captions=len(batch.maps)), ()

    def search(
        self, maps: Float[Tensor, "N C"], beam_size: int = 3, num_captions: int = 1
    ) -> list[list[Caption]]:
        """The best captions of photos whose pooled maps are known, the best first."""
        state = self.decoder.start(self.encoder.project(maps))
        limit = self.vocabulary.max_words
        if beam_size == 1:
            found = greedy_search(self.decoder.step, state, limit)
        else:
            kept = beam_size if self.rerank else num_captions
            found = beam_search(self.decoder.step, state, beam_size, limit, kept)
        captions = [
            [
                Caption(self.vocabulary.decode(indices), log_prob)
                for indices, log_prob in zip(photo_words, photo_log_probs, strict=True)
                if log_prob > float("-inf")
            ]
            for photo_words, photo_log_probs in zip(
                found.words.tolist(), found.log_probs.tolist(), strict=True
            )
        ]
        if self.rerank:
            captions = [of_photo[:num_captions] for of_photo in self.rerank(captions)]
        return captions

    @torch.inference_mode()
    def stream(
        self,
        sources: Sequence[Source] | Iterable[Source],
        beam_size: int = 3,
        num_captions: int = 1,
        batch_size: int = 64,
    ) -> Iterator[list[Caption] | InputError]:
        """Captions of each photo in turn, or the error of one that cannot be read.

        Photos are decoded in parallel with the network, and captioned in batches.
        """
        number = len(sources) if isinstance(sources, Sequence) else batch_size
        look = make_look(self.encoder, number)
        pending: list[np.ndarray | InputError] = []
        for seen, maps, errors in look_at(sources, look, self.config.encoder.preprocessing):
            found = dict(zip(seen, maps, strict=True)) | errors
            pending.extend(found[i] for i in sorted(found))
            if len(pending) >= batch_size:
                yield from self._caption(pending, beam_size, num_captions)
                pending = []
        yield from self._caption(pending, beam_size, num_captions)

    def _caption(
        self, pending: list[np.ndarray | InputError], beam_size: int, num_captions: int
    ) -> Iterator[list[Caption] | InputError]:
        maps = [item for item in pending if not isinstance(item, InputError)]
        device = self.decoder.embed.weight.device
        captions = iter(
            self.search(torch.from_numpy(np.stack(maps)).to(device), beam_size, num_captions)
            if maps
            else ()
        )
        for item in pending:
            yield item if isinstance(item, InputError) else next(captions)

    def __call__(self, photos, beam_size: int = 3):  # type: ignore[override]
        """The best caption of a photo, or of each of a list of photos.

        Args:
            photos: Path, PIL image, array (H, W, 3) or bytes of a file; or a list of these.
            beam_size: Beams of the search.

        Raises:
            InputError: if a photo cannot be read.
        """
        alone = not isinstance(photos, list | tuple)
        captions = []
        for result in self.stream([photos] if alone else photos, beam_size):
            if isinstance(result, InputError):
                raise result
            captions.append(result[0].caption)
        return captions[0] if alone else captions
