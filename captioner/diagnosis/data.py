"""Splits, captions and words of a data set: nothing but text is looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from captioner.datasets import Photo, PhotoSet
from captioner.diagnosis.finding import Finding
from captioner.vocabulary import SPECIAL, Vocabulary, tokenise

Words = Mapping[str, Sequence[str]]
"""The words of each caption."""

FEW_TO_LEARN = 300
"""Training photos with fewer of which a captioner learns little that holds for others."""
FEW_TO_JUDGE = 100
"""Photos of val or test on fewer of which scores swing too much to choose by."""
CUT = 0.02
"""Share of captions cut at the end from which on it is worth a word."""
UNKNOWN = 0.03
"""Share of words said that are unknown to the model from which on it is worth a word."""


def check_splits(dataset: PhotoSet) -> list[Finding]:
    """Whether there is something to learn from, to choose by and to be judged by."""
    counts = {split: len(dataset.splits.get(split, ())) for split in ("train", "val", "test")}
    told = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    if missing := [split for split in ("train", "val") if not counts[split]]:
        return [
            Finding(
                "splits", "bad", f"photos: {told}; {' and '.join(missing)} missing",
                "name the split of each photo, or of none, and they are drawn",
            )
        ]  # fmt: skip
    if counts["train"] < FEW_TO_LEARN:
        remedy = "add photos, or learn from another data set as well with --more-data"
        return [Finding("splits", "doubtful", f"photos: {told}; few to learn from", remedy)]
    few = [split for split in ("val", "test") if 0 < counts[split] < FEW_TO_JUDGE]
    if few:
        remedy = "give them some hundred photos each, or trust no difference of a few points"
        told = f"photos: {told}; few in {' and '.join(few)}, where scores swing"
        return [Finding("splits", "doubtful", told, remedy)]
    return [Finding("splits", "well", f"photos: {told}")]


def split_captions(dataset: PhotoSet) -> Words:
    """The words of each caption, as a vocabulary splits it; once, for it takes seconds."""
    captions = {caption for split in dataset.splits for caption in _captions(dataset, split)}
    bar = tqdm(captions, desc="Captions", unit="caption", delay=2, disable=None)
    return {caption: tokenise(caption) for caption in bar}


def check_captions(dataset: PhotoSet, words: Words, max_words: int = 16) -> list[Finding]:
    """How many captions there are, how long, and how often they say the same.

    Args:
        dataset: Its blank captions and missing photos were found when it was read.
        words: Of `split_captions`.
        max_words: Where captions are cut in training.
    """
    photos = [photo for of_split in dataset.splits.values() for photo in of_split]
    captions = [caption for photo in photos for caption in photo.captions]
    lengths = sorted(len(words[caption]) for caption in captions)
    mean = sum(lengths) / len(lengths)
    findings = []
    told = (
        f"{len(captions):,} captions, {len(captions) / len(photos):.1f} of each photo, of "
        f"{mean:.1f} words on average, {lengths[0]} to {lengths[-1]}"
    )
    empty = lengths.count(0)
    if empty:
        findings.append(
            Finding(
                "captions", "bad", f"{told}; {empty:,} have no word in them",
                "write what is to be seen, or delete them",
            )
        )  # fmt: skip
    cut = sum(length > max_words for length in lengths) / len(lengths)
    if cut > CUT:
        enough = lengths[min(len(lengths) - 1, int((1 - CUT) * len(lengths)))]
        findings.append(
            Finding(
                "captions", "doubtful", f"{told}; {cut:.1%} are cut after {max_words}",
                f"--max-words {enough} keeps all but {CUT:.0%} of them whole",
            )
        )  # fmt: skip
    if not findings:
        findings.append(Finding("captions", "well", told))
    judged = [p for split in ("val", "test") for p in dataset.splits.get(split, ())]
    single = sum(len(photo.captions) == 1 for photo in judged)
    if single:
        findings.append(
            Finding(
                "references", "doubtful",
                f"{single:,} of {len(judged):,} photos to be judged by have a single caption",
                "scores against one caption are low and swing; write some more of each, five if "
                "you can",
            )
        )  # fmt: skip
    same = _said_again(photos, words)
    if same > CUT:
        findings.append(
            Finding(
                "repeated captions", "doubtful",
                f"{same:.1%} of the captions are said of several photos, word for word",
                "look whether they were copied; a captioner learns to say them of everything",
            )
        )  # fmt: skip
    return findings


def check_coverage(
    dataset: PhotoSet, words: Words, vocabulary: Vocabulary | None = None, min_count: int = 5
) -> list[Finding]:
    """How many of the words said of photos are known to a model.

    Args:
        dataset: Its val and test captions are looked at, or those of train where it has no others.
        words: Of `split_captions`.
        vocabulary: The model's; by default that of training captions.
        min_count: Words said less often in training become UNK then.
    """
    taught = _captions(dataset, "train")
    if vocabulary:
        known = {*vocabulary.words} - {*SPECIAL}
    else:
        counts = Counter(word for caption in taught for word in words[caption])
        known = {word for word, count in counts.items() if count >= min_count}
    held_out = [caption for split in ("val", "test") for caption in _captions(dataset, split)]
    said = Counter(word for caption in held_out or taught for word in words[caption])
    if not said:
        return [Finding("vocabulary", "bad", "no words to look at", "add captions")]
    missed = Counter({word: n for word, n in said.items() if word not in known})
    share = missed.total() / said.total()
    told = f"{len(known):,} words are known, {1 - share:.1%} of what is said in other captions"
    if share <= UNKNOWN:
        return [Finding("vocabulary", "well", told)]
    examples = ", ".join(word for word, _ in missed.most_common(5))
    remedy = (
        "train one on such captions; these words cannot be said"
        if vocabulary
        else f"a lower --min-count than {min_count}, or more captions"
    )
    return [Finding("vocabulary", "doubtful", f"{told}; not {examples}", remedy)]


def _captions(dataset: PhotoSet, split: str) -> list[str]:
    return [caption for photo in dataset.splits.get(split, ()) for caption in photo.captions]


def _said_again(photos: Sequence[Photo], words: Words) -> float:
    """Share of captions that are said of another photo as well."""
    of_photo = [{" ".join(words[caption]) for caption in photo.captions} for photo in photos]
    times = Counter(caption for captions in of_photo for caption in captions)
    return sum(n for n in times.values() if n > 1) / max(times.total(), 1)
