"""Photos of all waiting requests -> one batch for the CNN, one search -> their captions.

Two threads: one puts photos through the CNN while the other searches for the captions of those
before. Neither waits for a batch to fill up: what has gathered while it was busy is the next batch,
so that a single photo is captioned at once and many are captioned together.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.explaining import Word, explain
from captioner.extraction import BATCH
from captioner.serving.limits import RefusedError
from captioner.streaming import Caption, PhotoCaptioner

SEARCHED = 32
"""Photos that are searched together at most; more would be no quicker, and the first would wait."""
LIKELIEST = 6
"""Words that might have come, told for each word that did."""
ABOUT = 64
"""Photos that the CNN is made ready for; there will be any number of them."""

Found = tuple[list[Caption], list[list[Word]]]
"""The captions of a photo, the best first, and the words of each, if they were asked for."""


@dataclass(eq=False)
class Job:
    """A photo that waits for its captions."""

    array: np.ndarray
    """What the CNN sees (3, S, S); then what it gives, one row."""
    config: SearchConfig
    number: int
    """Of the photo in its request, so that lots do not depend on who else asks."""
    explain: bool
    answer: "Future[Found]" = field(default_factory=Future)


class Batcher:
    """Captions photos as they come, from any thread.

    Args:
        captioner: The model. Nothing else may use it meanwhile.
    """

    def __init__(self, captioner: PhotoCaptioner) -> None:
        self.captioner = captioner
        self._look = captioner.make_look(ABOUT)
        self._changed = threading.Condition()
        self._to_see: deque[Job] = deque()
        self._to_search: deque[Job] = deque()
        self._open: set[Job] = set()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=arguments, daemon=True)
            for arguments in (
                (self._to_see, BATCH, False, self._see),
                (self._to_search, SEARCHED, True, self._search),
            )
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        array: Float[np.ndarray, "3 S S"],
        config: SearchConfig,
        number: int = 0,
        explain: bool = False,
    ) -> "Future[Found]":
        """Ask for the captions of a photo.

        Args:
            array: As `photo_array` gives it.
            config: How to search.
            number: Of the photo in its request.
            explain: Also tell about each word.

        Returns:
            Where they will be. A job that is cancelled before its turn costs nothing.

        Raises:
            RefusedError: if the server is about to stop.
        """
        job = Job(array, config, number, explain)
        with self._changed:
            if self._closed:
                raise _stopping()
            self._open.add(job)
            self._to_see.append(job)
            self._changed.notify_all()
        job.answer.add_done_callback(lambda _: self._open.discard(job))
        return job.answer

    def close(self) -> None:
        """Take no more jobs, and refuse those that are not done. Comes back at once."""
        with self._changed:
            self._closed = True
            left = [*self._open]
            self._to_see.clear()
            self._to_search.clear()
            self._changed.notify_all()
        for job in left:
            _fail(job, _stopping())

    def join(self, seconds: float) -> None:
        """Wait, but not for long, until the batches at work are through, after `close`."""
        for thread in self._threads:
            thread.join(seconds)

    def _work(
        self, jobs: deque[Job], most: int, alike: bool, do: Callable[[list[Job]], None]
    ) -> None:
        """What a thread does: take a batch, work on it, and so on until all is closed."""
        while batch := self._take(jobs, most, alike):
            try:
                do(batch)
            except InputError as error:
                for job in batch:
                    _fail(job, RefusedError(422, str(error)))
            except Exception:  # whatever it was, the next batch is another matter
                logging.getLogger("captioner").exception("a batch of photos failed")
                for job in batch:
                    _fail(job, RefusedError(500, "captioning failed; the server's log tells more"))

    def _take(self, jobs: deque[Job], most: int, alike: bool) -> list[Job]:
        """The jobs that have waited longest, searched alike if need be; none if all is closed."""
        with self._changed:
            while not self._closed:
                waiting = [job for job in jobs if not job.answer.done()]
                first = waiting[0].config if waiting else None
                batch = [job for job in waiting if not alike or job.config == first][:most]
                jobs.clear()
                jobs.extend(job for job in waiting if job not in batch)
                if batch:
                    return batch
                self._changed.wait()
        return []

    def _see(self, batch: list[Job]) -> None:
        rows = self._look(np.stack([job.array for job in batch]))
        for job, row in zip(batch, rows, strict=True):
            job.array = row
        with self._changed:
            self._to_search.extend(batch)
            self._changed.notify_all()

    def _search(self, batch: list[Job]) -> None:
        features = self.captioner.features(np.stack([job.array for job in batch]))
        found = self.captioner.search(features, batch[0].config, [job.number for job in batch])
        words: dict[Job, list[list[Word]]] = {}
        if asked := [(job, of) for job, of in zip(batch, found, strict=True) if job.explain]:
            told = explain(
                self.captioner,
                self.captioner.features(np.stack([job.array for job, _ in asked])),
                [[caption.caption for caption in of_photo] for _, of_photo in asked],
                LIKELIEST,
            )
            words = {job: of_photo for (job, _), of_photo in zip(asked, told, strict=True)}
        for job, of_photo in zip(batch, found, strict=True):
            _succeed(job, (of_photo, words.get(job, [])))


def _stopping() -> RefusedError:
    return RefusedError(503, "the server is being stopped", 10)


def _succeed(job: Job, found: Found) -> None:
    with suppress(InvalidStateError):  # nobody waits for it any more
        job.answer.set_result(found)


def _fail(job: Job, error: Exception) -> None:
    with suppress(InvalidStateError):
        job.answer.set_exception(error)
