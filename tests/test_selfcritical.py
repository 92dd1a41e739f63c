"""Training by the scores of drawn captions, against its definition."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captioner.commands import main
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, SearchConfig
from captioner.material import Run
from captioner.metrics.health import Health, ends_badly, health, stammers
from captioner.model import Captioner
from captioner.presets import PRESETS
from captioner.refinements import SelfCriticalSettings
from captioner.runs import begin, train_captioner
from captioner.selfcritical import (
    Judge,
    PhotoBatch,
    PhotoData,
    SelfCritical,
    say,
)
from captioner.validation import gone_bad
from captioner.vocabulary import END, SPECIAL, START, Vocabulary

CAPTIONS = [["a red dog", "a dog runs"], ["a cat", "the cat sits"], ["a red cat", "a cat runs"]]
WORDS = Vocabulary((*SPECIAL, "a", "dog", "cat", "red", "runs", "the", "sits"), max_words=4)


def make(kind: str = "pooled", dropout: float = 0.0) -> Captioner:
    torch.manual_seed(1)
    encoder = EncoderConfig(channels=6, last_channels=6, features=6)
    decoder = DecoderConfig(
        kind=kind, cell="lstm", embedding=5, hidden=8, features=6, attention=7, dropout=dropout
    )
    return Captioner(ModelConfig(encoder, decoder), WORDS)


def batch(kind: str = "pooled") -> PhotoBatch:
    torch.manual_seed(2)
    features = torch.randn(3, 6) if kind == "pooled" else torch.randn(3, 4, 6)
    return PhotoBatch(features, torch.arange(3))


def log_prob(captioner: Captioner, features: torch.Tensor, words: list[int]) -> torch.Tensor:
    """Of a caption, step by step, among the words that may be said."""
    decoder = captioner.decoder
    state, memory = decoder.start(features), decoder.memory(features)
    total, last = torch.zeros(()), START
    for word in words:
        log_probs, state = decoder.step(torch.tensor([last]), state, memory)
        said = log_probs.index_fill(1, torch.tensor([0, 1, 3]), -1e30).log_softmax(dim=1)
        total = total + said[0, word]
        last = word
        if word == END:
            break
    return total


@pytest.mark.parametrize("kind", ["pooled", "attention"])
@pytest.mark.parametrize("baseline", ["mean", "greedy"])
def test_the_gradient_is_that_of_the_definition(kind: str, baseline: str) -> None:
    captioner, photos = make(kind), batch(kind)
    judge = Judge(CAPTIONS, WORDS)
    learner = SelfCritical(captioner, judge, SelfCriticalSettings(samples=4, baseline=baseline))
    torch.manual_seed(7)
    loss, _ = learner.loss(photos)
    names, weights = zip(*captioner.decoder.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, weights, allow_unused=True)

    torch.manual_seed(7)
    words, numbers = learner._draw(photos)
    rewards = judge.score(words.numpy(), numbers.numpy()).reshape(3, 4)
    if baseline == "mean":
        base = np.array([[np.delete(row, k).mean() for k in range(4)] for row in rewards])
    else:
        greedy = captioner.search(photos.features, SearchConfig(beam_size=1, max_words=4))
        texts = [[*WORDS.indices(found[0].caption.split()), END][:4] for found in greedy]
        rows = np.array([text + [0] * (4 - len(text)) for text in texts])
        base = np.repeat(judge.score(rows, np.arange(3))[:, None], 4, axis=1)
    captioner.eval()
    total = sum(
        -(rewards[p, k] - base[p, k])
        * log_prob(captioner, photos.features[p : p + 1], words[4 * p + k].tolist())
        for p, k in itertools.product(range(3), range(4))
    )
    expected = torch.autograd.grad(total / 12, weights, allow_unused=True)
    torch.testing.assert_close(loss, total / 12, rtol=1e-4, atol=1e-5)
    for name, ours, true in zip(names, found, expected, strict=True):
        if true is not None:
            torch.testing.assert_close(ours, true, rtol=1e-3, atol=1e-5, msg=name)


def test_captions_get_better_by_their_rewards() -> None:
    captioner, photos = make(), batch()
    learner = SelfCritical(captioner, Judge(CAPTIONS, WORDS), SelfCriticalSettings(samples=20))
    optimiser = torch.optim.Adam(captioner.decoder.parameters(), lr=2e-2)
    torch.manual_seed(0)
    rewards, finished = [], []
    for _ in range(60):
        loss, _ = learner.loss(photos)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        figures = learner.figures()
        rewards.append(figures["reward"])
        finished.append(figures["finished"])
    assert np.mean(rewards[-5:]) > 3 * np.mean(rewards[:5])
    assert finished[-1] > 0.95 > finished[0]
    for photo, of_photo in enumerate(captioner.eval().search(photos.features)):
        thing = "dog" if photo == 0 else "cat"
        assert {"dog", "cat"} & set(of_photo[0].caption.split()) == {thing}


def test_the_same_random_numbers_draw_the_same_captions() -> None:
    learner = SelfCritical(make(), Judge(CAPTIONS, WORDS), SelfCriticalSettings())
    photos, drawn = batch(), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(learner._draw(photos)[0].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_terms_of_the_reward() -> None:
    rows = np.array([[*WORDS.indices(["a", "dog", "dog"]), END, 0]])
    plain = Judge(CAPTIONS, WORDS).score(rows, np.array([0]))
    stern = Judge(CAPTIONS, WORDS, repetition=0.5).score(rows, np.array([0]))
    assert stern == pytest.approx(plain - 0.5)
    # 2 of 3 words match, as do 1 of 2 pairs and no triple, each counted once more; brevity 1.
    with_bleu = Judge(CAPTIONS, WORDS, bleu=2.0).score(rows, np.array([0]))
    assert with_bleu == pytest.approx(plain + 2 * (2 / 3 * 2 / 3 * 1 / 2 * 1) ** 0.25)
    assert say(rows[0].tolist(), WORDS) == "a dog dog"


@pytest.mark.parametrize("settings", [{"samples": 1}, {"samples": 0, "baseline": "greedy"}])
def test_too_few_samples_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="samples"):
        SelfCriticalSettings(**settings)


def test_an_epoch_has_every_photo_once_in_an_order_of_its_own() -> None:
    data = PhotoData(np.arange(10, dtype=np.float16)[:, None])
    epochs = [
        [number for batch in data.batches(4, 0, epoch) for number in batch.numbers.tolist()]
        for epoch in (0, 0, 1)
    ]
    assert sorted(epochs[0]) == list(range(10))
    assert epochs[0] == epochs[1] != epochs[2]
    assert data.num_batches(4) == 3
    rest = [batch.numbers.tolist() for batch in data.batches(4, 0, 0, skip=1)]
    assert rest == [epochs[0][4:8], epochs[0][8:]]
    for batch in data.batches(4, 0, 0):
        assert batch.features[:, 0].tolist() == batch.numbers.tolist()


def test_health() -> None:
    assert ends_badly([])
    assert not ends_badly(["dog"])
    assert stammers(["a", "dog", "a", "dog", "dog"])
    assert health(["x y"], ()) == Health(2, 1, 0, 0, 0)


@pytest.fixture(scope="module")
def refined(tiny_run: Run, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a self-critical run that began with the trained captioner."""
    folder = tmp_path_factory.mktemp("refined") / "run"
    run = self_critical(tiny_run, trained)
    begin(folder, run)
    train_captioner(folder, run)
    return folder


