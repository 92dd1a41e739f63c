"""What is done for each request: its form is read, its photos are decoded, captioned, described."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from captioner.extraction import num_threads
from captioner.serving.answers import (
    OnePhoto,
    Settings,
    answer_of,
    read_settings,
    refusal_of,
)
from captioner.serving.at_work import unless_gone, within
from captioner.serving.descriptions import describe
from captioner.serving.forms import Form, Hold, Reader
from captioner.serving.limits import MEGABYTE, Limits, RefusedError, Room
from captioner.serving.links import fetch
from captioner.serving.photos import Photo, kind_of, load
from captioner.serving.worker import Batcher

MEDIA = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "TIFF": "image/tiff", "BMP": "image/bmp"}
"""Types of pictures, where they are not simply image/ and the kind."""
LINGER = 2.0
"""Seconds for the rest of a refused request to come in."""
LINKS_AT_ONCE = 4
SECONDS_OF_LINK = 15.0
"""For a photo behind a link to come."""


@dataclass(frozen=True)
class Service:
    """What all requests share."""

    batcher: Batcher
    model: str
    limits: Limits = field(default_factory=Limits)
    allow_links: bool = False
    host: str = "127.0.0.1"
    names: Sequence[str] = ()


class Desk:
    """Does what requests ask for.

    Args:
        service: What it works with.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        limits = service.limits
        self.memory = Room(int(limits.max_memory * MEGABYTE), "the photos fill the memory")
        self.waiting = Room(limits.max_waiting, f"{limits.max_waiting} photos wait already")
        self.reader = Reader(limits, self.memory)
        self.decoding = ThreadPoolExecutor(num_threads(), "decoding")
        self.links = asyncio.Semaphore(LINKS_AT_ONCE)
        self.fetching = ThreadPoolExecutor(LINKS_AT_ONCE, "fetching")

    async def form(self, request: Request, hold: Hold) -> Form:
        """The form of a request, in time; errors as of `Reader.read`, 408 if it is too slow."""
        seconds = self.service.limits.timeout
        try:
            reading = self.reader.read(request, hold)
            return await within(seconds, 408, "sending the request", reading)
        except RefusedError as refused:
            if refused.status in (413, 415, 503):
                with suppress(RefusedError):
                    await within(LINGER, 408, "the rest", hold.drain(request))
            raise

    async def caption(self, request: Request) -> tuple[list[OnePhoto], int]:
        """The captions of all photos of a request, and the status: an error if none has any."""
        with self.reader.room() as hold:
            form = await self.form(request, hold)
            links = form.fields.pop("url", [])
            settings = read_settings(form.fields)
            if links and not self.service.allow_links:
                raise RefusedError(
                    422, "url: links are not followed; captioner serve --allow-links does"
                )
            if not (form.photos or links):
                raise RefusedError(422, "no photo: send one or more in the field image")
            asked = len(form.photos) + len(links)
            if asked > self.service.limits.max_photos:
                most = self.service.limits.max_photos
                raise RefusedError(
                    413, f"{asked} photos are too many (at most {most} in one request)"
                )
            with self.waiting.for_(asked):
                work = self._caption_all([*form.photos, *links], settings)
                seconds = self.service.limits.timeout
                answers = await unless_gone(
                    request, within(seconds, 504, "captioning the photos", work)
                )
        statuses = [photo.error.status for photo in answers if photo.error]
        if len(statuses) < len(answers):
            return answers, 200
        return answers, statuses[0] if len(set(statuses)) == 1 else 422

    async def _caption_all(
        self, photos: Sequence[Photo | str], settings: Settings
    ) -> list[OnePhoto]:
        settings.search()  # a mistake in it is none of the photos'
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._caption_one(photo, settings, number))
                for number, photo in enumerate(photos)
            ]
        return [task.result() for task in tasks]

    async def _caption_one(self, photo: Photo | str, settings: Settings, number: int) -> OnePhoto:
        name = photo if isinstance(photo, str) else photo.name
        batcher = self.service.batcher
        try:
            if isinstance(photo, str):
                async with self.fetched(photo) as found:
                    array = await self._load(found)
            else:
                array = await self._load(photo)
            answer = batcher.submit(array, settings.search(), number, settings.explain)
            return answer_of(name, await asyncio.wrap_future(answer))
        except RefusedError as refused:
            return refusal_of(name, refused)

    async def _load(self, photo: Photo) -> np.ndarray:
        preprocessing = self.service.batcher.captioner.preprocessing
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.decoding, load, photo.data, preprocessing, self.service.limits
        )

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[Photo]:
        """The photo behind a link, as long as it is needed; only a few are in memory at a time.

        Raises:
            RefusedError: as of `captioner.serving.links.fetch`.
        """
        most = self.service.limits.photo_bytes
        async with self.links:
            with self.memory.for_(most):  # it may be as large as that
                loop = asyncio.get_running_loop()
                yield await loop.run_in_executor(self.fetching, fetch, url, most, SECONDS_OF_LINK)

    async def describe(self, request: Request) -> Response:
        """A copy of a photo with a caption in its metadata."""
        with self.reader.room() as hold:
            form = await self.form(request, hold)
            caption = form.fields.pop("caption", [])
            if len(form.photos) != 1 or len(caption) != 1 or form.fields:
                raise RefusedError(422, "send one photo in the field image and one text in caption")
            (photo,) = form.photos
            kind = kind_of(photo.data, self.service.limits)
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self.decoding, describe, photo.data, caption[0])
        name = quote(Path(photo.name).name)
        return Response(
            data,
            media_type=_media(kind),
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    async def link(self, request: Request) -> Response:
        """The photo behind a link, for the page to show."""
        if not self.service.allow_links:
            raise RefusedError(403, "links are not followed; captioner serve --allow-links does")
        with self.reader.room() as hold:
            form = await self.form(request, hold)
            urls = form.fields.pop("url", [])
            if len(urls) != 1 or form.fields or form.photos:
                raise RefusedError(422, "send one link in the field url")
        async with self.fetched(urls[0]) as photo:
            kind = kind_of(photo.data, self.service.limits)
        return Response(photo.data, media_type=_media(kind), headers={"X-Name": quote(photo.name)})


def _media(kind: str) -> str:
    return MEDIA.get(kind, f"image/{kind.lower()}")
