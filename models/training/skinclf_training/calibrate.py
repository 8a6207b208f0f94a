"""What turns a network's logits into probabilities and decisions, from lesions that it was not trained on."""

import math

import numpy as np

from .data import CLASSES
from .metrics import softmax

MALIGNANT = [CLASSES.index(code) for code in ("akiec", "bcc", "mel")]


def negative_log_likelihood(logits, labels, prior, temperature):
    """Mean over images, of softmax(logits / temperature + log prior)."""
    adjusted = logits / temperature + np.log(prior)
    adjusted = adjusted - adjusted.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(adjusted).sum(1)) - adjusted[np.arange(len(labels)), labels]))


def temperature(logits, labels, prior):
    """The temperature (Guo et al. 2017) with the least negative log-likelihood, by golden section in its logarithm."""
    low, high = math.log(0.2), math.log(5.0)
    ratio = (math.sqrt(5) - 1) / 2

    def value(log_t):
        return negative_log_likelihood(logits, labels, prior, math.exp(log_t))

    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if value(left) < value(right) else (left, high)
    return math.exp((low + high) / 2)


def class_shares(labels):
    """Prior [classes]; a class without images counts as half an image."""
    counts = np.maximum(np.bincount(labels, minlength=len(CLASSES)), 0.5)
    return counts / counts.sum()


def probabilities(logits, prior, t):
    """[N, classes]: softmax(logits / t + log prior)."""
    return softmax(logits / t + np.log(prior))


def malignancy_threshold(probability, malignant, sensitivity=0.95):
    """The highest threshold that so large a share of the malignant lesions reaches."""
    reached = np.sort(probability[malignant])[::-1]
    return float(reached[math.ceil(sensitivity * len(reached)) - 1])


def accepting(values, share):
    """The highest threshold that so large a share of the values reaches."""
    ordered = np.sort(values)[::-1]
    return float(ordered[math.ceil(share * len(ordered)) - 1])
