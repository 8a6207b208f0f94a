"""Pictures that are no lesions, to teach and to measure refusing them: rendered, or cut from around real lesions."""

import io
import math
import re
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .data import SIDE


def colour(rng):
    return tuple(int(c) for c in rng.integers(0, 256, 3))


def skin_colour(rng):
    """Light to dark brown, pinkish or yellowish."""
    lightness = rng.uniform(0.25, 0.95)
    return np.clip(np.array([255, rng.uniform(150, 215), rng.uniform(110, 190)]) * lightness, 0, 255)


def smooth_noise(rng, octaves):
    """[SIDE, SIDE] in 0..1: noise of several sizes, each half as strong as the larger one before."""
    total = np.zeros((SIDE, SIDE))
    for octave in range(octaves):
        cells = min(SIDE, 3 * 2**octave)
        coarse = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
        total += np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 2**octave
    total -= total.min()
    return total / max(total.max(), 1e-9)


def between(field, low, high):
    """Colours from `low` to `high` along a field [S, S] in 0..1."""
    mixed = field[..., None] * np.asarray(high, float) + (1 - field[..., None]) * np.asarray(low, float)
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def noise(rng):
    spread = rng.uniform(10, 120)
    shape = (SIDE, SIDE, 3) if rng.random() < 0.5 else (SIDE, SIDE, 1)
    values = rng.uniform(40, 215) + rng.normal(0, spread, shape) * np.ones(3)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def gradient(rng):
    y, x = np.mgrid[0:1:SIDE * 1j, 0:1:SIDE * 1j]
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        field = x * math.cos(angle) + y * math.sin(angle)
    else:
        field = np.hypot(x - rng.random(), y - rng.random())
    field = (field - field.min()) / (field.max() - field.min())
    return between(field, colour(rng), colour(rng))


def texture(rng):
    """Cloth, wood, tiles, clouds."""
    y, x = np.mgrid[0:1:SIDE * 1j, 0:1:SIDE * 1j]
    warp = smooth_noise(rng, int(rng.integers(1, 5))) * rng.uniform(0, 6)
    waves = [rng.uniform(5, 90) * (x * math.cos(a) + y * math.sin(a)) + warp for a in rng.uniform(0, math.pi, 2)]
    kind = rng.integers(4)
    if kind == 0:
        field = 0.5 + 0.25 * (np.sin(waves[0]) + np.sin(waves[1]))
    elif kind == 1:
        field = 0.5 + 0.5 * np.sin(waves[0])
    elif kind == 2:
        field = ((waves[0] // math.pi + waves[1] // math.pi) % 2).astype(float)
    else:
        field = smooth_noise(rng, int(rng.integers(2, 8)))
    return between(field, colour(rng), colour(rng))


def drawing(rng):
    """Shapes, lines and letters in flat colours, as clip art and charts have."""
    picture = Image.new("RGB", (SIDE, SIDE), colour(rng) if rng.random() < 0.6 else (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(2, 16)):
        x0, x1 = sorted(rng.integers(-30, SIDE + 30, 2).tolist())
        y0, y1 = sorted(rng.integers(-30, SIDE + 30, 2).tolist())
        box, width = (x0, y0, x1, y1), int(rng.integers(1, 9))
        fill, outline = (colour(rng) if rng.random() < 0.7 else None), colour(rng)
        kind = rng.integers(6)
        if kind == 0:
            draw.rectangle(box, fill, outline, width)
        elif kind == 1:
            draw.ellipse(box, fill, outline, width)
        elif kind == 2:
            draw.polygon([tuple(p) for p in rng.integers(0, SIDE, (int(rng.integers(3, 8)), 2)).tolist()], fill, outline)
        elif kind == 3:
            draw.line([tuple(p) for p in rng.integers(0, SIDE, (int(rng.integers(2, 9)), 2)).tolist()], outline, width)
        elif kind == 4:
            draw.arc(box, int(rng.integers(360)), int(rng.integers(360)), outline, width)
        else:
            draw.text((x0, y0), words(rng, 3), outline, font_size=int(rng.integers(10, 60)))
    return picture


def words(rng, count):
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    return " ".join("".join(letters[int(26 * rng.random() ** 2)] for _ in range(rng.integers(1, 10))) for _ in range(count))


def document(rng):
    """A page of text, a form or a table, straight or photographed askew."""
    scale = 3
    paper = int(rng.integers(215, 256))
    picture = Image.new("RGB", (SIDE * scale, SIDE * scale), (paper, paper, int(paper * rng.uniform(0.88, 1))))
    draw = ImageDraw.Draw(picture)
    ink = tuple(int(v) for v in rng.integers(0, 90, 3))
    size = int(rng.integers(12, 40))
    left, y = int(rng.integers(10, 80)), int(rng.integers(0, 60))
    while y < SIDE * scale:
        if rng.random() < 0.85:
            draw.text((left, y), words(rng, int(rng.integers(2, 14))), ink, font_size=size)
        if rng.random() < 0.1:
            draw.line((left, y, SIDE * scale - left, y), ink, 2)
        y += int(size * rng.uniform(1.3, 2.2))
    if rng.random() < 0.3:
        step = int(rng.integers(60, 200))
        for at in range(left, SIDE * scale, step):
            draw.line((at, 0, at, SIDE * scale), ink, 2)
    if rng.random() < 0.5:
        picture = picture.rotate(rng.uniform(-30, 30), Image.Resampling.BICUBIC, fillcolor=colour(rng))
    return picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def bare_skin(rng):
    """Rendered skin without a lesion: tone, mottling, creases, pores, perhaps hairs."""
    tone = skin_colour(rng)
    picture = between(smooth_noise(rng, int(rng.integers(2, 7))), tone * rng.uniform(0.75, 0.97), tone)
    draw = ImageDraw.Draw(picture)
    dark = tuple(int(v) for v in tone * rng.uniform(0.3, 0.9))
    for _ in range(int(rng.integers(0, 40))):
        x, y = rng.uniform(0, SIDE, 2)
        length, angle = rng.uniform(5, 90), rng.uniform(0, 2 * math.pi)
        draw.line((x, y, x + length * math.cos(angle), y + length * math.sin(angle)), dark, 1)
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2)))


