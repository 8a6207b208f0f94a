"""Draws the input pictures and computes what skinclf must make of them, without skinclf.

    pip install numpy==2.4.6 pillow==13.0.0 onnxruntime==1.32.0
    python tests/goldens/generate.py

Pillow decodes, turns, crops and resizes; ONNX Runtime runs models/mobilenetv2.onnx. The pictures are
drawn by samples/generate.py. Everything in inputs/ and squares/ and expected.json is replaced.
"""
import hashlib
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter, ImageOps

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS, SQUARES, SAMPLES = HERE / "inputs", HERE / "squares", ROOT / "samples"
sys.path.insert(0, str(SAMPLES))  # before this folder, which has a generate.py too
from generate import lesion  # noqa: E402

SPEC = json.loads((ROOT / "models/mobilenetv2.json").read_text())
MODEL = ROOT / "models" / SPEC["file"]
SIDE = SPEC["input"]["shape"][2]
ORIENTATION = 0x0112
# A class map is compared for these; the others would add nothing.
MAPPED = ("lesion-1.jpg", "exif-rotated.jpg")
# What is done to an upright picture so that its EXIF orientation turns it back.
STORED_AS = {
    1: None,
    2: Image.FLIP_LEFT_RIGHT,
    3: Image.ROTATE_180,
    4: Image.FLIP_TOP_BOTTOM,
    5: Image.TRANSPOSE,
    6: Image.ROTATE_90,
    7: Image.TRANSVERSE,
    8: Image.ROTATE_270,
}


def stored(upright, orientation):
    """The picture as a camera stores it, and its EXIF."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    method = STORED_AS[orientation]
    return (upright if method is None else upright.transpose(method)), exif


def draw_inputs():
    """Writes inputs/; returns the 8-bit pixels of those with 16 bits, of which Pillow drops the lower."""
    draw_jpegs(lesion(21, 260, 201, network=0.3), lesion(22, 201, 260, pigment=(70, 40, 36)))
    # For the other formats decoding alone is in question, so the picture is small and is enlarged.
    draw_lossless(lesion(23, 61, 48, hairs=3))
    return draw_16_bit(lesion(24, 61, 48, hairs=3))


def draw_jpegs(landscape, portrait):
    landscape.save(INPUTS / "444.jpg", quality=90, subsampling="4:4:4")
    landscape.save(INPUTS / "444-progressive.jpg", quality=90, subsampling="4:4:4", progressive=True)
    landscape.save(INPUTS / "422.jpg", quality=90, subsampling="4:2:2")
    landscape.save(INPUTS / "420.jpg", quality=90, subsampling="4:2:0")
    landscape.save(INPUTS / "420-progressive.jpg", quality=90, subsampling="4:2:0", progressive=True)
    landscape.save(INPUTS / "420-restarts.jpg", quality=90, subsampling="4:2:0", restart_marker_rows=1)
    landscape.save(INPUTS / "rgb.jpg", quality=90, keep_rgb=True)
    landscape.convert("L").save(INPUTS / "gray.jpg", quality=90)
    # Shape is in question from here on, and full or no chroma keeps the decoders' rounding out of it.
    portrait.save(INPUTS / "portrait.jpg", quality=90, subsampling="4:4:4")
    lesion(25, 61, 48, hairs=3).save(INPUTS / "small.jpg", quality=90, subsampling="4:4:4")
    lesion(26, 260, 200).save(INPUTS / "even.jpg", quality=90, subsampling="4:4:4")
    for shape, upright in (("landscape", landscape), ("portrait", lesion(27, 48, 61, hairs=3))):
        for orientation in STORED_AS:
            picture, exif = stored(upright.convert("L"), orientation)
            picture.save(INPUTS / f"orientation-{orientation}-{shape}.jpg", quality=90, exif=exif)
    cmyk = with_black(portrait)
    cmyk.save(INPUTS / "cmyk.jpg", quality=90)
    (INPUTS / "ycck.jpg").write_bytes(ycck_jpeg(cmyk))


def with_black(rgb):
    """RGB to CMYK with half of the common ink as black; Pillow's own conversion leaves K at 0."""
    ink = 255 - np.asarray(rgb).astype(np.float64)
    black = ink.min(axis=2, keepdims=True) / 2
    ink = 255 * (ink - black) / (255 - black)
    return Image.fromarray(np.concatenate([ink, black], axis=2).round().astype(np.uint8), "CMYK")


def ycck_jpeg(cmyk):
    """A JPEG as Adobe writes it: C, M, Y as YCbCr and K, all inverted. Pillow writes CMYK only."""
    c, m, y, k = cmyk.split()
    luma, blue, red = Image.merge("RGB", (c, m, y)).convert("YCbCr").split()
    planes = [ImageOps.invert(plane) for plane in (luma, blue, red)] + [k]
    file = io.BytesIO()
    Image.merge("CMYK", planes).save(file, "JPEG", quality=90)
    encoded = bytearray(file.getvalue())
    transform = encoded.index(b"Adobe") + 11
    encoded[transform] = 2  # YCCK
    return bytes(encoded)


