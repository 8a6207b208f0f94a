"""A training run's settings: a TOML file with these fields."""

import tomllib
from dataclasses import asdict, dataclass, field


@dataclass
class Stage:
    """So many epochs at one resolution."""

    side: int
    epochs: float
    batch: int = 32


@dataclass
class Config:
    stages: list
    seed: int = 1
    # Fold 0 is for reporting, fold 1 for calibration and thresholds; neither is ever trained on.
    held_out: list = field(default_factory=lambda: [0, 1])
    # An image is drawn with a weight of its class's size to this power: 0 as they are, -1 balanced. The loss is
    # adjusted for what is left of the imbalance, so it is undone once.
    sampling_power: float = -0.5
    learning_rate: float = 6e-4
    weight_decay: float = 0.05
    warmup_images: int = 16_000
    label_smoothing: float = 0.05
    mixup: float = 0.2  # alpha of its Beta distribution; 0 turns it off
    dropout: float = 0.2
    strength: float = 1.0  # of the colour changes
    min_area: float = 0.5  # of a random crop
    ema_images: int = 32_000  # images over which weights are averaged, exponentially
    distillation_temperature: float = 2.0
    distillation_share: float = 0.8  # of the loss that is agreement with the teachers
    # A step asks one of the teachers, at random, of another of the eight views. Over many steps that teaches the mean of
    # all teachers and views, which is better than any of them, for the time of one.
    one_teacher: bool = False
    bf16: bool = False
    fused: bool = False  # batch norm and ReLU6 in one, for a CPU
    threads: int | None = None

    def __post_init__(self):
        self.stages = [stage if isinstance(stage, Stage) else Stage(**stage) for stage in self.stages]
        if 0 not in self.held_out:
            raise ValueError("held_out must contain fold 0, which is for reporting")

    @classmethod
    def read(cls, path):
        with open(path, "rb") as file:
            return cls(**tomllib.load(file))

    def as_dict(self):
        return asdict(self)
