"""The picture measures that skinclf refuses pictures by, as `src/image/texture.rs` computes them."""

import numpy as np


def luma(square):
    """HWC -> HW: ITU-R BT.601 in the 8-bit fixed point of texture.rs, whose rounding adds to the sharpness."""
    return (square.astype(np.int32) @ np.array([77, 150, 29]) + 128) >> 8


def contrast(square):
    """Standard deviation of the luma, 0 to 255."""
    return float(luma(square).std())


def sharpness(square):
    """Variance of the luma's 3x3 Laplacian (Pech-Pacheco et al. 2000), without the outermost pixels."""
    grey = luma(square)
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return float(laplacian.var())