def lit(height, rng):
    """Shade in 0..1 of a surface of these heights, lit from a side."""
    down, right = np.gradient(height)
    angle = rng.uniform(0, 2 * math.pi)
    slope = down * math.sin(angle) + right * math.cos(angle)
    return 0.5 + 0.5 * np.tanh(slope / (slope.std() + 1e-9) * rng.uniform(0.3, 1))


def cells(rng, across):
    """[SIDE, SIDE] in 0..1: how near a cell's border is, for irregular cells, so many across (Worley 1996)."""
    y, x = np.mgrid[0:across:SIDE * 1j, 0:across:SIDE * 1j]
    places = rng.random((across + 3, across + 3, 2)) * rng.uniform(0.5, 1)
    row, column = y.astype(int), x.astype(int)
    distances = []
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            place = places[row + down, column + right]
            distances.append(np.hypot(row + down - 1 + place[..., 0] - y, column + right - 1 + place[..., 1] - x))
    first, second = np.partition(np.stack(distances), 1, 0)[:2]
    return np.exp(-4 * (second - first))


def skin_relief(rng):
    """Skin, leather or the like from near, not through a dermatoscope: creases, folds, bumps in light from a side."""
    tone = skin_colour(rng)
    kind = rng.integers(4)
    if kind == 0:
        height = -cells(rng, int(rng.integers(4, 45)))
    elif kind == 1:  # bumps
        height = -cells(rng, int(rng.integers(4, 20))) ** 0.3
    else:  # folds, or lines of the hand
        y, x = np.mgrid[0:1:SIDE * 1j, 0:1:SIDE * 1j]
        height = np.zeros((SIDE, SIDE))
        for angle in rng.uniform(0, math.pi, kind):
            wave = rng.uniform(8, 120) * (x * math.cos(angle) + y * math.sin(angle))
            height -= np.abs(np.cos(wave + smooth_noise(rng, 4) * rng.uniform(0, 12))) ** rng.uniform(2, 12)
    height = height + smooth_noise(rng, 6) * rng.uniform(0, 1)
    shade = lit(height, rng) * 0.7 + 0.3 * (height - height.min()) / max(np.ptp(height), 1e-9)
    far = smooth_noise(rng, 1) * rng.uniform(0, 0.5)  # light falls off
    picture = between(np.clip(shade * (1 - far), 0, 1), tone * rng.uniform(0.35, 0.8), np.minimum(tone * 1.1, 255))
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))


