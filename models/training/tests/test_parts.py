"""The parts that can go wrong without a sign of it."""

import csv
import io
import json
import tarfile
import tempfile
import unittest
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from skinclf_training import (
    artefacts, augment, calibrate, checkpoint, data, dermoscopy, evaluate, export, fused, initial, losses, metrics,
    nonlesions, sampling, shift, tones, train, usable,
)
from skinclf_training.config import Config
from skinclf_training.lite import Lite
from skinclf_training.network import MobileNetV2, same_padding

from . import drawn


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


class Data(unittest.TestCase):
    def test_a_lesion_in_two_folds_is_refused(self):
        rows = [{"lesion_id": "a", "fold": "0"}, {"lesion_id": "a", "fold": "0"}, {"lesion_id": "b", "fold": "1"}]
        data.refuse_shared_lesions(rows)
        with self.assertRaisesRegex(ValueError, "lesion a is in folds 0 and 3"):
            data.refuse_shared_lesions([*rows, {"lesion_id": "a", "fold": "3"}])
        with self.assertRaisesRegex(ValueError, "lesion b is in folds 1 and none"):
            data.refuse_shared_lesions([*rows, {"lesion_id": "b", "fold": ""}])

    def test_the_official_test_images_are_refused(self):
        data.refuse_test_images(["ISIC_0034320", "ISIC_0000002"])
        with self.assertRaisesRegex(ValueError, "ISIC_0034524"):
            data.refuse_test_images(["ISIC_0034524"])

    def test_the_crop_is_the_centre_square(self):
        picture = np.zeros((100, 300, 3), np.uint8)
        picture[:, 100:200] = 200  # just the centre square
        self.assertTrue((np.asarray(data.centre_square(Image.fromarray(picture))) == 200).all())

    def test_a_squeezed_picture_gets_its_shape_back(self):
        self.assertEqual(data.unsquash(Image.new("RGB", (256, 256))).size, (341, 256))

    def test_the_table_says_what_is_squeezed_and_reported(self):
        picture = np.zeros((256, 256, 3), np.uint8)
        picture[:, :28] = picture[:, -28:] = 255  # of a squeezed picture, outside the centre square
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "PNG")
        rows = [
            {"image_id": f"ISIC_{n}", "file": f"{n}.png", "archive": "a.tar", "lesion_id": "", "dx": "nv", "fold": "",
             "reported": reported, "source": source}
            for n, (source, reported) in enumerate([("isic2017", "0"), ("milk10k", "0"), ("ham10000", "1")])
        ]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with tarfile.open(folder / "a.tar", "w") as tar:
                for row in rows:
                    member = tarfile.TarInfo(row["file"])
                    member.size = len(encoded.getvalue())
                    tar.addfile(member, io.BytesIO(encoded.getvalue()))
            write_table(folder / "images.csv", rows)
            data.prepare(data.read_packed_archives(folder), folder / "data")
            images = data.Images.load(folder / "data")
            self.assertEqual([row["reported"] for row in images.selected], ["0", "0", "1"])
            self.assertEqual([bool((images.squares(i) == 255).any()) for i in range(3)], [False, True, True])

            write_table(folder / "images.csv", [{k: v for k, v in row.items() if k != "source"} for row in rows])
            with self.assertRaisesRegex(ValueError, "images.csv has no column source"):
                list(data.read_packed_archives(folder))

            write_table(folder / "data" / "table.csv", [rows[0] | {"image_id": "ISIC_0034524"}, *rows[1:]])
            with self.assertRaisesRegex(ValueError, "ISIC_0034524"):
                data.Images.load(folder / "data")

    def test_a_tenth_of_the_pictures_without_a_fold_is_never_trained_on(self):
        rows = [{"image_id": f"ISIC_{i}", "lesion_id": "", "fold": ""} for i in range(2000)]
        rows += [{"image_id": f"HAM_{i}", "lesion_id": "", "fold": "2"} for i in range(100)]
        rows += [{"image_id": f"IL_{i}", "lesion_id": f"lesion {i // 5}", "fold": ""} for i in range(500)]
        images = data.Images(None, rows, np.arange(len(rows)))
        held_out = [row for row in rows if data.held_out_tenth(row)]
        self.assertAlmostEqual(len(held_out) / 2500, 0.1, delta=0.02)
        trained_on = images.without_folds([0, 1]).selected
        self.assertEqual(len(trained_on), len(rows) - len(held_out))
        self.assertFalse([row for row in trained_on if data.held_out_tenth(row)])
        lesions = [{row["lesion_id"] for row in part if row["lesion_id"]} for part in (held_out, trained_on)]
        self.assertTrue(lesions[0] and lesions[0].isdisjoint(lesions[1]))


