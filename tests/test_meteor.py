"""METEOR in Python against sums done by hand and against the official program."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from captioner.errors import InputError
from captioner.metrics.meteor import (
    Meteor,
    Words,
    count_pair,
    count_pairs,
    find_package,
    meteor_score,
)
from captioner.metrics.meteor.alignment import align
from captioner.metrics.meteor.official import count_officially
from captioner.metrics.meteor.words import normalise
from captioner.metrics.ptb import tokenise
from captioner.scoring import split_references

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def package() -> Path:
    package = find_package()
    if package is None:
        pytest.skip("pycocoevalcap is not installed")
    return package


@pytest.fixture(scope="module")
def java() -> str:
    java = shutil.which("java")
    if java is None:
        pytest.skip("no Java here")
    return java


@pytest.fixture(scope="module")
def words(package: Path) -> Words:
    """All that METEOR knows, but paraphrases."""
    return Words(package)


def count_matches(captions: list[str], references: list[list[str]], words: Words) -> np.ndarray:
    return Meteor(lambda pairs: count_pairs(pairs, words)).count(captions, references)


def count_by_java(captions, references, java: str, package: Path) -> np.ndarray:
    meteor = Meteor(lambda pairs: count_officially(pairs, java, package))
    return meteor.count(captions, references)


def corpus(photos: Path, number: int) -> tuple[list[str], list[list[str]]]:
    """Captions of a model, and those of people, of Flickr8k's first test photos."""
    told = json.loads((photos / "flickr8k" / "captions_test.json").read_text())["annotations"]
    by_photo = defaultdict(list)
    for entry in told:
        by_photo[entry["image_id"]].append(entry["caption"])
    results = json.loads((ROOT / "results" / "flickr8k-lstm-test.captions.json").read_text())
    results = results[:number]
    captions = tokenise([result["caption"] for result in results])
    return captions, split_references([by_photo[result["image_id"]] for result in results])


def test_a_score_by_hand() -> None:
    """Without lists all words are content. Two of three match, one by its stem, in two chunks.

    P = R = (1 + 0.6) / 3; the penalty is 0.6 (2 / 2) ** 0.2.
    """
    counts = count_matches(["dogs on grass"], [["grass by dog"]], Words(None))
    assert counts[0].tolist() == [3, 3, 0, 0, 1, 1, 0, 0, 1, 1, *[0] * 10, 2, 2, 2]
    assert meteor_score(counts)[0] == pytest.approx(1.6 / 3 * 0.4)


def test_a_perfect_caption_scores_one_and_a_foreign_one_nought() -> None:
    counts = count_matches(
        ["a dog runs", "x y", ""], [["a dog runs"], ["a cat"], ["a"]], Words(None)
    )
    assert meteor_score(counts).tolist() == [1.0, 0.0, 0.0]


def test_the_best_reference_counts() -> None:
    one = count_matches(["a dog runs"], [["a dog runs fast"]], Words(None))
    both = count_matches(["a dog runs"], [["cats", "a dog runs fast"]], Words(None))
    assert one.tolist() == both.tolist()


def test_sums_of_photos_make_the_score_of_a_corpus() -> None:
    counts = count_matches(["a dog", "two cats sit"], [["a dog runs"], ["cats sit"]], Words(None))
    rows = np.stack([counts.sum(axis=0), counts[0]])
    assert meteor_score(rows)[0] == meteor_score(counts.sum(axis=0))
    assert meteor_score(rows)[1] == meteor_score(counts[0])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a black-and-white dog", "a black and white dog"),
        ("a man 's dog is n't here", "a man ' s dog is n 't here"),
        ("the u.s. at 5:30 p.m.", "the us at 5 : 30 pm"),
        ("number 1,000 on at&t", "number 1,000 on at & t"),
        ("o'clock a/b", "o 'clock a / b"),
        ("it is mr.", "it is mr ."),
        ("mr. smith", "mr. smith"),
    ],
)
def test_lines_are_split_as_the_official_program_does(line: str, told: str) -> None:
    assert normalise(line) == told.split()


