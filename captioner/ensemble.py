"""Several captioners that write one caption together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from captioner.config import Preprocessing
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.extraction import Look
from captioner.model import Captioner
from captioner.search import Member, joint_step
from captioner.streaming import PhotoCaptioner


class Ensemble(PhotoCaptioner):
    """Captioners that look through one CNN and vote for each next word.

        P(word) = mean over the captioners of P_i(word)

    (Vinyals et al. 2015, arXiv:1411.4555, section 4.3.) They may differ in all else: decoder,
    cell, sizes and seed.

    Args:
        members: The captioners.

    Raises:
        InputError: if they do not share vocabulary and CNN.
    """

    def __init__(self, members: Sequence[Captioner]) -> None:
        first = members[0]
        for other in members[1:]:
            if other.vocabulary.words != first.vocabulary.words:
                raise InputError("captioners of an ensemble must share their vocabulary")
            if _eyes(other.encoder) != _eyes(first.encoder):
                raise InputError("captioners of an ensemble must share their CNN and its settings")
        self.members = list(members)
        self.vocabulary = first.vocabulary
        self.rerank = None
        self.consensus = first.consensus

    @property
    def encoder(self) -> Encoder:
        """The CNN of all of them, with the projection of the first."""
        return self.members[0].encoder

    @property
    def places(self) -> bool:
        """Whether one of them looks at places."""
        return any(member.places for member in self.members)

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a photo first."""
        return self.members[0].preprocessing

    def make_look(self, photos: int) -> Look:
        """The CNN that they share."""
        from captioner.extraction import make_look

        return make_look(self.encoder, photos, self.places)

    def features(self, maps: np.ndarray) -> list[Tensor]:
        """The maps under the projection of each of them."""
        return [member.features(maps) for member in self.members]

    def pooled(self, features: list[Tensor]) -> Float[np.ndarray, "N D"]:
        """As of the first of them."""
        return self.members[0].pooled(features[0])

    def begin(self, features: list[Tensor]) -> Member:
        """One step out of theirs."""
        pairs = zip(self.members, features, strict=True)
        return joint_step([member.begin(of_member) for member, of_member in pairs])


def _eyes(encoder: Encoder) -> tuple[object, ...]:
    config = encoder.config
    return config.backbone, config.weights_sha256, config.maps, config.preprocessing
