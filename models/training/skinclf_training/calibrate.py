"""What turns a network's logits into probabilities and decisions, from lesions that it was not trained on."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .data import CLASSES
from .metrics import softmax

MALIGNANT = [CLASSES.index(code) for code in ("akiec", "bcc", "mel")]


# Weight of the squared bias in the fit: of 0.0005 to 0.01 the one of the best likelihood in cross-validation on fold 1.
PENALTY = 0.003


def fit(logits, labels, prior, penalty=PENALTY):
    """(temperature, bias [classes]) under which softmax(logits / temperature + bias + log prior) is most likely.

    Temperature scaling with a bias for each class (Alexandari et al. 2020, "Maximum likelihood with bias-corrected
    calibration"), which is kept small: some classes have few lesions to fit on. Images are weighted as if classes had
    the shares of the prior, which is of more lesions: where theirs differ by chance, the bias would learn it.
    """
    x, y = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    log_prior, weight = torch.from_numpy(np.log(prior)), torch.from_numpy((prior / class_shares(labels))[labels])
    log_scale = torch.zeros(1, dtype=torch.double, requires_grad=True)
    bias = torch.zeros(len(prior), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_scale, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        losses = F.cross_entropy(x * log_scale.exp() + bias + log_prior, y, reduction="none")
        value = (losses * weight).mean() + penalty * bias.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return math.exp(-log_scale.item()), bias.detach().numpy()


def class_shares(labels):
    """Prior [classes]; a class without images counts as half an image."""
    counts = np.maximum(np.bincount(labels, minlength=len(CLASSES)), 0.5)
    return counts / counts.sum()


def probabilities(logits, prior, temperature, bias):
    """[N, classes]: softmax(logits / temperature + bias + log prior)."""
    return softmax(logits / temperature + bias + np.log(prior))


def accepting(values, share):
    """The highest threshold of four decimals that so large a share of the values reaches."""
    ordered = np.sort(values)[::-1]
    return math.floor(ordered[math.ceil(share * len(ordered)) - 1] * 1e4) / 1e4
