"""The colours of pictures by their source: what a source is known by, and must not be.

Pictures of one source are mostly of few classes, so a network that knows the source by its camera, light and processing
knows much of the class, but of no use elsewhere.
"""

import numpy as np
import torch

from .augment import GRAY
from .data import CLASSES
from .metrics import auroc

EACH = 100  # pictures of each class of each source that tones are measured on


def measures(images):
    """[N, 3, S, S] in 0..1 -> [N, 5]: logarithms of the mean red, green and blue, of the contrast (standard deviation of
    the luma by its mean), and of the sharpness (standard deviation of its Laplacian by its mean).

    The first four are the tone, which `Augmenter.views` changes.
    """
    means = images.mean((2, 3)).clamp_min(1e-3)
    luma = (images * torch.tensor(GRAY, device=images.device).view(1, 3, 1, 1)).sum(1)
    mean = luma.mean((1, 2)).clamp_min(1e-3)
    centre = luma[:, 1:-1, 1:-1]
    laplacian = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:] - 4 * centre
    spread = torch.stack([luma.flatten(1).std(1), laplacian.flatten(1).std(1)], 1) / mean[:, None]
    return torch.cat([means, spread.clamp_min(1e-4)], 1).log()


def of_images(images, positions, batch=64):
    """[n, 5]: `measures` of some positions of an `Images` selection."""
    parts = np.array_split(positions, max(1, len(positions) // batch))
    pixels = (torch.from_numpy(images.squares(part)).permute(0, 3, 1, 2).float() / 255 for part in parts)
    return torch.cat([measures(part) for part in pixels]).numpy()


def sources_of(rows):
    """(names of the sources, which of them each row is of [N])."""
    names = sorted({row["source"] for row in rows})
    return names, np.array([names.index(row["source"]) for row in rows])


def sample(groups, each, seed):
    """Positions of up to so many of each group."""
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    return np.concatenate([shuffled[groups[shuffled] == group][:each] for group in np.unique(groups)])


def effects(tones, labels, sources, count):
    """[count, k]: what each source adds to the tones [N, k] of pictures of the same class (least squares).

    An additive model of class and source, as statistics of several laboratories are made alike (Johnson, Li and Rabinovic
    2007, ComBat). Only differences between sources mean something.
    """
    design = np.concatenate([np.eye(len(CLASSES))[labels], np.eye(count)[sources]], 1)
    return np.linalg.lstsq(design, tones, rcond=None)[0][len(CLASSES) :]


def of_sources(images, seed):
    """(`effects` of the sources on the tone [sources, 4], which source each picture is of [N]) of a selection."""
    names, sources = sources_of(images.selected)
    labels = images.labels
    chosen = sample(labels * len(names) + sources, EACH, seed)
    tones = of_images(images, chosen)[:, :4]
    return effects(tones, labels[chosen], sources[chosen], len(names)), sources


def told_apart(measured, is_second, seed, penalty=1e-2):
    """AUROC, on one half, of a logistic regression on measures [N, k] that was fitted on the other: 0.5 tells nothing."""
    order = np.random.default_rng(seed).permutation(len(measured))
    x = (measured - measured.mean(0)) / (measured.std(0) + 1e-9)
    x = np.concatenate([x, np.square(x), np.ones((len(x), 1))], 1)
    y = is_second.astype(np.float64)
    fit, test = np.array_split(order, 2)
    weight = np.zeros(x.shape[1])
    for _ in range(20):  # Newton's method
        p = 1 / (1 + np.exp(-x[fit] @ weight))
        gradient = x[fit].T @ (p - y[fit]) / len(fit) + penalty * weight
        hessian = (x[fit].T * (p * (1 - p))) @ x[fit] / len(fit) + penalty * np.eye(len(weight))
        weight -= np.linalg.solve(hessian, gradient)
    return auroc(is_second[test], x[test] @ weight)


def report(images, augmenter, first="ham10000", each=150, seed=0):
    """Lines of a Markdown table: how well colour and sharpness tell each source from the first, in the same classes."""
    names, sources = sources_of(images.selected)
    labels, shift = images.labels, of_sources(images, seed)[0]
    yield "| source | n | as it is | augmented | and with mixed tones |"
    yield "| --- | --- | --- | --- | --- |"
    for other in (n for n in range(len(names)) if names[n] != first):
        ours, theirs = (
            [np.flatnonzero((sources == source) & (labels == label)) for label in range(len(CLASSES))]
            for source in (names.index(first), other)
        )
        rng = np.random.default_rng(seed)
        pairs = [(rng.permutation(a)[:each], rng.permutation(b)[:each]) for a, b in zip(ours, theirs)]
        pairs = [(a[: len(b)], b[: len(a)]) for a, b in pairs]
        at = rng.permutation(np.concatenate([part for pair in pairs for part in pair]))
        if len(at) < 40:
            continue
        second = sources[at] == other
        raw, plain, mixed = [], [], []
        for part in np.array_split(at, max(1, len(at) // 64)):
            pixels = torch.from_numpy(images.squares(part))
            tones = torch.from_numpy(mix(shift, sources[part]))
            raw.append(measures(pixels.permute(0, 3, 1, 2).float() / 255))
            draws = augmenter.draw(len(part))
            plain.append(measures(augmenter.views(pixels, draws) / 2 + 0.5))
            mixed.append(measures(augmenter.views(pixels, draws, tones) / 2 + 0.5))
        cells = [f"{told_apart(torch.cat(of).numpy(), second, seed):.2f}" for of in (raw, plain, mixed)]
        yield f"| {names[other]} | {second.sum()} | {' | '.join(cells)} |"


def mix(shift, sources):
    """float32 [n, 4]: what is to be added to the tone of each picture of a batch in random order to make it one of the
    source of the picture before.
    """
    return (shift[np.roll(sources, 1)] - shift[sources]).astype(np.float32)
