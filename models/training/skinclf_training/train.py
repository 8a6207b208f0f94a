"""The training loop: one network, on labels and perhaps on the answers of teachers."""

import copy
import logging
import math
import time

import numpy as np
import torch
import torch.distributed as dist

from . import initial, losses, metrics
from .augment import Augmenter, dihedral, shrink, to_input
from .data import CLASSES
from .network import MobileNetV2, folded

log = logging.getLogger("train")

REPORTS = 20  # times in a run that the held-out images are looked at


def class_prior(labels, power):
    """Class shares [classes] among images drawn with a weight of count ** power; never zero, for its logarithm."""
    counts = np.bincount(labels, minlength=len(CLASSES)).astype(np.float64)
    shares = np.maximum(counts, 1) ** (1 + power) * (counts > 0)
    return np.maximum(shares / shares.sum(), 1e-6)


def epoch_order(labels, power, seed):
    """Positions for one epoch, as many as there are images, in random order.

    Systematic resampling, class by class: images and classes come the floor or the ceiling of their expected number of
    times.
    """
    rng = np.random.default_rng(seed)
    weights = np.bincount(labels).astype(np.float64)[labels] ** power
    shuffled = rng.permutation(len(labels))
    shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]
    edges = np.cumsum(weights[shuffled])
    picks = np.searchsorted(edges, (np.arange(len(labels)) + rng.random()) * (edges[-1] / len(labels)))
    return rng.permutation(shuffled[np.minimum(picks, len(labels) - 1)])


