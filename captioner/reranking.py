"""A second opinion on the captions of a beam: a language model's."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from captioner.language import LanguageModel
from captioner.vocabulary import tokenise

if TYPE_CHECKING:
    from captioner.model import Caption


@dataclass(frozen=True)
class Reranker:
    """Sorts the captions of each photo anew, by

        log P(caption | photo) / words + weight * log P(caption) / words

    A weight above nought prefers what people often say (shallow fusion with a beam's finished
    captions; Gulcehre et al. 2015, arXiv:1503.03535). One below nought prefers what is said of this
    photo rather than of any (maximum mutual information; Li et al. 2016, arXiv:1510.03055, eq. 10).

    Args:
        model: Of the language of captions.
        weight: How much its opinion counts.
    """

    model: LanguageModel
    weight: float
    known: dict[str, float] = field(default_factory=dict)
    """What it has said of texts already; several can share it."""

    def __call__(self, found: "list[list[Caption]]") -> "list[list[Caption]]":
        """The captions of each photo, the best first; their `log_prob` stay the captioner's."""
        texts = {caption.caption for of_photo in found for caption in of_photo}
        new = sorted(texts - self.known.keys())
        for score in self.model.score(new):
            self.known[score.text] = score.log_prob

        def value(caption: "Caption") -> float:
            words = len(tokenise(caption.caption)) + 1  # and END
            log_prob = caption.log_prob + self.weight * self.known[caption.caption]
            return log_prob / words

        return [sorted(of_photo, key=value, reverse=True) for of_photo in found]
