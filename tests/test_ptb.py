"""The words of captions equal those of pycocoevalcap's Java, on hard cases and on Flickr8k."""

import json
import shutil
from pathlib import Path

import pytest

from captioner.metrics.ptb import tokenise

GOLDEN = Path(__file__).parent / "golden" / "ptb.json"
"""Hard cases, and what pycocoevalcap 1.2 made of them with Java 17; written anew by this file."""

HARD = json.loads(GOLDEN.read_text(encoding="utf-8"))


def split_by_java(captions: list[str]) -> list[str]:
    """The words by the official program; the test is skipped where it is not to be had."""
    ptb = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer")
    if not shutil.which("java"):
        pytest.skip("no Java here")
    told = {number: [{"caption": caption}] for number, caption in enumerate(captions)}
    return [words for (words,) in ptb.PTBTokenizer().tokenize(told).values()]


def read_flickr8k(photos: Path) -> list[str]:
    files = [photos / "flickr8k" / f"captions_{split}.json" for split in ("train", "val", "test")]
    values = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [entry["caption"] for value in values for entry in value["annotations"]]


def test_hard_cases() -> None:
    assert len(HARD) > 90
    found = tokenise([case["caption"] for case in HARD])
    for case, words in zip(HARD, found, strict=True):
        assert words == case["words"], case["caption"]


def test_hard_cases_are_what_java_makes_of_them() -> None:
    captions = [case["caption"] for case in HARD]
    assert split_by_java(captions) == [case["words"] for case in HARD]


@pytest.mark.photos
def test_flickr8k_equals_java(photos: Path) -> None:
    captions = read_flickr8k(photos)
    assert len(captions) == 39_950
    assert tokenise(captions) == split_by_java(captions)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Two dogs - one black, one white - play.", "two dogs one black one white play"),
        ('They\'re on the "R.V." at 5:30p.m.!', "they 're on the r.v. at 5:30 p.m."),
        ("A couldn't-care-less cat cannot sit", "a could n't care-less cat can not sit"),
        ("what?! no...", "what ?! no"),
        ("", ""),
        ("...", ""),
    ],
)
def test_by_hand(caption: str, words: str) -> None:
    assert tokenise([caption]) == [words]


def test_every_caption_keeps_its_place() -> None:
    captions = ["a\nb", "", "c\rd", "e\u2028f", "g\x0bh"]
    assert tokenise(captions) == ["a b", "", "c d", "e f", "g h"]


def test_only_the_last_word_depends_on_what_follows() -> None:
    assert tokenise(["a letter B.", "A dog"])[0] == "a letter b"
    assert tokenise(["a letter B.", "dogs"])[0] == "a letter b."


def test_words_are_words_still() -> None:
    """Words that a captioner says come back as they are, but for the full stop of "a.m."."""
    captions = ["a man 's dog is n't here", "two dogs run", "a t-shirt at 5:30"]
    assert tokenise(captions) == captions