def schedule(config, images):
    """(stage, seed of the epoch's order, position in that order) of every step of a run over so many images."""
    for number, stage in enumerate(config.stages):
        steps = images // stage.batch
        for step in range(round(stage.epochs * steps)):
            yield stage, (config.seed, number, step // steps), step % steps * stage.batch


class Average:
    """Exponential moving average of a network's weights and batch norm statistics."""

    def __init__(self, network, images):
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.images = images
        self.seen = 0

    @torch.no_grad()
    def update(self, network, batch):
        # Shorter at first, so that the initial weights do not linger.
        self.seen += batch
        share = min(1.0, batch / min(self.images, self.seen / 4 + batch))
        ours, theirs = self.network.state_dict(), network.state_dict()
        floats = [name for name in ours if ours[name].is_floating_point()]
        torch._foreach_lerp_([ours[name] for name in floats], [theirs[name] for name in floats], share)


@torch.no_grad()
def predict(network, images, side, batch=64, device="cpu", view=0):
    """Logits [N, classes] of one of the eight views of each image."""
    network.eval()
    outputs = []
    for start in range(0, len(images), batch):
        pixels = torch.from_numpy(images.squares(np.arange(start, min(start + batch, len(images))))).to(device)
        inputs = dihedral(shrink(to_input(pixels), side), view).contiguous(memory_format=torch.channels_last)
        outputs.append(network(inputs)[0])
    return torch.cat(outputs).cpu().numpy()


class Workers:
    """The processes that share a run: each takes a part of every batch, and they average their gradients.

    Two processes of one thread each are faster on two cores than one of two threads, which wait for each other in every
    operation. Without `torchrun` there is one.
    """

    def __init__(self):
        if dist.is_torchelastic_launched() and not dist.is_initialized():
            dist.init_process_group("gloo")
        self.count = dist.get_world_size() if dist.is_initialized() else 1
        self.rank = dist.get_rank() if dist.is_initialized() else 0

    def average_gradients(self, parameters):
        if self.count > 1:
            gradients = [p.grad for p in parameters]
            flat = torch.cat([g.flatten() for g in gradients])
            dist.all_reduce(flat)
            flat.div_(self.count)
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
                gradient.copy_(part.view_as(gradient))

    def agree(self, yes):
        """Whether any of the processes says yes."""
        if self.count == 1:
            return yes
        answer = torch.tensor(float(yes))
        dist.all_reduce(answer)
        return bool(answer > 0)


class Run:
    """A training run that can be left and taken up again; `run()` is the one to read first."""

    def __init__(self, config, images, checkpoint, *, start=None, teachers=(), device="cpu"):
        torch.manual_seed(config.seed)
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.device, self.checkpoint = config, device, checkpoint
        self.workers = Workers()
        self.train_set = images.without_folds(config.held_out)
        self.held_out = images.of_folds(set(config.held_out) - {0}, reported_only=True)
        self.labels = self.train_set.labels
        self.log_prior = torch.tensor(class_prior(self.labels, config.sampling_power), device=device).log().float()
        # Read batch by batch, the training pictures (1.4 GB) would keep a GPU waiting.
        on_gpu = device.startswith("cuda")
        self.resident = torch.from_numpy(self.train_set.squares(slice(None))).to(device) if on_gpu else None
        self.teacher_dtype = torch.bfloat16 if config.bf16 else torch.float32
        self.teachers = [folded(t).to(device, self.teacher_dtype, memory_format=torch.channels_last) for t in teachers]
        self.network = MobileNetV2(len(CLASSES), config.dropout)
        self.step, self.steps = 0, list(schedule(config, len(self.train_set)))
        if not self.steps:
            raise ValueError(f"{len(self.train_set)} images do not fill a batch")
        batches = np.array([(stage.batch, stage.batch * stage.side**2) for stage, _, _ in self.steps])
        self._images, self._pixels = np.concatenate([[(0, 0)], batches.cumsum(0)]).T
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True) if checkpoint.exists() else None
        if saved is None and start is not None:
            first = np.random.default_rng(config.seed).choice(len(self.train_set), min(256, len(self.train_set)), False)
            batches = [to_input(torch.from_numpy(self.train_set.squares(part))) for part in np.array_split(first, 8)]
            initial.load_into(self.network, start, batches)
        self.network = self.network.to(device, memory_format=torch.channels_last)
        if config.fused and device == "cpu":
            self.network.fuse()
        decay, plain = [], []
        for parameter in self.network.parameters():
            (decay if parameter.ndim > 1 else plain).append(parameter)
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        self.average = Average(self.network, config.ema_images)
        if saved is not None:
            self._restore(saved)
        # For dropout and mixup, which must differ between processes and from what was seen before.
        torch.manual_seed(config.seed + self.seen + self.workers.rank)

    def run(self, minutes=None):
        """Trains to the end, or for so many minutes; then true if the end was reached."""
        deadline = math.inf if minutes is None else time.monotonic() + minutes * 60
        config, workers = self.config, self.workers
        epoch, window, begun, reports = None, [], time.monotonic(), int(self.done * REPORTS)
        while self.step < len(self.steps):
            stage, of_epoch, at = self.steps[self.step]
            if of_epoch != epoch:
                epoch, order = of_epoch, epoch_order(self.labels, config.sampling_power, of_epoch)
                seed = config.seed + self.seen + workers.rank
                augment = Augmenter(stage.side, seed, config.strength, config.min_area, self.device)
            window.append(self._step(augment, order[at + workers.rank : at + stage.batch : workers.count]))
            self.step += 1
            ends = self.step == len(self.steps) or self.steps[self.step][0] is not stage
            if not ends and self.step % 100:
                continue
            if workers.rank == 0:
                loss = torch.stack(window).mean().item()
                rate = len(window) * stage.batch / (time.monotonic() - begun)
                log.info("%d px, %.1f %% of the run: loss %.3f, %.0f images/s", stage.side, self.done * 100, loss, rate)
                self._save()
                if int(self.done * REPORTS) > reports:
                    reports = int(self.done * REPORTS)
                    self._report(stage)
            window, begun = [], time.monotonic()
            if workers.agree(time.monotonic() > deadline):
                break
        return self.step == len(self.steps)

    @property
    def seen(self):
        """Images so far."""
        return int(self._images[self.step])

    @property
    def done(self):
        """Share of the run's pixels so far: time is about proportional to them."""
        return self._pixels[self.step] / self._pixels[-1]

    def _step(self, augment, positions):
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        inputs = augment(self._squares(positions))
        labels = torch.from_numpy(self.labels[positions]).to(self.device, non_blocking=True)
        targets = losses.smoothed(labels, len(CLASSES), config.label_smoothing)
        if config.mixup > 0:
            share = float(torch.distributions.Beta(config.mixup, config.mixup).sample())
            inputs = torch.lerp(inputs.flip(0), inputs, share)
            targets = torch.lerp(targets.flip(0), targets, share)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        self.network.train()
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=config.bf16):
            logits = self.network(inputs)[0].float()
        loss = losses.adjusted_cross_entropy(logits, targets, self.log_prior)
        if self.teachers:
            share = config.distillation_share
            taught = self._taught(inputs)
            loss = (1 - share) * loss + share * losses.agreement(logits, taught, config.distillation_temperature)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.workers.average_gradients(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.average.update(self.network, len(positions) * self.workers.count)
        return loss.detach()

    @torch.no_grad()
    def _taught(self, inputs):
        """Logits [N, classes] of each teacher that is asked."""
        inputs, teachers = inputs.to(self.teacher_dtype), self.teachers
        if self.config.one_teacher:
            teachers = [teachers[int(torch.randint(len(teachers), ()))]]
            inputs = dihedral(inputs, int(torch.randint(8, ()))).contiguous(memory_format=torch.channels_last)
        return [teacher(inputs)[0].float() for teacher in teachers]

    def _squares(self, positions):
        """uint8 [n, SIDE, SIDE, 3], on the GPU if there is one."""
        if self.resident is None:
            return torch.from_numpy(self.train_set.squares(positions))
        return self.resident[torch.from_numpy(positions).to(self.device, non_blocking=True)]

    def _learning_rate(self):
        """Linear warm-up, then a cosine over the run's pixels, so that large pictures get their part of it."""
        warm = min(1.0, (self.seen + 1) / max(1, self.config.warmup_images))
        return self.config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * self.done))

    def _report(self, stage):
        if len(self.held_out) == 0:
            return
        logits = predict(self.average.network, self.held_out, stage.side, device=self.device)
        labels = self.held_out.labels
        log.info("held out, %d px: balanced accuracy %.3f, macro AUROC %.3f", stage.side,
                 metrics.balanced_accuracy(labels, logits.argmax(1)),
                 metrics.macro_auroc(labels, metrics.softmax(logits)))

    def _save(self):
        state = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "average_seen": self.average.seen,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "config": self.config.as_dict(),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _restore(self, saved):
        theirs = dict(saved["config"]) | {"threads": None, "fused": None}
        ours = self.config.as_dict() | {"threads": None, "fused": None}
        differing = sorted(key for key in ours.keys() | theirs if ours.get(key) != theirs.get(key))
        if differing:
            raise ValueError(f"{self.checkpoint} was made with other settings: {', '.join(differing)}")
        self.network.load_state_dict(saved["network"])
        self.average.network.load_state_dict(saved["average"])
        self.average.seen = saved["average_seen"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
        log.info("resumed at %.1f %%", self.done * 100)
