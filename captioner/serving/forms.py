"""A multipart form, read into memory and nowhere else: the photos and the other fields of it."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from captioner.serving.limits import Limits, RefusedError, Room
from captioner.serving.photos import Photo

MOST_FIELDS = 100
LONGEST_FIELD = 10_000
"""Bytes; captions and links are far shorter."""


@dataclass
class Form:
    """What came in."""

    photos: list[Photo] = field(default_factory=list)
    """The files of the field `image`, in order."""
    fields: dict[str, list[str]] = field(default_factory=dict)
    """The values of all other fields, by name."""


class _InMemory(MultiPartParser):
    """Starlette's parser puts files above a megabyte on the disk; here no photo goes there."""

    def __init__(
        self, request: Request, stream: AsyncGenerator[bytes, None], limits: Limits
    ) -> None:
        super().__init__(
            request.headers,
            stream,
            max_files=limits.max_photos,
            max_fields=MOST_FIELDS,
            max_part_size=LONGEST_FIELD,
        )
        self.spool_max_size = limits.request_bytes + 1


class Reader:
    """Reads forms within limits.

    Args:
        limits: Of one form.
        memory: Bytes that all of those at work may take.
    """

    def __init__(self, limits: Limits, memory: Room) -> None:
        self.limits = limits
        self.memory = memory

    @contextmanager
    def room(self) -> Iterator["Hold"]:
        """What one request holds in memory, as long as it is at work."""
        hold = Hold(self.memory)
        try:
            yield hold
        finally:
            self.memory.give_back(hold.amount)

    async def read(self, request: Request, hold: "Hold") -> Form:
        """The form of a request.

        Raises:
            RefusedError: 400 broken off or no form at all, 413 too large, 415 another kind of body,
                503 no memory left.
        """
        if request.headers.get("content-type", "").partition(";")[0] != "multipart/form-data":
            raise RefusedError(
                415, "send multipart/form-data with the field image, as curl -F does"
            )
        told = request.headers.get("content-length", "0")
        if told.isdecimal() and int(told) > self.limits.request_bytes:
            raise self._too_large()
        try:
            parts = await _InMemory(request, self._counted(request, hold), self.limits).parse()
        except MultiPartException as error:
            status = 413 if error.message.startswith(("Too many", "Part exceeded")) else 400
            raise RefusedError(status, self._explain(error.message)) from None
        except ClientDisconnect:
            raise RefusedError(400, "the request broke off") from None
        form = Form()
        for name, value in parts.multi_items():
            if isinstance(value, str):
                form.fields.setdefault(name, []).append(value)
                continue
            data = await _take(value)
            if name == "image" and (value.filename or data):
                form.photos.append(Photo(value.filename or "photo", data))
            elif name != "image":
                raise RefusedError(
                    422, f"{name}: a file is not expected here; photos go into image"
                )
        if "image" in form.fields:
            raise RefusedError(422, "image: not a file; with curl, -F image=@photo.jpg sends one")
        return form

    async def _counted(self, request: Request, hold: "Hold") -> AsyncGenerator[bytes, None]:
        while not hold.ended:
            chunk = await hold.receive(request)
            if hold.amount + len(chunk) > self.limits.request_bytes:
                raise self._too_large()
            hold.more(len(chunk))
            yield chunk

    def _too_large(self) -> RefusedError:
        most = self.limits.max_request
        return RefusedError(
            413, f"the request is too large (at most {most:g} MB); send fewer photos"
        )

    def _explain(self, message: str) -> str:
        if message.startswith("Too many files"):
            return f"too many photos (at most {self.limits.max_photos} in one request)"
        return f"not a form that can be read: {message}"


class Hold:
    """What a request has sent so far, and the bytes that it has taken.

    Args:
        memory: Where they are taken from.
    """

    def __init__(self, memory: Room) -> None:
        self.memory = memory
        self.amount = 0
        self.ended = False
        """Whether its body has come in whole, or never will."""

    async def receive(self, request: Request) -> bytes:
        """The next part of the body.

        Raises:
            ClientDisconnect: if there will be none.
        """
        message = await request.receive()
        self.ended = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return bytes(message.get("body", b""))

    async def drain(self, request: Request) -> None:
        """Let a body that is not wanted run out, or else its sender would not read the answer."""
        with suppress(ClientDisconnect):
            while not self.ended:
                await self.receive(request)

    def more(self, amount: int) -> None:
        """Take more; errors as of `Room.take`."""
        self.memory.take(amount)
        self.amount += amount


async def _take(file: UploadFile) -> bytes:
    data = await file.read()
    await file.close()
    return data
