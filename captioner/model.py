"""Captioner = encoder + decoder + vocabulary. The whole architecture, on one screen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from captioner.backbones import restore_backbone
from captioner.cells import State
from captioner.checkpoint import fill, read_model
from captioner.confidence import read_confidence, weights_of
from captioner.config import ModelConfig, Preprocessing
from captioner.consensus import read_consensus
from captioner.data import Batch
from captioner.decoders import DECODERS, GridDecoder, WordDecoder
from captioner.encoder import Encoder, moments
from captioner.errors import InputError
from captioner.extraction import Look, make_look
from captioner.folders import DEFAULT_MODEL, find_model
from captioner.images import check_preprocessing
from captioner.search import Member
from captioner.streaming import Caption, PhotoCaptioner, Watched
from captioner.vocabulary import Vocabulary

__all__ = ["Caption", "Captioner"]


class Captioner(PhotoCaptioner, nn.Module):
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
        self.decoder = DECODERS[config.decoder.kind](config.decoder, len(vocabulary))
        self.label_smoothing = 0.0
        """Of the loss in training; see `Decoder.loss`. Set by a run, not saved."""

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
        if saved.config.encoder.weights == "package":
            captioner.encoder.tuned = frozenset(cnn)
        captioner.confidence = read_confidence(folder)
        captioner.consensus = read_consensus(folder, weights_of(folder))
        return captioner.to(device).eval()

    @property
    def trained(self) -> nn.Module:
        """What learns: the decoder, the CNN stays as it is."""
        return self.decoder

    def set_dropout(self, share: float) -> None:
        """Train with another dropout than before."""
        decoder = replace(self.config.decoder, dropout=share)
        self.config = replace(self.config, decoder=decoder)
        self.decoder.config = decoder
        if isinstance(self.decoder, WordDecoder) and decoder.layers > 1:
            self.decoder.cell.dropout = share  # what cuDNN goes by

    def saved_tensors(self) -> dict[str, Tensor]:
        """All weights, but for those of the CNN that come in a package of its own."""
        mark = "encoder.backbone."
        packaged = self.config.encoder.weights == "package"
        return {
            key: value.detach().cpu()
            for key, value in self.state_dict().items()
            if not (packaged and key.startswith(mark))
            or key.removeprefix(mark) in self.encoder.tuned
        }

    def loss(self, batch: Batch, carried: State = ()) -> tuple[Float[Tensor, ""], State]:
        """Temporal softmax loss of true captions, computed on their real words alone.

        Args:
            batch: Captions and the features of their photos.
            carried: Nothing: each caption begins with its own photo.

        Returns:
            Nats per caption, and nothing to carry to the next batch.
        """
        hidden, penalty = self.decoder.read(batch.features, batch.photo, batch.words)
        penalty = penalty - penalty.detach()  # it is learned from, and not told as nats
        smoothing = self.label_smoothing if self.training else 0.0
        return self.decoder.loss(hidden, batch.targets, smoothing) + penalty, ()

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a photo before the CNN sees it."""
        return self.config.encoder.preprocessing

    @property
    def places(self) -> bool:
        """Whether the decoder looks at places rather than at their mean."""
        return self.decoder.places

    def make_look(self, photos: int) -> Look:
        """The fastest way to put about so many photos through the CNN."""
        return make_look(self.encoder, photos, self.places)

    def features(self, maps: np.ndarray) -> Tensor:
        """Maps (N, C) -> features (N, D), or of places (N, L, C) -> (N, L, D)."""
        if maps.ndim == 3 and not self.places:
            maps = maps.mean(axis=1, dtype=np.float32)
        with torch.inference_mode():
            tensor = torch.from_numpy(maps).to(self.decoder.embed.weight.device)
            return self.encoder.project(tensor.to(self.encoder.mean.dtype))

    def pooled(self, features: Float[Tensor, "N ..."]) -> Float[np.ndarray, "N D"]:
        """Mean and standard deviation over all places; of a single vector, itself."""
        return moments(features).cpu().numpy()

    def begin(self, features: Float[Tensor, "N ..."]) -> Member:
        """What a search takes: the decoder's step, its first state and its memory."""
        with torch.inference_mode():
            return self.decoder.step, self.decoder.start(features), self.decoder.memory(features)

    def watch(self, features: Float[Tensor, "N ..."]) -> Watched:
        """As `begin`, with a step that also tells where the decoder looked."""
        if not isinstance(self.decoder, GridDecoder):
            return super().watch(features)
        _, state, memory = self.begin(features)
        return self.decoder.look, state, memory
