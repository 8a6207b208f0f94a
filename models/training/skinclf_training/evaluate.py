"""Figures of predictions that `skinclf classify -f jsonl` printed: by sex, age, site and so on, and what was usable."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from . import shift
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


class Answer(NamedTuple):
    """What skinclf says of a picture."""

    decided: int  # class
    probabilities: np.ndarray  # [classes]
    risk: float  # malignant probability
    flagged: bool
    reasons: list  # why it is not usable
    folder: str  # name of the folder that the picture is in


def read_predictions(file):
    """image id -> its `Answer`, of those that have one."""
    found = {}
    for line in file:
        result = json.loads(line)
        if "error" not in result:
            path = Path(result["path"])
            found[path.stem] = Answer(
                result["predicted_class"],
                np.array([result["probabilities"][code] for code in CLASSES]),
                result["malignant_probability"],
                result.get("flagged", False),
                result["reasons"],
                path.parent.name,
            )
    return found


def age_band(age):
    return "unknown" if age in ("", "0.0") else f"{int(float(age)) // 20 * 20} to {int(float(age)) // 20 * 20 + 19}"


def reliability(rows, predictions, bins=10):
    """Lines of a Markdown table: how often the most probable class is right, by how probable it is."""
    found = [(CLASSES.index(row["dx"]), predictions[row["image_id"]].probabilities) for row in rows if row["image_id"] in predictions]
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
    "diagnosis by": lambda row: row["dx_type"] or "unknown",
    "source": lambda row: row["source"],
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
            chosen = np.array([predictions[row["image_id"]].decided for row in members])
            risk = np.array([predictions[row["image_id"]].risk for row in members])
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


def acceptance(rows, predictions):
    """Lines of a Markdown table: how many pictures are usable, and why not, by source or, without a row, by folder."""
    sources = {row["image_id"]: row["source"] for row in rows}
    groups = defaultdict(list)
    for image_id, answer in predictions.items():
        groups[sources.get(image_id, f"{answer.folder}/")].append(answer.reasons)
    reasons = sorted({reason for answer in predictions.values() for reason in answer.reasons})
    yield f"| pictures | n | usable |{''.join(f' {reason} |' for reason in reasons)}"
    yield "| --- " * (3 + len(reasons)) + "|"
    for group, members in sorted(groups.items()):
        usable, why = members.count([]), Counter(reason for each in members for reason in each)
        counts = "".join(f" {why[reason]} |" for reason in reasons)
        yield f"| {group} | {len(members)} | {usable} ({usable / len(members):.1%}) |{counts}"


def by_share(rows, predictions, prior):
    """Lines of a Markdown table: figures where melanoma has other shares."""
    found = [(CLASSES.index(row["dx"]), predictions[row["image_id"]]) for row in rows if row["image_id"] in predictions]
    labels, decided = np.array([label for label, _ in found]), np.array([answer.decided for _, answer in found])
    probabilities = np.array([answer.probabilities for _, answer in found])
    flagged = np.array([answer.flagged for _, answer in found])
    # Of the same resamples for each figure.
    return shift.table(
        labels, decided, probabilities, flagged, prior, lambda value, n: interval(value, n, np.random.default_rng(0))
    )
