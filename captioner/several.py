"""A photo looked at several times, and captioned once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from captioner.errors import InputError
from captioner.search import Member, exchanging, joint_step
from captioner.views import SIDED, View
from captioner.vocabulary import Vocabulary


@dataclass(frozen=True)
class SeveralViews:
    """The features of N photos in several views, which are captioned together."""

    features: list[Any]
    """In each view, as `PhotoCaptioner.features` gives them."""
    views: list[View]
    """Which ones; the first is the whole photo."""


def whole(features: Any) -> Any:
    """The features of the whole photos."""
    return features.features[0] if isinstance(features, SeveralViews) else features


def begin_together(
    begin: Callable[[Any], Member], features: Any, views: int, vocabulary: Vocabulary
) -> Member:
    """What a search takes: one step in which each view has a vote for each next word.

    The votes are those of an ensemble (`captioner.search.joint_step`), one for each view of the
    same captioner. Left and right change places in a mirror.

    Args:
        begin: As `PhotoCaptioner.begin`, for a single view.
        features: Of the photos, or of several views of them.
        views: How many are wanted.
        vocabulary: The words.

    Raises:
        InputError: if the features are of other views.
    """
    seen = features if isinstance(features, SeveralViews) else None
    found = len(seen.views) if seen else 1
    if found != views:
        raise InputError(f"views asked for: {views}; views of these features: {found}")
    if seen is None:
        return begin(features)
    sides = [vocabulary.index[word] for word in sorted(SIDED) if word in vocabulary.index]
    members = []
    for of_view, view in zip(seen.features, seen.views, strict=True):
        member = begin(of_view)
        if view.mirrored and len(sides) == 2:
            member = exchanging(member, sides[0], sides[1])
        members.append(member)
    return joint_step(members)
