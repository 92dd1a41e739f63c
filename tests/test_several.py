"""One photo looked at several times."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ImageOps

from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, SearchConfig
from captioner.datasets import read_dataset
from captioner.ensemble import Ensemble
from captioner.errors import InputError
from captioner.evaluation import caption_photos, evaluate
from captioner.explaining import explain_photo
from captioner.extraction import look_at, make_look
from captioner.images import open_photo, photo_array
from captioner.model import Captioner
from captioner.search import exchanging, joint_step, search
from captioner.several import SeveralViews, whole
from captioner.views import WHOLE, several_views
from captioner.vocabulary import SPECIAL, Vocabulary
from conftest import BACKBONE

TURNED = {"left": "right", "right": "left"}


def untrained(*words: str) -> Captioner:
    """Says anything, and knows these words."""
    torch.manual_seed(1)
    config = ModelConfig(
        EncoderConfig(backbone=BACKBONE, channels=5, features=5),
        DecoderConfig(embedding=7, hidden=9, features=5),
    )
    captioner = Captioner(config, Vocabulary((*SPECIAL, *words), max_words=6)).eval()
    for weight in captioner.decoder.parameters():
        weight.data.mul_(4)  # far from indifferent
    return captioner


def test_views_are_parts_of_the_photo_and_their_mirror_images() -> None:
    views = several_views(10)
    assert views[0] == WHOLE
    assert len({*views}) == 10
    parts = [view[:4] for view in views if not view.mirrored]
    assert sorted(parts) == sorted(view[:4] for view in views if view.mirrored)
    assert [several_views(number) for number in range(1, 10)] == [views[:n] for n in range(1, 10)]
    assert {(x0 == 0, y0 == 0) for x0, y0, x1, y1 in parts[1:] if x1 - x0 < 1} == {
        (a, b) for a in (True, False) for b in (True, False)
    }
    assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in parts)


def test_photos_are_looked_at_in_all_views(model: Captioner, files: list[Path]) -> None:
    views = several_views(4)
    look = make_look(model.encoder, 1)
    seen = look_at([*files[:3], "none.jpg"], look, model.preprocessing, 8, together=views)
    ((first, maps, _), (second, others, errors)) = seen  # eight views at once are two photos
    assert (first, second, [*errors]) == ([0, 1], [2], [3])
    assert (maps.shape[:2], others.shape[:2]) == ((2, 4), (1, 4))
    arrays = [photo_array(view.of(open_photo(files[1])), model.preprocessing) for view in views]
    assert np.allclose(maps[1], look(np.stack(arrays)), atol=1e-5)


@pytest.mark.parametrize("as_arrays", [torch.tensor, np.array])
def test_two_words_change_places(as_arrays) -> None:
    """A network in which each word foretells itself, and the word before foretold 5 of 6 times."""

    def echo(words, state, memory):
        table = as_arrays(np.log(np.eye(6) * 5 + 1))
        return table[words], (state[0] + 1,)

    step, state, memory = exchanging((echo, (as_arrays([0.0, 0.0]),), ()), 3, 4)
    before = as_arrays([3, 5])
    log_probs, state = step(before, state, memory)
    assert np.allclose(np.exp(np.asarray(log_probs)), [[1, 1, 1, 6, 1, 1], [1, 1, 1, 1, 1, 6]])
    assert state[0].tolist() == [1, 1]
    assert before.tolist() == [3, 5]

    def four_after_three(words, state, memory):
        return as_arrays(np.arange(36.0).reshape(6, 6))[words], state

    step, _, _ = exchanging((four_after_three, (), ()), 3, 4)
    log_probs, _ = step(as_arrays([3, 0]), (), ())
    assert log_probs.tolist() == [[24, 25, 26, 28, 27, 29], [0, 1, 2, 4, 3, 5]]


def test_a_photo_and_its_mirror_image_are_told_alike_but_for_left_and_right() -> None:
    captioner = untrained("dog", "left", "runs", "right", "on", "the")
    one, other = torch.randn(2, 40, 5).mul(2)
    config = SearchConfig(beam_size=4, num_captions=4, views=2)
    told = captioner.search(SeveralViews([one, other], several_views(2)), config)
    turned = captioner.search(SeveralViews([other, one], several_views(2)), config)
    said = [[caption.caption for caption in of_photo] for of_photo in told]
    assert any("left" in text for of_photo in said for text in of_photo)
    assert [
        [re.sub("left|right", lambda side: TURNED[side[0]], text) for text in of_photo]
        for of_photo in said
    ] == [[caption.caption for caption in of_photo] for of_photo in turned]
    log_probs = [[c.log_prob for c in of_photo] for of_photo in told]
    assert np.allclose(log_probs, [[c.log_prob for c in of] for of in turned], atol=1e-4)


def test_each_view_has_a_vote() -> None:
    """As an ensemble of the captioner before each view, where no word tells the side."""
    captioner = untrained("dog", "runs", "left", "the")
    features = [*torch.randn(3, 20, 5).mul(2)]
    told = captioner.search(
        SeveralViews(features, several_views(3)), SearchConfig(beam_size=3, views=3)
    )
    joined = search(
        *joint_step([captioner.begin(of_view) for of_view in features]),
        SearchConfig(beam_size=3, max_words=6),
    )
    expected = [captioner.vocabulary.decode(best[0]) for best in joined.words.tolist()]
    assert [of_photo[0].caption for of_photo in told] == expected
    alone = captioner.search(features[0], SearchConfig(beam_size=3))
    assert [of_photo[0].caption for of_photo in alone] != expected


def test_photos_come_in_batches_and_bad_ones_are_told(model: Captioner, files: list[Path]) -> None:
    config = SearchConfig(views=4, num_captions=2)
    sources = [*files[:3], b"no photo", *files[3:5]]
    together = list(model.stream(sources, config))
    for batch_size in (1, 4):
        again = list(model.stream(sources, config, batch_size))
        assert isinstance(again.pop(3), InputError)
        for apart, photo in zip(again, together[:3] + together[4:], strict=True):
            assert [c.caption for c in apart] == [c.caption for c in photo]
            assert [c.log_prob for c in apart] == pytest.approx(
                [c.log_prob for c in photo], abs=1e-4
            )
    assert model(files[0], views=4) == together[0][0].caption


def test_a_mirrored_photo_gets_the_same_caption(model: Captioner, files: list[Path]) -> None:
    """The model knows no sides."""
    photo = open_photo(files[2])
    config = SearchConfig(views=2)
    told, turned = (next(model.stream([p], config))[0] for p in (photo, ImageOps.mirror(photo)))
    assert told.caption == turned.caption
    assert told.log_prob == pytest.approx(turned.log_prob, abs=1e-4)


def test_several_captioners_can_look_several_times(model: Captioner, files: list[Path]) -> None:
    """Twice the same captioner says what it says by itself."""
    config = SearchConfig(views=3)
    alone = [of_photo[0] for of_photo in model.stream(files, config)]
    together = [of_photo[0] for of_photo in Ensemble([model, model]).stream(files, config)]
    assert [caption.caption for caption in together] == [caption.caption for caption in alone]
    log_probs = [caption.log_prob for caption in alone]
    assert [caption.log_prob for caption in together] == pytest.approx(log_probs, abs=1e-4)


def test_words_are_explained_by_the_whole_photo(model: Captioner, files: list[Path]) -> None:
    captions, words = explain_photo(model, files[0], SearchConfig(views=3))
    assert [word.word for word in words[0]][:-1] == captions[0].caption.split()
    _, alone = explain_photo(model, files[0])
    assert [word.probability for word in words[0]] == pytest.approx(
        [word.probability for word in alone[0]], abs=1e-5
    )


def test_a_split_is_scored_by_captions_of_several_views(
    model: Captioner, coloured: Path, tmp_path: Path
) -> None:
    dataset = read_dataset(coloured)
    told = evaluate(model, dataset, "test", search=SearchConfig(views=3))
    assert told.record["search"] == {"views": 3}
    expected = model([photo.file for photo in dataset.split("test")], views=3)
    assert [result["caption"] for result in told.results] == expected


def test_a_photo_that_went_away_while_it_was_scored_is_told(
    model: Captioner, coloured: Path
) -> None:
    photos = read_dataset(coloured).split("test")[:2]
    maps = make_look(model.encoder, 1)(
        np.stack([photo_array(open_photo(photo.file), model.preprocessing) for photo in photos])
    )
    photos = [photos[0], replace(photos[1], file=coloured / "gone.jpg")]
    with pytest.raises(InputError, match=r"gone\.jpg: there is no such file"):
        caption_photos(model, photos, maps, SearchConfig(views=2, beam_size=1))


def test_other_views_than_asked_for_are_an_error(model: Captioner) -> None:
    features = torch.zeros(1, model.config.encoder.features)
    with pytest.raises(InputError, match="asked for: 2; views of these features: 1"):
        model.search(features, SearchConfig(views=2))
    with pytest.raises(InputError, match="asked for: 1; views of these features: 2"):
        model.search(SeveralViews([features] * 2, several_views(2)))
    with pytest.raises(ValueError, match="10 views of a photo at most"):
        SearchConfig(views=11)
    with pytest.raises(ValueError, match="views 0 must be at least 1"):
        SearchConfig(views=0)
    assert whole(features) is features
