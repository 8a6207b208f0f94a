"""Batch norm and ReLU6 in one pass on a CPU; see fused.cpp. Needs a C++ compiler and ninja, and is compiled once."""

from functools import cache
from pathlib import Path

import torch
from torch.utils import cpp_extension


@cache
def _kernels():
    flags = ["-O3", "-march=native", "-ffast-math", "-fno-finite-math-only", "-fopenmp"]
    return cpp_extension.load(
        "skinclf_fused", [str(Path(__file__).with_suffix(".cpp"))], extra_cflags=flags, extra_ldflags=["-fopenmp"]
    )


class _BatchNormRelu6(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bn, clip, weight, bias):
        x = x.contiguous(memory_format=torch.channels_last)
        y, mean, inverse = _kernels().forward(
            x, weight.detach(), bias.detach(), bn.running_mean, bn.running_var, bn.momentum, bn.eps, clip
        )
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.clip = clip
        return y

    @staticmethod
    def backward(ctx, grad):
        dx, dweight, dbias = _kernels().backward(grad, *ctx.saved_tensors, ctx.clip)
        return dx, None, None, dweight, dbias


def batch_norm_relu6(x, bn, clip=True):
    """`relu6(bn(x))` in training mode, or `bn(x)` without `clip`."""
    return _BatchNormRelu6.apply(x, bn, clip, bn.weight, bn.bias)
