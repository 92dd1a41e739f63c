"""The judge of captions of drawn scenes: what it takes for true and what for false."""

import pytest

from captioner.scenes import judge_caption, judge_captions

CAR_AND_DOG = {
    "background": "meadow",
    "things": [{"kind": "car", "colour": "red"}, {"kind": "dog", "colour": "black"}],
    "held_out": "colour",
}


@pytest.mark.parametrize(
    ("caption", "things_right", "colours_right"),
    [
        ("a red car", True, True),
        ("A black puppy sits by an automobile that is red.", True, True),
        ("the car on the green grass is red", True, True),
        ("a dog and a car under a blue sky", True, True),
        ("the dog is black and the car is red", True, True),
        ("a big shiny red car", True, True),
        ("there is something red in the green meadow", True, True),
        ("the grass is green and the sky is blue", True, True),
        ("two red cars", True, True),
        ("a blue car", True, False),
        ("the car on the grass is green", True, False),
        ("a car that is blue next to a dog", True, False),
        ("the red and white car", True, False),
        ("a black car and a red dog", True, False),
        ("the dog is red and the car is black", True, False),
        ("a dog next to a red and blue car", True, False),
        ("something purple", True, False),
        ("a cat in a car", False, True),
        ("cats", False, True),
        ("a red bus", False, False),
        ("the dog and the car are red", True, False),
        ("a dog and a red and a blue car", True, False),
        ("a car is black and white", True, False),
        ("a car car car bird", False, True),
    ],
)  # fmt: skip
def test_judge_tells_true_captions_from_false_ones(caption, things_right, colours_right):
    verdict = judge_caption(caption, CAR_AND_DOG)
    assert (verdict.things_right, verdict.colours_right) == (things_right, colours_right)


def test_a_forest_may_be_said_to_have_trees():
    forest = {"background": "forest", "things": [{"kind": "dog", "colour": "brown"}]}
    assert judge_caption("a brown dog among green trees", forest).things_right
    assert judge_caption("a brown dog among green trees", forest).colours_right
    assert not judge_caption("a brown dog under a pink tree", forest).colours_right


def test_judge_counts_shares_over_all_and_over_held_out_pictures():
    boat = {"background": "sea", "things": [{"kind": "boat", "colour": "red"}], "held_out": None}
    captions = ["a red car", "a cat", "a boat", "a blue sea"]
    shares = judge_captions(captions, [CAR_AND_DOG, CAR_AND_DOG, boat, boat])
    assert shares == {
        "things_right": 0.5, "num_things_right": 4,
        "colours_stated": 0.25, "num_colours_stated": 4,
        "colours_right": 1.0, "num_colours_right": 1,
        "things_right_held_out": 0.5, "num_things_right_held_out": 2,
        "colours_stated_held_out": 0.5, "num_colours_stated_held_out": 2,
        "colours_right_held_out": 1.0, "num_colours_right_held_out": 1,
    }  # fmt: skip
    with pytest.raises(ValueError, match="1 captions for 2 scenes"):
        judge_captions(["a boat"], [boat, boat])
