"""The figures that training watches. `skinclf classify --truth` is what measures a finished model."""

import numpy as np


def softmax(logits):
    """[N, classes] -> probabilities."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def balanced_accuracy(labels, predicted):
    """Mean recall of the classes that occur."""
    return float(np.mean([(predicted[labels == c] == c).mean() for c in np.unique(labels)]))


def auroc(positive, scores):
    """Chance that a positive scores above a negative, ties as half (Mann-Whitney); nan if one kind is missing."""
    order = np.argsort(scores, kind="stable")
    values, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = np.empty(len(scores))
    ranks[order] = (last - (counts - 1) / 2)[inverse]
    n = int(positive.sum())
    if n in (0, len(scores)):
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def macro_auroc(labels, probabilities):
    """Mean one-against-the-rest AUROC of the classes that occur."""
    return float(np.mean([auroc(labels == c, probabilities[:, c]) for c in np.unique(labels)]))
