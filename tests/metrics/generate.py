#!/usr/bin/env python3
"""Writes expected.json: predictions drawn at random, and what scikit-learn and numpy make of them.

Made with scikit-learn 1.9.1 and numpy 1.26.4. Usage: python tests/metrics/generate.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn import metrics

CODES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
MALIGNANT = [0, 1, 4]
MELANOMA = 4
# Probabilities are whole numbers of parts, so that 32 and 64 bits hold the same value, sums are exactly 1, and ties abound.
PARTS = 1024
BINS = 15
# Of the malignant probability, in parts; with ties, as all parts come by sixteens.
THRESHOLD = 256
# Of a class in a prediction set, in parts: malignant ones and benign ones; and the coverage that they are said to have.
MALIGNANT_SET, BENIGN_SET, COVERAGE = 128, 320, 0.875
# Percentages of the images that are kept, the most confident ones.
KEPT = [100, 95, 90, 80, 70, 50]


def draw(random, images: int, frequencies, skill: float, decide) -> dict:
    """Images of random classes, and probabilities that favour the true one by `skill`."""
    truths = random.choice(7, images, p=frequencies)
    parts = []
    for truth in truths:
        alpha = np.full(7, 0.6)
        alpha[truth] += skill
        # Sixteen parts at a time: probabilities of few different sizes.
        parts.append(random.multinomial(PARTS // 16, random.dirichlet(alpha)) * 16)
    parts = np.array(parts)
    return {"truths": truths, "decisions": decide(parts), "parts": parts}


def binary(truths: np.ndarray, scores: np.ndarray):
    """AUROC and ROC curve, or none where one side is empty."""
    if truths.all() or not truths.any():
        return None, None
    # Every threshold: on a straight stretch, one that is left out may be the best that keeps a specificity.
    fpr, tpr, _ = metrics.roc_curve(truths, scores, drop_intermediate=False)
    return metrics.roc_auc_score(truths, scores), (fpr, tpr)


def sensitivity(curve, truths: np.ndarray, specificity: int):
    if curve is None:
        return None
    fpr, tpr = curve
    # Counted in images, so that rounding decides nothing.
    negatives = int((~truths).sum())
    false_alarms = np.rint(fpr * negatives).astype(int)
    return tpr[(negatives - false_alarms) * 100 >= specificity * negatives].max()


def ece(probabilities: np.ndarray, truths: np.ndarray) -> float:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truths
    edges = np.linspace(0, 1, BINS + 1)
    inside = [(confidence > low) & (confidence <= high) for low, high in zip(edges[:-1], edges[1:])]
    return sum(b.mean() * abs(right[b].mean() - confidence[b].mean()) for b in inside if b.any())


def at_threshold(truths: np.ndarray, malignant_parts: np.ndarray) -> dict:
    """What the threshold flags: what lies at it, too."""
    flagged = malignant_parts >= THRESHOLD
    scores = {"zero_division": np.nan}
    (kept, false_alarms), (missed, found) = metrics.confusion_matrix(truths, flagged, labels=[False, True]).tolist()
    return {
        "threshold": THRESHOLD / PARTS,
        "sensitivity": number(metrics.recall_score(truths, flagged, **scores)),
        "specificity": number(metrics.recall_score(~truths, ~flagged, **scores)),
        "malignant": missed + found,
        "malignant_flagged": found,
        "benign": kept + false_alarms,
        "benign_flagged": false_alarms,
    }


def sets(parts: np.ndarray, truths: np.ndarray, decisions: np.ndarray) -> dict:
    """Coverage and size of the prediction sets, of the images of each group."""
    thresholds = np.where(np.isin(np.arange(7), MALIGNANT), MALIGNANT_SET, BENIGN_SET)
    inside = (parts >= thresholds) | (np.arange(7) == decisions[:, None])
    covered = inside[np.arange(len(truths)), truths]

    def figures(group) -> dict:
        if not group.any():
            return {"coverage": None, "mean_set_size": None}
        return {"coverage": float(covered[group].mean()), "mean_set_size": float(inside[group].sum(axis=1).mean())}

    malignant = np.isin(truths, MALIGNANT)
    return {"all": figures(truths >= 0), "malignant": figures(malignant), "benign": figures(~malignant)}


def selective(parts: np.ndarray, truths: np.ndarray, decisions: np.ndarray):
    """AURC, and the error rate if only the most confident images are kept. Those of equal confidence are wrong in proportion."""
    images = len(truths)
    confidence = parts[np.arange(images), decisions]
    _, level = np.unique(-confidence, return_inverse=True)
    kept = np.concatenate([[0], np.cumsum(np.bincount(level))])
    wrong = np.concatenate([[0], np.cumsum(np.bincount(level, weights=decisions != truths))])

    def error_rate(count):
        return np.interp(count, kept, wrong) / count

    curve = error_rate(np.arange(1, images + 1))
    # The same by drawing lots among equals, again and again.
    lots = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        order = np.lexsort((lots.random(images), -confidence))
        drawn.append(np.cumsum((decisions != truths)[order]) / np.arange(1, images + 1))
    assert np.abs(np.mean(drawn, axis=0) - curve).max() < 0.05
    ranked = np.sort(confidence)[::-1]
    rows = [
        {
            "kept": percent / 100,
            "confidence": ranked[-(-images * percent // 100) - 1] / PARTS,
            "error_rate": float(error_rate(images * percent / 100)),
        }
        for percent in KEPT
    ]
    return float(curve.mean()), rows


def number(value):
    return None if value is None or np.isnan(value) else float(value)


def expected(case: dict) -> dict:
    truths, decisions = case["truths"], case["decisions"]
    probabilities = case["parts"] / PARTS
    malignant = np.isin(truths, MALIGNANT)
    malignant_auroc, malignant_curve = binary(malignant, probabilities[:, MALIGNANT].sum(axis=1))
    one_hot = np.eye(7)[truths]
    per_class = {}
    for index, code in enumerate(CODES):
        is_class, decided = truths == index, decisions == index
        scores = {"zero_division": np.nan}
        per_class[code] = {
            "n": int(is_class.sum()),
            "recall": number(metrics.recall_score(is_class, decided, **scores)),
            "precision": number(metrics.precision_score(is_class, decided, **scores)),
            "specificity": number(metrics.recall_score(~is_class, ~decided, **scores)),
            "f1": number(metrics.f1_score(is_class, decided, **scores)),
            "auroc": number(binary(is_class, probabilities[:, index])[0]),
        }
    aurocs = [scores["auroc"] for scores in per_class.values() if scores["auroc"] is not None]
    macro = np.mean(aurocs) if aurocs else None
    if len(aurocs) == 7:
        direct = metrics.roc_auc_score(truths, probabilities, multi_class="ovr", average="macro")
        assert abs(macro - direct) < 1e-12
    brier = np.mean(((probabilities - one_hot) ** 2).sum(axis=1))
    direct = metrics.brier_score_loss(truths, probabilities, labels=range(7), scale_by_half=False)
    assert abs(brier - direct) < 1e-12
    of_sets = sets(case["parts"], truths, decisions)
    aurc, risk_coverage = selective(case["parts"], truths, decisions)
    return {
        "metrics": {
            "accuracy": metrics.accuracy_score(truths, decisions),
            "balanced_accuracy": metrics.balanced_accuracy_score(truths, decisions),
            "macro_auroc": number(macro),
            "melanoma_auroc": per_class[CODES[MELANOMA]]["auroc"],
            "malignant_auroc": number(malignant_auroc),
            **{f"sensitivity_at_{s}_specificity": number(sensitivity(malignant_curve, malignant, s)) for s in (80, 90, 95)},
            "ece": ece(probabilities, truths),
            "brier": direct,
            "aurc": aurc,
            **of_sets.pop("all"),
        },
        "at_threshold": at_threshold(malignant, case["parts"][:, MALIGNANT].sum(axis=1)),
        "prediction_sets": {"coverage": COVERAGE, **of_sets},
        "risk_coverage": risk_coverage,
        "per_class": per_class,
        "confusion": metrics.confusion_matrix(truths, decisions, labels=range(7)).tolist(),
    }


def most_probable(parts):
    return parts.argmax(axis=1)


def main() -> None:
    random = np.random.default_rng(20261125)
    common = np.array([33, 51, 110, 12, 111, 670, 13]) / 1000
    cases = {
        "like HAM10000": draw(random, 400, common, 2.0, most_probable),
        # The decision is another rule's than the most probable class.
        "decided for the rare": draw(random, 300, common, 1.0, lambda parts: (parts / common).argmax(axis=1)),
        "a class is missing, another never decided": draw(
            random,
            120,
            [0.2, 0.2, 0.2, 0.0, 0.2, 0.1, 0.1],
            3.0,
            lambda parts: np.where(most_probable(parts) == 6, 5, most_probable(parts)),
        ),
        "all benign": draw(random, 60, [0, 0, 0.3, 0.2, 0, 0.4, 0.1], 1.0, most_probable),
        "one class alone": draw(random, 20, [0, 0, 0, 0, 1, 0, 0], 1.0, most_probable),
        "one image": draw(random, 1, common, 1.0, most_probable),
    }
    written = {}
    for name, case in cases.items():
        written[name] = {key: value.tolist() for key, value in case.items()} | expected(case)
    text = json.dumps({"parts": PARTS, "cases": written}, separators=(",", ":"))
    # A line for each image's row would be long, one line for all unreadable in a diff: one for each key.
    text = text.replace('"cases":', '\n"cases":').replace('},"', '},\n"').replace('],"', '],\n"')
    (Path(__file__).parent / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
