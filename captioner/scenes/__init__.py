"""The default data set: pictures that the program draws itself, and five captions of each."""

from captioner.scenes.judge import Verdict, judge_caption, judge_captions
from captioner.scenes.prepare import describe_scenes, prepare_scenes, split_sizes

__all__ = [
    "Verdict",
    "describe_scenes",
    "judge_caption",
    "judge_captions",
    "prepare_scenes",
    "split_sizes",
]
