"""How often each picture is drawn, and what classes are drawn by that."""

import numpy as np

from .data import CLASSES


def source_weights(rows, weights):
    """Weight [N] of each row: of its class within its source ("milk10k.bcc"), of its source ("milk10k"), or 1."""
    return np.array([
        weights.get(f"{row['source']}.{row['dx']}", weights.get(row["source"], 1.0)) for row in rows
    ], dtype=np.float64)


def drawing_weights(labels, weights, power):
    """Weight [N] with which each picture is drawn: its own, times the weight of all of its class to a power."""
    totals = np.bincount(labels, weights, minlength=len(CLASSES))
    return weights * np.maximum(totals, 1e-12)[labels] ** power


def class_prior(labels, drawing):
    """Class shares [classes] among pictures drawn with these weights; never zero, for its logarithm."""
    shares = np.bincount(labels, drawing, minlength=len(CLASSES))
    return np.maximum(shares / shares.sum(), 1e-6)


def epoch_order(groups, drawing, seed):
    """Positions for one epoch, as many as there are pictures, in random order, drawn with these weights.

    Systematic resampling, group by group: pictures, groups and neighbouring groups together come the floor or the ceiling
    of their expected number of times.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(groups))
    shuffled = shuffled[np.argsort(groups[shuffled], kind="stable")]
    edges = np.cumsum(drawing[shuffled])
    picks = np.searchsorted(edges, (np.arange(len(groups)) + rng.random()) * (edges[-1] / len(groups)))
    return rng.permutation(shuffled[np.minimum(picks, len(groups) - 1)])
