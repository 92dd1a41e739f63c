"""Which words of a caption and of a reference belong together."""

from collections.abc import Sequence
from typing import NamedTuple

from captioner.metrics.meteor.score import WEIGHTS
from captioner.metrics.meteor.words import LONGEST, Words

BEAM = 40
"""Partial alignments that are followed at a time, as in METEOR."""

EXACT, STEM, SYNONYM, PARAPHRASE = range(4)


class Match(NamedTuple):
    """Words that may belong together."""

    begin: int
    """First word in the reference."""
    length: int
    """Words there."""
    own_begin: int
    """First word in the caption."""
    own_length: int
    """Words there."""
    matcher: int
    """EXACT, STEM, SYNONYM or PARAPHRASE."""


class _Path(NamedTuple):
    """A partial alignment, of the reference up to some word."""

    weight: int
    chunks: int
    distance: int
    last: int
    """Where the chunk goes on in the caption; -1 after a word without a match."""
    own_used: int
    used: int
    matches: tuple[Match, ...]
    until: int
    """The first word of the reference that is not done with."""

    def rank(self) -> tuple[int, int, int, int]:
        return -self.weight, self.chunks, -len(self.matches), self.distance

    def add(self, match: Match) -> "_Path":
        begin, length, own_begin, own_length, matcher = match
        # METEOR adds them up in a whole number: a single word counts only where it is exact.
        gain = int(length * WEIGHTS[matcher]) + int(own_length * WEIGHTS[matcher])
        return _Path(
            self.weight + gain,
            self.chunks + (own_begin != self.last),
            self.distance + abs(begin - own_begin),
            own_begin + own_length,
            self.own_used | _bits(own_begin, own_length),
            self.used | _bits(begin, length),
            (*self.matches, match),
            begin + length,
        )


def align(caption: Sequence[str], reference: Sequence[str], words: Words) -> tuple[Match, ...]:
    """The best alignment of two captions that a beam search finds.

    Every word belongs to one match at most. Matches that nothing competes with are taken. Of the
    rest, that alignment is looked for which covers most words, has the fewest chunks, the most
    matches, and whose matches are the least far from one another (Denkowski and Lavie 2011, "Meteor
    1.3", section 2.1).

    Args:
        caption: Its words.
        reference: Those of a human caption.
        words: What is known about words.

    Example: without lists of words "dogs" still has the stem of "dog".

        >>> found = align("two dogs run".split(), "a dog runs fast".split(), Words(None))
        >>> [(match.own_begin, match.begin, match.matcher) for match in found]
        [(1, 1, 1), (2, 2, 1)]
    """
    candidates = find_matches(caption, reference, words)
    paths = [_start(candidates, len(caption), len(reference))]
    certain = {match.begin: match for match in paths[0].matches}
    paths = [paths[0]._replace(matches=())]
    for place, here in enumerate(candidates):
        following: list[_Path] = []
        for path in paths:
            if path.until > place:
                following.append(path)
            elif place in certain:
                following.append(path.add(certain[place]))
            else:
                following += [path.add(match) for match in here if _is_free(match, path)]
                following.append(path._replace(last=-1, until=place + 1))
        paths = sorted(following, key=_Path.rank)[:BEAM]
    return paths[0].matches


def find_matches(
    caption: Sequence[str], reference: Sequence[str], words: Words
) -> list[list[Match]]:
    """All words and phrases that may belong together, by where they begin in the reference."""
    found: list[list[Match]] = [[] for _ in reference]
    stems, own_stems = map(words.stem, reference), [words.stem(word) for word in caption]
    for begin, (word, stem) in enumerate(zip(reference, stems, strict=True)):
        synsets = words.synsets(word)
        same, likely, alike = [], [], []
        for own, other in enumerate(caption):
            if other == word:
                same.append(Match(begin, 1, own, 1, EXACT))
                continue
            if own_stems[own] == stem:
                likely.append(Match(begin, 1, own, 1, STEM))
            if not synsets.isdisjoint(words.synsets(other)):
                alike.append(Match(begin, 1, own, 1, SYNONYM))
        found[begin] = [*same, *likely, *alike]
    for begin, length, own, own_length in _paraphrases(reference, caption, words):
        found[begin].append(Match(begin, length, own, own_length, PARAPHRASE))
    for own, own_length, begin, length in _paraphrases(caption, reference, words):
        found[begin].append(Match(begin, length, own, own_length, PARAPHRASE))
    return found


def _paraphrases(
    words: Sequence[str], others: Sequence[str], known: Words
) -> list[tuple[int, int, int, int]]:
    """Phrases of one text, and where the other text has a paraphrase of them."""
    found = []
    for begin in range(len(words) if known.paraphrases else 0):
        for length in range(1, min(LONGEST, len(words) - begin) + 1):
            for phrase in known.paraphrases.get(" ".join(words[begin : begin + length]), ()):
                told = phrase.split()
                for at in range(len(others) - len(told) + 1):
                    if list(others[at : at + len(told)]) == told:
                        found.append((begin, length, at, len(told)))
    return found


def _start(candidates: list[list[Match]], own_length: int, length: int) -> _Path:
    """The matches that nothing competes with, and the words that they take."""
    own_count, count = [0] * own_length, [0] * length
    for match in (match for here in candidates for match in here):
        for word in range(match.own_begin, match.own_begin + match.own_length):
            own_count[word] += 1
        for word in range(match.begin, match.begin + match.length):
            count[word] += 1
    path = _Path(0, 0, 0, -1, 0, 0, (), 0)
    for here in candidates:
        for match in here:
            begin, size, own_begin, own_size, _ = match
            if {*count[begin : begin + size], *own_count[own_begin : own_begin + own_size]} == {1}:
                path = path.add(match)
    return _Path(0, 0, 0, -1, path.own_used, path.used, path.matches, 0)


def _is_free(match: Match, path: _Path) -> bool:
    begin, length, own_begin, own_length, _ = match
    return not (path.own_used & _bits(own_begin, own_length) or path.used & _bits(begin, length))


def _bits(begin: int, length: int) -> int:
    return ((1 << length) - 1) << begin
