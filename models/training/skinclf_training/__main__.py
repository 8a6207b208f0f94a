"""`python -m skinclf_training STEP`: prepare, sources, train, distill, calibrate, export, evaluate, nonlesions."""

import argparse
import json
import logging
import sys
from pathlib import Path

import numpy as np

from . import calibrate, checkpoint, data, dermoscopy, evaluate, export, nonlesions, quality, tones
from .augment import Augmenter
from .checkpoint import trained
from .config import Config
from .train import Run, predict

CALIBRATION_FOLD = 1  # held out from training, as fold 0 is, which figures are reported on
# Share of its malignant lesions that reach the threshold of the malignancy flag.
MALIGNANT_REACHED = 0.95
# Shares of its pictures that each check of `usable` lets pass.
ACCEPTED = {"min_contrast": 0.998, "min_sharpness": 0.995, "min_dermoscopy": 0.975}


def prepare(args):
    packed = (args.source / "images.csv").is_file()
    pictures = data.read_packed_archives(args.source) if packed else data.read_download(args.source)
    rows = data.prepare(pictures, args.out, args.each)
    print(f"{len(rows)} images in {args.out}")


def tell_sources(args):
    images = data.Images.load(args.data).without_folds([0, CALIBRATION_FOLD])
    print("\n".join(tones.report(images, Augmenter(data.SIDE, seed=1))))


def train(args):
    teachers, config = [checkpoint.read(path) for path in getattr(args, "teacher", [])], Config.read(args.config)
    config.graphs &= not args.no_graphs
    run = Run(
        config, data.Images.load(args.data), args.checkpoint, start=args.weights, teachers=teachers,
        device=args.device, average_path=args.average,
    )
    finished = run.run(args.minutes, args.fit)
    if run.workers.rank == 0:
        print("finished" if finished else f"{run.done:.0%} done; the same command goes on from here")


def fit_calibration(args):
    images, network = data.Images.load(args.data), export.shipped(*map(trained, args.checkpoint))
    held_out = images.of_folds([CALIBRATION_FOLD], reported_only=True)
    # One photograph a lesion, and nothing of the fold that figures are reported on.
    prior = calibrate.class_shares(images.where(lambda r: r["fold"] not in ("", "0") and r["reported"] == "1").labels)
    labels = held_out.labels
    # Eight views of each picture are more to fit on than one; thresholds are of the picture as it is.
    logits = [predict(network, held_out, data.SIDE, view=view) for view in range(8)]
    temperature, bias = calibrate.fit(np.concatenate(logits), np.tile(labels, len(logits)), prior)
    probabilities = calibrate.probabilities(logits[0], prior, temperature, bias)
    malignant = np.isin(labels, calibrate.MALIGNANT)
    risk = probabilities[:, calibrate.MALIGNANT].sum(1)

    known = images.without_folds([0, CALIBRATION_FOLD])
    chosen = np.random.default_rng(1).permutation(len(known))[: args.lesions]
    others = [picture for _, picture in nonlesions.render(args.rendered, seed=1)]
    others += [p for _, p in nonlesions.backgrounds(known, args.rendered, seed=1)]
    others += [p for _, p in nonlesions.photographs(args.photographs, "fit", 1, args.views)]
    weight, offset = dermoscopy.fit(
        dermoscopy.features(network, dermoscopy.turned((known.squares(i) for i in chosen), seed=1)),
        dermoscopy.features(network, dermoscopy.turned(others, seed=2)),
    )
    weight = weight.astype(np.float16).astype(np.float64)  # as the file holds it
    squares = [held_out.squares(i) for i in range(len(held_out))]
    scores = dermoscopy.features(network, squares) @ weight + offset
    measures = {
        "min_contrast": np.array([quality.contrast(s) for s in squares]),
        "min_sharpness": np.array([quality.sharpness(s) for s in squares]),
        "min_dermoscopy": 1 / (1 + np.exp(-scores)),
    }
    result = {
        "temperature": round(temperature, 4),
        "bias": bias.tolist(),
        "prior": [round(float(p), 6) for p in prior],
        "malignancy_threshold": calibrate.accepting(risk[malignant], MALIGNANT_REACHED),
        "malignancy_sensitivity": MALIGNANT_REACHED,
        "usable": {"min_side": 64}
        | {name: calibrate.accepting(values, ACCEPTED[name]) for name, values in measures.items()},
        "dermoscopy": {"weight": weight.tolist(), "bias": offset},
    }
    args.out.write_text(json.dumps(result), encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k not in ("bias", "dermoscopy")}, indent=2))


def write_model(args):
    calibration = json.loads(args.calibration.read_text(encoding="utf-8"))
    network = export.shipped(*map(trained, args.checkpoint))
    spec = export.write(network, calibration, args.out, args.template, args.version)
    print(f"{args.out}: SHA-256 {spec['sha256']}")


