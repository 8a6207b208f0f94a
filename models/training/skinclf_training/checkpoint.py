"""Trained networks on disk: the checkpoints of runs, and files of averaged weights alone."""

import torch

from .data import CLASSES, SIDE
from .lite import SIZES, Lite
from .network import MobileNetV2

NETWORKS = ["mobilenetv2", *SIZES]


def build(name, dropout=0.0, drop_path=0.0):
    """An untrained network by its name in a config."""
    if name == "mobilenetv2":
        return MobileNetV2(len(CLASSES), dropout)
    return Lite(name, len(CLASSES), dropout, drop_path)


def read(path):
    """(network with averaged weights, the side in pixels that it was trained at last) of a file."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if "average" in saved:
        config, weights = saved.get("config", {}), saved["average"]
        name, side = config.get("network", "mobilenetv2"), config["stages"][-1]["side"] if config else SIDE
    elif "ema" in saved:  # written by scripts from before this package knew other networks than MobileNetV2
        name, side, weights = saved["kind"].replace("mobilenet", "mobilenetv2"), saved["side"], saved["ema"]
        # Theirs classified the pooled features, ours every cell of them.
        weights["head.weight"] = weights["head.weight"].reshape(len(CLASSES), -1, 1, 1)
    else:
        raise ValueError(f"{path} holds no averaged weights: it must be a checkpoint of `train` or `distill`")
    network = build(name)
    network.load_state_dict(weights)
    return network.eval(), side


def trained(path):
    """The network of a file if it is one that can be calibrated and exported."""
    network, _ = read(path)
    if network.name != "mobilenetv2":
        raise ValueError(f"{path} holds a {network.name}, which can only teach: name a checkpoint of a mobilenetv2")
    return network


def write_average(path, network, config):
    """Writes averaged weights alone, in half precision: an eighth of a checkpoint, and enough to teach or to start from."""
    weights = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    replace(path, {"average": weights, "config": config.as_dict()})


def replace(path, state):
    """Writes `state` so that the file is always a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
