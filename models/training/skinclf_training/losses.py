"""What training minimises."""

import torch
import torch.nn.functional as F


def adjusted_cross_entropy(logits, targets, log_prior):
    """Cross-entropy of logits + log prior (Menon et al. 2021): without the prior the logits are balanced posteriors.

    `targets` are class probabilities [N, classes]; `log_prior` [classes] is that of the images as they are drawn.
    """
    return torch.sum(-targets * F.log_softmax(logits + log_prior, 1), 1).mean()


def agreement(logits, teacher_logits, temperature):
    """Divergence from the teachers' mean softened probabilities (Hinton et al. 2015), scaled as they propose."""
    soft = torch.stack([F.softmax(t / temperature, 1) for t in teacher_logits]).mean(0)
    return F.kl_div(F.log_softmax(logits / temperature, 1), soft, reduction="batchmean") * temperature**2


def smoothed(labels, classes, amount):
    """One-hot targets with `amount` spread over all classes."""
    hot = labels[:, None] == torch.arange(classes, device=labels.device)
    return hot.float() * (1 - amount) + amount / classes
