"""Limits of usable pictures: what nearly all dermoscopies reach, whatever their source."""

import numpy as np

from . import dermoscopy, quality
from .calibrate import rounded_down

# Shares of the pictures that each check lets pass, where every source counts the same.
ACCEPTED = {"min_contrast": 0.997, "min_sharpness": 0.997, "min_dermoscopy": 0.965}
MIN_SIDE = 64  # pixels, by judgement


def measures(squares, network, weight, offset):
    """name of the limit -> values [N] of the pictures."""
    scores = dermoscopy.features(network, squares) @ weight + offset
    return {
        "min_contrast": np.array([quality.contrast(square) for square in squares]),
        "min_sharpness": np.array([quality.sharpness(square) for square in squares]),
        "min_dermoscopy": 1 / (1 + np.exp(-scores)),
    }


def limits(values, sources):
    """The field `usable` of the spec, from the `measures` of held-out pictures and the source [N] of each.

    Sources count the same, because one hospital's pictures are softer or paler than another's.
    """
    names, which, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights = 1 / (len(names) * counts[which])
    return {"min_side": MIN_SIDE} | {name: reached(values[name], weights, share) for name, share in ACCEPTED.items()}


def reached(values, weights, share):
    """The highest threshold of four decimals that so large a share of the weights reaches."""
    order = np.argsort(values)[::-1]
    last = np.searchsorted(np.cumsum(weights[order]), share * weights.sum() - 1e-9)
    return rounded_down(values[order[last]])
