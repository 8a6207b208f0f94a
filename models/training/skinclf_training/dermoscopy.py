"""Tells dermoscopic pictures of lesions from all others: a logistic regression on the network's pooled features.

Others are shown to it (Hendrycks et al. 2019, outlier exposure), the network itself stays as it is. In the exported
model it is one more output channel.
"""

from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F

from .augment import dihedral, to_input


@torch.no_grad()
def features(network, squares, batch=64):
    """uint8 squares, [N, S, S, 3] in any iterable -> pooled features [N, 1280]."""
    network.eval()
    outputs, waiting = [], []

    def flush():
        inputs = to_input(torch.from_numpy(np.stack(waiting))).contiguous(memory_format=torch.channels_last)
        outputs.append(network.features(inputs).mean((2, 3)))
        waiting.clear()

    for square in squares:
        waiting.append(np.asarray(square))
        if len(waiting) == batch:
            flush()
    if waiting:
        flush()
    return torch.cat(outputs).numpy()


def of_sources(images, count, seed):
    """Positions of so many pictures, equally many of each source as far as a source has them."""
    by_source = defaultdict(list)
    for position in np.random.default_rng(seed).permutation(len(images)):
        by_source[images.rows[images.index[position]]["source"]].append(position)
    chosen = []
    for left, positions in zip(range(len(by_source), 0, -1), sorted(by_source.values(), key=len)):
        chosen += positions[: (count - len(chosen)) // left]
    return chosen


def turned(squares, seed):
    """Each square in a random dihedral view, so that neither side has a preferred way up."""
    rng = np.random.default_rng(seed)
    for square in squares:
        view = torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)
        yield dihedral(view, int(rng.integers(8))).permute(1, 2, 0).numpy()


def fit(lesions, others, penalty=1e-3, steps=200):
    """(weight [1280], bias) of the log-odds that features are a lesion's; both sides weigh the same."""
    x = torch.from_numpy(np.concatenate([lesions, others])).double()
    y = torch.cat([torch.ones(len(lesions)), torch.zeros(len(others))]).double()
    side = torch.where(y == 1, 0.5 / len(lesions), 0.5 / len(others))
    mean, scale = x.mean(0), x.std(0) + 1e-3
    x = (x - mean) / scale
    weight = torch.zeros(x.shape[1], dtype=torch.double, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        error = F.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none")
        value = (error * side).sum() + penalty * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    weight = weight.detach() / scale
    return weight.numpy(), float(bias.detach() - weight @ mean)
