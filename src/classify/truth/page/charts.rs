//! The ROC curves, the reliability diagram and the risk-coverage curve.

use skinclf::evaluation::{BINS, Estimate, Point, RiskPoint};

use crate::classify::truth::columns::value;
use crate::classify::truth::evaluation::Evaluation;
use crate::html::chart::{Axis, Chart, HALF, Mark, Panel, Readout, Series, Shape};

/// Thin lines that differ in colour and dashes; used again from the first if there are more classes.
const THIN: [&str; 8] = [
    "thin c2",
    "thin c5",
    "thin c6",
    "thin dashed c1",
    "thin dashed c2",
    "thin dashed c6",
    "thin dashed c3",
    "thin dashed c5",
];

/// Points that are closer are left out: a quarter of a pixel on a large screen.
const NEAR: f64 = 0.0006;

/// The error rate of fewer images jumps with each of them.
const LEAST_KEPT: f64 = 0.1;

pub(super) struct Curve<'a> {
    pub(super) name: String,
    /// Class of the style sheet.
    pub(super) style: &'static str,
    pub(super) auroc: Estimate,
    points: &'a [Point],
}

/// Malignant first, then melanoma, then the other classes; those without a curve are left out.
pub(super) fn curves<'a>(evaluation: &'a Evaluation<'_>) -> Vec<Curve<'a>> {
    let scores = &evaluation.scores;
    let of_class = |class: usize, style| Curve {
        name: evaluation.spec.labels[class].name.clone(),
        style,
        auroc: scores.per_class[class].auroc,
        points: &scores.class_rocs[class],
    };
    let malignant = Curve {
        name: "Malignant".to_owned(),
        style: "c1",
        auroc: scores.overall.malignant_auroc,
        points: &scores.malignant_roc,
    };
    let melanoma = scores.melanoma.map(|class| of_class(class, "c3"));
    let others = (0..evaluation.spec.labels.len()).filter(|class| Some(*class) != scores.melanoma);
    let others = others.zip(THIN.iter().cycle()).map(|(class, style)| of_class(class, style));
    let all = std::iter::once(malignant).chain(melanoma).chain(others);
    all.filter(|curve| !curve.points.is_empty()).collect()
}

pub(super) fn roc(evaluation: &Evaluation<'_>) -> Chart {
    let curves = curves(evaluation);
    let described: Vec<_> =
        curves.iter().map(|c| format!("{} has an area of {}", c.name, value(c.auroc))).collect();
    let chance = Series {
        name: String::new(),
        style: "chance",
        shape: Shape::Line,
        points: vec![(0.0, Some(0.0)), (1.0, Some(1.0))],
    };
    // The thick lines are drawn last, above the others.
    let lines = curves.iter().rev().map(|curve| Series {
        name: String::new(),
        style: curve.style,
        shape: Shape::Line,
        points: thinned(curve.points.iter().map(|p| (p.false_positive_rate, p.sensitivity))),
    });
    Chart {
        title: "ROC curves".to_owned(),
        description: format!("{}.", described.join(", ")),
        width: HALF,
        x: shares("1 - specificity"),
        panels: vec![Panel {
            title: "Sensitivity",
            height: HALF * 0.75,
            series: std::iter::once(chance).chain(lines).collect(),
        }],
        shaded: Vec::new(),
        marks: vec![mark(0.05, "95 %"), mark(0.1, "90 %"), mark(0.2, "80 % specificity")],
        readouts: Vec::new(),
    }
}

/// Leaves out points that are too close to the one before to be seen.
fn thinned(points: impl ExactSizeIterator<Item = (f64, f64)>) -> Vec<(f64, Option<f64>)> {
    let mut kept: Vec<(f64, Option<f64>)> = Vec::new();
    let end = points.len().saturating_sub(1);
    for (index, (x, y)) in points.enumerate() {
        let near = kept.last().is_some_and(|(last_x, last_y)| {
            x - last_x < NEAR && last_y.is_some_and(|last_y| (y - last_y).abs() < NEAR)
        });
        if !near || index == end {
            kept.push((x, Some(y)));
        }
    }
    kept
}

