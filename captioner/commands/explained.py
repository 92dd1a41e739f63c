"""`captioner caption --explain`: pictures of why a captioner said what it said."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands.output import check_place
from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.files import unwritable

if TYPE_CHECKING:
    from captioner.explaining import Explained
    from captioner.images import Source
    from captioner.streaming import PhotoCaptioner

BEAM = 8
"""Captions of the beam that a picture shows, at most."""


class Explainer:
    """Draws why photos got their captions: into a PNG, or into a folder, a PNG for each.

    Args:
        place: What ends in .png is the file for a single photo, all else a folder.
        sources: The photos.

    Raises:
        InputError: if it is a file and there are several photos, or it cannot be written.
    """

    def __init__(self, place: Path, sources: "Sequence[Source]") -> None:
        self.place = place
        self.taken: set[str] = set()
        self.alone = place.suffix.lower() == ".png"
        if self.alone and len(sources) > 1:
            raise InputError(
                f"--explain {place}: a picture for one photo, but there are {len(sources)}; "
                "name a folder, where each photo gets a picture"
            )
        try:
            if not self.alone:
                place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(place, error) from error
        check_place(place if self.alone else place / "photo.png")

    def stream(
        self, captioner: "PhotoCaptioner", sources: "Sequence[Source]", search: SearchConfig
    ) -> "Iterator[Explained | InputError]":
        """Captions of each photo, enough of them for a tree, and the words of the best."""
        from captioner.explaining import explain_photos

        if not search.sample:
            # A search for no more captions than it has beams anyway finds the same ones.
            beams = captioner.settle(search).beam_size
            search = replace(search, num_captions=max(search.num_captions, min(BEAM, beams)))
        return explain_photos(captioner, sources, search, most=1)

    def draw(self, source: "Source", explained: "Explained", fit: str) -> None:
        """Draw one.

        Raises:
            InputError: if the picture cannot be written.
        """
        from captioner.explaining import beam_tree
        from captioner.images import open_photo
        from captioner.plotting import SIDE, plot_explanation

        captions, words = explained
        beam = beam_tree([caption.caption for caption in captions])
        plot_explanation(open_photo(source, SIDE), words[0], self._file(source), beam, fit)

    def _file(self, source: "Source") -> Path:
        """A name that no other photo has, also where capital letters count for nothing."""
        if self.alone:
            return self.place
        stem = Path(str(source)).stem if isinstance(source, str | Path) else "stdin"
        name, number = stem, 1
        while name.lower() in self.taken:
            number += 1
            name = f"{stem}-{number}"
        self.taken.add(name.lower())
        return self.place / f"{name}.png"
