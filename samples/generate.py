"""Draws the sample pictures: skin, hairs and pigmented spots, from noise and geometry alone.

    pip install numpy==2.4.6 pillow==13.0.0
    python samples/generate.py

Nothing here is, or is traced from, a photograph. Seeds are fixed; another version of Pillow may
encode the same pixels to other bytes.
"""
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent


def smooth_noise(rng, height, width, cell):
    """Noise in [-1, 1] whose features are about `cell` pixels wide."""
    small = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))


def lesion(seed, width=600, height=450, radius=0.3, base=(214, 162, 140), pigment=(96, 58, 44), network=0.0, hairs=6):
    """A spot of `radius` (of the shorter side) with an irregular border, as an RGB picture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy = width * rng.uniform(0.46, 0.54), height * rng.uniform(0.46, 0.54)
    angle, distance = np.arctan2(y - cy, x - cx), np.hypot(y - cy, x - cx)
    border = radius * min(width, height) * np.ones_like(angle)
    for harmonic in range(2, 8):
        border *= 1 + rng.normal(0, 0.25 / harmonic) * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    inside = 1 / (1 + np.exp((distance - border) / (0.03 * min(width, height))))
    texture = 0.6 * smooth_noise(rng, height, width, 40) + 0.4 * smooth_noise(rng, height, width, 11)
    mesh = np.sin(x / 5 + 2 * texture) * np.sin(y / 5 - 2 * texture) * network
    amount = np.clip(inside * (0.8 + 0.3 * texture + mesh), 0, 1)[..., None]
    skin = np.array(base) + 6 * smooth_noise(rng, height, width, 25)[..., None] + rng.normal(0, 2.5, (height, width, 1))
    picture = skin * (1 - amount) + (np.array(pigment) + 12 * texture[..., None]) * amount
    vignette = 1 - 0.25 * (np.hypot((x - width / 2) / width, (y - height / 2) / height) / 0.7) ** 3
    image = Image.fromarray(np.clip(picture * vignette[..., None], 0, 255).astype(np.uint8))
    return draw_hairs(image, rng, hairs)


def draw_hairs(image, rng, count):
    layer = image.copy()
    pen = ImageDraw.Draw(layer)
    for _ in range(count):
        start, bend, end = (rng.uniform(0, 1, 2) * image.size for _ in range(3))
        t = np.linspace(0, 1, 60)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        pen.line([tuple(p) for p in curve], fill=(60, 40, 34), width=2)
    return Image.blend(image, layer.filter(ImageFilter.GaussianBlur(0.8)), 0.8)


def main():
    one = lesion(1)
    one.save(HERE / "lesion-1.jpg", quality=90)
    lesion(2, pigment=(60, 36, 34), network=0.4, radius=0.38).save(HERE / "lesion-2.jpg", quality=90)
    lesion(3, base=(226, 180, 164), pigment=(168, 62, 58), hairs=0, radius=0.2).save(HERE / "lesion-3.jpg", quality=90)
    lesion(4, width=640, height=301, pigment=(120, 84, 60)).save(HERE / "wide.jpg", quality=90)

    # The camera was held upright and says so in EXIF: stored lying, orientation 6 (turn clockwise).
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = lesion(5, width=450, height=600, network=0.3)
    upright.transpose(Image.ROTATE_90).save(HERE / "exif-rotated.jpg", quality=90, exif=exif)

    lesion(6).convert("L").save(HERE / "gray.jpg", quality=90)
    disc = Image.new("L", (300, 300))
    ImageDraw.Draw(disc).ellipse((10, 10, 290, 290), fill=255)
    cut_out = lesion(7, width=300, height=300, hairs=2)
    cut_out.putalpha(disc.filter(ImageFilter.GaussianBlur(3)))
    cut_out.save(HERE / "alpha.png", optimize=True)
    lesion(8, pigment=(70, 70, 92)).save(HERE / "lesion-8.webp", quality=85)

    whole = (HERE / "lesion-1.jpg").read_bytes()
    (HERE / "broken").mkdir(exist_ok=True)
    (HERE / "broken" / "truncated.jpg").write_bytes(whole[: len(whole) * 2 // 3])


if __name__ == "__main__":
    main()