pub(super) fn reliability(evaluation: &Evaluation<'_>) -> Chart {
    let bins = &evaluation.scores.reliability;
    let width = 1.0 / BINS as f64;
    let filled = || bins.iter().enumerate().filter(|(_, bin)| bin.images > 0);
    let bars = |value: &dyn Fn(&skinclf::evaluation::Bin) -> f64| {
        filled().map(|(index, bin)| (index as f64 * width, Some(value(bin)))).collect()
    };
    let right = |bin: &skinclf::evaluation::Bin| bin.right as f64 / bin.images as f64;
    let share_right = Series {
        name: "share right".to_owned(),
        style: "c5",
        shape: Shape::Bars(width),
        points: bars(&right),
    };
    let confidence = Series {
        name: "probability".to_owned(),
        style: "chance",
        shape: Shape::Line,
        points: vec![(0.0, Some(0.0)), (1.0, Some(1.0))],
    };
    let images = Series {
        name: "images".to_owned(),
        style: "c1",
        shape: Shape::Bars(width),
        points: bars(&|bin| bin.images as f64),
    };
    let readout = |(index, bin): (usize, &skinclf::evaluation::Bin)| Readout {
        from: index as f64 * width,
        to: (index + 1) as f64 * width,
        text: format!("{}: {} of {} right", bin_name(index), bin.right, bin.images),
    };
    Chart {
        title: "Reliability diagram".to_owned(),
        description: format!("The calibration error is {}.", value(evaluation.scores.overall.ece)),
        width: HALF,
        x: shares("largest probability"),
        panels: vec![
            Panel { title: "Share right", height: HALF * 0.5, series: vec![share_right, confidence] },
            Panel { title: "Images", height: 68.0, series: vec![images] },
        ],
        shaded: Vec::new(),
        marks: Vec::new(),
        readouts: filled().map(readout).collect(),
    }
}

pub(super) fn risk_coverage(evaluation: &Evaluation<'_>) -> Chart {
    let scores = &evaluation.scores;
    let first = scores.risk_coverage.iter().position(|point| point.kept >= LEAST_KEPT).unwrap_or_default();
    let shown: &[RiskPoint] = &scores.risk_coverage[first..];
    let of_all = shown.last().map(|all| all.error_rate);
    let error_rate = Series {
        name: "error rate".to_owned(),
        style: "c3",
        shape: Shape::Line,
        points: thinned(shown.iter().map(|point| (point.kept, point.error_rate))),
    };
    let of_all = Series {
        name: "of all images".to_owned(),
        style: "chance",
        shape: Shape::Line,
        points: vec![(0.0, of_all), (1.0, of_all)],
    };
    Chart {
        title: "Risk-coverage curve".to_owned(),
        description: format!("The area under the curve is {}.", value(scores.overall.aurc)),
        width: HALF,
        x: shares("share of images kept"),
        panels: vec![Panel { title: "Error rate", height: HALF * 0.5, series: vec![of_all, error_rate] }],
        shaded: Vec::new(),
        marks: Vec::new(),
        readouts: Vec::new(),
    }
}

/// `0.20–0.27`
pub(super) fn bin_name(index: usize) -> String {
    let end = |index: usize| index as f64 / BINS as f64;
    format!("{:.2}\u{2013}{:.2}", end(index), end(index + 1))
}

fn shares(label: &'static str) -> Axis {
    let ticks = (0..=5).map(|i| (f64::from(i) / 5.0, format!("{:.1}", f64::from(i) / 5.0))).collect();
    Axis { from: 0.0, to: 1.0, ticks, label }
}

fn mark(at: f64, label: &str) -> Mark {
    Mark { at, label: label.to_owned() }
}