class Configs(unittest.TestCase):
    def test_every_config_can_be_read_and_keeps_fold_0_out(self):
        for path in (Path(__file__).parent.parent / "configs").glob("*.toml"):
            with self.subTest(path.name):
                config = Config.read(path)
                steps = list(train.schedule(config, 1000))
                self.assertEqual(len(steps), sum(round(s.epochs * (1000 // s.batch)) for s in config.stages))
                self.assertIn(0, config.held_out)

    def test_wrong_settings_are_refused(self):
        for settings, message in [
            ({"held_out": [1]}, "fold 0"), ({"network": "lite9"}, "lite2"),
            ({"source_weights": {"milk10k.bbc": 1}}, "SOURCE.CLASS"), ({"source_weights": {"milk10k": -1}}, "-1"),
        ]:
            with self.subTest(settings), self.assertRaisesRegex(ValueError, message):
                Config(stages=[], **settings)

    def test_a_stage_has_the_settings_of_the_run_unless_it_says(self):
        config = Config(stages=[{"side": 64, "epochs": 1}, {"side": 64, "epochs": 1, "mixup": 0}], mixup=0.3)
        self.assertEqual([stage.mixup for stage in config.stages], [0.3, 0])
        self.assertEqual(Config(**config.as_dict()), config)


class Sampling(unittest.TestCase):
    labels = np.repeat(np.arange(7), [400, 30, 100, 10, 60, 200, 5])

    def test_the_prior_is_what_an_epoch_holds(self):
        rows = [{"source": ["here", "there"][i % 3 == 0], "dx": data.CLASSES[label]} for i, label in enumerate(self.labels)]
        names, sources = tones.sources_of(rows)
        self.assertEqual(names, ["here", "there"])
        for weights in [{}, {"there": 0.3}, {"there": 0.5, "there.bcc": 0.1, "here.df": 4}]:
            with self.subTest(weights):
                own = sampling.source_weights(rows, weights)
                drawing = sampling.drawing_weights(self.labels, own, -0.5)
                order = sampling.epoch_order(self.labels * 2 + sources, drawing, seed=3)
                shares = np.bincount(self.labels[order], minlength=7) / len(order)
                prior = sampling.class_prior(self.labels, drawing)
                np.testing.assert_allclose(shares, prior, atol=1.01 / len(order))
                # As if a class had as many pictures as its weights add up to.
                totals = np.bincount(self.labels, own) ** 0.5
                np.testing.assert_allclose(prior, totals / totals.sum())
                for label in range(7):
                    of_class = self.labels == label
                    expected = own[of_class & (sources == 1)].sum() / own[of_class].sum() * (self.labels[order] == label).sum()
                    self.assertAlmostEqual((of_class & (sources == 1))[order].sum(), expected, delta=2)

    def test_a_weight_of_zero_leaves_a_source_out(self):
        drawing = sampling.drawing_weights(self.labels, (self.labels != 2).astype(float), -1)
        order = sampling.epoch_order(self.labels, drawing, seed=3)
        self.assertNotIn(2, self.labels[order])

    def test_every_image_of_a_rare_class_comes_in_an_epoch(self):
        drawing = sampling.drawing_weights(self.labels, np.ones(len(self.labels)), -0.5)
        order = sampling.epoch_order(self.labels, drawing, seed=3)
        self.assertTrue(set(np.flatnonzero(self.labels == 6)) <= set(order.tolist()))

    def test_adjusted_logits_are_balanced_posteriors(self):
        # Two classes, 90 : 10, whose one feature says the second with odds 3 : 1. Where it is seen, the second makes up
        # 0.1 * 0.75 / (0.1 * 0.75 + 0.9 * 0.25) = 1/4 of the images; balanced, it is 3/4.
        logits = torch.zeros(1, 2, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=100)
        log_prior = torch.tensor([0.9, 0.1]).log()

        def loss():
            optimizer.zero_grad()
            value = losses.adjusted_cross_entropy(logits, torch.tensor([[0.75, 0.25]]), log_prior)
            value.backward()
            return value

        optimizer.step(loss)
        np.testing.assert_allclose(logits.softmax(1).detach().numpy(), [[0.25, 0.75]], atol=1e-4)


class Views(unittest.TestCase):
    def test_the_eight_views_differ_and_keep_every_pixel(self):
        picture = torch.arange(18.0).view(1, 2, 3, 3)
        views = [augment.dihedral(picture, view) for view in range(8)]
        self.assertEqual(len({tuple(v.flatten().tolist()) for v in views}), 8)
        for view in views:
            self.assertEqual(sorted(view.flatten().tolist()), picture.flatten().tolist())

    def test_a_random_view_is_repeatable_and_in_range(self):
        pixels = torch.randint(0, 256, (9, 224, 224, 3), dtype=torch.uint8)
        first, second = (augment.Augmenter(96, seed=5)(pixels) for _ in range(2))
        self.assertEqual(first.shape, (9, 3, 96, 96))
        self.assertTrue(torch.equal(first, second))
        self.assertTrue(first.min() >= -1 and first.max() <= 1)
        self.assertFalse(torch.equal(first, augment.Augmenter(96, seed=6)(pixels)))

    def test_a_view_by_its_order_of_pixels_is_the_view(self):
        picture, orders = torch.rand(2, 3, 5, 5), augment.dihedral_order(5)
        for view in range(8):
            self.assertTrue(torch.equal(picture.flatten(2)[:, :, orders[view]], augment.dihedral(picture, view).flatten(2)))

    def test_a_blur_is_shrinking_and_enlarging(self):
        picture, matrices = torch.rand(1, 3, 40, 40), augment.blur_matrices(40, 13)
        small = torch.nn.functional.interpolate(picture, (14, 14), mode="bilinear", antialias=True)
        wanted = torch.nn.functional.interpolate(small, (40, 40), mode="bilinear")
        torch.testing.assert_close(matrices[0] @ picture @ matrices[0].T, wanted)
        self.assertTrue(torch.equal(matrices[-1], torch.eye(40)))

    def test_tones_are_added_to_what_is_measured(self):
        pixels = torch.randint(60, 160, (4, 64, 64, 3), dtype=torch.uint8)
        augmenter = augment.Augmenter(64, seed=1, strength=0)
        draws = augmenter.draw(4)
        for name in ("constant", "overlay", "blur"):
            draws[:, augmenter.names.index(name)] = 1  # none
        tone = torch.tensor([[0.1, -0.1, 0.05, -0.2]]).expand(4, 4)
        before, after = (tones.measures(augmenter.views(pixels, draws, t) / 2 + 0.5) for t in (None, tone))
        torch.testing.assert_close((after - before)[:, :3], tone[:, :3], atol=0.01, rtol=0)
        torch.testing.assert_close((after - before)[:, 3], tone[:, 3], atol=0.05, rtol=0)


class Tones(unittest.TestCase):
    def test_what_a_source_adds_is_found_beside_what_its_classes_have(self):
        rng = np.random.default_rng(2)
        labels, sources = rng.integers(0, 7, 900), rng.integers(0, 3, 900)
        labels[sources == 1] %= 3  # a source of a few classes
        of_class, of_source = rng.normal(0, 1, (7, 4)), rng.normal(0, 1, (3, 4))
        found = tones.effects(of_class[labels] + of_source[sources] + rng.normal(0, 0.1, (900, 4)), labels, sources, 3)
        np.testing.assert_allclose(found - found[0], of_source - of_source[0], atol=0.05)

    def test_mixed_tones_do_not_tell_the_source(self):
        rng = np.random.default_rng(3)
        sources = rng.integers(0, 2, 600)
        shift = np.array([[0, 0, 0, 0], [0.3, 0, -0.2, 0.1]])
        tone = rng.normal(0, 0.1, (600, 4)) + shift[sources]
        self.assertGreater(tones.told_apart(tone, sources == 1, seed=0), 0.95)
        mixed = tone + tones.mix(shift, sources)
        self.assertAlmostEqual(tones.told_apart(mixed, sources == 1, seed=0), 0.5, delta=0.1)


class Calibration(unittest.TestCase):
    def test_what_was_done_to_logits_is_undone(self):
        # Class c is a Gaussian around gain[c] on its own axis: its log likelihood is gain[c] x[c] - gain[c]^2 / 2.
        rng = np.random.default_rng(0)
        gain = np.array([3, 2.5, 2, 3, 2.5, 2, 3])
        prior = np.array([1, 2, 3, 4, 5, 6, 7]) / 28
        labels = rng.integers(0, 7, 8000)  # not with the shares of the prior
        x = rng.normal(size=(8000, 7)) + gain * np.eye(7)[labels]
        temperature, found = calibrate.fit(gain * x * 2.5, labels, prior, penalty=0)
        self.assertAlmostEqual(temperature, 2.5, delta=0.15)
        bias = -(gain**2) / 2
        np.testing.assert_allclose(found - found.mean(), bias - bias.mean(), atol=0.15)

    def test_a_threshold_reaches_its_share(self):
        risk, malignant = np.linspace(0, 1, 101), np.arange(101) >= 61
        threshold = calibrate.accepting(risk[malignant], 0.95)
        self.assertEqual((risk[malignant] >= threshold).sum(), 38)  # of 40

    def test_the_rank_of_a_prediction_sets_threshold(self):
        # Values 0.01, 0.02 … n/100, so that the k-th largest is (n + 1 - k) / 100.
        table = [(9, 0.9, 9), (10, 0.9, 10), (19, 0.8, 16), (19, 0.95, 19), (39, 0.85, 34), (99, 0.98, 98)]
        for n, coverage, rank in table:
            with self.subTest(n=n, coverage=coverage):
                values = np.random.default_rng(n).permutation(n) / 100 + 0.01
                self.assertAlmostEqual(calibrate.covering(values, coverage), (n + 1 - rank) / 100, delta=1e-4)
        for n, coverage in [(8, 0.9), (0, 0.8), (48, 0.98)]:
            self.assertEqual(calibrate.covering(np.ones(n), coverage), 0)  # too few to leave any out
        self.assertEqual(calibrate.covering(np.full(9, 0.123456), 0.9), 0.1234)
        for n in range(1, 1000):
            for coverage in calibrate.COVERAGES:
                exact = -(-(n + 1) * Fraction(str(coverage)) // 1)
                reached = calibrate.covering(np.arange(n, 0, -1), coverage)
                self.assertEqual(reached, n + 1 - exact if exact <= n else 0, f"{n} values, {coverage}")

    def test_prediction_sets_hold_the_class_as_often_as_they_say(self):
        # A network that is wrong about how sure it is, and 400 new lesions for each of 300 calibrations.
        rng = np.random.default_rng(5)
        covered = {"malignant": [], "benign": []}
        for _ in range(300):
            labels = rng.choice(7, 460, p=[0.05, 0.05, 0.15, 0.05, 0.1, 0.55, 0.05])
            probabilities = metrics.softmax(3 * (rng.normal(size=(460, 7)) + 2 * np.eye(7)[labels]))
            old, new = np.arange(460) < 60, np.arange(460) >= 60
            found = calibrate.conformal(probabilities[old], labels[old])
            own = probabilities[np.arange(460), labels]
            for group, among in covered.items():
                members = new & (np.isin(labels, calibrate.MALIGNANT) == (group == "malignant"))
                among.append([(own[members] >= threshold).mean() for threshold in found[group]])
        for group, among in covered.items():
            for coverage, reached in zip(calibrate.COVERAGES, np.mean(among, 0), strict=True):
                self.assertGreater(reached, coverage - 0.01, group)
        self.assertLess(np.mean(covered["benign"], 0)[0], 0.8 + 1 / 40 + 0.01)  # and no oftener than n allows

    def test_thresholds_fall_as_coverage_rises(self):
        rng = np.random.default_rng(6)
        found = calibrate.conformal(rng.dirichlet(np.ones(7), 300), rng.integers(0, 7, 300))
        self.assertEqual(found["coverages"], sorted(found["coverages"]))
        for group in ("malignant", "benign"):
            self.assertEqual(found[group], sorted(found[group], reverse=True))


class Usable(unittest.TestCase):
    def test_sources_count_the_same_in_a_limit(self):
        # 1000 sharp pictures and 100 soft ones: of the latter as many are refused as if there were 1000.
        sources = np.repeat(["sharp", "soft"], [1000, 100])
        values = np.concatenate([np.linspace(20, 30, 1000), np.arange(100) / 10])
        for share, soft in [(0.997, 100), (0.97, 94), (0.95, 90)]:
            passing = values >= usable.reached(values, np.repeat([1 / 1000, 1 / 100], [1000, 100]), share)
            self.assertEqual([passing[sources == name].sum() for name in ("sharp", "soft")], [1000, soft])
        limits = usable.limits(dict.fromkeys(usable.ACCEPTED, values), sources)
        for name, share in usable.ACCEPTED.items():
            self.assertAlmostEqual(limits[name], int(200 * (1 - share) + 1e-9) / 10)

    def test_sources_are_shown_equally_often(self):
        sources = ["a"] * 500 + ["b"] * 40 + ["c"] * 90
        images = data.Images(None, [{"source": source} for source in sources], np.arange(len(sources)))
        chosen = dermoscopy.of_sources(images, 240, seed=1)
        self.assertEqual(len(set(chosen)), 240)
        self.assertEqual([sum(sources[i] == name for i in chosen) for name in "abc"], [110, 40, 90])

    def test_what_lies_on_pictures_is_repeatable_and_on_some(self):
        plain = [np.full((224, 224, 3), 180, np.uint8)] * 12
        first, second = (list(artefacts.dressed(plain, 0.5, seed=3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        self.assertTrue(0 < sum((picture != 180).any() for picture in first) < 12)
        for kind in artefacts.KINDS:
            drawn = kind(Image.fromarray(plain[0]), np.random.default_rng(4))
            self.assertEqual(drawn.size, (224, 224))
            self.assertTrue((np.asarray(drawn) != 180).any(), kind.__name__)

    def test_acceptance_is_by_source_or_by_folder(self):
        def line(path, *reasons):
            probabilities = dict.fromkeys(data.CLASSES, 1 / 7)
            return json.dumps({"path": path, "predicted_class": 0, "probabilities": probabilities,
                               "malignant_probability": 3 / 7, "flagged": True, "reasons": reasons})

        lines = [line("x/1.png"), line("x/2.png", "blurred"), line("other/noise/3.png", "blank"),
                 json.dumps({"path": "x/4.png", "error": {}})]
        answers = evaluate.read_predictions(io.StringIO("\n".join(lines)))
        rows = [{"image_id": str(i), "source": "clinic"} for i in range(1, 5) if i != 3]
        self.assertEqual(list(evaluate.acceptance(rows, answers)), [
            "| pictures | n | usable | blank | blurred |", "| --- | --- | --- | --- | --- |",
            "| clinic | 2 | 1 (50.0%) | 0 | 1 |", "| noise/ | 1 | 0 (0.0%) | 1 | 0 |",
        ])


class Shift(unittest.TestCase):
    prior = np.array([0.03, 0.05, 0.1, 0.02, 0.08, 0.7, 0.02])

    def test_one_class_gets_its_share_and_the_others_keep_theirs_to_each_other(self):
        shares = shift.with_share(self.prior, "mel", 0.3)
        self.assertAlmostEqual(shares[4], 0.3)
        self.assertAlmostEqual(shares.sum(), 1)
        self.assertAlmostEqual(shares[5] / shares[1], 14)

    def test_rescaled_probabilities_are_calibrated_where_classes_have_those_shares(self):
        # Posteriors of Gaussians under one prior, and pictures drawn with another.
        rng = np.random.default_rng(7)
        shares = shift.with_share(self.prior, "mel", 0.6)
        labels = rng.choice(7, 20_000, p=shares)
        x = rng.normal(size=(20_000, 7)) + 2 * np.eye(7)[labels]
        old = metrics.softmax(2 * x + np.log(self.prior))
        np.testing.assert_allclose(shift.rescaled(old, self.prior, shares), metrics.softmax(2 * x + np.log(shares)))
        ones = np.ones(20_000)
        self.assertLess(shift.calibration_error(shift.rescaled(old, self.prior, shares), labels, ones), 0.012)
        self.assertGreater(shift.calibration_error(old, labels, ones), 0.03)
        new = shift.rescaled(old, self.prior, shares)
        self.assertLess(shift.brier(new, labels, ones), shift.brier(old, labels, ones))

    def test_a_weight_counts_as_so_many_pictures(self):
        rng = np.random.default_rng(8)
        labels, probabilities, weights = rng.integers(0, 7, 50), rng.dirichlet(np.ones(7), 50), rng.integers(1, 4, 50)
        again = np.repeat(np.arange(50), weights)
        for figure in (shift.calibration_error, shift.brier):
            wanted = figure(probabilities[again], labels[again], np.ones(len(again)))
            self.assertAlmostEqual(figure(probabilities, labels, weights), wanted)


class Metrics(unittest.TestCase):
    def test_auroc_counts_pairs(self):
        rng = np.random.default_rng(1)
        scores, positive = rng.integers(0, 8, 60), rng.random(60) < 0.4
        pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
        self.assertAlmostEqual(metrics.auroc(positive, scores), np.mean(pairs), places=12)


class Network(unittest.TestCase):
    def test_the_exported_model_agrees_with_pytorch(self):
        torch.manual_seed(2)
        network = MobileNetV2(7)
        for unit in network.units():  # statistics that make folding matter
            torch.nn.init.uniform_(unit.bn.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(unit.bn.running_var, 0.5, 2)
            torch.nn.init.uniform_(unit.bn.weight, 0.8, 1.6)
            torch.nn.init.normal_(unit.bn.bias, 0.3, 0.2)
        torch.nn.init.normal_(network.head.weight, std=0.05)
        network.eval()
        weight = np.random.default_rng(3).normal(0, 0.1, 1280)
        plain = export.shipped(network)
        model = export.graph_of(plain, (weight, 0.7))
        self.assertEqual([n.op_type for n in model.graph.node if n.op_type == "Pad"], [])
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        x = torch.rand(1, 3, 224, 224) * 2 - 1
        logits, maps, dermoscopy = session.run(["logits", "maps", "dermoscopy"], {"input": x.numpy()})
        with torch.no_grad():
            wanted_logits, wanted_maps = plain(x)
            pooled = plain.features(x).mean((2, 3)).numpy()
            unrounded = network(x)[0].numpy()
        self.assertGreater(np.ptp(wanted_logits.numpy()), 0.1)
        np.testing.assert_allclose(logits, wanted_logits.numpy(), atol=1e-4)
        np.testing.assert_allclose(maps, wanted_maps.numpy(), atol=1e-4)
        weight = weight.astype(np.float16).astype(np.float64)
        np.testing.assert_allclose(dermoscopy, pooled @ weight[:, None] + 0.7, atol=1e-4)
        np.testing.assert_allclose(logits, unrounded, atol=1e-2)  # what half precision costs

    def test_of_several_networks_the_mean_of_the_folded_weights_is_shipped(self):
        torch.manual_seed(6)
        first, second = MobileNetV2(7), MobileNetV2(7)
        for network, variance in [(first, 4.0), (second, 0.25)]:
            for unit in network.units():
                torch.nn.init.constant_(unit.bn.running_var, variance - unit.bn.eps)
        mean = export.shipped(first, second).units()[3].conv.weight
        wanted = (first.units()[3].conv.weight / 2 + second.units()[3].conv.weight * 2) / 2
        torch.testing.assert_close(mean, wanted.half().float(), atol=2e-4, rtol=1e-3)

    def test_the_fused_batch_norm_is_pytorchs(self):
        torch.manual_seed(4)
        for channels, clip in [(24, True), (96, False), (1280, True)]:
            theirs, ours = (torch.nn.BatchNorm2d(channels, eps=1e-3, momentum=0.05) for _ in range(2))
            with torch.no_grad():
                theirs.weight.uniform_(0.5, 2)
                theirs.bias.uniform_(-1, 2)
            ours.load_state_dict(theirs.state_dict())
            x = torch.randn(4, channels, 9, 9).mul(3).add(1).contiguous(memory_format=torch.channels_last)
            upstream = torch.randn_like(x)
            x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
            y1 = theirs(x1)
            y1 = torch.nn.functional.relu6(y1) if clip else y1
            y2 = fused.batch_norm_relu6(x2, ours, clip)
            y1.backward(upstream)
            y2.backward(upstream)
            pairs = [(y1, y2), (x1.grad, x2.grad), (theirs.weight.grad, ours.weight.grad),
                     (theirs.bias.grad, ours.bias.grad), (theirs.running_mean, ours.running_mean),
                     (theirs.running_var, ours.running_var)]
            for wanted, got in pairs:
                torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-4)


class Teachers(unittest.TestCase):
    def test_lites_are_of_their_published_sizes(self):
        for name, weights in [("lite0", 4_652_008), ("lite1", 5_416_680), ("lite2", 6_092_072)]:  # of 1000 classes
            self.assertEqual(sum(p.numel() for p in Lite(name, 1000).parameters()), weights)

    def test_padding_is_tensorflows(self):
        # ceil(side / 2) outputs, and the odd pixel of padding last.
        for side, kernel, padding in [(224, 3, (0, 1)), (65, 3, (1, 1)), (130, 3, (0, 1)), (15, 5, (2, 2)), (28, 5, (1, 2))]:
            self.assertEqual(same_padding(side, kernel), padding * 2)

    def test_any_side_gives_maps_whose_mean_is_the_logit(self):
        network = Lite("lite1", 7).eval()
        with torch.no_grad():
            logits, maps = network(torch.rand(2, 3, 100, 100))
        self.assertEqual(maps.shape, (2, 7, 4, 4))
        torch.testing.assert_close(maps.mean((2, 3)), logits)

    def test_files_of_every_form_are_read(self):
        torch.manual_seed(5)
        x = torch.rand(1, 3, 64, 64)
        for name in ("mobilenetv2", "lite0"):
            network = checkpoint.build(name).eval()
            torch.nn.init.normal_(network.head.weight)
            network = network.half().float()
            config = Config(stages=[{"side": 96, "epochs": 1}], network=name)
            flat = {k: v.flatten(1) if name == "lite0" and k == "head.weight" else v for k, v in network.state_dict().items()}
            kind = name.removesuffix("v2")
            with tempfile.TemporaryDirectory() as folder:
                ours, theirs = Path(folder, "a.pt"), Path(folder, "b.pt")
                checkpoint.write_average(ours, network, config)
                torch.save({"ema": flat, "kind": kind, "side": 96, "args": {}, "seen": 1}, theirs)
                for path in (ours, theirs):
                    read, side = checkpoint.read(path)
                    self.assertEqual((read.name, side), (name, 96))
                    with torch.no_grad():
                        torch.testing.assert_close(read(x)[0], network(x)[0])
                if name == "lite0":
                    with self.assertRaisesRegex(ValueError, "can only teach"):
                        checkpoint.trained(ours)
                    with self.assertRaisesRegex(ValueError, "holds a lite0"):
                        initial.load_into(MobileNetV2(7), ours, [])

    def test_imagenet_weights_come_in_the_order_of_the_layers(self):
        torch.manual_seed(7)
        source, state = Lite("lite0", 7), {}
        for i, unit in enumerate(source.units()):
            torch.nn.init.normal_(unit.bn.running_mean)
            state[f"conv{i}.weight"] = unit.conv.weight.detach()
            state |= {f"bn{i}.{name}": value for name, value in unit.bn.state_dict().items()}
        state |= {"fc.weight": torch.zeros(1000, 1280), "fc.bias": torch.zeros(1000)}
        x = torch.rand(1, 3, 64, 64)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "lite.pth")
            torch.save(state, path)
            network = Lite("lite0", 7)
            initial.load_into(network, path, [])
            with torch.no_grad():
                torch.testing.assert_close(network.eval().features(x), source.eval().features(x))
            for other in (Lite("lite1", 7), MobileNetV2(7)):
                with self.assertRaisesRegex(ValueError, "does not hold"):
                    initial.load_into(other, path, [])


class Recorder(TorchDispatchMode):
    """The names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name().split(".")[0])
        return function(*args, **(kwargs or {}))


class Training(unittest.TestCase):
    def run_on(self, images, folder, teachers=(), **settings):
        return train.Run(Config(threads=1, **settings), images, Path(folder, "run.pt"), teachers=teachers)

    def test_a_step_can_be_one_graph_of_a_gpu(self):
        images = drawn.images(each=2, size=(225, 225))
        teachers = [(checkpoint.build(name).eval(), side) for name, side in [("lite0", 40), ("mobilenetv2", 32)]]
        with tempfile.TemporaryDirectory() as folder:
            run = self.run_on(
                images, folder, teachers, stages=[{"side": 32, "epochs": 1, "batch": 8}], network="lite0", drop_path=0.1,
                mix_tones=True, one_teacher=True, own_sides=True,
            )
            run.orders = augment.dihedral_order(32)
            augmenter = augment.Augmenter(32, seed=1)
            given = (
                torch.from_numpy(images.squares(np.arange(8))), torch.arange(8) % 7, augmenter.draw(8), torch.zeros(8, 4),
                torch.tensor(0.4), torch.tensor([5]),
            )
            with Recorder() as recorder:
                run._learn(run.config.stages[0], augmenter, 0, *given)
        self.assertIn("aten::grid_sampler_2d", recorder.names)
        # These wait for the device, or copy to it.
        waiting = {"_local_scalar_dense", "is_nonzero", "item", "nonzero", "masked_select", "lift_fresh", "scalar_tensor"}
        self.assertEqual(recorder.names & {f"aten::{name}" for name in waiting}, set())

    def test_a_run_that_must_fit_leaves_out_steps_and_ends(self):
        with tempfile.TemporaryDirectory() as folder:
            stages = [{"side": 32, "epochs": 1000, "batch": 8}, {"side": 64, "epochs": 1, "batch": 8}]
            run = self.run_on(drawn.images(each=2, size=(225, 225)), folder, stages=stages)
            self.assertTrue(run.run(minutes=1e-4, fit=True))
            self.assertTrue(torch.isfinite(checkpoint.read(run.path)[0].head.weight).all())

    def test_shuffled_labels_teach_nothing(self):
        found = {}
        for shuffled in (False, True):
            images = drawn.images(each=12, size=(225, 225))
            if shuffled:
                labels = np.random.default_rng(8).permutation([row["dx"] for row in images.rows])
                images.rows = [row | {"dx": label} for row, label in zip(images.rows, labels)]
            with tempfile.TemporaryDirectory() as folder:
                run = self.run_on(
                    images, folder, stages=[{"side": 32, "epochs": 15, "batch": 16}], strength=0.2, min_area=0.8, mixup=0.0,
                    warmup_images=100, ema_images=300, learning_rate=2e-3,
                )
                run.run()
                logits = train.predict(run.average.network, run.held_out, 32)
            found[shuffled] = metrics.balanced_accuracy(run.held_out.labels, logits.argmax(1))
        self.assertGreater(found[False], 0.4)
        self.assertLess(found[True], 0.3)  # 1/7, give or take 0.04 (84 pictures)


class NonLesions(unittest.TestCase):
    def test_every_kind_is_rendered_and_repeatable(self):
        first, second = (list(nonlesions.render(2, seed=9)) for _ in range(2))
        self.assertEqual([kind for kind, _ in first], [kind for kind in nonlesions.RENDERED for _ in range(2)])
        for (_, a), (_, b) in zip(first, second, strict=True):
            self.assertEqual((a.size, a.tobytes()), ((224, 224), b.tobytes()))


if __name__ == "__main__":
    unittest.main()
