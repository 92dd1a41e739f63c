"""A report on a captioner: pages about every photo of a split, to be opened from disk."""

from captioner.reporting.folder import check_place, write_report
from captioner.reporting.inside import Inside, look_inside

__all__ = ["Inside", "check_place", "look_inside", "write_report"]
