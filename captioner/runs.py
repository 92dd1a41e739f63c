"""A run: a data set and settings go in, a folder with a trained model comes out.

data set -> CNN, once per photo -> feature cache -> PCA, vocabulary -> fit -> OUT/best
"""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from captioner.card import write_card
from captioner.checkpoint import save_model
from captioner.corruption import Corrupted
from captioner.data import CaptionData
from captioner.datasets import write_split
from captioner.errors import InputError
from captioner.evaluation import trained_how
from captioner.files import read_json, write_json
from captioner.finetuning import FineTuned
from captioner.folders import find_model, parse
from captioner.joining import read_datasets
from captioner.logbook import Logbook
from captioner.material import Run, as_it_is, check_settings, gather
from captioner.plotting import CAPTIONER, SELF_CRITICAL
from captioner.provenance import provenance
from captioner.resume import FILE as CHECKPOINT
from captioner.resume import RunState
from captioner.selfcritical import Judge, PhotoData, SelfCritical
from captioner.training import fit
from captioner.validation import Guarded, Relooked

logger = logging.getLogger("captioner")


R = TypeVar("R")


def begin(folder: Path, run: Any) -> None:
    """Make the folder of a new run, of a captioner or of a language model.

    Raises:
        InputError: if there is a run in it already, or it cannot be written.
    """
    if (folder / "run.json").exists():
        raise InputError(
            f"{folder}: there is a run in this folder; go on with it by --resume {folder}, "
            "or choose another place with --out"
        )
    write_json(folder / "run.json", asdict(run))


def recall(folder: Path, kind: type[R]) -> R:
    """The settings of a run that is to be resumed.

    Args:
        folder: Of the run.
        kind: `Run`, or `captioner.language_runs.LanguageRun`.

    Raises:
        InputError: if the folder holds no run, or one of another version.
    """
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: no run to resume here (run.json is missing)")
    return parse(kind, read_json(folder / "run.json", "the settings of a run"), folder / "run.json")


def train_captioner(folder: Path, run: Run) -> RunState:
    """Train as `run` says, or go on where an interruption left it; the best model is FOLDER/best.

    Raises:
        InputError: if the data set, a photo, the weights or the folder cannot be used.
    """
    config = run.config
    check_settings(config, run.begin_with, run.init_decoder)
    dataset = read_datasets(run.data, run.more_data, seed=run.split_seed, skip_bad=run.skip_bad)
    for name in ("train", "val"):
        dataset.split(name)
    fingerprint = dataset.fingerprint()
    same_data(folder, dataset.root, fingerprint)
    write_split(dataset, folder / "split.json")
    material = gather(run, dataset, resumed=(folder / CHECKPOINT).exists())
    captioner, captions = material.captioner, material.captions
    write_json(folder / "data.json", {"fingerprint": fingerprint})
    about = provenance(run.seed) | {
        "data": dataset.title,
        "data_fingerprint": fingerprint,
        "photos": len(captions),
        "captions": sum(map(len, captions)),
        "words": len(captioner.vocabulary),
        "settings": asdict(config),
    }
    if run.begin_with:
        about["settings"] |= as_it_is(captioner)
        about["began_with"] = trained_how(find_model(run.begin_with))
    if run.backbone_weights and Path(run.backbone_weights).is_dir():
        about["cnn_of"] = trained_how(find_model(run.backbone_weights))

    def keep_best(learner: Any, record: dict[str, Any]) -> None:
        if isinstance(learner, FineTuned):
            learner.seal()
        val = {"cider_d": record["val_cider_d"], "photos": len(material.goal.names)}
        notes = {"metrics": {"val": val}, "training": about | record}
        save_model(
            folder / "best",
            captioner.config,
            captioner.vocabulary,
            captioner.saved_tensors(),
            notes,
            write_card(captioner.config, notes),
        )

    learner: Any = captioner
    examples: Any
    goal: Any = material.goal
    if config.self_critical:
        judge = Judge(captions, captioner.vocabulary, config.bleu_reward, config.repetition_penalty)
        learner = SelfCritical(captioner, judge, config)
        examples = PhotoData(material.features)
        goal = Guarded(material.goal, learner)
        logger.info("before: CIDEr-D %.3f on validation photos", goal.before["val_cider_d"])
    else:
        together = captioner.places
        if config.cnn_learning_rate:
            learner, together = FineTuned(captioner, config.cnn_stages), True
            goal = Relooked(goal, material.val_files)
        data = CaptionData(captions, material.features, captioner.vocabulary, together)
        examples = Corrupted(data, captioner.decoder, config)
    logbook = Logbook(folder, _told, SELF_CRITICAL if config.self_critical else CAPTIONER)
    try:
        return fit(
            learner,
            examples,
            goal,
            config,
            run.seed,
            folder,
            keep_best,
            logbook,
            config.average,
            {"cnn.": config.cnn_learning_rate / config.learning_rate},
        )
    except FloatingPointError as error:
        raise InputError(f"{folder}: {error}") from None
    finally:
        logbook.close()


def _told(record: dict[str, Any]) -> str:
    """What an epoch's record says, in words."""
    learned = f"loss {record['train_loss']:.2f} nats per caption"
    if "reward" in record:
        learned = f"mean reward {record['reward']:.3f}, {record['finished']:.1%} ended"
    told = (
        f"{learned}, CIDEr-D {record['val_cider_d']:.3f} on validation photos: "
        f"{record['val_different']} different captions, {record['val_words']:.1f} words, "
        f"{record['val_dangling']:.1%} break off, {record['val_stammering']:.1%} say something "
        f"twice, {record['val_copied']:.1%} are training captions"
    )
    return f"{told}; stopped: {record['stop']}" if "stop" in record else told


def same_data(folder: Path, source: Path | str, fingerprint: str) -> None:
    """Refuse to go on with a run on other data than it began with.

    Raises:
        InputError: if they changed since.
    """
    file = folder / "data.json"
    if not file.exists():
        return
    begun = read_json(file, "the fingerprint of a run's data")
    if not isinstance(begun, dict) or begun.get("fingerprint") != fingerprint:
        raise InputError(
            f"{source}: no longer the data that {folder} began with; bring that back, "
            "or begin a new run with another --out"
        )
