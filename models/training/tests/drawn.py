"""A drawn stand-in for HAM10000, as it is distributed: every class in every fold, two photographs of some lesions."""

import csv
import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from skinclf_training.data import CLASSES, Images, centre_square, fold_of


def lesion(label, rng, size=(300, 225)):
    """A spot whose colour, size and edge depend on its class."""
    skin = np.array([225, 180, 155]) + rng.integers(-15, 16, 3)
    spot = np.array([90 + 22 * label, 40 + 14 * ((label * 3) % 7), 40 + 20 * ((label * 5) % 7)])
    picture = Image.new("RGB", size, tuple(skin.tolist()))
    radius = 40 + 7 * label
    x, y = size[0] / 2 + rng.integers(-12, 13), size[1] / 2 + rng.integers(-12, 13)
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), tuple(spot.tolist()))
    return picture.filter(ImageFilter.GaussianBlur(1 + label % 3))


def lesion_id(fold, nth):
    """The nth identifier that `prepare` puts into a fold."""
    names = (f"HAM_{number:07}" for number in itertools.count())
    return next(itertools.islice((name for name in names if fold_of(name) == str(fold)), nth, None))


def write(folder, count=60):
    """Writes `count` pictures and `HAM10000_metadata.csv`."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        label, fold = i % 7, i // 7 % 4
        name = f"ISIC_{24306 + i:07}"
        lesion(label, rng).save(folder / f"{name}.jpg", quality=92)
        nth = label + i // 56 * len(CLASSES)
        rows.append({
            "lesion_id": lesion_id(fold, nth), "image_id": name, "dx": CLASSES[label], "dx_type": "histo",
            "age": str(20 + i), "sex": ["male", "female"][i % 2], "localization": "back",
        })
    with open(folder / "HAM10000_metadata.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def images(each, size=(300, 225)):
    """An `Images` of so many lesions of each class in folds 1 to 3, without files."""
    rng = np.random.default_rng(9)
    rows, squares = [], []
    for fold in (1, 2, 3):
        for label in np.repeat(range(len(CLASSES)), each):
            rows.append({
                "image_id": f"ISIC_{len(rows):07}", "lesion_id": f"HAM_{len(rows):07}", "dx": CLASSES[label], "fold": str(fold),
                "reported": "1", "source": "ham10000",
            })
            squares.append(np.asarray(centre_square(lesion(int(label), rng, size))))
    return Images(np.stack(squares), rows, np.arange(len(rows)))
