"""The training loop: one network, on labels and perhaps on the answers of teachers."""

import copy
import functools
import logging
import math
import time

import numpy as np
import torch
import torch.distributed as dist

from . import checkpoint, initial, losses, metrics, sampling, tones
from .augment import Augmenter, dihedral, dihedral_order, shrink, to_input
from .config import Config
from .data import CLASSES
from .graph import Graph
from .network import folded

log = logging.getLogger("train")

REPORTS = 20  # times in a run that the held-out images are looked at
SAVED_EACH = 20  # seconds between checkpoints, at least


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
        ours, theirs = self.network.state_dict(), network.state_dict()
        floats = [name for name in ours if ours[name].is_floating_point()]
        self._ours, self._theirs = [ours[name] for name in floats], [theirs[name] for name in floats]

    @torch.no_grad()
    def update(self, batch):
        # Shorter at first, so that the initial weights do not linger.
        self.seen += batch
        torch._foreach_lerp_(self._ours, self._theirs, min(1.0, batch / min(self.images, self.seen / 4 + batch)))


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

    def same(self, number):
        """What the first process says."""
        if self.count == 1:
            return number
        answer = torch.tensor(number)
        dist.broadcast(answer, 0)
        return int(answer)

    def agree(self, yes):
        """Whether any of the processes says yes."""
        if self.count == 1:
            return yes
        answer = torch.tensor(float(yes))
        dist.all_reduce(answer)
        return bool(answer > 0)


