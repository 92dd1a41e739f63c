"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["well", "doubtful", "bad"]
"""well: nothing to do. doubtful: worth a look. bad: training or its scores will suffer."""


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do about it."""

    check: str
    """Which check."""
    level: Level
    """How it stands."""
    told: str
    """What was found, in words and numbers."""
    remedy: str = ""
    """What to do; empty where all is well."""

    def __post_init__(self) -> None:
        if (self.level == "well") == bool(self.remedy):
            raise ValueError(f"{self.check}: a finding has a remedy unless all is well")
