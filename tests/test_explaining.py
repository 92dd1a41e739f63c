"""Why these words: chances add up, attention is where it should be, the tree is the beam's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_export import draw, make_model

from captioner.backbones import load_backbone
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, SearchConfig
from captioner.decoders import DECODERS
from captioner.ensemble import Ensemble
from captioner.errors import InputError
from captioner.explaining import beam_tree, explain, explain_photo, explain_photos
from captioner.exporting import export_model
from captioner.model import Captioner
from captioner.runtime import OnnxCaptioner
from captioner.vocabulary import SPECIAL, Vocabulary
from conftest import BACKBONE

WORDS = Vocabulary(
    (*SPECIAL, "a", "dog", "cat", "runs", "sleeps", "on", "grass", "the"), max_words=6
)
LOOKING = sorted(kind for kind, decoder in DECODERS.items() if decoder.places)


def untrained(kind: str, **sizes: int) -> Captioner:
    torch.manual_seed(0)
    captioner = Captioner(
        ModelConfig(
            EncoderConfig(backbone=BACKBONE, channels=12, features=8),
            DecoderConfig(embedding=7, hidden=16, features=8, attention=5, kind=kind, **sizes),
        ),
        WORDS,
    )
    captioner.encoder.fit(torch.randn(40, 12))
    with torch.no_grad():
        captioner.decoder.score.weight *= 4
    return captioner.eval()


def maps(photos: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(photos, 9, 12)).astype(np.float32)


@pytest.mark.parametrize("kind", sorted(DECODERS))
def test_probabilities_of_the_words_make_that_of_the_caption(kind: str) -> None:
    captioner = untrained(kind)
    features = captioner.features(maps(3))
    found = captioner.search(features, SearchConfig(beam_size=3, num_captions=3))
    told = explain(captioner, features, [[c.caption for c in photo] for photo in found])
    for photo, of_photo in zip(found, told, strict=True):
        for caption, words in zip(photo, of_photo, strict=True):
            assert " ".join(word.word for word in words).rstrip() == caption.caption
            total = sum(np.log(word.probability) for word in words)
            assert total == pytest.approx(caption.log_prob, abs=1e-4)


@pytest.mark.parametrize("kind", LOOKING)
def test_attention_is_that_of_the_decoder(kind: str) -> None:
    captioner = untrained(kind)
    features = captioner.features(maps(2))
    (words,) = explain(captioner, features, [[], ["a dog runs"]])[1]
    look, state, memory = captioner.watch(features)
    with torch.inference_mode():
        for word, said in zip(words, (1, *WORDS.indices(["a", "dog", "runs"])), strict=True):
            log_probs, state, alpha = look(torch.tensor([said] * 2), state, memory)
            assert word.attention.shape == (3, 3)
            assert np.allclose(word.attention.ravel(), alpha[1].numpy(), atol=1e-6)
            sayable = log_probs[1].exp()[[2, *range(4, len(WORDS))]]
            assert word.likeliest[0][1] == pytest.approx(sayable.max().item())
    assert all(0 < word.attention.sum() <= 1 + 1e-5 for word in words)


def test_captions_of_different_number_and_length_do_not_disturb_each_other() -> None:
    captioner = untrained("attention")
    features = captioner.features(maps(3))
    captions = [["a dog", "the cat sleeps on the grass", ""], [], ["a zebra runs"]]
    together = explain(captioner, features, captions, k=3)
    assert [[len(words) for words in photo] for photo in together] == [[3, 7, 1], [], [4]]
    assert together[2][0][1].word == "zebra"
    for photo, of_photo in enumerate(captions):
        for number, caption in enumerate(of_photo):
            alone = explain(captioner, features[photo : photo + 1], [[caption]], k=3)[0][0]
            for one, other in zip(alone, together[photo][number], strict=True):
                assert one.word == other.word
                assert one.probability == pytest.approx(other.probability, abs=1e-6)
                assert [w for w, _ in one.likeliest] == [w for w, _ in other.likeliest]
                assert np.allclose(one.attention, other.attention, atol=1e-6)


def test_the_likeliest_words_are_in_order_and_the_end_is_empty() -> None:
    captioner = untrained("pooled")
    (words,) = explain(captioner, captioner.features(maps(1)), [["a dog"]], k=99)[0]
    for word in words:
        chances = [chance for _, chance in word.likeliest]
        assert len(chances) == len(WORDS) - 3
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) < 1  # PAD, START and UNK, which are never said, have the rest
        assert {*dict(word.likeliest)} == {*WORDS.words[4:], ""}
        assert dict(word.likeliest)[word.word] == pytest.approx(word.probability, abs=1e-6)
        assert word.attention is None


def test_an_ensemble_tells_words_and_no_attention() -> None:
    members = [untrained("pooled"), untrained("attention")]
    ensemble = Ensemble(members)
    (words,) = explain(ensemble, ensemble.features(maps(1)), [["a dog"]])[0]
    each = [explain(m, m.features(maps(1)), [["a dog"]])[0][0] for m in members]
    for word, *of_each in zip(words, *each, strict=True):
        mean = np.mean([one.probability for one in of_each])
        assert word.probability == pytest.approx(mean, abs=1e-6)
        assert word.attention is None


def test_words_written_together_are_told_apart() -> None:
    vocabulary = Vocabulary((*SPECIAL, "a", "man", "'s", "dog"))
    torch.manual_seed(0)
    config = ModelConfig(
        EncoderConfig(backbone=BACKBONE, channels=12, features=8),
        DecoderConfig(embedding=7, hidden=16, features=8),
    )
    captioner = Captioner(config, vocabulary).eval()
    captioner.encoder.fit(torch.randn(40, 12))
    caption = vocabulary.decode([4, 5, 6, 7])
    (words,) = explain(captioner, captioner.features(maps(1)), [[caption]], k=9)[0]
    assert [word.word for word in words] == ["a", "man", "'s", "dog", ""]
    for word in words:  # none of them is taken for a word that the model does not know
        assert dict(word.likeliest)[word.word] == pytest.approx(word.probability, abs=1e-6)


def test_nothing_to_explain() -> None:
    captioner = untrained("pooled")
    assert explain(captioner, captioner.features(maps(2)), [[], []]) == [[], []]


@pytest.mark.parametrize("kind", ["pooled", "attention"])
def test_an_export_explains_as_its_model_does(weights: Path, tmp_path: Path, kind: str) -> None:
    model = make_model(tmp_path / "model", weights, kind=kind)
    export_model(model, tmp_path / "export", "float32", draw(4))
    photo = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    both = [
        explain_photo(captioner, photo, SearchConfig(beam_size=3, num_captions=2))
        for captioner in (
            Captioner.from_pretrained(model),
            OnnxCaptioner.from_folder(tmp_path / "export"),
        )
    ]
    (captions, told), (same, alike) = both
    assert [c.caption for c in captions] == [c.caption for c in same]
    for words, others in zip(told, alike, strict=True):
        for word, other in zip(words, others, strict=True):
            assert (word.attention is None) == (kind == "pooled")
            assert word.probability == pytest.approx(other.probability, rel=1e-3)
            if word.attention is not None:
                assert np.allclose(word.attention, other.attention, atol=1e-4)


def test_a_photo_that_cannot_be_read(weights: Path) -> None:
    network, encoder = load_backbone(EncoderConfig(backbone=BACKBONE, features=8), weights)
    config = ModelConfig(encoder, DecoderConfig(embedding=7, hidden=16, features=8))
    captioner = Captioner(config, WORDS, network)
    captioner.encoder.fit(torch.randn(40, encoder.channels))
    with pytest.raises(InputError, match=r"nowhere\.jpg"):
        explain_photo(captioner.eval(), "nowhere.jpg")
    picture = Image.new("RGB", (40, 30), "red")
    found, told = explain_photo(captioner, picture)
    assert [word.word for word in told[0]][:-1] == found[0].caption.split()


def test_many_photos_are_captioned_as_in_a_stream(weights: Path, tmp_path: Path) -> None:
    """In batches, each looked at once; captions drawn by lot are those of the photo's number."""
    captioner = Captioner.from_pretrained(make_model(tmp_path / "model", weights))
    looks = []
    make_look = captioner.make_look
    captioner.make_look = lambda n: lambda images: looks.append(len(images)) or make_look(n)(images)
    photos = [*draw(4), "nowhere.jpg", draw(4)[0]]
    search = SearchConfig(sample=True, seed=1, num_captions=2)
    explained = list(explain_photos(captioner, photos, search, most=1))
    assert looks == [5]
    for one, other in zip(explained, captioner.stream(photos, search), strict=True):
        if isinstance(other, InputError):
            assert str(one) == str(other)
            continue
        captions, (words,) = one
        assert captions == other
        assert " ".join(word.word for word in words).rstrip() == captions[0].caption
    assert isinstance(explained[4], InputError)
    assert explained[0][0] != explained[5][0]


def test_the_tree_of_a_beam() -> None:
    root = beam_tree(["a dog", "a dog runs", "a cat", "a dog"])
    (a,) = root.after
    dog, cat = a.after
    assert (a.captions, dog.captions, cat.captions) == ([0, 1, 2, 3], [0, 1, 3], [2])
    assert [(branch.word, branch.captions) for branch in dog.after] == [("", [0, 3]), ("runs", [1])]
    assert beam_tree([]).after == []
