"""How much one request may ask for, how much may be at work, and what is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from captioner.errors import InputError

MEGABYTE = 1_000_000


class RefusedError(Exception):
    """A request, or one photo of it, that is not served.

    Args:
        status: Of HTTP: 4xx is the asker's to mend, 5xx is not.
        message: What is wrong and what to do about it.
        retry_after: Seconds after which it may be tried again, if that can help.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """What is refused."""

    max_photos: int = 32
    """Photos of one request, at most."""
    max_megabytes: float = 20.0
    """Size of a photo's file in megabytes, at most."""
    max_megapixels: float = 50.0
    """Size of a photo in millions of pixels, at most."""
    max_request: float = 100.0
    """Size of a request in megabytes, at most."""
    max_waiting: int = 256
    """Photos that may wait for their captions; more are refused until there is room."""
    max_memory: float = 500.0
    """Megabytes that the requests at work may take together."""
    timeout: float = 60.0
    """Seconds within which a request has to come in, and then to be answered."""

    def check(self) -> None:
        """Refuse limits that let nothing through.

        Raises:
            InputError: naming the option.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0 < value < float("inf"):
                option = item.name.replace("_", "-")
                raise InputError(f"--{option} {value}: choose a number above 0")

    @property
    def photo_bytes(self) -> int:
        """Of a photo's file."""
        return int(self.max_megabytes * MEGABYTE)

    @property
    def request_bytes(self) -> int:
        """Of a request's body."""
        return int(self.max_request * MEGABYTE)


class Room:
    """What is left of a quantity that requests share; only for the thread of the event loop.

    Args:
        most: So much of it may be taken at once.
        what: Of what, for the refusal.

    Example:

        >>> room = Room(5, "photos wait")
        >>> with room.for_(3):
        ...     room.taken
        3
        >>> room.taken
        0
    """

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self.taken = 0

    def take(self, amount: int) -> None:
        """Take some.

        Raises:
            RefusedError: if so much is not left; it may be later.
        """
        if self.taken + amount > self.most:
            raise RefusedError(503, f"too much to do: {self.what}; try again in a little while", 2)
        self.taken += amount

    def give_back(self, amount: int) -> None:
        """What was taken."""
        self.taken -= amount

    @contextmanager
    def for_(self, amount: int) -> Iterator[None]:
        """Take some for a while; errors as of `take`."""
        self.take(amount)
        try:
            yield
        finally:
            self.give_back(amount)
