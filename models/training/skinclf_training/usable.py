"""Limits of usable pictures: what nearly all dermoscopies of each source reach."""

from collections import defaultdict

import numpy as np

from . import calibrate, dermoscopy, quality

# Shares of the pictures of each source that each check lets pass.
ACCEPTED = {"min_contrast": 0.998, "min_sharpness": 0.995, "min_dermoscopy": 0.985}
MIN_SIDE = 64  # pixels, by judgement
ENOUGH = 50  # pictures of a source, for a limit of its own


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

    A limit is that of the source for which it is lowest: one hospital's pictures are softer or paler than another's.
    """
    positions = defaultdict(list)
    for position, source in enumerate(sources):
        positions[source].append(position)
    large = [members for members in positions.values() if len(members) >= ENOUGH] or list(positions.values())
    return {"min_side": MIN_SIDE} | {
        name: min(calibrate.accepting(values[name][members], share) for members in large)
        for name, share in ACCEPTED.items()
    }