class Run:
    """A training run that can be left and taken up again; `run()` is the one to read first."""

    def __init__(self, config, images, path, *, start=None, teachers=(), device="cpu", average_path=None):
        """`path` is the checkpoint's; `average_path`, if given, that of a file of the averaged weights alone.

        `teachers` are networks and the sides that they were trained at.
        """
        torch.manual_seed(config.seed)
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.device, self.path, self.average_path = config, device, path, average_path
        self.workers = Workers()
        self.train_set = images.without_folds(config.held_out)
        self.held_out = images.of_folds(set(config.held_out) - {0}, reported_only=True)
        self._prepare_sampling()
        # Read batch by batch, the training pictures (2.6 GB) would keep a GPU waiting.
        on_gpu = device.startswith("cuda")
        self.resident = torch.from_numpy(self.train_set.squares(slice(None))).to(device) if on_gpu else None
        self.teacher_dtype = torch.bfloat16 if config.bf16 else torch.float32
        self.teachers = [
            (folded(t).to(device, self.teacher_dtype, memory_format=torch.channels_last), side) for t, side in teachers
        ]
        self.network = checkpoint.build(config.network, config.dropout, config.drop_path)
        self.step, self.steps = 0, list(schedule(config, len(self.train_set)))
        if not self.steps:
            raise ValueError(f"{len(self.train_set)} images do not fill a batch")
        batches = np.array([(stage.batch, stage.batch * stage.side**2) for stage, _, _ in self.steps])
        self._images, self._pixels = np.concatenate([[(0, 0)], batches.cumsum(0)]).T
        saved = torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
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
        self.graphs = {} if config.graphs and on_gpu and self.workers.count == 1 else None
        # A graph reads the rate from the device, where it can change.
        self.rate = torch.tensor(config.learning_rate, device=device) if self.graphs is not None else config.learning_rate
        self.optimizer = torch.optim.AdamW(groups, lr=self.rate, fused=True, capturable=self.graphs is not None)
        self.average = Average(self.network, config.ema_images)
        if saved is not None:
            self._restore(saved)
        # For dropout and mixup, which must differ between processes and from what was seen before.
        torch.manual_seed(config.seed + self.seen + self.workers.rank)

    def _prepare_sampling(self):
        config, rows = self.config, self.train_set.selected
        self.labels = self.train_set.labels
        sources, self.sources = tones.sources_of(rows)
        named = {name.split(".")[0] for name in config.source_weights}
        if unknown := sorted(named - set(sources)):
            log.warning("source_weights: no picture is of %s, only of %s", ", ".join(unknown), ", ".join(sources))
        weights = sampling.source_weights(rows, config.source_weights)
        self.drawing = sampling.drawing_weights(self.labels, weights, config.sampling_power)
        self.groups = self.labels * len(sources) + self.sources
        prior = sampling.class_prior(self.labels, self.drawing)
        self.log_prior = torch.tensor(prior, device=self.device).log().float()
        self.tone_shift = tones.of_sources(self.train_set, config.seed) if config.mix_tones else None

    def run(self, minutes=None, fit=False):
        """Trains to the end, or for so many minutes; then true if the end was reached.

        With `fit` the end is reached by then: steps are left out, evenly, if there are too many.
        """
        begun = time.monotonic()
        deadline = math.inf if minutes is None else begun + minutes * 60
        first = self._pixels[self.step]
        config, workers = self.config, self.workers
        epoch, augment, of_stage, window, reports = None, None, None, [], int(self.done * REPORTS)
        saved = since = begun
        while self.step < len(self.steps):
            stage, of_epoch, at = self.steps[self.step]
            if stage is not of_stage:
                of_stage = stage
                augment = Augmenter(stage.side, 0, stage.strength, stage.min_area, self.device)
                self.orders = dihedral_order(stage.side).to(self.device)
                if self.graphs is not None:
                    self.graphs, self.graph_pool = {}, torch.cuda.graph_pool_handle()
            if of_epoch != epoch:
                epoch, order = of_epoch, sampling.epoch_order(self.groups, self.drawing, of_epoch)
                augment.generator.manual_seed(config.seed + self.seen + workers.rank)
            window.append(self._step(stage, augment, order[at + workers.rank : at + stage.batch : workers.count]))
            self.step += 1
            if fit:
                share = (time.monotonic() - begun) / (deadline - begun)
                late = np.searchsorted(self._pixels, first + share * (self._pixels[-1] - first))
                self.step = workers.same(int(np.clip(late, self.step, len(self.steps))))
            ends = self.step == len(self.steps) or self.steps[self.step][0] is not stage
            if not ends and len(window) < 100:
                continue
            over = workers.agree(time.monotonic() > deadline)
            if workers.rank == 0:
                loss, now = torch.stack(window).mean().item(), time.monotonic()
                rate = len(window) * stage.batch / (now - since)
                log.info("%d px, %.1f %% of the run: loss %.3f, %.0f images/s", stage.side, self.done * 100, loss, rate)
                if ends or over or now - saved > SAVED_EACH:
                    self._save()
                    saved = now
                if int(self.done * REPORTS) > reports:
                    reports = int(self.done * REPORTS)
                    self._report(stage)
            window, since = [], time.monotonic()
            if over:
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

    def _step(self, stage, augment, positions):
        """Draws what is random about a step, and does it."""
        config = self.config
        for group in self.optimizer.param_groups:
            if self.graphs is None:
                group["lr"] = self._learning_rate()
            else:
                group["lr"].fill_(self._learning_rate())
        share = float(torch.distributions.Beta(stage.mixup, stage.mixup).sample()) if stage.mixup > 0 else 1.0
        shift = np.zeros((len(positions), 4), np.float32)
        if self.tone_shift is not None:
            by_source, sources = self.tone_shift
            shift = tones.mix(by_source, sources[positions])
        teacher, view = None, 0
        if self.teachers and config.one_teacher:
            teacher, view = int(torch.randint(len(self.teachers), ())), int(torch.randint(8, ()))
        given = (
            self._squares(positions), torch.from_numpy(self.labels[positions]), augment.draw(len(positions)),
            torch.from_numpy(shift), torch.tensor(share), torch.tensor([view]),
        )
        if self.graphs is None:
            loss = self._learn(stage, augment, teacher, *(values.to(self.device) for values in given))
        else:
            if teacher not in self.graphs:
                learn = functools.partial(self._learn, stage, augment, teacher)
                self.graphs[teacher] = Graph(learn, self.device, self.graph_pool)
            loss = self.graphs[teacher](*given)
        self.average.update(len(positions) * self.workers.count)
        return loss

    def _learn(self, stage, augment, teacher, pixels, labels, draws, shift, share, view):
        """One step of the optimiser on what is drawn, all of it on the device; its loss. A `Graph` can hold it.

        `teacher` is which one is asked, of that one of the eight views; or None, if all are.
        """
        config = self.config
        inputs = augment.views(pixels, draws, shift)
        targets = losses.smoothed(labels, len(CLASSES), config.label_smoothing)
        if stage.mixup > 0:
            inputs = torch.lerp(inputs.flip(0), inputs, share)
            targets = torch.lerp(targets.flip(0), targets, share)
        self.network.train()
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=config.bf16):
            logits = self.network(inputs.contiguous(memory_format=torch.channels_last))[0].float()
        loss = losses.adjusted_cross_entropy(logits, targets, self.log_prior)
        if self.teachers:
            taught = self._taught(inputs, teacher, view)
            agreement = losses.agreement(logits, taught, config.distillation_temperature)
            loss = torch.lerp(loss, agreement, config.distillation_share)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.workers.average_gradients(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def _taught(self, inputs, teacher, view):
        """Logits [N, classes] of each teacher that is asked."""
        asked = self.teachers
        if teacher is not None:
            asked = asked[teacher : teacher + 1]
            order = self.orders.index_select(0, view)[0]
            inputs = inputs.flatten(2).index_select(2, order).view_as(inputs)
        taught = []
        for network, side in asked:
            seen = shrink(inputs, side) if self.config.own_sides else inputs
            seen = seen.to(self.teacher_dtype).contiguous(memory_format=torch.channels_last)
            taught.append(network(seen)[0].float())
        return taught

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
        checkpoint.replace(self.path, state)
        if self.average_path is not None:
            checkpoint.write_average(self.average_path, self.average.network, self.config)

    def _restore(self, saved):
        ours, theirs = self.config.as_dict(), Config(**saved["config"]).as_dict()
        of_speed = {"threads", "fused", "graphs"}
        differing = [key for key in ours.keys() - of_speed if ours[key] != theirs[key]]
        if differing:
            raise ValueError(f"{self.path} was made with other settings: {', '.join(sorted(differing))}")
        self.network.load_state_dict(saved["network"])
        self.average.network.load_state_dict(saved["average"])
        self.average.seen = saved["average_seen"]
        self.optimizer.load_state_dict(saved["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"], group["capturable"] = self.rate, self.graphs is not None
        self.step = saved["step"]
        log.info("resumed at %.1f %%", self.done * 100)
