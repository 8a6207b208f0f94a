"""Random views of a batch, on the device that holds it: geometry, sharpness, colour, hairs and rulers."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

GRAY = (0.299, 0.587, 0.114)


def to_input(pixels):
    """uint8 [N, S, S, 3] -> float [N, 3, S, S] in [-1, 1], what the network takes."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def shrink(images, side):
    """Antialiased, as skinclf resizes."""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)


def dihedral(images, view):
    """One of the eight views of a square: `view & 4` mirrors, then `view & 3` quarter turns."""
    if view & 4:
        images = images.flip(-1)
    return torch.rot90(images, view & 3, (-2, -1))


def dihedral_order(side):
    """int64 [8, side * side]: `images.flatten(2)[:, :, order[view]]` is `dihedral(images, view).flatten(2)`.

    For a view that only the device knows.
    """
    numbers = torch.arange(side * side).view(1, 1, side, side)
    return torch.stack([dihedral(numbers, view).flatten() for view in range(8)])


class Augmenter:
    """`augmenter(pixels)`: uint8 [N, S, S, 3] -> float [N, 3, side, side] in [-1, 1], at random.

    `strength` scales the colour changes; 1 is for training from ImageNet weights. What is random is drawn on the CPU, all
    at once, and `views` computes the same way whatever was drawn: a GPU never waits, can be given all of it as one graph,
    and makes the same views.
    """

    BLURS = 24
    OVERLAYS = 256

    def __init__(self, side, seed, strength=1.0, min_area=0.5, device="cpu"):
        self.side, self.device = side, device
        self.generator = torch.Generator().manual_seed(seed)
        s = strength
        # What is drawn for each picture, evenly from low to high. What is drawn up to 1 / p is done below 1, with a
        # probability of p; a blur or an overlay beyond the last is none.
        ranges = {
            "area": (min_area, 1), "aspect": (-0.15, 0.15), "tilt": (-0.35, 0.35), "quarter": (0, 4), "mirror": (-1, 1),
            "right": (-1, 1), "down": (-1, 1), "blur": (0, self.BLURS / 0.6), "constant": (0, 1 / 0.2),
            "red": (-0.15 * s, 0.15 * s), "green": (-0.15 * s, 0.15 * s), "blue": (-0.15 * s, 0.15 * s),
            "saturation": (1 - 0.4 * s, 1 + 0.4 * s), "hue": (-0.06 * s * math.pi, 0.06 * s * math.pi),
            "contrast": (1 - 0.4 * s, 1 + 0.4 * s), "brightness": (1 - 0.3 * s, 1 + 0.3 * s), "bent": (0, 1 / 0.3),
            "gamma": (-0.4 * s, 0.4 * s), "overlay": (0, self.OVERLAYS / 0.2), "opacity": (0.5, 1),
            "ink_red": (0, 0.35), "ink_green": (0, 0.35), "ink_blue": (0, 0.35),
        }
        self.names = list(ranges)
        low, high = torch.tensor(list(ranges.values())).to(device).T
        self.low, self.span = low, high - low
        self.blurs = blur_matrices(side, self.BLURS).to(device)
        overlays = draw_overlays(side, self.OVERLAYS, seed=1)
        self.overlays = torch.cat([overlays, torch.zeros_like(overlays[:1])]).to(device)
        self.gray = torch.tensor(GRAY).expand(3, 3).to(device)
        self.identity = torch.eye(3).to(device)
        self.hues = hue_basis().to(device)

    def draw(self, count):
        """Random numbers for the views of so many pictures, on the CPU."""
        return torch.rand((count, len(self.names)), generator=self.generator)

    def __call__(self, pixels, tones=None):
        sent = (values if values is None else values.to(self.device) for values in (pixels, self.draw(len(pixels)), tones))
        return self.views(*sent)

    def views(self, pixels, draws, tones=None):
        """The views of pictures that `draws` stands for, all on the device.

        `tones` [N, 4] are added to the logarithms of mean red, green, blue and contrast, see `tones.measures`.
        """
        drawn = dict(zip(self.names, (self.low + draws * self.span).unbind(1)))
        images = pixels.permute(0, 3, 1, 2).float().div_(255)
        images = self._geometry(images, drawn)
        images = self._sharpness(images, drawn)
        images = self._colour(images, drawn, tones)
        images = self._overlay(images, drawn)
        return images.clamp_(0, 1).mul_(2).sub_(1)

    def _geometry(self, images, drawn):
        """A dihedral view, turned a little, of a part of the picture."""
        scale, aspect = drawn["area"].sqrt(), drawn["aspect"].exp()
        angle = drawn["quarter"].floor() * (math.pi / 2) + drawn["tilt"]
        mirror = torch.ones_like(angle).copysign(drawn["mirror"])
        width, height, room = scale * aspect, scale / aspect, 1 - scale
        cos, sin = angle.cos(), angle.sin()
        theta = torch.stack(
            [mirror * cos * width, -sin * height, room * drawn["right"], mirror * sin * width, cos * height,
             room * drawn["down"]],
            1,
        )
        grid = F.affine_grid(theta.view(-1, 2, 3), (len(images), 3, self.side, self.side), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def _sharpness(self, images, drawn):
        """Shrinks and enlarges: a third of HAM10000 is softer than the rest, melanomas more than nevi."""
        blur = self.blurs[drawn["blur"].long().clamp_max(self.BLURS)][:, None]
        return blur @ images @ blur.transpose(2, 3)

    def _colour(self, images, drawn, tones):
        """Tone, brightness, contrast, saturation, hue and white balance as one affine map a picture, then gamma."""
        part = images[:, :, ::4, ::4]  # enough for a mean
        means = part.mean((2, 3))
        # Shades of gray (Finlayson and Trezzi 2004): the colour constancy that dermoscopy is often shown in.
        light = part.pow(6).mean((2, 3)).pow(1 / 6).clamp_min(1e-3)
        constant = (light.mean(1, keepdim=True) / light).log() * (drawn["constant"] < 1)[:, None]
        gains = constant + torch.stack([drawn["red"], drawn["green"], drawn["blue"]], 1)
        contrast = drawn["contrast"]
        if tones is not None:
            gains, contrast = gains + tones[:, :3], contrast * tones[:, 3].exp()
        saturation = drawn["saturation"][:, None, None]
        saturate = saturation * self.identity + (1 - saturation) * self.gray
        cos, sin = drawn["hue"].cos(), drawn["hue"].sin()
        turn = torch.einsum("nk,kij->nij", torch.stack([cos, sin, 1 - cos], 1), self.hues)
        matrix = drawn["brightness"][:, None, None] * (turn @ saturate @ torch.diag_embed(gains.exp()))
        contrast = contrast[:, None, None]
        mapped_mean = matrix @ means[:, :, None]
        images = torch.baddbmm((1 - contrast) * mapped_mean, contrast * matrix, images.flatten(2)).view_as(images)
        gamma = (drawn["gamma"] * (drawn["bent"] < 1)).exp()[:, None, None, None]
        return images.clamp_(1e-4, 1).pow_(gamma)

    def _overlay(self, images, drawn):
        """Hairs and ruler marks, in their own dark colour, over some pictures."""
        overlays = self.overlays[drawn["overlay"].long().clamp_max(self.OVERLAYS)]
        colour = torch.stack([drawn["ink_red"], drawn["ink_green"], drawn["ink_blue"]], 1)[:, :, None, None]
        return torch.lerp(images, colour, overlays * drawn["opacity"][:, None, None, None])


def hue_basis():
    """[3, 3, 3]: times cos(a), sin(a) and 1 - cos(a), their sum turns colours by a about the gray axis (Rodrigues)."""
    axis = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    return torch.stack([torch.eye(3), cross, torch.full((3, 3), 1 / 3)])


@functools.cache
def blur_matrices(side, count):
    """[count + 1, side, side]: what shrinking a column of pixels to 35 % up to 100 % and enlarging it again does to it.

    Last the one that does nothing. `m @ image @ m.T` is the picture shrunk, antialiased, and enlarged, both bilinear.
    """
    lines = torch.eye(side)[None, None]  # each row is a picture of one line
    matrices = []
    for factor in np.linspace(0.35, 1, count, endpoint=False):
        small = F.interpolate(lines, (side, round(side * factor)), mode="bilinear", antialias=True, align_corners=False)
        matrices.append(F.interpolate(small, (side, side), mode="bilinear", align_corners=False)[0, 0].T)
    return torch.stack([*matrices, torch.eye(side)])


@functools.cache
def draw_overlays(side, count, seed):
    """[count, 1, side, side] opacities: three of four hold hairs, the others the marks of a ruler."""
    rng = np.random.default_rng(seed)
    fine = 2 * side  # drawn large and shrunk, for smooth edges
    masks = []
    for i in range(count):
        mask = Image.new("L", (fine, fine))
        draw = ImageDraw.Draw(mask)
        if i % 4 == 3:
            at, long = rng.uniform(0, 0.15) * fine, rng.uniform(0.03, 0.07) * fine
            step = rng.uniform(0.03, 0.1) * fine
            for k in range(int(fine / step) + 1):
                length = long * (1.8 if k % 5 == 0 else 1)
                draw.line([(k * step, at), (k * step, at + length)], fill=255, width=max(1, fine // 150))
            mask = mask.rotate(90 * rng.integers(4))
        else:
            for _ in range(rng.integers(2, 12)):
                start, end = rng.uniform(-0.1, 1.1, (2, 2)) * fine
                bend = (start + end) / 2 + rng.normal(0, 0.15, 2) * fine
                t = np.linspace(0, 1, 24)[:, None]
                curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
                draw.line([tuple(p) for p in curve], fill=255, width=int(rng.integers(1, max(2, fine // 90))))
        masks.append(np.asarray(mask.resize((side, side), Image.Resampling.BOX), dtype=np.float32) / 255)
    return torch.from_numpy(np.stack(masks))[:, None]
