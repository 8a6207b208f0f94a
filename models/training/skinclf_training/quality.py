"""The picture measures that skinclf refuses pictures by, as `src/image/quality.rs` computes them."""

import numpy as np

GRAY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def contrast(square):
    """Standard deviation of the luma, 0 to 255."""
    return float((square @ GRAY).std())


def sharpness(square):
    """Variance of the luma's 3x3 Laplacian (Pech-Pacheco et al. 2000), without the outermost pixels."""
    luma = square @ GRAY
    centre = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * centre
    return float(laplacian.var())
