"""What METEOR knows about words: how a line is split, stems, synonyms, function words, paraphrases.

The lists of synonyms (WordNet), function words and paraphrases are not captioner's: they are read
from the package pycocoevalcap where that is installed. Without it words have stems alone.
"""

import gzip
import importlib.util
import re
import zipfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from captioner.errors import InputError

LONGEST = 7
"""Words in a phrase of the paraphrases."""

ENDINGS = (
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
    ("men", "man"), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
    ("ing", ""), ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
)  # fmt: skip
"""How WordNet's Morphy leads an inflected word back; the first that gives a word of WordNet."""

_LATIN = "0-9A-Za-zÀ-ÖØ-öø-\u024f\u0400-\u04ff"
_STEPS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-(lrb|rrb|lsb|rsb|lcb|rcb)-", r" -\1- "),
        (rf"([^{_LATIN}\s.'`,-])", r" \1 "),
        (r"(\D),(?=.)|,(?=\D)", r"\1 , "),
        (rf"([^{_LATIN}])'|^'", r"\1 ' "),
        (rf"([{_LATIN}])'(?=[{_LATIN}])", r"\1 '"),
        (r"'(?=\s|$)", " ' "),
        (rf"([{_LATIN}])-([{_LATIN}])", r"\1 \2"),
        (r"\b(\w+(?:\.\w)+)\.(?!\w)", lambda match: match[1].replace(".", "")),
        (r"\.$", " ."),
    )
)


def find_package() -> Path | None:
    """The folder of pycocoevalcap, if it is installed."""
    try:
        spec = importlib.util.find_spec("pycocoevalcap")
    except ImportError:
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def normalise(line: str) -> list[str]:
    """The words of a line as METEOR counts them, from words as the COCO scorer splits them.

    >>> normalise("a t-shirt is n't in the u.s.")
    ['a', 't', 'shirt', 'is', 'n', "'t", 'in', 'the', 'us']
    """
    line = line.lower()
    if not line.replace(" ", "").isalpha() or not line.isascii():
        for pattern, replacement in _STEPS:
            line = pattern.sub(replacement, line)
    return line.split()


class Words:
    """What is known about words.

    Args:
        package: Folder of pycocoevalcap, or None to do without its lists.

    Raises:
        InputError: if NLTK is not installed, or the package is not whole.
    """

    def __init__(self, package: Path | None) -> None:
        try:
            from nltk.stem.snowball import SnowballStemmer
        except ModuleNotFoundError:
            raise InputError(
                "METEOR needs NLTK for stems: pip install 'captioner[meteor]' brings it"
            ) from None
        self._snowball = SnowballStemmer("english")
        self._stems: dict[str, str] = {}
        self._synsets: dict[str, frozenset[str]] = {}
        self._package = package
        self.functions = frozenset(self._read("function/english.words").split())
        self.paraphrases: dict[str, list[str]] = {}

    def stem(self, word: str) -> str:
        """The stem of a word (Porter's English stemmer of Snowball)."""
        if word not in self._stems:
            self._stems[word] = self._snowball.stem(word)
        return self._stems[word]

    def synsets(self, word: str) -> frozenset[str]:
        """Sets of synonyms of WordNet that the word, or what it is a form of, belongs to."""
        if word not in self._synsets:
            forms = [word, *self._bases(word)]
            self._synsets[word] = frozenset().union(*(self._known.get(f, ()) for f in forms))
        return self._synsets[word]

    def learn_paraphrases(self, lines: Iterable[list[str]]) -> None:
        """Read those paraphrases whose both sides are in these lines, in place of any before.

        It takes some ten seconds: there are five million.
        """
        if self._package is None:
            return
        from tqdm import tqdm

        phrases = {
            " ".join(words[first : first + length])
            for words in lines
            for length in range(1, LONGEST + 1)
            for first in range(len(words) - length + 1)
        }
        file = self._package / "meteor" / "data" / "paraphrase-en.gz"
        found: dict[str, list[str]] = {}
        try:
            with gzip.open(file, "rt", encoding="utf-8") as opened:
                rows = (line[:-1] for line in opened)
                triples = zip(rows, rows, rows, strict=False)  # probability, phrase, phrase
                for _, phrase, other in tqdm(
                    triples, desc="Paraphrases", delay=2, disable=None, unit_scale=True
                ):
                    if phrase in phrases and other in phrases:
                        found.setdefault(phrase, []).append(other)
        except OSError as error:
            raise InputError(
                f"{file}: cannot be read ({error}); install pycocoevalcap once more"
            ) from None
        self.paraphrases = found

    def _bases(self, word: str) -> list[str]:
        if word in self._irregular:
            return self._irregular[word]
        if len(word) < 3 or word.endswith("ss"):
            return []
        for ending, instead in ENDINGS:
            base = word.removesuffix(ending) + instead
            if word.endswith(ending) and base in self._known:
                return [base]
        return []

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        return {word: numbers.split() for word, numbers in self._pairs("english.synsets")}

    @cached_property
    def _irregular(self) -> dict[str, list[str]]:
        bases: dict[str, list[str]] = {}
        for base, forms in self._pairs("english.exceptions"):
            for form in forms.split():
                bases.setdefault(form, []).append(base)
        return bases

    def _pairs(self, name: str) -> Iterator[tuple[str, str]]:
        lines = self._read(f"synonym/{name}").splitlines()
        return zip(lines[::2], lines[1::2], strict=False)

    def _read(self, name: str) -> str:
        if self._package is None:
            return ""
        file = self._package / "meteor" / "meteor-1.5.jar"
        try:
            with zipfile.ZipFile(file) as jar:
                return jar.read(name).decode("utf-8", errors="replace")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{file}: cannot be read ({error}); install pycocoevalcap once more"
            ) from None
