"""What dermatoscopes and people leave on pictures: hairs, rulers, ink, gel bubbles, a round black frame.

Drawn over pictures of lesions and over others alike, so that they tell neither from the other.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .augment import draw_overlays
from .data import SIDE

FINE = 2 * SIDE  # drawn large and shrunk, for smooth edges


def laid_over(picture, mask, colour, opacity=1.0):
    """A picture with a colour where the mask (any size) is white."""
    mask = mask.resize(picture.size, Image.Resampling.BOX).point(lambda value: int(value * opacity))
    return Image.composite(Image.new("RGB", picture.size, tuple(int(c) for c in colour)), picture, mask)


def dark(rng):
    return rng.integers(10, 75, 3)


def hairs_or_ruler(picture, rng):
    overlays = draw_overlays(SIDE, count=256, seed=2)
    mask = (overlays[int(rng.integers(len(overlays))), 0].numpy() * 255).astype(np.uint8)
    light = rng.random() < 0.2
    colour = rng.integers(190, 250, 3) if light else dark(rng)
    return laid_over(picture, Image.fromarray(mask), colour, rng.uniform(0.6, 1))


def ink(picture, rng):
    """Dots or strokes of a surgeon's pen around the middle."""
    mask = Image.new("L", (FINE, FINE))
    draw = ImageDraw.Draw(mask)
    width = int(rng.integers(FINE // 60, FINE // 16))
    for turn in rng.uniform(0, 2 * math.pi) + np.arange(rng.integers(1, 6)) * rng.uniform(0.6, 2):
        radius = rng.uniform(0.33, 0.6) * FINE
        x, y = FINE / 2 + radius * math.cos(turn), FINE / 2 + radius * math.sin(turn)
        if rng.random() < 0.5:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=255)
        else:
            bend = turn + rng.normal(math.pi / 2, 0.5)
            dx, dy = rng.uniform(0.05, 0.2) * FINE * np.array([math.cos(bend), math.sin(bend)])
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=width)
    blurred = mask.filter(ImageFilter.GaussianBlur(rng.uniform(1, 5)))
    colour = (rng.uniform(20, 110), rng.uniform(20, 80), rng.uniform(80, 190))  # violet to blue
    return laid_over(picture, blurred, colour, rng.uniform(0.5, 0.95))


def bubbles(picture, rng):
    """Air in the gel: bright rims, often many of one size."""
    rims, insides = Image.new("L", (FINE, FINE)), Image.new("L", (FINE, FINE))
    size = rng.uniform(0.01, 0.06) * FINE
    centre, spread = rng.uniform(0, FINE, 2), rng.uniform(0.1, 0.5) * FINE
    for _ in range(rng.integers(2, 25)):
        x, y = rng.normal(centre, spread)
        radius = size * rng.uniform(0.4, 1.6)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(insides).ellipse(box, fill=255)
        ImageDraw.Draw(rims).ellipse(box, outline=150, width=max(1, int(radius / 8)))
        start = rng.uniform(0, 360)
        ImageDraw.Draw(rims).arc(box, start, start + rng.uniform(40, 140), fill=255, width=max(2, int(radius / 4)))
    picture = laid_over(picture, insides, (255, 250, 245), rng.uniform(0.02, 0.2))
    return laid_over(picture, rims.filter(ImageFilter.GaussianBlur(1)), (255, 253, 250), rng.uniform(0.5, 0.95))


def frame(picture, rng):
    """The black around the field of view of a dermatoscope, or only its corners."""
    mask = Image.new("L", (FINE, FINE), 255)
    radius = rng.uniform(0.46, 0.68) * FINE
    x, y = rng.normal(FINE / 2, 0.03 * FINE, 2)
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    soft = rng.uniform(0, 12) if rng.random() < 0.6 else rng.uniform(12, 60)
    return laid_over(picture, mask.filter(ImageFilter.GaussianBlur(soft)), rng.integers(0, 28) * np.ones(3))


KINDS = [bubbles, ink, hairs_or_ruler, frame]  # in the order in which they lie over each other


def dressed(squares, share, seed):
    """Squares [SIDE, SIDE, 3], each with the chance `share` with one or more of these on it."""
    rng = np.random.default_rng(seed)
    for square in squares:
        if rng.random() >= share:
            yield np.asarray(square)
            continue
        picture = Image.fromarray(np.asarray(square))
        worn = rng.random(len(KINDS)) < 0.35
        worn[rng.integers(len(KINDS))] = True
        for kind, wears in zip(KINDS, worn):
            if wears:
                picture = kind(picture, rng)
        yield np.asarray(picture)