def draw_lossless(picture):
    for name in ("rgb.png", "rgb.bmp", "rgb.tif"):
        picture.save(INPUTS / name)
    picture.save(INPUTS / "deflate.tif", compression="tiff_adobe_deflate")
    picture.save(INPUTS / "lossless.webp", lossless=True)
    picture.save(INPUTS / "lossy.webp", quality=90)
    for orientation, name in ((6, "orientation.png"), (7, "orientation.webp"), (8, "orientation.tif")):
        turned, exif = stored(picture, orientation)
        turned.save(INPUTS / name, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))

    disc = Image.new("L", picture.size)
    ImageDraw.Draw(disc).ellipse((6, 2, 54, 45), fill=255)
    disc = disc.filter(ImageFilter.GaussianBlur(3))
    cut_out = picture.copy()
    cut_out.putalpha(disc)
    cut_out.save(INPUTS / "alpha.png")
    cut_out.save(INPUTS / "alpha.webp", lossless=True, exact=True)
    # Darker: as it is, two classes are equally likely, and rounding decides.
    gray = picture.convert("L").point(lambda value: value * 0.8)
    gray.putalpha(disc)
    gray.save(INPUTS / "gray-alpha.png")

    palette = picture.quantize(64, dither=Image.Dither.NONE)
    palette.save(INPUTS / "palette.png")
    palette.save(INPUTS / "palette-transparent.png", transparency=bytes(range(0, 256, 4)))
    second = picture.transpose(Image.FLIP_TOP_BOTTOM).quantize(64)
    palette.save(INPUTS / "two-frames.gif", save_all=True, append_images=[second], duration=100)
    palette.save(INPUTS / "palette.tif")
    for bits in (1, 4):
        colors = picture.quantize(1 << bits, dither=Image.Dither.NONE)
        (INPUTS / f"palette-{bits}.tif").write_bytes(palette_tiff(colors, bits))
    (INPUTS / "planar-tiles.tif").write_bytes(planar_tiff(picture, 32))


def palette_tiff(indexed, bits):
    """A palette of less than 8 bits, in strips; Pillow writes 8 bits only."""
    indices = np.asarray(indexed)
    shifts = np.arange(8 - bits, -1, -bits)
    padded = np.pad(indices, ((0, 0), (0, -indices.shape[1] % len(shifts))))
    rows = (padded.reshape(len(indices), -1, len(shifts)) << shifts).sum(axis=2).astype(np.uint8)
    colors = np.zeros((1 << bits, 3), int)
    named = np.array(indexed.getpalette()).reshape(-1, 3)[: 1 << bits]
    colors[: len(named)] = 257 * named
    fields = {258: [bits], 262: [3], 277: [1], 278: [20], 320: colors.T.ravel().tolist()}
    return tiff(indexed.size, fields, [rows[top : top + 20].tobytes() for top in range(0, len(rows), 20)])


def planar_tiff(picture, side):
    """Square tiles, first all of red, then all of green, then all of blue; Pillow writes neither tiles nor planes."""
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)))
    corners = [(top, left) for top in range(0, height, side) for left in range(0, width, side)]
    tiles = [padded[y : y + side, x : x + side, plane].tobytes() for plane in range(3) for y, x in corners]
    fields = {258: [8, 8, 8], 262: [2], 277: [3], 284: [2], 322: [side], 323: [side]}
    return tiff(picture.size, fields, tiles)


def tiff(size, fields, chunks):
    """An uncompressed TIFF of these strips, or tiles where a field says how wide they are."""
    starts = [8]
    for chunk in chunks:
        starts.append(starts[-1] + len(chunk))
    at = starts.pop()
    lengths = [len(chunk) for chunk in chunks]
    places = {324: starts, 325: lengths} if 322 in fields else {273: starts, 279: lengths}
    fields = {256: size[:1], 257: size[1:], 259: [1], **fields, **places}
    entries, behind = b"", b""
    for tag, values in sorted(fields.items()):
        held = struct.pack(f"<{len(values)}H", *values)
        if len(held) > 4:
            held, behind = struct.pack("<I", at + 6 + 12 * len(fields) + len(behind)), behind + held
        entries += struct.pack("<HHI4s", tag, 3, len(values), held)
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", at) + b"".join(chunks) + directory + behind


def draw_16_bit(picture):
    rng = np.random.default_rng(28)
    references = {}
    for name, image in (("rgb-16.png", picture), ("gray-16.png", picture.convert("L"))):
        eight = np.asarray(image).astype(np.int64)
        sixteen = np.clip(257 * eight + rng.integers(-128, 129, eight.shape), 0, 65535)
        (INPUTS / name).write_bytes(png_16_bit(sixteen))
        rounded = Image.fromarray((sixteen / 257).round().astype(np.uint8))
        references[name] = rounded.convert("RGB")
        if name == "rgb-16.png":
            fields = {258: [16, 16, 16], 262: [2], 277: [3], 278: [20]}
            strips = [sixteen[top : top + 20].astype("<u2").tobytes() for top in range(0, len(sixteen), 20)]
            (INPUTS / "rgb-16.tif").write_bytes(tiff(image.size, fields, strips))
            references["rgb-16.tif"] = references[name]
    return references


