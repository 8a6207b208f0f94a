"""Draws the sample pictures: skin as through a dermatoscope, hairs and pigmented spots, from noise and geometry alone.

    pip install numpy==2.4.6 pillow==13.0.0
    python samples/generate.py

Nothing here is, or is traced from, a photograph. Seeds are fixed; another version of Pillow may
encode the same pixels to other bytes.
"""
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
BROWN, BLACK, RED, BLUE = (112, 66, 44), (62, 38, 34), (140, 50, 50), (74, 76, 104)


def smooth_noise(rng, height, width, cell):
    """Noise in [-1, 1] whose features are about `cell` pixels wide."""
    cell = max(1, round(cell))
    small = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))


def mesh(rng, height, width, size):
    """Irregular cells about `size` pixels wide (Worley 1996), each [height, width] and in cells: how far it is to a
    cell's middle, how much farther to the next one's, and a number in 0..1 for each cell.
    """
    size = max(2.0, size)
    y, x = np.mgrid[0:height, 0:width] / size
    middles = rng.uniform(0.15, 0.85, (int(height / size) + 3, int(width / size) + 3, 2))
    numbers = rng.random(middles.shape[:2])
    row, column = y.astype(int), x.astype(int)
    distances, values = [], []
    for down in range(3):
        for right in range(3):
            middle = middles[row + down, column + right]
            distances.append(np.hypot(row + down - 1 + middle[..., 0] - y, column + right - 1 + middle[..., 1] - x))
            values.append(numbers[row + down, column + right])
    distances, values = np.stack(distances), np.stack(values)
    nearest = distances.argmin(0)[None]
    first, second = np.partition(distances, 1, 0)[:2]
    return first, second - first, np.take_along_axis(values, nearest, 0)[0]


def mixed(picture, colour, amount):
    """RGB [height, width, 3] with a colour laid over it, by amounts [height, width] in 0..1."""
    amount = np.clip(amount, 0, 1)[..., None]
    return picture * (1 - amount) + np.asarray(colour, float) * amount


def skin(rng, width, height, base, lines=0.03):
    """Mottled skin, redder and browner in places, with its fine lines."""
    unit = min(width, height) / 450
    red = 0.7 * smooth_noise(rng, height, width, 110 * unit) + 0.3 * smooth_noise(rng, height, width, 28 * unit)
    brown = 0.6 * smooth_noise(rng, height, width, 70 * unit) + 0.4 * smooth_noise(rng, height, width, 16 * unit)
    picture = np.array(base) + red[..., None] * (5, -9, -6) + brown[..., None] * (-7, -9, -11)
    for size in (9, 22):
        _, gap, _ = mesh(rng, height, width, size * unit)
        here = lines * (1 + smooth_noise(rng, height, width, 60 * unit)) / 2
        picture *= 1 - (here * np.exp(-((gap / 0.2) ** 2)))[..., None]
    return picture + rng.normal(0, 1.4, (height, width, 1))


def lesion(
    seed, width=600, height=450, radius=0.3, base=(224, 172, 158), pigment=BROWN, network=0.0, hairs=6,
    globules=0.0, streaks=0.0, bubbles=0,
):
    """A spot of `radius` (of the shorter side) with an irregular border, as an RGB picture.

    What a dermatoscope shows in it, from 0 to 1: `network`, a net of brown lines; `globules`, dots; `streaks`, rays
    at the border.
    """
    rng = np.random.default_rng(seed)
    side, unit = min(width, height), min(width, height) / 450
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy = width * rng.uniform(0.46, 0.54), height * rng.uniform(0.46, 0.54)
    angle, distance = np.arctan2(y - cy, x - cx), np.hypot(y - cy, (x - cx) * rng.uniform(0.75, 1))
    border = radius * side * np.ones_like(angle)
    for harmonic in range(2, 8):
        border *= 1 + rng.normal(0, 0.32 / harmonic**1.5) * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    coarse, fine = smooth_noise(rng, height, width, 44 * unit), smooth_noise(rng, height, width, 12 * unit)
    distance = distance + side * (0.03 * coarse + 0.016 * fine)
    softness = side * (0.034 + 0.026 * smooth_noise(rng, height, width, 150 * unit))
    inside = 1 / (1 + np.exp(np.minimum((distance - border) / softness, 80)))
    core = np.clip(1 - distance / border, 0, 1)

    # Light brown at the border, darker patches further in.
    pale = 0.5 * np.array(pigment) + 0.5 * np.array(base)
    picture = skin(rng, width, height, base)
    picture = mixed(picture, pale, inside * (0.8 + 0.2 * fine))
    patches = 0.4 + 0.5 * core + 0.35 * smooth_noise(rng, height, width, 80 * unit) + 0.25 * coarse + 0.1 * fine
    picture = mixed(picture, pigment, inside * np.clip(patches, 0.1, 0.92))
    dark = 0.55 * np.array(pigment)
    _, gap, _ = mesh(rng, height, width, 11 * unit)
    strength = network * inside * (1 - 0.5 * core) * np.clip(0.6 + 0.5 * coarse, 0, 1)
    picture = mixed(picture, dark, strength * np.exp(-((gap / 0.22) ** 2)))
    near, _, number = mesh(rng, height, width, 19 * unit)
    dots = np.clip((0.1 + 0.35 * number - near) / 0.12, 0, 1) * (number < globules)
    picture = mixed(picture, dark, 0.75 * inside * dots)
    rays = np.clip(np.cos(rng.integers(30, 44) * angle + 2 * coarse), 0, 1) ** 2
    picture = mixed(picture, dark, streaks * rays * np.exp(-(((distance - border) / (0.045 * side)) ** 2)))

    corners = np.hypot((x - width / 2) / width, (y - height / 2) / height) / 0.7
    picture *= (1 - 0.3 * corners**3)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.9 * unit))
    return draw_bubbles(draw_hairs(image, rng, hairs), rng, bubbles)


