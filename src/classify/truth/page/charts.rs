//! The ROC curves and the reliability diagram.

use skinclf::evaluation::{BINS, Estimate, Point};

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
        points: thinned(curve.points).map(|p| (p.false_positive_rate, Some(p.sensitivity))).collect(),
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
fn thinned(points: &[Point]) -> impl Iterator<Item = Point> {
    let mut last: Option<Point> = None;
    let end = points.len().saturating_sub(1);
    points.iter().enumerate().filter_map(move |(index, point)| {
        let near = last.is_some_and(|last| {
            point.false_positive_rate - last.false_positive_rate < NEAR
                && point.sensitivity - last.sensitivity < NEAR
        });
        if near && index < end {
            return None;
        }
        last = Some(*point);
        last
    })
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