def self_critical(run: Run, trained: Path, **settings: Any) -> Run:
    config = replace(
        PRESETS["self-critical"], batch_size=8, epochs=3, warmup=1, learning_rate=1e-3, **settings
    )
    return replace(run, config=config, begin_with=str(trained))


def records(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "epoch" in record]


def test_a_run_tells_what_it_drew_and_keeps_the_words_of_its_model(
    refined: Path, trained: Path
) -> None:
    told = records(refined)
    assert [record["epoch"] for record in told] == [1, 2, 3]
    for record in told:
        assert {"reward", "finished", "val_words", "val_dangling", "val_copied"} <= record.keys()
        assert "train_perplexity" not in record
    before, after = Captioner.from_pretrained(trained), Captioner.from_pretrained(refined)
    assert before.vocabulary == after.vocabulary
    assert before.config.encoder == after.config.encoder
    assert not torch.equal(before.decoder.score.weight, after.decoder.score.weight)


def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(
    refined: Path, trained: Path, tiny_run: Run, tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "run"
    run = self_critical(tiny_run, trained, checkpoint_minutes=0.0)
    begin(folder, run)
    steps = itertools.count()
    loss = SelfCritical.loss

    def break_off(*arguments: Any) -> Any:
        if next(steps) == 4:
            raise KeyboardInterrupt
        return loss(*arguments)

    monkeypatch.setattr(SelfCritical, "loss", break_off)
    with pytest.raises(KeyboardInterrupt):
        train_captioner(folder, run)
    train_captioner(folder, run)
    ours, true = (Captioner.from_pretrained(place).decoder for place in (folder, refined))
    for name, weight in true.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name


def test_training_stops_when_captions_go_bad(
    tiny_run: Run, trained: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("captioner.validation.gone_bad", lambda *_: "they go bad")
    run = self_critical(tiny_run, trained)
    begin(tmp_path / "run", run)
    state = train_captioner(tmp_path / "run", run)
    assert state.epoch == 1
    assert records(tmp_path / "run")[0]["stop"] == "they go bad"


GOOD = {
    "val_different": 90, "val_words": 10.0, "val_dangling": 0.0, "val_stammering": 0.0,
    "finished": 0.9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"val_dangling": 0.06}, "break off"),
        ({"val_stammering": 0.06}, "twice"),
        ({"val_different": 29}, "differ"),
        ({"val_words": 5.0}, "length"),
        ({"val_words": 15.0}, "length"),
        ({"finished": 0.4}, "end"),
    ],
)
def test_signs_that_captions_go_bad(change: dict, sign: str) -> None:
    assert gone_bad(GOOD, GOOD) == ""
    assert sign in gone_bad(GOOD | change, GOOD)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["self-critical"], "--begin-with"),
        (["lstm", "--begin-with", "runs/a", "--hidden", "8"], "leave out --hidden"),
        (["lstm", "--begin-with", "a", "--init-decoder", "b"], "--init-decoder"),
        (["self-critical", "--begin-with", "a", "--label-smoothing", "0.1"], "--label-smoothing"),
        (["rnn", "--decoder", "adaptive"], "lstm"),
        (["lstm", "--decoder", "aoa", "--layers", "2"], "one layer"),
        (["self-critical", "--samples", "1"], "samples"),
    ],
)
def test_settings_that_do_not_go_together(
    arguments: list[str], told: str, coloured: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["train", *arguments, "--data", str(coloured), "--out", "run"])
    assert left.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