def draw_hairs(image, rng, count):
    """Dark hairs, most of them in about the same direction."""
    fine, unit = [2 * side for side in image.size], min(image.size) / 450
    mask = Image.new("L", fine)
    pen = ImageDraw.Draw(mask)
    direction = rng.uniform(0, np.pi)
    for _ in range(count):
        along = direction + rng.normal(0, 0.4)
        half = rng.uniform(0.12, 0.5) * max(fine) * np.array([np.cos(along), np.sin(along)])
        middle = rng.uniform(0, 1, 2) * fine
        bend = middle + rng.normal(0, 0.06, 2) * fine
        t = np.linspace(0, 1, 60)[:, None]
        curve = (1 - t) ** 2 * (middle - half) + 2 * t * (1 - t) * bend + t**2 * (middle + half)
        ink, thick = int(rng.integers(120, 240)), max(1, round(rng.uniform(2, 6) * unit))
        pen.line([tuple(p) for p in curve], fill=ink, width=thick)
    mask = mask.resize(image.size, Image.BOX)
    return Image.composite(Image.new("RGB", image.size, (58, 40, 36)), image, mask)


def draw_bubbles(image, rng, count):
    """Air in the gel between skin and glass: circles with bright rims."""
    fine, unit = [2 * side for side in image.size], min(image.size) / 450
    mask = Image.new("L", fine)
    pen = ImageDraw.Draw(mask)
    for _ in range(count):
        x, y, radius = *(rng.uniform(0.05, 0.95, 2) * fine), rng.uniform(6, 26) * unit
        box, start = (x - radius, y - radius, x + radius, y + radius), rng.uniform(0, 360)
        pen.ellipse(box, fill=26, outline=90, width=max(1, round(3 * unit)))
        pen.arc(box, start, start + 80, fill=235, width=max(1, round(5 * unit)))
    mask = mask.resize(image.size, Image.BOX)
    return Image.composite(Image.new("RGB", image.size, (255, 250, 244)), image, mask)


def bare_skin(seed, width=600, height=450, base=(206, 158, 132)):
    """Skin without a lesion and without a dermatoscope: its lines, in light from a side."""
    rng = np.random.default_rng(seed)
    picture = skin(rng, width, height, base, lines=0.16) * np.linspace(1.1, 0.7, width)[None, :, None]
    return draw_hairs(Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)), rng, 12)


def main():
    one = lesion(1, network=0.7, hairs=7)
    one.save(HERE / "lesion-1.jpg", quality=90)
    lesion(2, pigment=BLACK, globules=0.6, streaks=0.45, radius=0.36, hairs=4).save(HERE / "lesion-2.jpg", quality=90)
    red = lesion(3, pigment=RED, globules=0.3, network=0.4, hairs=2, radius=0.25, bubbles=5)
    red.save(HERE / "lesion-3.jpg", quality=90)
    # Without hairs: in so small a picture they are a pixel wide, which no two decoders see alike.
    lesion(4, width=640, height=301, hairs=0, network=0.2).save(HERE / "wide.jpg", quality=90)

    # The camera was held upright and says so in EXIF: stored lying, orientation 6 (turn clockwise).
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = lesion(5, width=450, height=600, network=0.8, bubbles=4)
    upright.transpose(Image.ROTATE_90).save(HERE / "exif-rotated.jpg", quality=90, exif=exif)

    lesion(6, network=0.6).convert("L").save(HERE / "gray.jpg", quality=90)
    disc = Image.new("L", (300, 300))
    ImageDraw.Draw(disc).ellipse((10, 10, 290, 290), fill=255)
    cut_out = lesion(7, width=300, height=300, hairs=2, globules=0.5)
    cut_out.putalpha(disc.filter(ImageFilter.GaussianBlur(3)))
    cut_out.save(HERE / "alpha.png", optimize=True)
    lesion(8, pigment=BLUE, globules=0.4, radius=0.25, hairs=3).save(HERE / "lesion-8.webp", quality=85)
    bare_skin(9).save(HERE / "no-lesion.jpg", quality=80)

    whole = (HERE / "lesion-1.jpg").read_bytes()
    (HERE / "broken").mkdir(exist_ok=True)
    (HERE / "broken" / "truncated.jpg").write_bytes(whole[: len(whole) * 2 // 3])


if __name__ == "__main__":
    main()