def measure(args):
    images = data.Images.load(args.data).of_folds([args.fold], reported_only=not args.all)
    if args.write:
        evaluate.write_fold(images, args.write)
        print(f"{len(images)} images and labels.csv in {args.write}")
    if args.predictions:
        predictions = evaluate.read_predictions(args.predictions)
        tables = evaluate.by_group(images.selected, predictions), evaluate.reliability(images.selected, predictions)
        print("\n".join([*tables[0], "", *tables[1]]))


def write_nonlesions(args):
    pictures = list(nonlesions.render(args.count, args.seed))
    if args.data:
        fold = data.Images.load(args.data).of_folds([0])
        pictures += nonlesions.backgrounds(fold, args.count, args.seed)
    if args.photographs:
        pictures += nonlesions.photographs(args.photographs, "test", args.seed)
    for number, (kind, picture) in enumerate(pictures):
        (args.out / kind).mkdir(parents=True, exist_ok=True)
        picture.save(args.out / kind / f"{number:05}.png")
    print(f"{len(pictures)} pictures in {args.out}")


def arguments():
    parser = argparse.ArgumentParser(prog="python -m skinclf_training", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")

    def step(name, function, help_text):
        added = steps.add_parser(name, help=help_text)
        added.set_defaults(function=function)
        return added

    def with_data(added):
        added.add_argument("--data", type=Path, required=True, help="folder that `prepare` wrote")

    add = step("prepare", prepare, "pack pictures and their table")
    add.add_argument("source", type=Path, help="folder with images.csv and its archives, or HAM10000 as downloaded")
    add.add_argument("--each", type=int, help="only so many images of every source, fold and class")
    add.add_argument("--out", type=Path, required=True)

    with_data(step("sources", tell_sources, "how well colour and sharpness tell each source, and how well in training"))

    for name, help_text in [("train", "train on labels"), ("distill", "train on labels and on teachers' answers")]:
        add = step(name, train, help_text)
        with_data(add)
        add.add_argument("config", type=Path, help="settings, see configs/")
        add.add_argument("--checkpoint", type=Path, required=True, help="written often; taken up again if it exists")
        add.add_argument("--average", type=Path, help="also write the averaged weights alone here, whenever it is written")
        weights = "to start from: ImageNet's .tflite or .pth, an exported .onnx, or the .pt of another run"
        add.add_argument("--weights", type=Path, help=weights)
        add.add_argument("--minutes", type=float, help="stop after so long")
        add.add_argument("--fit", action="store_true", help="with --minutes: leave out steps, to reach the end by then")
        add.add_argument("--no-graphs", action="store_true", help="give a GPU each kernel by itself, whatever the config says")
        add.add_argument("--device", default="cpu")
        if name == "distill":
            add.add_argument("--teacher", type=Path, action="append", required=True, help="checkpoint; repeatable")

    add = step("calibrate", fit_calibration, "fit temperature, thresholds and what tells lesions from others")
    with_data(add)
    add.add_argument("checkpoint", type=Path, nargs="+", help="of several, the mean of their weights")
    add.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders of pictures that are no lesions")
    add.add_argument("--views", type=int, default=2, help="squares cut from each photograph")
    add.add_argument("--rendered", type=int, default=200, help="pictures of each rendered kind")
    add.add_argument("--lesions", type=int, default=3000, help="pictures of lesions to tell from the others")
    add.add_argument("--out", type=Path, required=True)

    add = step("export", write_model, "write ONNX and the spec beside it")
    add.add_argument("checkpoint", type=Path, nargs="+", help="of several, the mean of their weights")
    add.add_argument("--calibration", type=Path, required=True)
    add.add_argument("--template", type=Path, required=True, help="spec whose labels and preprocessing are kept")
    add.add_argument("--version", required=True)
    add.add_argument("--out", type=Path, required=True)

    add = step("evaluate", measure, "write a fold for `skinclf classify --truth`; figures by group")
    with_data(add)
    add.add_argument("--fold", type=int, default=0)
    add.add_argument("--all", action="store_true", help="all photographs of a lesion, also those at 150 pixels")
    add.add_argument("--write", type=Path, help="folder for the fold's pictures and labels.csv")
    add.add_argument("--predictions", type=argparse.FileType(encoding="utf-8"), help="what classify -f jsonl printed")

    add = step("nonlesions", write_nonlesions, "write pictures that are no lesions")
    add.add_argument("--out", type=Path, required=True)
    add.add_argument("--count", type=int, default=50, help="of each kind")
    add.add_argument("--seed", type=int, default=1000)
    add.add_argument("--data", type=Path, help="also cut skin from around the lesions of fold 0")
    add.add_argument("--photographs", type=Path, nargs="*", default=[])
    return parser


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    args = arguments().parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
