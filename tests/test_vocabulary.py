import json

import pytest

from captioner.errors import InputError
from captioner.vocabulary import END, PAD, SPECIAL, START, UNK, Vocabulary, readable, tokenise


def test_special_tokens_never_move() -> None:
    assert (PAD, START, END, UNK) == (0, 1, 2, 3)
    assert Vocabulary.of(["a"], min_count=1).words[:4] == SPECIAL


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A man's dog, a big one!", "a man 's dog a big one"),
        ("Two  dogs\tdon't   stop .", "two dogs do n't stop"),
        ('He said "go" (twice) ...', "he said go twice"),
        ("A t-shirt & 2 cups; 50% off", "a t-shirt 2 cups 50 off"),
        ("Un café à l’été", "un café à l'été"),
        ("一只 犬 🐕", "一只 犬"),
        ("...", ""),
    ],
)
def test_tokenise(caption: str, words: str) -> None:
    assert tokenise(caption) == words.split()


def test_readable_text_has_the_same_words() -> None:
    for caption in ("a man's dog doesn't run", "they're here and it's fine", "a t-shirt"):
        assert readable(tokenise(caption)) == caption
        assert tokenise(readable(tokenise(caption))) == tokenise(caption)


def test_rare_words_become_unk_and_frequent_ones_come_first() -> None:
    vocabulary = Vocabulary.of(["a dog", "a cat", "a dog", "the bird"], min_count=2)
    assert vocabulary.words[4:] == ("a", "dog")
    assert vocabulary.encode("a bird") == [START, 4, UNK, END]


def test_equally_frequent_words_are_in_alphabetical_order() -> None:
    forth = Vocabulary.of(["b a c", "c b a"], min_count=1)
    back = Vocabulary.of(["c b a", "b a c"], min_count=1)
    assert forth.words == back.words == (*SPECIAL, "a", "b", "c")


def test_long_captions_are_cut_and_still_end() -> None:
    vocabulary = Vocabulary.of(["a"], min_count=1, max_words=3)
    assert vocabulary.encode("a a a a a") == [START, 4, 4, 4, END]


def test_decode_stops_at_end(vocabulary: Vocabulary) -> None:
    assert vocabulary.decode([START, 4, 5, END, 6, PAD]) == "a dog"
    assert vocabulary.decode([]) == ""


def test_saved_and_loaded(tmp_path) -> None:
    vocabulary = Vocabulary.of(["un café 犬"], min_count=1, max_words=7)
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary


def test_characters_are_kept_as_they_are(tmp_path) -> None:
    vocabulary = Vocabulary.of(["Ab, b!", "b é"], min_count=1, unit="char")
    assert vocabulary.words[4:] == ("b", " ", "!", ",", "A", "é")
    text = "A, é b!"
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.encode("z")[1] == UNK
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary


def test_a_vocabulary_from_before_there_were_characters_is_of_words(tmp_path) -> None:
    value = {"words": [*SPECIAL, "dog"], "max_words": 16}
    (tmp_path / "v.json").write_text(json.dumps(value))
    assert Vocabulary.load(tmp_path / "v.json").unit == "word"


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"words": ["a"], "max_words": 16},
        {"words": [*SPECIAL, "a", "a"], "max_words": 16},
        {"words": [*SPECIAL, 5], "max_words": 16},
        {"words": list(SPECIAL), "max_words": "many"},
        {"words": list(SPECIAL)},
        {"words": list(SPECIAL), "max_words": 16, "unit": "syllable"},
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, value) -> None:
    file = tmp_path / "vocabulary.json"
    file.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"vocabulary\.json"):
        Vocabulary.load(file)
