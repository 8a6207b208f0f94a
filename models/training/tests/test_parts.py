"""The parts that can go wrong without a sign of it."""

import io
import json
import unittest
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from skinclf_training import (
    artefacts, augment, calibrate, data, dermoscopy, evaluate, export, fused, losses, metrics, nonlesions, shift, train,
    usable,
)
from skinclf_training.config import Config
from skinclf_training.network import MobileNetV2


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


class Sampling(unittest.TestCase):
    labels = np.repeat(np.arange(7), [400, 30, 100, 10, 60, 200, 5])

    def test_the_prior_is_what_an_epoch_holds(self):
        drawn = self.labels[train.epoch_order(self.labels, -0.5, seed=3)]
        shares = np.bincount(drawn, minlength=7) / len(drawn)
        np.testing.assert_allclose(shares, train.class_prior(self.labels, -0.5), atol=1.01 / len(self.labels))
        self.assertGreater(shares[6], 5 / len(self.labels))

    def test_every_image_of_a_rare_class_comes_in_an_epoch(self):
        order = train.epoch_order(self.labels, -0.5, seed=3)
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


class NonLesions(unittest.TestCase):
    def test_every_kind_is_rendered_and_repeatable(self):
        first, second = (list(nonlesions.render(2, seed=9)) for _ in range(2))
        self.assertEqual([kind for kind, _ in first], [kind for kind in nonlesions.RENDERED for _ in range(2)])
        for (_, a), (_, b) in zip(first, second, strict=True):
            self.assertEqual((a.size, a.tobytes()), ((224, 224), b.tobytes()))


if __name__ == "__main__":
    unittest.main()
