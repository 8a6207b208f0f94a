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


class Augmenter:
    """`augmenter(pixels)`: uint8 [N, S, S, 3] -> float [N, 3, side, side] in [-1, 1], at random.

    `strength` scales the colour changes; 1 is for training from ImageNet weights. What is random is drawn on the CPU,
    so that nothing waits for a GPU, and a seed gives the same views on both.
    """

    def __init__(self, side, seed, strength=1.0, min_area=0.5, device="cpu"):
        self.side, self.strength, self.min_area = side, strength, min_area
        self.generator = torch.Generator().manual_seed(seed)
        self.device = device
        self.overlays = draw_overlays(side, count=256, seed=1).to(device)

    def __call__(self, pixels):
        images = pixels.to(self.device).permute(0, 3, 1, 2).float().div_(255)
        images = self._geometry(images)
        images = self._sharpness(images)
        images = self._colour(images)
        images = self._overlay(images)
        return images.clamp_(0, 1).mul_(2).sub_(1)

    def _uniform(self, count, low, high):
        return self._sent(torch.rand(count, generator=self.generator) * (high - low) + low)

    def _coins(self, count, probability):
        """On the CPU, for what is decided there."""
        return torch.rand(count, generator=self.generator) < probability

    def _chosen(self, count, probability):
        return self._sent(self._coins(count, probability))

    def _some(self, count, probability):
        """The positions of those that are chosen."""
        return self._sent(self._coins(count, probability).nonzero().flatten())

    def _below(self, count, high):
        return self._sent(torch.randint(0, high, (count,), generator=self.generator))

    def _sent(self, values):
        return values.to(self.device, non_blocking=True)

    def _geometry(self, images):
        """A dihedral view, turned a little, of a part of the picture."""
        n = len(images)
        scale = self._uniform(n, self.min_area, 1).sqrt()
        aspect = self._uniform(n, -0.15, 0.15).exp()
        angle = self._below(n, 4) * (math.pi / 2) + self._uniform(n, -0.35, 0.35)
        mirror = torch.where(self._chosen(n, 0.5), -1.0, 1.0)
        width, height = scale * aspect, scale / aspect
        room = 1 - scale
        shift = [room * self._uniform(n, -1, 1), room * self._uniform(n, -1, 1)]
        cos, sin = angle.cos(), angle.sin()
        theta = torch.stack(
            [
                torch.stack([mirror * cos * width, -sin * height, shift[0]], 1),
                torch.stack([mirror * sin * width, cos * height, shift[1]], 1),
            ],
            1,
        )
        grid = F.affine_grid(theta, (n, 3, self.side, self.side), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def _sharpness(self, images):
        """Shrinks and enlarges: a third of HAM10000 is at hand at 150 pixels only, melanomas more than nevi.

        A group of images shares its factor, because a batch has one size.
        """
        groups = images.chunk(8)
        factors = (torch.rand(len(groups), generator=self.generator) * 0.65 + 0.35).tolist()
        blurred = self._coins(len(groups), 0.6)
        out = []
        for group, factor, blur in zip(groups, factors, blurred):
            if blur:
                small = F.interpolate(group, scale_factor=factor, mode="bilinear", antialias=True)
                group = F.interpolate(small, (self.side, self.side), mode="bilinear", align_corners=False)
            out.append(group)
        return torch.cat(out)

    def _colour(self, images):
        """Brightness, contrast, saturation, hue and white balance as one affine map a picture, then gamma."""
        n, s = len(images), self.strength
        device = images.device
        means = images.mean((2, 3))
        gray = torch.tensor(GRAY, device=device)
        identity = torch.eye(3, device=device)

        # Shades of gray (Finlayson and Trezzi 2004): the colour constancy that dermoscopy is often shown in.
        light = images.pow(6).mean((2, 3)).pow(1 / 6).clamp_min(1e-3)
        constant = light.mean(1, keepdim=True) / light
        gains = torch.where(self._chosen(n, 0.2)[:, None], constant, torch.ones_like(constant))
        white = torch.stack([self._uniform(n, -0.15 * s, 0.15 * s) for _ in range(3)], 1).exp()
        balance = torch.diag_embed(gains * white)
        saturation = self._uniform(n, 1 - 0.4 * s, 1 + 0.4 * s)[:, None, None]
        saturate = saturation * identity + (1 - saturation) * gray.expand(3, 3)
        turn = hue_rotation(self._uniform(n, -0.06 * s, 0.06 * s) * math.pi)
        contrast = self._uniform(n, 1 - 0.4 * s, 1 + 0.4 * s)[:, None, None]
        brightness = self._uniform(n, 1 - 0.3 * s, 1 + 0.3 * s)[:, None, None]
        matrix = brightness * (turn @ saturate @ balance)
        mapped_mean = matrix @ means[:, :, None]
        images = torch.baddbmm((1 - contrast) * mapped_mean, contrast * matrix, images.flatten(2)).view_as(images)
        images = images.clamp(0, 1)
        some = self._some(n, 0.3)
        if len(some):
            gamma = self._uniform(len(some), -0.4 * s, 0.4 * s).exp()[:, None, None, None]
            images[some] = images[some].clamp_min(1e-4).pow(gamma)
        return images

    def _overlay(self, images):
        """Hairs and ruler marks, in their own dark colour, over some pictures."""
        n = len(images)
        some = self._some(n, 0.2)
        if len(some):
            which = self._below(len(some), len(self.overlays))
            opacity = self.overlays[which] * self._uniform(len(some), 0.5, 1)[:, None, None, None]
            colour = torch.stack([self._uniform(len(some), 0, 0.35) for _ in range(3)], 1)[:, :, None, None]
            images[some] = images[some] * (1 - opacity) + colour * opacity
        return images


def hue_rotation(angles):
    """[n] radians -> [n, 3, 3]: turns colours about the gray axis (Rodrigues)."""
    axis = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]], device=angles.device)
    outer = torch.full((3, 3), 1 / 3, device=angles.device)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return cos * torch.eye(3, device=angles.device) + sin * cross + (1 - cos) * outer


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
