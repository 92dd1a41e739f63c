"""The metrics against coco-caption's own scorers, published examples and sums done by hand."""

import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from captioner.metrics import (
    CiderD,
    bleu_counts,
    bootstrap,
    corpus_bleu,
    count_documents,
    rouge_l,
    score_captions,
    score_each,
    summarise,
)
from captioner.metrics.rouge import longest_common_subsequence

Corpus = tuple[list[str], list[list[str]]]

WORDS = ["a", "the", "dog", "cat", "runs", "sits", "on", "under", "mat", "park", "red", "two"]


def make_corpus(seed: int, num_photos: int = 40) -> Corpus:
    """Captions of 0 to 30 words, words often repeated, half of them near a reference."""
    generator = np.random.default_rng(seed)

    def write(shortest: int) -> str:
        return " ".join(generator.choice(WORDS, size=generator.integers(shortest, 31)))

    captions, references = ["", "dog", "dog dog dog dog dog"], [[write(1)] for _ in range(3)]
    for _ in range(num_photos):
        references.append([write(1) for _ in range(generator.integers(1, 6))])
        nearby = references[-1][0].split()[: generator.integers(1, 31)]
        captions.append(" ".join(nearby) if generator.random() < 0.5 else write(0))
    return captions, references


def score_like_coco(captions: list[str], references: list[list[str]]) -> dict[str, np.ndarray]:
    """Scores of the corpus (under "bleu") and of every photo by the program that papers use."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    truth = dict(enumerate(references))
    guesses = {i: [caption] for i, caption in enumerate(captions)}
    bleu, bleu_each = Bleu(4).compute_score(truth, guesses, verbose=0)
    return {
        "bleu": np.array(bleu),
        "bleu_each": np.array(bleu_each).T,
        "rouge_l": Rouge().compute_score(truth, guesses)[1],
        "cider_d": Cider().compute_score(truth, guesses)[1],
    }


def check_against_coco(captions: list[str], references: list[list[str]]) -> None:
    theirs = score_like_coco(captions, references)
    each = score_each(captions, references)
    ours = summarise(each)
    np.testing.assert_allclose(each["cider_d"], theirs["cider_d"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(each["rouge_l"], theirs["rouge_l"], rtol=0, atol=1e-9)
    bleu_each = [corpus_bleu(counts) for counts in each["bleu_counts"]]
    np.testing.assert_allclose(bleu_each, theirs["bleu_each"], rtol=0, atol=1e-9)
    assert [ours[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(theirs["bleu"], abs=1e-9)
    assert ours["rouge_l"] == pytest.approx(theirs["rouge_l"].mean(), abs=1e-9)
    assert ours["cider_d"] == pytest.approx(theirs["cider_d"].mean(), abs=1e-9)


def score_plain_cider_densely(captions: list[str], references: list[list[str]]) -> np.ndarray:
    """Equations 2 and 3 of arXiv:1411.5726 with one long vector for each caption."""

    def split(text: str, n: int) -> list[str]:
        words = text.split()
        return [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]

    scores = np.zeros(len(captions))
    for n in (1, 2, 3, 4):
        texts = captions + [text for photo in references for text in photo]
        ngrams = sorted({ngram for text in texts for ngram in split(text, n)})
        photos = [{ngram for text in photo for ngram in split(text, n)} for photo in references]
        in_photos = np.array([sum(ngram in photo for photo in photos) for ngram in ngrams])
        rarity = np.log(len(references) / np.maximum(1, in_photos))

        unit = {}
        for text in texts:
            weights = rarity * np.array([split(text, n).count(ngram) for ngram in ngrams])
            unit[text] = weights / (np.linalg.norm(weights) or 1)
        for i, (caption, photo) in enumerate(zip(captions, references, strict=True)):
            scores[i] += 10 * np.mean([unit[caption] @ unit[text] for text in photo]) / 4
    return scores


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_coco_caption_on_made_up_captions(seed):
    check_against_coco(*make_corpus(seed))
    assert score_captions(*make_corpus(seed))["cider_d"] > 0.1


def test_scores_equal_coco_caption_where_nothing_matches_or_all_is_empty():
    check_against_coco(["dog", "", "a b c d e"], [["cat"], ["cat sits"], ["f g h i j", "k"]])
    check_against_coco(["", ""], [["cat"], ["dog runs"]])
    check_against_coco(["the dog runs on"], [["the dog runs on", "a dog"]])
    assert set(score_captions(["", ""], [["cat"], ["dog runs"]]).values()) == {0.0}


@pytest.mark.photos
@pytest.mark.parametrize("split", ["val", "test", pytest.param("train", marks=pytest.mark.slow)])
def test_scores_equal_coco_caption_on_what_people_wrote(photos: Path, split: str):
    written = json.loads((photos / "flickr8k" / f"captions_{split}.json").read_text())
    by_photo = defaultdict(list)
    for annotation in written["annotations"]:
        words = re.findall(r"[a-z0-9']+", annotation["caption"].lower())
        by_photo[annotation["image_id"]].append(" ".join(words))
    captions = [texts[0] for texts in by_photo.values()]
    check_against_coco(captions, [texts[1:] for texts in by_photo.values()])
    assert len(captions) >= 900


def test_bleu_of_published_examples():
    """Papineni et al. 2002, examples 1 and 2: precisions 17/18 and 10/17, then 2/7."""
    references = [
        "it is a guide to action that ensures that the military will forever heed party commands",
        "it is the guiding principle which guarantees the military forces always being under the "
        "command of the party",
        "it is the practical guide for the army always to heed the directions of the party",
    ]
    good = bleu_counts(
        "it is a guide to action which ensures that the military always obeys the commands of "
        "the party",
        references,
    )
    assert (good[0], good[4], good[1], good[5]) == (17, 18, 10, 17)

    the = bleu_counts("the " * 7, ["the cat is on the mat", "there is a cat on the mat"])
    assert corpus_bleu(the)[0] == pytest.approx(2 / 7)


def test_bleu_punishes_captions_that_are_too_short():
    """Three words against six: exp(1 - 6 / 3), every n-gram being right."""
    scores = score_captions(["the cat is"], [["the cat is on the mat"]])
    assert scores["bleu_1"] == pytest.approx(np.exp(-1))
    assert scores["bleu_3"] == pytest.approx(np.exp(-1))


def test_rouge_of_published_example():
    """Lin 2004, section 3.1: 3/4 and 2/4 against "police killed the gunman" (there P = R)."""
    reference = ["police killed the gunman"]
    assert rouge_l("police kill the gunman", reference) == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", reference) == pytest.approx(2 / 4)


def test_rouge_takes_precision_and_recall_from_the_best_reference_each():
    """P = 2/2 by the long reference and R = 1/1 by the short one."""
    assert rouge_l("big dog", ["a big red dog runs", "dog"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("words", "others", "length"),
    [("abcbdab", "bdcaba", 4), ("", "abc", 0), ("aaa", "aa", 2), ("abc", "cba", 1)],
)
def test_longest_common_subsequence(words, others, length):
    """The first is figure 15.8 of Cormen et al., "Introduction to algorithms"."""
    assert longest_common_subsequence(words, others) == length
    assert longest_common_subsequence(others, words) == length


def test_cider_done_by_hand():
    """In the references "a" weighs log(2 / 2) = 0, and all else log 2.

    "dog" three times agrees with one of the two words that count: cosine 3 / (3 sqrt(2)), and a
    third of it where dog may count once only. No pair agrees. With one word against three, the
    length costs exp(-(2 ** 2) / (2 * 6 ** 2)).
    """
    scorer = CiderD([["a dog runs"], ["a cat"]])
    cosine = 10 / 4 / np.sqrt(2)
    assert scorer.score_plain(["dog dog dog"], [0]) == pytest.approx([cosine])
    assert scorer.score(["dog dog dog"], [0]) == pytest.approx([cosine / 3])
    assert scorer.score_plain(["dog"], [0]) == pytest.approx([cosine])
    assert scorer.score(["dog"], [0]) == pytest.approx([cosine * np.exp(-4 / 72)])
    assert scorer.score_plain(["a"], [0]) == scorer.score(["a"], [0]) == 0


@pytest.mark.parametrize("seed", range(2))
def test_plain_cider_equals_dense_vectors(seed):
    captions, references = make_corpus(seed, num_photos=6)
    each = score_each(captions, references)
    expected = score_plain_cider_densely(captions, references)
    np.testing.assert_allclose(each["cider"], expected, rtol=0, atol=1e-9)
    assert (each["cider_d"] <= each["cider"] + 1e-9).all()


def test_perfect_captions_score_best():
    references = [["a dog runs on grass"], ["two cats sit under trees"], ["the sun sets at sea"]]
    scores = score_captions([photo[0] for photo in references], references)
    perfect = dict.fromkeys(("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"), 1.0)
    assert scores == pytest.approx(perfect | {"cider": 10.0, "cider_d": 10.0}, abs=1e-6)


def test_scores_of_one_photo():
    scores = score_captions(["a dog runs on grass"], [["a dog runs on grass"]])
    assert scores["bleu_4"] == pytest.approx(1.0)
    assert scores["cider"] == scores["cider_d"] == 0.0


def test_empty_references_count_as_nothing():
    each = score_each(["a dog", ""], [["", "a dog"], [""]])
    assert each["rouge_l"].tolist() == [1.0, 0.0]
    assert each["cider_d"][1] == 0.0


def test_order_of_photos_changes_nothing():
    captions, references = make_corpus(7)
    scores = score_captions(captions, references)
    assert score_captions(captions[::-1], references[::-1]) == pytest.approx(scores, abs=1e-12)


def test_a_subset_scores_as_in_the_whole():
    captions, references = make_corpus(8)
    scorer, photos = CiderD(references), [5, 2, 2, 9, 0]
    some = [captions[photo] for photo in photos]
    assert scorer.score(some, photos).tolist() == scorer.score(captions)[photos].tolist()
    plain = scorer.score_plain(some, np.array(photos))
    assert plain.tolist() == scorer.score_plain(captions)[photos].tolist()


def test_document_frequencies_may_come_from_another_corpus():
    captions, references = make_corpus(9)
    few = CiderD(references[:4], document_frequencies=count_documents(references))
    assert few.score(captions[:4]).tolist() == CiderD(references).score(captions)[:4].tolist()
    assert few.score(captions[:4]).tolist() != CiderD(references[:4]).score(captions[:4]).tolist()

    one = CiderD([["a dog runs on grass"]], document_frequencies=({("a",): 3}, 10))
    assert one.score(["a dog runs on grass"]) == pytest.approx([10.0])


def test_documents_are_photos_and_not_references():
    counts, num_photos = count_documents([["dog dog", "a dog"], ["a cat"], ["cat"]])
    assert (counts["dog",], counts["a",], counts["cat",], counts["dog", "dog"]) == (1, 2, 2, 1)
    assert num_photos == 3


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        ([], [], "no photo"),
        (["a"], [["a"], ["b"]], "1 captions given for 2 photos"),
        (["a", "b"], [["a"], []], "Photo 1 has no references"),
        (["a", "b"], ["a dog", "a cat"], "photo 0 are one string"),
        ("a", [["a"]], "one string"),
    ],
)
def test_corpora_that_do_not_fit_are_refused(captions, references, message):
    with pytest.raises(ValueError, match=message):
        score_captions(captions, references)


def test_scorers_refuse_what_they_cannot_score():
    scorer = CiderD([["a dog"], ["a cat"]])
    with pytest.raises(ValueError, match="1 captions given for 2 photos"):
        scorer.score(["a dog"])
    with pytest.raises(ValueError, match="no photo -1 among 2"):
        scorer.score(["a dog"], [-1])
    with pytest.raises(ValueError, match="no photo 2 among 2"):
        scorer.score(["a dog"], [2])
    with pytest.raises(ValueError, match="in 5 of 2 photos"):
        CiderD([["a dog"]], document_frequencies=({("a",): 5}, 2))
    with pytest.raises(ValueError, match="at least one reference"):
        rouge_l("a dog", [])
    with pytest.raises(ValueError, match="at least one reference"):
        bleu_counts("a dog", [])


def test_bootstrap_intervals_hold_the_score_and_shrink_with_more_photos():
    captions, references = make_corpus(1, num_photos=300)
    each = score_each(captions, references)
    scores, narrow = summarise(each), bootstrap(each, num_resamples=300)
    wide = bootstrap({name: values[:40] for name, values in each.items()}, num_resamples=300)
    assert set(narrow) == set(scores)
    for name, (low, high) in narrow.items():
        assert low < scores[name] < high, name
        assert high - low < wide[name][1] - wide[name][0]


def test_bootstrap_interval_of_a_mean_is_two_standard_errors_wide():
    captions, references = make_corpus(2, num_photos=300)
    each = score_each(captions, references)
    low, high = bootstrap(each)["rouge_l"]
    standard_error = each["rouge_l"].std() / np.sqrt(len(captions))
    assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.1)


def test_bootstrap_repeats_itself_with_the_same_seed():
    each = score_each(*make_corpus(3))
    assert bootstrap(each, 50, seed=1) == bootstrap(each, 50, seed=1)
    assert bootstrap(each, 50, seed=1) != bootstrap(each, 50, seed=2)
