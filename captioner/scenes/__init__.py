"""The default data set: pictures that the program draws itself, and five captions of each."""

from captioner.scenes.judge import Verdict, judge_caption, judge_captions
from captioner.scenes.prepare import prepare_scenes

__all__ = ["Verdict", "judge_caption", "judge_captions", "prepare_scenes"]
