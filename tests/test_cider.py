"""CIDEr-D from whole numbers against CIDEr-D from dictionaries, strings and word indices alike."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest

from benchmarks.plain.ngrams import PlainReward
from captioner.metrics import CiderD, CiderReward, count_documents, reward
from captioner.metrics.ngrams import (
    BREAK,
    PAD,
    SPREAD,
    KeyTable,
    NgramIndex,
    look_up_words,
    number_words,
)

Texts = Sequence[Sequence[str]]
END = 2
UNUSED = 9999
"""A word that no reference has."""


def ngrams_of(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def score_plainly(
    captions: Iterable[str],
    references: Texts,
    photos: Iterable[int] | None = None,
    frequencies: tuple[Mapping, int] | None = None,
) -> tuple[list[float], list[float]]:
    """CIDEr-D and plain CIDEr of each caption, formula by formula (arXiv:1411.5726)."""
    documents, num_photos = frequencies or count_documents(references)

    def weigh(text: str, n: int) -> dict[tuple[str, ...], float]:
        return {
            ngram: count * math.log(num_photos / max(1, documents.get(ngram, 0)))
            for ngram, count in ngrams_of(text, n).items()
        }

    clipped, plain = [], []
    for caption, photo in zip(captions, photos or range(len(references)), strict=True):
        sums = [0.0, 0.0]
        for reference in references[photo]:
            far = len(caption.split()) - len(reference.split())
            for n in (1, 2, 3, 4):
                ours, theirs = weigh(caption, n), weigh(reference, n)
                norm = math.hypot(*ours.values()) * math.hypot(*theirs.values()) or 1
                least = sum(min(ours[w], theirs[w]) * theirs[w] for w in ours.keys() & theirs)
                product = sum(ours[w] * theirs[w] for w in ours.keys() & theirs)
                sums[0] += math.exp(-(far**2) / 72) * least / norm
                sums[1] += product / norm
        clipped.append(10 * sums[0] / 4 / len(references[photo]))
        plain.append(10 * sums[1] / 4 / len(references[photo]))
    return clipped, plain


def make_corpus(seed: int, num_words: int = 9, longest: int = 14) -> tuple[list[str], Texts]:
    """A caption for each of 30 photos with one to five references; some are empty, some equal."""
    generator = np.random.default_rng(seed)

    def write(words: int) -> str:
        length = generator.integers(0, longest + 1)
        return " ".join(f"w{word}" for word in generator.integers(words, size=length))

    references = [[write(num_words) for _ in range(generator.integers(1, 6))] for _ in range(30)]
    captions = [write(num_words + 2) for _ in range(29)]
    return [*captions, references[-1][0]], references


def check(
    captions: Sequence[str], references: Texts, photos: list[int] | None = None, given=None
) -> np.ndarray:
    scorer = CiderD(references, given)
    clipped, plain = score_plainly(captions, references, photos, given)
    scores = scorer.score(captions, photos)
    np.testing.assert_allclose(scores, clipped, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scorer.score_plain(captions, photos), plain, rtol=0, atol=1e-9)
    return scores


@pytest.mark.parametrize("seed", range(6))
def test_scores_equal_dictionaries(seed: int) -> None:
    captions, references = make_corpus(seed, num_words=3 + 4 * seed)
    assert check(captions, references).max() > 1
    photos = np.random.default_rng(seed).integers(30, size=30).tolist()
    check(captions, references, photos)
    check(captions, references, photos, count_documents(references[:20] + make_corpus(9)[1]))


@pytest.mark.parametrize("seed", range(2))
def test_scores_equal_coco_caption_where_words_repeat_often(seed: int) -> None:
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    captions, references = make_corpus(seed, num_words=3, longest=400)
    captions[:4] = ["w0 " * 300, "w0 w1 " * 200, "unheard " * 257, ""]
    references[0] = ["w0 " * 290, "w0 w1"]
    scorer = CiderScorer()
    for caption, photo in zip(captions, references, strict=True):
        scorer += (caption, photo)
    expected = scorer.compute_score()[1]
    assert expected[0] > 0.001
    np.testing.assert_allclose(CiderD(references).score(captions), expected, rtol=0, atol=1e-9)


def test_words_need_not_fit_into_sixteen_bits() -> None:
    """Of 80,000 words each pair is one of its own, so cut or mixed-up numbers would be seen."""
    generator = np.random.default_rng(0)
    order = generator.permutation(80_000).reshape(200, 5, 80)
    references = [[" ".join(map(str, text)) for text in photo] for photo in order]
    captions = [" ".join(map(str, photo[0, 10:20])) for photo in order]
    captions[100:] = [" ".join(map(str, photo[0, 19:9:-1])) for photo in order[100:]]
    scores = check(captions, references)
    assert len(number_words([text for photo in references for text in photo])[1]) == 80_000
    assert scores[:100].min() > scores[100:].max() > 0


def test_frequencies_may_name_ngrams_that_no_reference_has() -> None:
    references = [["a dog runs", "the dog"], ["a cat"]]
    captions = ["two cats run by", "a dog runs by"]
    known = {("two",): 3, ("two", "cats"): 2, ("dog",): 4, ("a", "dog", "runs", "by"): 1, (): 5}
    scores = check(captions, references, given=(known, 10))
    assert scores[1] != check(captions, references, given=(known | {("dog",): 9}, 10))[1]
    check(captions, references, given=({}, 10))


@pytest.mark.parametrize("references", [[[""], [""]], [["a"], ["a"]], [["", "a dog"], ["", ""]]])
def test_what_weighs_nothing_scores_nothing(references: Texts) -> None:
    assert check(["", "a"], references).tolist() == [0, 0]
    assert CiderD(references).score([], []).shape == (0,)


def test_unknown_words_are_told_apart() -> None:
    """Two unknown words make a longer vector than one that is said twice makes a short one."""
    scorer = CiderD([["a dog runs"], ["the cat"]])
    apart, twice = scorer.score(["a dog yaps barks", "a dog yaps yaps"], [0, 0])
    assert apart > twice > 0
    check(["a dog yaps barks", "yaps yaps"], [["a dog runs"], ["the cat yaps"]])


def test_any_word_may_be_said() -> None:
    """Zero bytes too, which the scorer marks breaks with where no one says them."""
    references = [["a \0 dog", "\0\0 runs"], ["a\tcat\n\n sits \0"]]
    assert check(["\0 dog \0\0\0", "a cat  sits"], references).min() > 0


def test_neither_company_nor_order_nor_blocks_change_a_digit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    captions, references = make_corpus(3, longest=25)
    scorer = CiderD(references)
    scores = scorer.score(captions).tolist()
    assert [scorer.score([text], [i])[0] for i, text in enumerate(captions)] == scores
    backwards = list(range(30))[::-1]
    assert scorer.score(captions[::-1], backwards).tolist() == scores[::-1]
    long = [*captions, "w1 " * 500]
    assert scorer.score(long, [*range(30), 0]).tolist()[:-1] == scores
    monkeypatch.setattr(reward, "PAIRS", 5000)
    assert scorer.score(captions).tolist() == scores


def test_keys_are_found_and_others_are_not() -> None:
    """Keys of neighbouring hashes share leading bits, and the last ones overflow the table."""
    generator = np.random.default_rng(0)
    inverse = pow(int(SPREAD), -1, 2**64)
    near_the_end = [hashed * inverse % 2**64 for hashed in range(2**64 - 300, 2**64)]
    near_another = [hashed * inverse % 2**64 for hashed in range(2**63, 2**63 + 300)]
    crowded = [key for key in near_the_end + near_another if key < 2**63]
    keys = np.unique(np.append(generator.integers(2**63, size=500), crowded).astype(np.int64))
    generator.shuffle(keys)
    table = KeyTable(keys[::2])
    assert len(set(table.slots.tolist())) == len(keys[::2])
    assert table.size > table.slots.max() >= 2 ** (2 * len(table.slots)).bit_length()
    assert table.find(keys[::2]).tolist() == table.slots.tolist()
    assert set(table.find(keys[1::2]).tolist()) == {-1}
    assert inverse < 2**63, "a key would have the hash that stands for an empty slot"
    assert KeyTable(keys[:0]).find(keys[:2]).tolist() == [-1, -1]


def test_ngrams_of_the_highest_words_are_told_apart() -> None:
    """Words of 31 bits that differ in the highest ones, where sums and products may overflow."""
    generator = np.random.default_rng(0)
    words = generator.choice([1, 1 + 2**29, 1 + 2**30, 2**31 - 1], size=200)
    words[::9] = BREAK
    words[-1] = BREAK
    index = NgramIndex(words, 2**31)
    for n, (places, numbers) in enumerate(index.ngrams, start=1):
        said = [tuple(words[place : place + n]) for place in places]
        assert len(set(zip(said, numbers.tolist(), strict=True))) == len(set(said))
        assert len(set(numbers.tolist())) == len(set(said))
    found = [set(ngrams.places.tolist()) for ngrams in index.find(words[:, None])]
    assert found == [set(ngrams.places.tolist()) for ngrams in index.ngrams]
    with pytest.raises(ValueError, match="not 2147483648"):
        NgramIndex(words, 2**31 + 1)


def test_words_are_looked_up_as_they_were_numbered() -> None:
    sentences = ["a dog", "", "a cat sits"]
    words, numbers = number_words(sentences)
    assert look_up_words(sentences, numbers).tolist() == words.tolist()
    assert look_up_words(["cows cows see"], numbers).tolist() == [5, 5, 6, BREAK]
    assert numbers == {"a": 1, "dog": 2, "cat": 3, "sits": 4}
    assert PAD not in words


def make_samples(seed: int) -> tuple[list[list[list[int]]], np.ndarray, np.ndarray]:
    """References of 25 photos, and 60 captions (60, 13): 6 at least lack END, one is empty."""
    generator = np.random.default_rng(seed)

    def write() -> list[int]:
        return generator.integers(4, 15, size=generator.integers(1, 14)).tolist()

    references = [[write() for _ in range(generator.integers(1, 6))] for _ in range(25)]
    words = generator.integers(3, 17, size=(60, 13))
    words[:30, :4] = [(references[i % 25][0] * 4)[:4] for i in range(30)]
    words[:3] = UNUSED
    for row, length in zip(words[6:], generator.integers(0, 13, size=54), strict=True):
        row[length:] = [END, *[0] * (12 - length)]
    words[-1] = [END, *[0] * 12]
    return references, words, np.arange(60) % 25


def write_out(words: Sequence[int], count_end: bool) -> str:
    """A caption as `CiderD` reads it."""
    words = list(words)
    kept = words[: words.index(END) + count_end] if END in words else words
    return " ".join(map(str, kept))


@pytest.mark.parametrize("count_end", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_reward_is_cider_d_of_the_same_words(seed: int, count_end: bool) -> None:
    references, words, photos = make_samples(seed)
    scores = CiderReward(references, END, count_end).score(words, photos)
    written = [[write_out([*text, END], count_end) for text in photo] for photo in references]
    captions = [write_out(row, count_end) for row in words.tolist()]
    expected = CiderD(written).score(captions, photos.tolist())
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        scores, score_plainly(captions, written, photos.tolist())[0], rtol=0, atol=1e-9
    )
    assert scores.dtype == np.float64
    assert scores.max() > 1
    assert scores[:3].max() == 0


def test_the_reward_equals_the_plain_one() -> None:
    references, words, photos = make_samples(5)
    plain = PlainReward(references, END).score(words, photos)
    np.testing.assert_allclose(
        CiderReward(references, END).score(words, photos), plain, rtol=0, atol=1e-9
    )
    assert plain.max() > 1


def test_an_ending_that_is_right_is_rewarded() -> None:
    """Off after "on a", a caption has two wrong pairs at its end if END counts, none if not."""
    references = [[[4, 5, 6, 7, 8]], [[9, 10]], [[11, 12]]]
    cut = np.array([[4, 5, 6, 7, END, 0], [4, 5, 6, 7, 8, END]])
    with_end, without = (
        CiderReward(references, END, count_end).score(cut, np.array([0, 0]))
        for count_end in (True, False)
    )
    assert with_end[1] == pytest.approx(10)
    assert without[1] == pytest.approx(10)
    assert with_end[0] < without[0] < 10


def test_what_follows_end_and_the_type_of_numbers_change_nothing() -> None:
    references, words, photos = make_samples(4)
    scorer = CiderReward(references, END)
    scores = scorer.score(words, photos).tolist()
    after = (words == END).cumsum(axis=1).cumsum(axis=1) > 1
    for filling in (0, 7, END, -1):
        assert scorer.score(np.where(after, filling, words), photos).tolist() == scores
    for kind in (np.int16, np.int32, np.uint16):
        assert scorer.score(words.astype(kind), photos.astype(kind)).tolist() == scores
    wider = np.pad(words[6:], ((0, 0), (0, 5)))
    assert scorer.score(wider, photos[6:]).tolist() == scores[6:]
    assert scorer.score(np.asfortranarray(words), photos).tolist() == scores
    assert scorer.score(words[:0], photos[:0]).shape == (0,)


def test_rewards_of_large_vocabularies() -> None:
    """Indices beyond 16 bits that would be equal if they were cut to these."""
    references = [[[4, 5, 6]], [[4 + 2**16, 5 + 2**16, 6 + 2**16]], [[7]]]
    words = np.array([[4, 5, 6, END], [4 + 2**16, 5 + 2**16, 6 + 2**16, END]])
    scorer = CiderReward(references, END)
    assert scorer.score(words, np.array([0, 1])) == pytest.approx([10, 10])
    assert scorer.score(words, np.array([1, 0])) == pytest.approx([0, 0])
    assert scorer.score(words + 2**40 * (words != END), np.array([0, 1])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("references", "message"),
    [([], "has to be a photo"), ([[[4]], []], "needs a reference"),
     ([[[4, END]]], "holds END, 2"), ([[[4, -1]]], "negative")],
)  # fmt: skip
def test_references_that_are_none_are_refused(references, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CiderReward(references, END)


def test_rewards_of_photos_that_do_not_exist_are_refused() -> None:
    scorer = CiderReward([[[4, 5]], [[6]]], END)
    with pytest.raises(ValueError, match="no photo 2 among 2"):
        scorer.score(np.array([[4, END]]), np.array([2]))
    with pytest.raises(ValueError, match="1 captions given for 2 photos"):
        scorer.score(np.array([[4, END]]), np.array([0, 1]))
