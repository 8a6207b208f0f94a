"""A training run's settings: a TOML file with these fields."""

import tomllib
from dataclasses import asdict, dataclass, field

from .checkpoint import NETWORKS
from .data import CLASSES


@dataclass
class Stage:
    """So many epochs at one resolution; the last fields are the run's where a stage does not say."""

    side: int
    epochs: float
    batch: int = 32
    strength: float | None = None
    min_area: float | None = None
    mixup: float | None = None


@dataclass
class Config:
    stages: list
    network: str = "mobilenetv2"  # or lite0, lite1, lite2, which only teach
    seed: int = 1
    # Fold 0 is for reporting, fold 1 for calibration and thresholds; neither is ever trained on.
    held_out: list = field(default_factory=lambda: [0, 1])
    # An image is drawn with a weight of its class's size to this power: 0 as they are, -1 balanced. The loss is
    # adjusted for what is left of the imbalance, so it is undone once.
    sampling_power: float = -0.5
    # Further weights of pictures, by source or by class within a source: {"milk10k" = 0.7, "milk10k.bcc" = 0.3}. Drawing
    # and the loss's adjustment know both.
    source_weights: dict = field(default_factory=dict)
    # Each picture is shown in the tone of another picture's source, so that colour does not tell the source.
    mix_tones: bool = False
    learning_rate: float = 6e-4
    weight_decay: float = 0.05
    warmup_images: int = 16_000
    label_smoothing: float = 0.05
    mixup: float = 0.2  # alpha of its Beta distribution; 0 turns it off
    dropout: float = 0.2
    drop_path: float = 0.0  # of the last block of an EfficientNet-Lite
    strength: float = 1.0  # of the colour changes
    min_area: float = 0.5  # of a random crop
    ema_images: int = 32_000  # images over which weights are averaged, exponentially
    distillation_temperature: float = 2.0
    distillation_share: float = 0.8  # of the loss that is agreement with the teachers
    # A step asks one of the teachers, at random, of another of the eight views. Over many steps that teaches the mean of
    # all teachers and views, which is better than any of them, for the time of one.
    one_teacher: bool = False
    # Teachers see pictures at the side that they were trained at last, not at the student's.
    own_sides: bool = False
    bf16: bool = False
    fused: bool = False  # batch norm and ReLU6 in one, for a CPU
    graphs: bool = False  # a step as one CUDA graph, for a GPU
    threads: int | None = None

    def __post_init__(self):
        self.stages = [stage if isinstance(stage, Stage) else Stage(**stage) for stage in self.stages]
        for stage in self.stages:
            for name in ("strength", "min_area", "mixup"):
                if getattr(stage, name) is None:
                    setattr(stage, name, getattr(self, name))
        if 0 not in self.held_out:
            raise ValueError("held_out must contain fold 0, which is for reporting")
        if self.network not in NETWORKS:
            raise ValueError(f"network is {self.network!r}, but must be one of {', '.join(NETWORKS)}")
        for name, weight in self.source_weights.items():
            if not weight >= 0:
                raise ValueError(f"source_weights: {name} has {weight}, but a weight is 0 or more")
            if "." in name and name.split(".", 1)[1] not in CLASSES:
                raise ValueError(f"source_weights: {name} must be SOURCE or SOURCE.CLASS, of {', '.join(CLASSES)}")

    @classmethod
    def read(cls, path):
        with open(path, "rb") as file:
            return cls(**tomllib.load(file))

    def as_dict(self):
        return asdict(self)