def test_words_have_stems_forms_and_synonyms(words: Words) -> None:
    assert words.stem("running") == words.stem("runs") == "run"
    assert words.synsets("dogs") >= words.synsets("dog") > set()
    assert not words.synsets("stood").isdisjoint(words.synsets("stands"))
    assert words.synsets("girl").isdisjoint(words.synsets("woman"))
    assert "the" in words.functions
    assert "dog" not in words.functions


def test_synonyms_match(words: Words) -> None:
    assert count_pair(["stood"], ["stands"], words)[12:16] == [1, 1, 0, 0]
    assert count_pair(["stood"], ["stands"], Words(None))[4:20] == [0] * 16


def test_paraphrases_match_phrases(words: Words) -> None:
    known = Words(None)
    known.paraphrases = {"next to": ["beside"]}
    (match,) = align(["sits", "next", "to"], ["beside", "it"], known)
    assert match == (0, 1, 1, 2, 3)
    assert count_pair(["sits", "next", "to"], ["beside", "it"], known)[20:] == [1, 2, 1]


def test_words_belong_to_one_match_each() -> None:
    caption, reference = (
        ["a", "dog", "and", "a", "dog", "and", "a", "dog"],
        ["a", "dog", "chased", "a", "dog"],
    )
    matches = align(caption, reference, Words(None))
    for place in (0, 2):
        taken = [match[place] for match in matches]
        assert len(set(taken)) == len(taken)
    assert len(matches) == 4


def test_a_package_that_is_not_whole_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"meteor-1\.5\.jar: cannot be read"):
        Words(tmp_path)


@pytest.mark.photos
def test_without_paraphrases_it_equals_the_official_program(
    photos: Path, java: str, package: Path, words: Words
) -> None:
    """Counts against each reference, by exact words, stems and synonyms: all equal but few."""
    import subprocess

    captions, references = corpus(photos, 100)
    pairs = [(a, b) for a, photo in zip(captions, references, strict=True) for b in photo]
    lines = "".join(f"SCORE ||| {reference} ||| {caption}\n" for caption, reference in pairs)
    command = [java, "-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm"]
    command += ["-m", "exact stem synonym"]
    folder = package / "meteor"
    told = subprocess.run(
        command, cwd=folder, input=lines, capture_output=True, text=True, check=True, timeout=300
    ).stdout
    official = [[int(float(n)) for n in line.split()] for line in told.splitlines()]
    ours = [count_pair(normalise(a), normalise(b), words) for a, b in pairs]
    differ = sum(a != b for a, b in zip(ours, official, strict=True))
    assert differ <= len(pairs) / 100


@pytest.mark.photos
@pytest.mark.slow
def test_it_is_close_to_the_official_program(photos: Path, java: str, package: Path) -> None:
    captions, references = corpus(photos, 900)
    official = count_by_java(captions, references, java, package)
    ours = count_matches(captions, references, Words(package))
    scores = [float(meteor_score(counts.sum(axis=0))) for counts in (ours, official)]
    assert scores[0] == pytest.approx(scores[1], abs=5e-4)
    each = abs(meteor_score(ours) - meteor_score(official))
    assert each.mean() < 1e-3
    assert (each < 1e-9).mean() > 0.9


@pytest.mark.photos
@pytest.mark.slow
def test_the_formula_is_that_of_the_official_program(
    photos: Path, java: str, package: Path
) -> None:
    """Scores of photos and of the corpus, as pycocoevalcap reads them."""
    from pycocoevalcap.meteor.meteor import Meteor

    captions, references = corpus(photos, 60)
    counts = count_by_java(captions, references, java, package)
    meteor = Meteor()
    try:
        whole, each = meteor.compute_score(
            dict(enumerate(references)), {i: [text] for i, text in enumerate(captions)}
        )
    finally:
        process = meteor.meteor_p
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        process.kill()
        process.wait()
    np.testing.assert_allclose(meteor_score(counts), each, rtol=0, atol=1e-9)
    assert float(meteor_score(counts.sum(axis=0))) == pytest.approx(whole, abs=1e-9)
