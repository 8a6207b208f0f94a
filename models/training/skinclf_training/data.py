"""The images and their table: packed once by `prepare`, then read by every other step.

A packed data set is a folder with `images.npy` (uint8 [N, 224, 224, 3], the centre squares) and `table.csv`, whose
rows are in the same order.
"""

import csv
import io
import tarfile
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
SIDE = 224
# `reported` is 1 for one sharp photograph of each lesion: all figures and thresholds are of those.
COLUMNS = ["image_id", "source", "lesion_id", "dx", "dx_type", "age", "sex", "localization", "fold", "reported"]
FOLDS = 10
# Sources whose pictures were squeezed from about 4:3 into squares.
SQUEEZED = {"isic2017"}

# The official test images of ISIC 2018 Task 3 begin after HAM10000's last, ISIC_0034320.
FIRST_TEST_ID, LAST_TEST_ID = 34321, 36064


def centre_square(picture):
    """The largest centred square of a picture, SIDE x SIDE, antialiased bilinear: what skinclf makes of it."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    # Cropped first: resize's own box would let the filter reach for the pixels around it.
    square = picture.convert("RGB").crop((left, top, left + side, top + side))
    return square.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def unsquash(picture):
    """A 4:3 picture that was squeezed into a square, at its own shape again."""
    width, height = picture.size
    return picture.resize((round(width * 4 / 3), height), Image.Resampling.BICUBIC)


def packed_square(source, file):
    """uint8 [SIDE, SIDE, 3] of an encoded picture (a path, or a file in memory)."""
    with Image.open(file) as picture:
        return np.asarray(centre_square(unsquash(picture) if source in SQUEEZED else picture))


def refuse_test_images(image_ids):
    """Raises if any of the ids is one of the official test set."""
    for image_id in image_ids:
        digits = image_id.removeprefix("ISIC_")
        if digits.isdigit() and FIRST_TEST_ID <= int(digits) <= LAST_TEST_ID:
            raise ValueError(f"{image_id} belongs to the ISIC 2018 test set, which must never be trained on")


def read_packed_archives(folder):
    """(row, file in memory) of a folder with `images.csv` and the tar files it names."""
    with open(folder / "images.csv", newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        missing = [column for column in ("reported", "source") if column not in (table.fieldnames or [])]
        if missing:
            raise ValueError(f"{folder / 'images.csv'} has no column {' or '.join(missing)}: get its newer version")
        rows = {row["file"]: row for row in table}
    for archive in dict.fromkeys(row["archive"] for row in rows.values()):
        with tarfile.open(folder / archive) as tar:
            for member in tar:
                row = rows.get(Path(member.name).name)
                if row is not None and row["archive"] == archive:
                    yield row, io.BytesIO(tar.extractfile(member).read())


def fold_of(lesion_id):
    """The fold of a lesion that no table puts into one."""
    return str(zlib.crc32(lesion_id.encode()) % FOLDS)


def held_out_tenth(row, tenth=0):
    """Whether a picture without a fold is of this tenth of its source, by a hash.

    Tenth 0 is never trained on: figures of other sources than HAM10000 are of it. Tenth 1 sets limits of what is usable.
    """
    return not row["fold"] and fold_of(row["lesion_id"] or row["image_id"]) == str(tenth)


def read_download(folder):
    """(row, path) of HAM10000 as it is distributed: `HAM10000_metadata` and JPEG files below `folder`.

    A lesion's fold comes from its identifier, and its first photograph is the one that is reported on.
    """
    metadata = next((path for path in folder.rglob("HAM10000_metadata*") if path.is_file()), None)
    if metadata is None:
        raise FileNotFoundError(f"{folder} has neither images.csv nor HAM10000_metadata: is it the unpacked download?")
    files = {path.stem: path for path in folder.rglob("*.jpg")}
    lesions = set()
    with open(metadata, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["image_id"] in files:
                extra = {
                    "source": "ham10000",
                    "fold": fold_of(row["lesion_id"]),
                    "reported": int(row["lesion_id"] not in lesions),
                }
                lesions.add(row["lesion_id"])
                yield row | extra, files[row["image_id"]]


def prepare(pictures, out, each=None):
    """Packs (row, file) pairs into `out`, or only the first `each` of every source, fold and class."""
    rows, files, taken = [], [], Counter()
    for row, file in pictures:
        kind = row["source"], row["fold"], row["dx"]
        taken[kind] += 1
        if each is None or taken[kind] <= each:
            rows.append({column: row.get(column, "") for column in COLUMNS})
            files.append(file)
    if not rows:
        raise ValueError("no picture that the table names was found: unpack the archives of pictures first")
    refuse_test_images(row["image_id"] for row in rows)
    refuse_shared_lesions(rows)
    out.mkdir(parents=True, exist_ok=True)
    packed = np.lib.format.open_memmap(out / "images.npy", "w+", np.uint8, (len(rows), SIDE, SIDE, 3))
    with ProcessPoolExecutor() as pool:
        for i, square in enumerate(pool.map(packed_square, (row["source"] for row in rows), files, chunksize=64)):
            packed[i] = square
    packed.flush()
    with open(out / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def refuse_shared_lesions(rows):
    """Raises if photographs of one lesion are in two folds: each would flatter the other's figures.

    Those without a fold count as one of their own.
    """
    fold_of = {}
    for row in rows:
        if row["lesion_id"]:
            first = fold_of.setdefault(row["lesion_id"], row["fold"])
            if first != row["fold"]:
                folds = " and ".join(fold or "none" for fold in (first, row["fold"]))
                raise ValueError(f"lesion {row['lesion_id']} is in folds {folds}")


@dataclass
class Images:
    """Images and labels of some rows of a packed data set."""

    pixels: np.ndarray  # uint8 [N, SIDE, SIDE, 3], may lie on disk
    rows: list
    index: np.ndarray  # which of `pixels` and `rows` are meant

    @classmethod
    def load(cls, folder):
        pixels = np.load(folder / "images.npy", mmap_mode="r")
        with open(folder / "table.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        refuse_test_images(row["image_id"] for row in rows)
        refuse_shared_lesions(rows)
        return cls(pixels, rows, np.arange(len(rows)))

    def where(self, keep):
        """Those images whose row satisfies `keep`."""
        return Images(self.pixels, self.rows, np.array([i for i in self.index if keep(self.rows[i])], dtype=np.int64))

    def of_folds(self, folds, reported_only=False):
        names = {str(fold) for fold in folds}
        return self.where(lambda row: row["fold"] in names and (row["reported"] == "1" or not reported_only))

    def without_folds(self, folds):
        """All others to train on, the images without a fold among them unless they are held out."""
        names = {str(fold) for fold in folds}
        return self.where(lambda row: row["fold"] not in names and not held_out_tenth(row))

    def __len__(self):
        return len(self.index)

    @property
    def labels(self):
        return np.array([CLASSES.index(row["dx"]) for row in self.selected])

    @property
    def selected(self):
        """Rows of this selection."""
        return [self.rows[i] for i in self.index]

    def squares(self, positions):
        """uint8 [n, SIDE, SIDE, 3] of some positions of this selection."""
        return self.pixels[self.index[positions]]
