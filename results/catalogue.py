"""All experiments by name: what `results/experiments.py` trains, and what each is compared with.

Adding one: its line in `EXPERIMENTS`. All learn from Flickr8k, and are chosen and scored on its
validation photos. All are smaller and shorter than the presets, so that two cores can train each of
them with several seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

GROUPS = ("decoders", "ingredients", "features", "data", "search", "self-critical", "fine-tuning")


@dataclass(frozen=True)
class Experiment:
    """What is trained or tried, with several seeds; a record for each."""

    group: str
    """Table that it belongs to."""
    name: str
    """No other has it."""
    train: tuple[str, ...] = ()
    """Arguments of train.py, the preset first."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the training."""
    evaluate: tuple[str, ...] = ()
    """More arguments of evaluate.py."""
    model_of: str = ""
    """Nothing is trained: this is the experiment whose model is used."""
    begin_with: str = ""
    """Training goes on from the model of this experiment, of the same seed."""
    consensus: bool = False
    """A copy of the model first learns what people wrote about its training photos."""
    ensemble: tuple[int, ...] = ()
    """The models of these seeds speak with it."""
    against: str = ""
    """The experiment that it is compared with, seed by seed."""

    @property
    def needs(self) -> str:
        """The experiment whose model has to be there first, if any."""
        return self.model_of or self.begin_with


def _variants(group: str, preset: str, against: str, added: Mapping[str, str]) -> list[Experiment]:
    """An experiment for each name, with these arguments after the preset's.

    >>> _variants("ingredients", "gru", "pooled-gru", {"views-2": "--views 2"})[0].train
    ('gru', '--views', '2')
    """
    return [
        Experiment(group, name, (*preset.split(), *more.split()), against=against)
        for name, more in added.items()
    ]


def _going_on(group: str, preset: str, added: Mapping[str, str]) -> list[Experiment]:
    """Training that goes on from the captioner with attention."""
    return [
        Experiment(
            group, name, (*preset.split(), *more.split()), begin_with="attention",
            against="attention",
        )
        for name, more in added.items()
    ]  # fmt: skip


def _searches(added: Mapping[str, str], consensus: bool = False) -> list[Experiment]:
    """Searches with the captioner with attention."""
    return [
        Experiment(
            "search", name, evaluate=tuple(more.split()), model_of="attention",
            consensus=consensus, against="beam-3",
        )
        for name, more in added.items()
    ]  # fmt: skip


SIZE = "--hidden 256 --epochs 5"
"""Of the decoder and of its training, in all experiments but those that say otherwise."""
PLACES = f"{SIZE} --attention 128"
"""Of a decoder that looks at places."""
LOOKING = ("attention", "adaptive", "att2in", "updown", "aoa")
"""Decoders that do."""
INGREDIENTS = {
    "label-smoothing": "--label-smoothing 0.1",
    "tie-weights": "--tie-weights",
    "word-dropout": "--word-dropout 0.1",
    "feature-dropout": "--feature-dropout 0.2",
    "scheduled-sampling": "--scheduled-sampling 0.25",
    "average": "--average 0.998",
    "views-2": "--views 2",
    "views-4": "--views 4",
    "dropout-0.3": "--dropout 0.3",
    "hidden-512": "--hidden 512",
}
FEATURES = {
    "maps-middle": "--maps middle+last",
    "maps-early": "--maps early+last",
    "size-300": "--size 300",
    "lite0": "--backbone tf_efficientnet_lite0",
}
DATA = {  # the fewer photos, the more epochs: they have few steps each
    "photos-100": "--train-photos 100 --epochs 30 --patience 6",
    "photos-300": "--train-photos 300 --epochs 20 --patience 6",
    "photos-1000": "--train-photos 1000 --epochs 12",
    "photos-3000": "--train-photos 3000 --epochs 8",
}
SELF_CRITICAL = {
    "self-critical": "",
    "self-critical-greedy": "--baseline greedy",
    "self-critical-slow": "--learning-rate 2e-5",
    "self-critical-dropout": "--dropout 0.5",
    "self-critical-views": "--views 4",
}

EXPERIMENTS = (
    Experiment("decoders", "pooled-lstm", ("lstm", *SIZE.split())),
    *_variants(
        "decoders", "", "pooled-lstm",
        {f"pooled-{cell}": f"{cell} {SIZE}" for cell in ("gru", "rnn")},
    ),
    *_variants(
        "decoders", "lstm", "pooled-lstm", {kind: f"--decoder {kind} {PLACES}" for kind in LOOKING}
    ),
    *_variants("features", f"gru {SIZE}", "pooled-gru", FEATURES),
    *_variants("ingredients", f"gru {SIZE}", "pooled-gru", INGREDIENTS),
    *(
        Experiment(
            "ingredients", name,
            ("lstm", "--decoder", "attention", *PLACES.split(), "--attention-penalty", weight),
            seeds=(0,), against="attention",
        )
        for name, weight in (("no-attention-penalty", "0"), ("attention-penalty-0.1", "0.1"))
    ),
    *_variants("data", f"gru {SIZE}", "pooled-gru", DATA),
    *_searches({f"beam-{beams}": f"--beam-size {beams}" for beams in (1, 3, 5, 10, 20)}),
    *_searches(
        {f"beam-{beams}-consensus": f"--beam-size {beams}" for beams in (3, 5, 10, 20)},
        consensus=True,
    ),
    *_searches({"no-repeat-2": "--no-repeat 2"}),
    *_searches({f"looks-{views}": f"--beam-size 3 --views {views}" for views in (2, 6, 10)}),
    Experiment(
        "search", "ensemble-3", seeds=(0,), evaluate=("--beam-size", "3"), model_of="attention",
        ensemble=(1, 2), against="beam-3",
    ),
    *_going_on("self-critical", "self-critical --epochs 4", SELF_CRITICAL),
    *_going_on("fine-tuning", "fine-tune --epochs 3", {"fine-tune": ""}),
)  # fmt: skip
"""In the order in which they are run and shown."""
