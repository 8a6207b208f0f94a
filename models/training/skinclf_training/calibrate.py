"""What turns a network's logits into probabilities and decisions, from lesions that it was not trained on."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .data import CLASSES
from .metrics import softmax

MALIGNANT = [CLASSES.index(code) for code in ("akiec", "bcc", "mel")]

# What prediction sets are offered for: the share of lesions whose class is in their set.
COVERAGES = [0.8, 0.85, 0.9, 0.95, 0.98]

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
    return nth_largest(values, math.ceil(share * len(values)))


def conformal(probabilities, labels):
    """Thresholds for prediction sets: for each of `COVERAGES` one for the malignant classes and one for the others.

    A class is in a picture's set if its probability reaches the threshold of its group. Of new lesions of a group, drawn
    as these were, at least that share then has its class in its set, whatever the network; nearly, because temperature and
    bias are fitted on the same lesions. This is split conformal prediction with the sets that are smallest on average
    (Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error levels"), for each group
    apart (Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a random world": Mondrian).
    """
    own = probabilities[np.arange(len(labels)), labels]
    malignant = np.isin(labels, MALIGNANT)
    groups = {"malignant": own[malignant], "benign": own[~malignant]}
    return {"coverages": COVERAGES} | {
        name: [covering(values, coverage) for coverage in COVERAGES] for name, values in groups.items()
    }


def covering(values, coverage):
    """The ceil((n + 1) coverage)-th largest of n values: one more value of their kind reaches it with at least that
    probability. 0, which every value reaches, if n is too small for any to be large enough.
    """
    rank = math.ceil((len(values) + 1) * coverage)
    return nth_largest(values, rank) if rank <= len(values) else 0.0


def nth_largest(values, n):
    """Rounded down to four decimals."""
    return rounded_down(np.sort(values)[::-1][n - 1])


def rounded_down(threshold):
    """To the four decimals that a spec has, so that what reached the threshold still does."""
    return math.floor(threshold * 1e4) / 1e4
