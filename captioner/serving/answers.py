"""What is asked for, and what is answered: the settings and the JSON of the HTTP interface."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from captioner.config import SearchConfig
from captioner.explaining import Word
from captioner.serving.limits import RefusedError
from captioner.serving.worker import Found


class Settings(BaseModel):
    """How captions are looked for; the words are those of `captioner caption`."""

    model_config = ConfigDict(extra="forbid")

    beam_size: int = Field(0, ge=0, le=50, description="Beams; 1 is greedy, 0 the model's choice.")
    num_captions: int = Field(1, ge=1, le=20, description="Captions of each photo.")
    sample: bool = Field(False, description="Draw each word by lot, in place of beams.")
    temperature: float = Field(1.0, ge=0, le=10, description="Of sampling: below 1 more likely.")
    top_k: int = Field(0, ge=0, description="Of sampling: among so many likeliest words; 0 all.")
    top_p: float = Field(1.0, gt=0, le=1, description="Of sampling: among those of this share.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of sampling: same seed, same captions.")
    explain: bool = Field(False, description="Tell about each word: chance, others, attention.")

    def search(self) -> SearchConfig:
        """The same as the search takes it.

        Raises:
            RefusedError: 422, if they do not go together.
        """
        try:
            return SearchConfig(**self.model_dump(exclude={"explain"}))
        except ValueError as error:
            raise RefusedError(422, str(error)) from None


def read_settings(fields: dict[str, list[str]]) -> Settings:
    """The settings in the fields of a form.

    Raises:
        RefusedError: 422, naming each field that is unknown or cannot be used.

    Example:

        >>> read_settings({"beam_size": ["5"]}).beam_size
        5
    """
    twice = [name for name, values in fields.items() if len(values) > 1]
    if twice:
        raise RefusedError(422, f"given more than once: {', '.join(twice)}")
    try:
        return Settings.model_validate({name: value for name, (value,) in fields.items()})
    except ValidationError as error:
        known = ", ".join(Settings.model_fields)
        problems = [
            f"{'.'.join(map(str, one['loc']))}: "
            + (f"unknown; known are {known}" if one["type"] == "extra_forbidden" else one["msg"])
            for one in error.errors()
        ]
        raise RefusedError(422, "; ".join(problems)) from None


class LikelyWord(BaseModel):
    """A word that might have come."""

    word: str = Field(description="Empty where the caption might have ended.")
    probability: float


class SaidWord(LikelyWord):
    """A word of a caption, or its end."""

    likeliest: list[LikelyWord] = Field(description="The likeliest words here, the best first.")
    attention: list[list[float]] | None = Field(
        None, description="Of each row and column of the photo; none where the model looks at none."
    )


class OneCaption(BaseModel):
    """A caption of a photo."""

    caption: str
    log_prob: float = Field(description="In nats, the caption's end included.")
    confidence: float | None = Field(
        None, description="Chance that the caption is good; none where nobody knows."
    )
    words: list[SaidWord] | None = Field(None, description="Where explain was asked for.")


class Problem(BaseModel):
    """Why something was not served."""

    status: int = Field(description="As of HTTP.")
    message: str


class OnePhoto(BaseModel):
    """A photo: its captions, or why it has none."""

    name: str
    captions: list[OneCaption] | None = Field(None, description="The best first.")
    error: Problem | None = None


class Answer(BaseModel):
    """The photos in the order in which they came: files, then links."""

    model: str
    photos: list[OnePhoto]


class Failure(BaseModel):
    """What is answered where nothing was served."""

    error: Problem
    photos: list[OnePhoto] | None = Field(None, description="Where each has an error of its own.")


def answer_of(name: str, found: Found) -> OnePhoto:
    """The captions of a photo, with what is known of their words."""
    captions, words = found
    told = [[_said(word) for word in of] for of in words] if words else [None] * len(captions)
    return OnePhoto(
        name=name,
        error=None,
        captions=[
            OneCaption(
                caption=caption.caption,
                log_prob=round(caption.log_prob, 4),
                confidence=None if caption.confidence is None else round(caption.confidence, 4),
                words=of_caption,
            )
            for caption, of_caption in zip(captions, told, strict=True)
        ],
    )


def refusal_of(name: str, refused: RefusedError) -> OnePhoto:
    """A photo without captions."""
    return OnePhoto(
        name=name, captions=None, error=Problem(status=refused.status, message=refused.message)
    )


def _said(word: Word) -> SaidWord:
    attention: Any = word.attention
    return SaidWord(
        word=word.word,
        probability=_rounded(word.probability),
        likeliest=[LikelyWord(word=w, probability=_rounded(p)) for w, p in word.likeliest],
        attention=None if attention is None else np.round(attention.astype(float), 4).tolist(),
    )


def _rounded(chance: float) -> float:
    return round(float(chance), 4)
