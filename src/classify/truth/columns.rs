//! The columns of all tables, the same on the terminal and on the page.

use skinclf::evaluation::{Estimate, Overall, PerClass, Scores, Selected, Sets};

use super::evaluation::Evaluation;
use crate::output::{percent, whole_percent};
use crate::table::{Cell, Column, Kind, Table, Tone};

type Figure<T> = (&'static str, fn(&T) -> Estimate);

const OVERALL: [Figure<Overall<Estimate>>; 11] = [
    ("accuracy", |o| o.accuracy),
    ("balanced accuracy", |o| o.balanced_accuracy),
    ("AUROC, mean of classes", |o| o.macro_auroc),
    ("AUROC, melanoma", |o| o.melanoma_auroc),
    ("AUROC, malignant", |o| o.malignant_auroc),
    ("sensitivity, malignant, at 80 % specificity", |o| o.sensitivity_at_80_specificity),
    ("sensitivity, malignant, at 90 % specificity", |o| o.sensitivity_at_90_specificity),
    ("sensitivity, malignant, at 95 % specificity", |o| o.sensitivity_at_95_specificity),
    ("calibration error (ECE)", |o| o.ece),
    ("Brier score", |o| o.brier),
    ("area under risk-coverage curve (AURC)", |o| o.aurc),
];

/// The figures at the model's own threshold are placed before the last six of [`OVERALL`].
const AFTER_OWN_THRESHOLD: usize = 6;

pub(super) fn overall_figures(scores: &Scores) -> Vec<(String, Estimate)> {
    let figures = OVERALL.iter().map(|(name, figure)| ((*name).to_owned(), figure(&scores.overall)));
    let mut figures: Vec<_> = figures.collect();
    if let Some(at) = &scores.at_threshold {
        let name = |what| format!("{what}, malignant, flagged (at least {})", percent(at.threshold));
        let own = [(name("sensitivity"), at.sensitivity), (name("specificity"), at.specificity)];
        let place = figures.len() - AFTER_OWN_THRESHOLD;
        figures.splice(place..place, own);
    }
    figures
}

/// Of the prediction sets, by group of the true class.
pub(super) fn set_figures(sets: &Sets) -> Vec<(String, Estimate)> {
    let groups = [("", sets.all), (", malignant", sets.malignant), (", benign", sets.benign)];
    let coverage = groups.map(|(group, figures)| (format!("coverage{group}"), figures.coverage));
    let size =
        groups.map(|(group, figures)| (format!("mean number of classes{group}"), figures.mean_set_size));
    coverage.into_iter().chain(size).collect()
}

/// The error rates with ever fewer images kept.
pub(super) fn error_rates(scores: &Scores) -> Vec<(String, Estimate)> {
    let row = |at: &Selected| {
        let confidence =
            at.confidence.map_or(String::new(), |least| format!(", confidence at least {}", percent(least)));
        (format!("{}{confidence}", whole_percent(at.kept as f32)), at.error_rate)
    };
    scores.selected.iter().map(row).collect()
}

/// `title` is the title of the column of names, `value_title` that of the figures.
pub(super) fn estimates<'a>(title: &'a str, value_title: &'a str) -> Table<'a, (String, Estimate)> {
    Table::new([
        Column::new(Kind::Text, title, |(name, _): &(String, Estimate)| name.clone()),
        Column::figure(value_title, |(_, estimate): &(String, Estimate)| value(*estimate)),
        Column::figure("95 % interval", |(_, estimate): &(String, Estimate)| interval(*estimate)),
    ])
}

pub(super) struct OfClass<'a> {
    pub(super) code: &'a str,
    pub(super) name: &'a str,
    /// Whose true class it is.
    images: u64,
    scores: &'a PerClass<Estimate>,
}

pub(super) fn classes<'a>(evaluation: &'a Evaluation<'_>) -> Vec<OfClass<'a>> {
    let labels = evaluation.spec.labels.iter().zip(&evaluation.scores.per_class);
    let of_class = |(class, (label, scores)): (usize, (&'a skinclf::Label, _))| OfClass {
        code: &label.code,
        name: &label.name,
        images: evaluation.scores.confusion.occurrences(class),
        scores,
    };
    labels.enumerate().map(of_class).collect()
}

/// Each interval is below its figure: side by side they would be wider than most terminals.
pub(super) fn per_class<'a>(
    class: fn(&OfClass<'_>) -> String,
    images: &'static str,
) -> Table<'a, OfClass<'a>> {
    Table::new([
        Column::name("class", move |row: &OfClass| class(row)),
        Column::figure(images, |row: &OfClass| Cell::number(row.images)),
        Column::figure("recall", |row: &OfClass| above_interval(row.scores.recall)),
        Column::figure("precision", |row: &OfClass| above_interval(row.scores.precision)).spare(3),
        Column::figure("specificity", |row: &OfClass| above_interval(row.scores.specificity)).spare(1),
        Column::figure("F1", |row: &OfClass| above_interval(row.scores.f1)).spare(2),
        Column::figure("AUROC", |row: &OfClass| above_interval(row.scores.auroc)).spare(4),
    ])
}

/// A row of the confusion matrix.
pub(super) struct TrueClass<'a> {
    class: usize,
    code: &'a str,
    /// Images by predicted class.
    counts: &'a [u64],
}

impl TrueClass<'_> {
    /// The share of the class's images with this predicted class; `None` without images.
    pub(super) fn share(&self, decision: usize) -> Option<f64> {
        let images: u64 = self.counts.iter().sum();
        (images > 0).then(|| self.counts[decision] as f64 / images as f64)
    }
}

pub(super) fn true_classes<'a>(evaluation: &'a Evaluation<'_>) -> Vec<TrueClass<'a>> {
    let rows = evaluation.codes().zip(evaluation.scores.confusion.rows()).enumerate();
    rows.map(|(class, (code, counts))| TrueClass { class, code, counts }).collect()
}

/// One column per predicted class. `more` may add to the cell with the count.
pub(super) fn confusion<'a>(
    evaluation: &'a Evaluation<'_>,
    title: &'static str,
    more: fn(Cell, &TrueClass<'_>, usize) -> Cell,
) -> Table<'a, TrueClass<'a>> {
    let decision = |(decision, code): (usize, &'a str)| {
        Column::new(Kind::Count, code, move |row: &TrueClass| {
            let tone = if decision == row.class { Tone::Right } else { Tone::Plain };
            more(Cell::number(row.counts[decision]).tone(tone), row, decision)
        })
    };
    let true_class = Column::name(title, |row: &TrueClass| row.code);
    Table::new(std::iter::once(true_class).chain(evaluation.codes().enumerate().map(decision)))
}

/// `0.813`, or a dash.
pub(super) fn value(estimate: Estimate) -> String {
    estimate.value.map_or("-".to_owned(), |v| format!("{v:.3}"))
}

/// `0.790–0.831`, or a dash.
pub(super) fn interval(estimate: Estimate) -> String {
    estimate.ci95.map_or("-".to_owned(), |[low, high]| format!("{low:.3}\u{2013}{high:.3}"))
}

fn above_interval(estimate: Estimate) -> Cell {
    let cell = Cell::from(value(estimate));
    if estimate.ci95.is_some() { cell.note(interval(estimate)) } else { cell }
}