RENDERED = {
    "noise": noise, "gradient": gradient, "texture": texture, "drawing": drawing, "document": document,
    "bare_skin": bare_skin, "skin_relief": skin_relief,
}


def render(count, seed):
    """(kind, picture) of so many pictures of each kind."""
    for kind, make in RENDERED.items():
        rng = np.random.default_rng([seed, list(RENDERED).index(kind)])
        for _ in range(count):
            yield kind, make(rng)


def corner_skin(square, rng):
    """A corner of a lesion's square, enlarged, if it shows nothing but even skin; None if it does not.

    The lesion is in the middle of most squares, so a corner as bright as the whole picture's brighter half has none.
    """
    side = int(rng.integers(48, 72))
    top, left = rng.choice([0, square.shape[0] - side]), rng.choice([0, square.shape[1] - side])
    corner = square[top : top + side, left : left + side]
    luma, whole = corner.mean(2), square.mean(2)
    if luma.std() > 7 or luma.mean() < np.median(whole) or luma.min() < 60:
        return None
    return Image.fromarray(corner).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def backgrounds(images, count, seed):
    """("background", picture) of up to so many corners of an `Images` selection."""
    rng = np.random.default_rng(seed)
    found = 0
    for position in rng.permutation(len(images)):
        picture = corner_skin(images.squares(position), rng)
        if picture is not None:
            found += 1
            yield "background", picture
        if found == count:
            return


def encoded_pictures(folder):
    """(group, bytes) of each picture below a folder, also of those inside Qt resource files (.rcc), by group.

    What lies in one folder or file often shows the same things, so it is one group.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"}:
            yield path.parent.relative_to(folder), path.read_bytes()
        elif path.suffix == ".rcc":
            data = path.read_bytes()
            for match in re.finditer(rb"RIFF(....)WEBP", data, re.DOTALL):
                size = 8 + int.from_bytes(match[1], "little")
                yield path.relative_to(folder), data[match.start() : match.start() + size]


def photographs(folders, part, seed, views=1, smallest=100):
    """("photograph", picture) of the pictures below some folders, and of random squares of each if more views.

    `part` is "fit" for three of four groups, "test" for the others. Of pictures that look alike, also in the other part,
    the first is taken.
    """
    rng = np.random.default_rng(seed)
    known = set()
    for group, data in (found for folder in folders for found in encoded_pictures(folder)):
        try:
            picture = Image.open(io.BytesIO(data))
            picture.draft(None, (4 * SIDE, 4 * SIDE))  # a large JPEG need not be decoded at its full size
            looks = (np.asarray(picture.convert("RGB").resize((4, 4), Image.Resampling.BOX)) // 24).tobytes()
            if picture.mode in ("RGBA", "LA", "P"):
                # What is cut out gets a ground of some colour, not always white.
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, (*colour(rng), 255)), picture)
            picture = picture.convert("RGB")
        except (OSError, Image.DecompressionBombError):
            continue
        short = min(picture.size)
        if short < smallest or looks in known:
            continue
        known.add(looks)
        if (zlib.crc32(str(group).encode()) % 4 == 0) != (part == "test"):
            continue
        for view in range(views):
            side = short if view == 0 else int(rng.uniform(0.25, 1) * short)
            left, top = (int(rng.integers(0, full - side + 1)) for full in picture.size)
            square = picture.crop((left, top, left + side, top + side))
            yield "photograph", square.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def skin_coloured(pictures, seed):
    """("skin_coloured", picture) of a part of each (kind, picture), its brightness in the colours of some skin."""
    rng = np.random.default_rng(seed)
    for _, picture in pictures:
        side = int(rng.uniform(0.3, 1) * SIDE)
        left, top = rng.integers(0, SIDE - side + 1, 2).tolist()
        part = picture.convert("L").crop((left, top, left + side, top + side))
        light = np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
        light = (light - light.min()) / max(np.ptp(light), 1)
        tone = skin_colour(rng)
        yield "skin_coloured", between(light, tone * rng.uniform(0.3, 0.8), tone)


def of_all_kinds(count, seed, part, lesions=None, folders=(), views=1):
    """(kind, picture): so many of each rendered kind, of corners of lesions' squares, and photographs as they are and in
    the colours of skin.
    """
    yield from render(count, seed)
    if lesions is not None:
        yield from backgrounds(lesions, count, seed)
    found = list(photographs(folders, part, seed, views))
    yield from found
    yield from skin_coloured(found[::views], seed)
