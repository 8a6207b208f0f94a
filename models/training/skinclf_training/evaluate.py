"""Figures of predictions that `skinclf classify -f jsonl` printed, for parts of a fold: by sex, age, site and so on."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from .calibrate import MALIGNANT
from .data import CLASSES
from .metrics import auroc, balanced_accuracy


def write_fold(images, out):
    """The squares of a selection as PNG, and `labels.csv` for `skinclf classify --truth`."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "labels.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "dx", "lesion_id"])
        for position, index in enumerate(images.index):
            row = images.rows[index]
            Image.fromarray(np.ascontiguousarray(images.squares(position))).save(out / f"{row['image_id']}.png")
            writer.writerow([row["image_id"], row["dx"], row["lesion_id"]])


def read_predictions(file):
    """image id -> (predicted class, probabilities, malignant probability)."""
    found = {}
    for line in file:
        result = json.loads(line)
        if "error" not in result:
            ordered = np.array([result["probabilities"][code] for code in CLASSES])
            found[Path(result["path"]).stem] = (result["predicted_class"], ordered, result["malignant_probability"])
    return found


def age_band(age):
    return "unknown" if age in ("", "0.0") else f"{int(float(age)) // 20 * 20} to {int(float(age)) // 20 * 20 + 19}"


def reliability(rows, predictions, bins=10):
    """Lines of a Markdown table: how often the most probable class is right, by how probable it is."""
    found = [(CLASSES.index(row["dx"]), predictions[row["image_id"]][1]) for row in rows if row["image_id"] in predictions]
    confidence = np.array([p.max() for _, p in found])
    right = np.array([p.argmax() == label for label, p in found])
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    yield "| probability | n | mean probability | right |"
    yield "| --- | --- | --- | --- |"
    for b in np.unique(which):
        at = which == b
        yield f"| {b / bins:.1f} to {(b + 1) / bins:.1f} | {at.sum()} | {confidence[at].mean():.2f} | {right[at].mean():.2f} |"


GROUPS = {
    "sex": lambda row: row["sex"] or "unknown",
    "age": lambda row: age_band(row["age"]),
    "site": lambda row: row["localization"] or "unknown",
    "diagnosis by": lambda row: row["dx_type"],
}


def interval(value, n, rng, resamples=1000):
    """95 % percentile bootstrap of `value(positions)`; (nan, nan) where it is mostly undefined."""
    values = [value(rng.integers(0, n, n)) for _ in range(resamples)]
    values = [v for v in values if not np.isnan(v)]
    return tuple(np.quantile(values, [0.025, 0.975])) if len(values) > resamples / 2 else (np.nan, np.nan)


def by_group(rows, predictions, smallest=20):
    """Lines of a Markdown table: n, accuracy, balanced accuracy and malignant AUROC of each group of enough images."""
    rng = np.random.default_rng(0)
    yield "| group | n | malignant | accuracy | balanced accuracy | malignant AUROC |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, key in GROUPS.items():
        groups = defaultdict(list)
        for row in rows:
            if row["image_id"] in predictions:
                groups[key(row)].append(row)
        for value, members in sorted(groups.items()):
            if len(members) < smallest:
                continue
            labels = np.array([CLASSES.index(row["dx"]) for row in members])
            chosen = np.array([predictions[row["image_id"]][0] for row in members])
            risk = np.array([predictions[row["image_id"]][2] for row in members])
            malignant = np.isin(labels, MALIGNANT)
            figures = [
                lambda at: float((chosen[at] == labels[at]).mean()),
                lambda at: balanced_accuracy(labels[at], chosen[at]),
                lambda at: auroc(malignant[at], risk[at]),
            ]
            everything = np.arange(len(members))
            cells = []
            for figure in figures:
                low, high = interval(figure, len(members), rng)
                point = figure(everything)
                cells.append("-" if np.isnan(point) or np.isnan(low) else f"{point:.2f} ({low:.2f} to {high:.2f})")
            yield f"| {name}: {value} | {len(members)} | {malignant.sum()} | {' | '.join(cells)} |"