def png_16_bit(samples):
    """A 16-bit PNG; Pillow writes gray ones only."""
    height, width = samples.shape[:2]
    color = 0 if samples.ndim == 2 else 2
    rows = samples.astype(">u2").reshape(height, -1)
    unfiltered = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(unfiltered, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def upright_rgb(path):
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return upright.convert("RGB")


def center_square(rgb):
    width, height = rgb.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    cropped = rgb.crop((left, top, left + side, top + side))
    return cropped.resize((SIDE, SIDE), Image.BILINEAR, reducing_gap=None)


class Network:
    def __init__(self):
        self.session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])

    def run(self, square, output):
        mean, std = (np.array(SPEC["input"][key], np.float32) for key in ("mean", "std"))
        nchw = ((np.asarray(square).astype(np.float32) - mean) / std).transpose(2, 0, 1)[None]
        return self.session.run([SPEC["outputs"][output]], {SPEC["input"]["name"]: nchw})[0]

    def class_map(self, square):
        """Of the class that the spec's decision chooses."""
        prior = SPEC["prior"] if SPEC["decision"] == "balanced-argmax" else 1
        chosen = (np.array(self.probabilities(square)) / prior).argmax()
        return [[round(float(cell), 5) for cell in row] for row in self.run(square, "class_maps")[0, chosen]]

    def probabilities(self, square):
        logits = self.run(square, "logits")
        scaled = logits[0].astype(np.float64) / SPEC["temperature"]
        exps = np.exp(scaled - scaled.max())
        return [round(float(p), 7) for p in exps / exps.sum()]

    def jitter(self, square):
        """By how much a probability moves when a fifth of all values is changed by 1: the most of 24 random draws.

        Decoders and resizers round differently, which no network should mind, and this one does.
        """
        rng, values = np.random.default_rng(1), np.asarray(square).astype(int)
        unmoved, moved = np.array(self.probabilities(square)), []
        for _ in range(24):
            noise = rng.choice([-1, 0, 1], values.shape, p=[0.1, 0.8, 0.1])
            moved.append(np.abs(np.array(self.probabilities((values + noise).clip(0, 255))) - unmoved).max())
        return round(float(max(moved)), 4)


def texture(square):
    """Contrast and sharpness: deviation of the luma, variance of its Laplacian."""
    luma = np.asarray(square.convert("L")).astype(np.float64)
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return [round(float(luma.std()), 4), round(float(laplacian.var()), 4)]


def patterns():
    """Pixels that tests/library/goldens.rs computes by the same formulas."""
    y, x, channel = np.mgrid[0:SIDE, 0:SIDE, 0:3].astype(np.uint32)
    return {
        "black": 0 * x,
        "white": 0 * x + 255,
        "ramp": (x + 2 * y + 85 * channel) % 256,
        "rings": (x * x + y * y) // (64 * (channel + 1)) % 256,
        "noise": ((x * 73856093) ^ (y * 19349663) ^ (channel * 83492791)) >> 7 & 255,
    }


def main():
    for folder in (INPUTS, SQUARES):
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
    sixteen_bit = draw_inputs()
    network = Network()
    cases, squares, jitter, textures, maps, named = [], {}, {}, {}, {}, {}
    samples = (path for path in SAMPLES.iterdir() if path.is_file() and path.suffix not in (".csv", ".md", ".py"))
    for path in sorted(samples) + sorted(INPUTS.iterdir()):
        rgb = sixteen_bit.get(path.name) or upright_rgb(path)
        square = center_square(rgb)
        # Inputs with the same pixels share a golden.
        origin = "sample-" if path.parent == SAMPLES else ""
        name = named.setdefault(square.tobytes(), f"{origin}{path.stem}-{path.suffix[1:]}.webp")
        if name not in squares:
            square.save(SQUARES / name, lossless=True, quality=100, method=6)
            squares[name] = network.probabilities(square)
            jitter[name] = network.jitter(square)
            textures[name] = texture(square)
            if path.name in MAPPED:
                maps[name] = network.class_map(square)
        cases.append({"input": str(path.relative_to(ROOT)), "upright_size": rgb.size, "square": name})
    formulas = {name: network.probabilities(pixels) for name, pixels in patterns().items()}

    def lines(rows):
        return ",\n    ".join(rows)

    def table(rows):
        return lines(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items())

    text = f"""{{
  "model_sha256": {json.dumps(hashlib.sha256(MODEL.read_bytes()).hexdigest())},
  "cases": [
    {lines(map(json.dumps, cases))}
  ],
  "squares": {{
    {table(squares)}
  }},
  "jitter": {{
    {table(jitter)}
  }},
  "patterns": {{
    {table(formulas)}
  }},
  "textures": {{
    {table(textures)}
  }},
  "class_maps": {{
    {table(maps)}
  }}
}}
"""
    (HERE / "expected.json").write_text(text)


if __name__ == "__main__":
    main()
