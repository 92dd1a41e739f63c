"""ROUGE-L: how much of a caption people wrote too, in the same order."""

from collections.abc import Sequence

# Recall counts for more than precision; the value of coco-caption.
BETA = 1.2


def longest_common_subsequence(words: Sequence[str], others: Sequence[str]) -> int:
    """Number of words in the longest sequence that both hold in order, with gaps allowed.

        length[i, j] = length[i-1, j-1] + 1                    if words[i] == others[j]
                       max(length[i-1, j], length[i, j-1])     otherwise

    Args:
        words: The words of one caption.
        others: The words of another.

    Returns:
        A count of words, the same if the two are exchanged.

    Example: "a ... on the mat".

        >>> longest_common_subsequence("a cat on the mat".split(), "a dog lies on the mat".split())
        4
    """
    above = [0] * (len(others) + 1)
    for word in words:
        row = [0]
        for j, other in enumerate(others):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        above = row
    return above[-1]


def rouge_l(caption: str, references: Sequence[str]) -> float:
    """ROUGE-L of one caption.

        P = max over references of LCS / words of the caption
        R = max over references of LCS / words of the reference
        F = (1 + beta^2) P R / (R + beta^2 P),   beta = 1.2

    with LCS the length of the longest common subsequence (Lin 2004, "ROUGE: a package for
    automatic evaluation of summaries", eqs. 2-4). P and R may come from different references, as in
    coco-caption.

    Args:
        caption: Words separated by single spaces; an empty one scores 0.
        references: What people wrote about the photo, in the same form.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: if there is no reference.

    Example: LCS "a mat": P = 2/2, R = 2/4, F = 2.44 * 0.5 / (0.5 + 1.44).

        >>> round(rouge_l("a mat", ["a cat mat there"]), 4)
        0.6289
    """
    if not references:
        raise ValueError("ROUGE-L needs at least one reference for every photo.")
    words = caption.split()
    precision = recall = 0.0
    for reference in references:
        others = reference.split()
        common = longest_common_subsequence(words, others)
        if common:
            precision = max(precision, common / len(words))
            recall = max(recall, common / len(others))
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
