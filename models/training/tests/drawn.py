"""A drawn stand-in for HAM10000, as it is distributed: every class in every fold, two photographs of some lesions."""

import csv

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from skinclf_training.data import CLASSES


def lesion(label, rng, size=(300, 225)):
    """A spot whose colour, size and edge depend on its class."""
    skin = np.array([225, 180, 155]) + rng.integers(-15, 16, 3)
    spot = np.array([90 + 22 * label, 40 + 14 * ((label * 3) % 7), 40 + 20 * ((label * 5) % 7)])
    picture = Image.new("RGB", size, tuple(skin.tolist()))
    radius = 40 + 7 * label
    x, y = size[0] / 2 + rng.integers(-12, 13), size[1] / 2 + rng.integers(-12, 13)
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), tuple(spot.tolist()))
    return picture.filter(ImageFilter.GaussianBlur(1 + label % 3))


def write(folder, count=60):
    """Writes `count` pictures, `HAM10000_metadata.csv` and a table of folds; returns the latter's path."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    rows, folds = [], []
    for i in range(count):
        label, fold = i % 7, i // 7 % 4
        name = f"ISIC_{24306 + i:07}"
        lesion(label, rng).save(folder / f"{name}.jpg", quality=92)
        rows.append({
            "lesion_id": f"HAM_{fold}{label}{i // 56:05}", "image_id": name, "dx": CLASSES[label], "dx_type": "histo",
            "age": str(20 + i), "sex": ["male", "female"][i % 2], "localization": "back",
        })
        folds.append({"image_id": name, "fold": str(fold)})
    for path, table in [(folder / "HAM10000_metadata.csv", rows), (folder.parent / "folds.csv", folds)]:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)
    return folder.parent / "folds.csv"
