"""What a person sees of a run while it goes on, and what is left of it on disk."""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from captioner.files import unwritable, write_text
from captioner.plotting import Curve, plot_curves


class Logbook:
    """Progress bar, sample captions, log.jsonl, curves.png, and TensorBoard where it is installed.

    Args:
        folder: Of the run.
        tell: What an epoch's record says, in words.
        curves: The figures to draw.
    """

    def __init__(
        self, folder: Path, tell: Callable[[dict[str, Any]], str], curves: Sequence[Curve]
    ) -> None:
        self.folder = folder
        self.tell = tell
        self.curves = curves
        self.file = folder / "log.jsonl"
        self.epochs: list[dict[str, Any]] = []
        self.bar: tqdm | None = None
        self.tensorboard: Any = None

    def goes_on_from(self, step: int) -> None:
        """Strike out what an interrupted run noted beyond its checkpoint: each step stands once."""
        kept = []
        if self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:
                    break  # the line that an interruption cut
                if record["step"] > step:
                    break
                kept.append(line)
                if "epoch" in record:
                    self.epochs.append(record)
        write_text(self.file, "".join(line + "\n" for line in kept))
        self.tensorboard = _tensorboard(self.folder / "tensorboard", step)

    def epoch_begins(self, epoch: int, done: int, batches: int) -> None:
        """Open the progress bar."""
        self.bar = tqdm(
            total=batches, initial=done, desc=f"Epoch {epoch + 1}", unit="batch", disable=None
        )

    def step_done(self, record: dict[str, Any]) -> None:
        """Note a step."""
        self._write(record)
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{record['loss']:.2f}", refresh=False)
            self.bar.update()

    def epoch_ends(self, record: dict[str, Any], samples: list[str]) -> None:
        """Close the bar; note and show how good it is now."""
        if self.bar is not None:
            self.bar.close()
        self._write(record)
        self.epochs.append(record)
        plot_curves(self.epochs, self.folder / "curves.png", self.curves)
        _show(f"epoch {record['epoch']}: {self.tell(record)}")
        for sample in samples:
            _show(f"    {sample}")

    def _write(self, record: dict[str, Any]) -> None:
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise unwritable(self.file, error) from error
        if self.tensorboard is not None:
            for name, value in record.items():
                if name not in ("step", "epoch") and isinstance(value, int | float):
                    self.tensorboard.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Finish what is open; also after an interruption."""
        if self.bar is not None:
            self.bar.close()
        if self.tensorboard is not None:
            self.tensorboard.close()


def _show(line: str) -> None:
    """On stderr, as the progress bar: a full disk behind stdout must not end the training."""
    tqdm.write(line, file=sys.stderr)


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logging.getLogger("captioner").info(
            "TensorBoard is not installed; pip install 'captioner[tensorboard]' adds it"
        )
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
