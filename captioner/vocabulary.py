"""Captions -> words -> indices, and back."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from captioner.errors import InputError
from captioner.files import read_json, write_json

PAD, START, END, UNK = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
"""Their indices never change, so the network and the search can rely on them."""

Unit = Literal["word", "char"]
"""What a text is written in: words, or single characters."""


@lru_cache(maxsize=1)
def _tokeniser() -> Any:
    from nltk.tokenize import NLTKWordTokenizer  # rules alone, no data to download

    return NLTKWordTokenizer()


def tokenise(caption: str) -> list[str]:
    """A caption as the field counts its words: lower case, clitics apart, no punctuation.

    >>> tokenise("A man's dog doesn't jump; it sleeps ...")
    ['a', 'man', "'s", 'dog', 'does', "n't", 'jump', 'it', 'sleeps']
    """
    tokens = _tokeniser().tokenize(caption.lower().replace("’", "'"))
    return [
        word for token in tokens if (word := token.strip('"`“”‘.,:;!?()[]{}')) and _spoken(word)
    ]


def _spoken(word: str) -> bool:
    return any(character.isalnum() for character in word)


def readable(words: Iterable[str]) -> str:
    """Words as a person writes them; `tokenise` gives the same words back.

    >>> readable(["a", "man", "'s", "dog", "does", "n't", "jump"])
    "a man's dog doesn't jump"
    """
    return re.sub(r" ('s|'re|'ve|'ll|'d|'m|n't)\b", r"\1", " ".join(words))


SPLIT: dict[Unit, Callable[[str], list[str]]] = {"word": tokenise, "char": list}
JOIN: dict[Unit, Callable[[Iterable[str]], str]] = {"word": readable, "char": "".join}


def words_of(text: str) -> list[str]:
    """The words that `readable` put together; it needs no tokeniser.

    >>> words_of("a man's dog doesn't jump")
    ['a', 'man', "'s", 'dog', 'does', "n't", 'jump']
    """
    return re.sub(r"(?<=\w)('s|'re|'ve|'ll|'d|'m|n't)\b", r" \1", text).split()


@dataclass(frozen=True)
class Vocabulary:
    """The words that the network knows, by index.

    Args:
        words: All of them; the first four are PAD, START, END and UNK.
        max_words: Captions are cut after so many words, START and END not counted.
        unit: What its `words` are; those of captions are words, a language model's may be single
            characters.
    """

    words: tuple[str, ...]
    max_words: int = 16
    unit: Unit = "word"

    @classmethod
    def of(
        cls, captions: Iterable[str], min_count: int = 5, max_words: int = 16, unit: Unit = "word"
    ) -> "Vocabulary":
        """The words said at least `min_count` times, the most frequent first.

        >>> Vocabulary.of(["a dog", "a cat", "a dog runs"], min_count=2).words[4:]
        ('a', 'dog')
        """
        counts = Counter(word for caption in captions for word in SPLIT[unit](caption))
        kept = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        return cls((*SPECIAL, *(word for _, word in kept)), max_words, unit)

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each word."""
        return {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def split(self, text: str) -> list[str]:
        """The words of a text, or its characters."""
        return SPLIT[self.unit](text)

    def join(self, words: Iterable[str]) -> str:
        """The text of these words, or characters."""
        return JOIN[self.unit](words)

    def indices(self, words: Iterable[str]) -> list[int]:
        """The index of each word, UNK where it is unknown."""
        return [self.index.get(word, UNK) for word in words]

    def encode(self, caption: str) -> list[int]:
        """START, the words' indices (UNK where unknown), END.

        >>> Vocabulary.of(["a dog", "a dog"], min_count=2).encode("A dog barks.")
        [1, 4, 5, 3, 2]
        """
        return [START, *self.indices(self.split(caption)[: self.max_words]), END]

    def decode(self, indices: Sequence[int]) -> str:
        """The caption that the indices say, up to END.

        >>> Vocabulary.of(["a dog", "a dog"], min_count=2).decode([1, 4, 5, 2, 0, 0])
        'a dog'
        """
        words = []
        for index in indices:
            if index == END:
                break
            if index not in (PAD, START):
                words.append(self.words[index])
        return self.join(words)

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        value = {"unit": self.unit, "max_words": self.max_words, "words": list(self.words)}
        write_json(file, value)

    @classmethod
    def load(cls, file: Path) -> "Vocabulary":
        """Read it from JSON.

        Raises:
            InputError: if the file is missing or is no vocabulary.
        """
        value = read_json(file, "the vocabulary of a model")
        words = value.get("words") if isinstance(value, dict) else None
        max_words = value.get("max_words") if isinstance(value, dict) else None
        unit: Any = value.get("unit", "word") if isinstance(value, dict) else None
        if (
            not isinstance(words, list)
            or not all(isinstance(word, str) for word in words)
            or tuple(words[:4]) != SPECIAL
            or len(set(words)) != len(words)
            or not isinstance(max_words, int)
            or max_words < 1
            or unit not in get_args(Unit)
        ):
            raise InputError(f"{file}: not a vocabulary; save or fetch the model again")
        return cls(tuple(words), max_words, unit)
