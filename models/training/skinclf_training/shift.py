"""What becomes of figures where classes have other shares: lesions of a fold, weighted as if they had them.

That is label shift: within a class, pictures are taken to be as here (Saerens, Latinne and Decaestecker 2002, "Adjusting
the outputs of a classifier to new a priori probabilities").
"""

import numpy as np

from .calibrate import class_shares
from .data import CLASSES
from .metrics import balanced_accuracy

BINS = 15  # as skinclf classify --truth has


def with_share(prior, code, share):
    """The prior with one class at a share, the others scaled to fill the rest."""
    at = CLASSES.index(code)
    shares = np.asarray(prior) * (1 - share) / (1 - prior[at])
    shares[at] = share
    return shares


def rescaled(probabilities, prior, shares):
    """[N, classes] for other class shares than the prior that they were made with."""
    scaled = probabilities * (shares / np.asarray(prior))
    return scaled / scaled.sum(1, keepdims=True)


def calibration_error(probabilities, labels, weights):
    """Expected calibration error of the most probable class (Guo et al. 2017), each picture counted by its weight."""
    confidence = probabilities.max(1)
    which = np.clip(np.ceil(confidence * BINS).astype(int), 1, BINS) - 1
    off = weights * ((probabilities.argmax(1) == labels) - confidence)
    return float(np.abs(np.bincount(which, off)).sum() / weights.sum())


def brier(probabilities, labels, weights):
    """From 0 to 2 (Brier 1950)."""
    squares = np.square(probabilities - np.eye(len(CLASSES))[labels]).sum(1)
    return float(np.average(squares, weights=weights))


def table(labels, decided, probabilities, flagged, prior, interval, code="mel", amounts=(0.05, 0.1, 0.2, 0.3)):
    """Lines of a Markdown table: figures where a class has other shares, with the model's prior and with those shares.

    `interval(value, n)` gives the ends of a figure's interval, for `value` a function of positions.
    """
    columns = [f"share of {code}", "prior", "calibration error", "Brier score", "balanced accuracy", "… of the most probable"]
    yield f"| {' | '.join(columns)} | flagged |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for amount in amounts:
        shares = with_share(prior, code, amount)
        weights = (shares / class_shares(labels))[labels]
        for name, p in (("the model's", probabilities), ("these shares", rescaled(probabilities, prior, shares))):
            figures = [
                lambda at: calibration_error(p[at], labels[at], weights[at]),
                lambda at: brier(p[at], labels[at], weights[at]),
                lambda at: balanced_accuracy(labels[at], decided[at]),
                lambda at: balanced_accuracy(labels[at], p[at].argmax(1)),
                lambda at: float(np.average(flagged[at], weights=weights[at])),
            ]
            cells = []
            for figure in figures:
                low, high = interval(figure, len(labels))
                cells.append(f"{figure(np.arange(len(labels))):.3f} ({low:.3f} to {high:.3f})")
            yield f"| {amount:.0%} | {name} | {' | '.join(cells)} |"
