"""A doctor for data sets and captioners: what may go wrong in training, found before it does.

Each check gives findings; each finding that is not well names its remedy. `examine` makes them all.
"""

from captioner.diagnosis.doctor import examine
from captioner.diagnosis.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
