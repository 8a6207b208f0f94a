//! The table for people.

use std::io::{self, Write};

use skinclf::{Decision, Group, Label, ModelSpec, Prediction, Prior};

use super::{Record, Sink};
use crate::process::Wrapping;
use crate::process::terminal::{Look, printable};
use crate::table::{Cell, Column, Kind, Table, Tone};

pub(crate) const NOTICE: &str =
    "Research software, not a medical device: this is not a diagnosis. See a doctor about a skin change.";

/// Images per table: a long run prints several tables, so that memory stays bounded.
const IMAGES: usize = 1000;

/// A class of an image, or what else there is to say of it.
#[derive(Default)]
struct Row {
    image: String,
    class: Cell,
    probability: String,
    score: String,
    malignant: Cell,
    others: String,
}

pub(super) struct TableSink<'s, W: Write> {
    spec: &'s ModelSpec,
    /// Of the prediction sets.
    coverage: Option<f32>,
    out: Wrapping<W>,
    look: Look,
    images: usize,
    rows: Vec<Row>,
    any: bool,
    any_flagged: bool,
    /// The class shares that the probabilities are for, with `--prior`.
    prior: Option<Prior>,
    /// Whether for some image another class is more probable than the predicted one.
    any_beaten: bool,
    /// Whether the scores are shown: those by which classes are ranked, where these are not their probabilities.
    with_scores: bool,
}

impl<'s, W: Write> TableSink<'s, W> {
    pub(super) fn new(spec: &'s ModelSpec, coverage: Option<f32>, out: W, look: Look) -> Self {
        Self {
            spec,
            coverage,
            out: look.wrapping(out),
            look,
            images: 0,
            rows: Vec::new(),
            any: false,
            any_flagged: false,
            prior: None,
            any_beaten: false,
            with_scores: false,
        }
    }

    /// One row per listed class.
    fn add_rows(&mut self, name: String, top_k: Option<usize>, prediction: &Prediction) {
        let spec = self.spec;
        let listed = prediction.ranked().into_iter().take(top_k.unwrap_or(1));
        let usable = prediction.is_usable();
        let beaten = prediction.probabilities[prediction.most_probable] > prediction.confidence();
        self.any_beaten |= beaten;
        self.prior.clone_from(&prediction.prior);
        for (rank, class) in listed.enumerate() {
            let label = &spec.labels[class];
            let mark = if rank == 0 && beaten { "*" } else { "" };
            let tone = match label.group {
                _ if !usable => Tone::Doubtful,
                Group::Malignant => Tone::Malignant,
                Group::Benign => Tone::Benign,
            };
            let malignant = if rank == 0 { self.malignant(prediction) } else { Cell::default() };
            let [probability, score] =
                [&prediction.probabilities, &prediction.scores].map(|of| percent(of[class]));
            self.rows.push(Row {
                image: if rank == 0 { name.clone() } else { String::new() },
                class: Cell::from(format!("{} ({}){mark}", label.name, label.code)).tone(tone),
                probability,
                score,
                malignant,
                others: if rank == 0 { others_of_set(prediction, &spec.labels) } else { String::new() },
            });
        }
        if !usable {
            let reasons: Vec<_> = prediction.reasons.iter().map(|reason| reason.words()).collect();
            let class = Cell::from(format!("not usable: {}", reasons.join(", "))).tone(Tone::Doubtful);
            self.rows.push(Row { class, ..Row::default() });
        }
    }

    fn malignant(&mut self, prediction: &Prediction) -> Cell {
        let malignant = percent(prediction.malignant_probability);
        if prediction.flagged == Some(true) {
            self.any_flagged = true;
            return Cell::from(format!("{malignant} flagged")).tone(Tone::Malignant);
        }
        malignant.into()
    }

    fn write_rows(&mut self) -> io::Result<()> {
        self.images = 0;
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let columns = [
            Column::name("image", |row: &Row| row.image.clone()),
            Column::new(Kind::Text, "class", |row: &Row| row.class.clone()),
            Column::figure("probability", |row: &Row| row.probability.clone()),
        ];
        let score = self.with_scores.then(|| Column::figure("score", |row: &Row| row.score.clone()));
        let malignant = Column::figure("malignant", |row: &Row| row.malignant.clone());
        let others = self.coverage.map(|coverage| {
            let title = format!("could also be ({})", whole_percent(coverage));
            Column::new(Kind::Text, title, |row: &Row| row.others.clone())
        });
        let table = Table::new(columns.into_iter().chain(score).chain([malignant]).chain(others));
        writeln!(self.out, "{}", table.terminal(self.look, &rows))
    }
}

impl<W: Write> Sink for TableSink<'_, W> {
    fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        self.with_scores = record.top_k.is_some() && self.spec.decision == Decision::BalancedArgmax;
        let name = printable(record.subject.name());
        match &record.outcome {
            Ok(prediction) => self.add_rows(name, record.top_k, prediction),
            Err(failure) => {
                let message = printable(&format!("error: {}", failure.message));
                let class = Cell::from(message).tone(Tone::Doubtful);
                self.rows.push(Row { image: name, class, ..Row::default() });
            }
        }
        self.any = true;
        self.images += 1;
        if self.images == IMAGES { self.write_rows() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_rows()?;
        if self.any_beaten {
            writeln!(
                self.out,
                "*: not the most probable class, but the one whose probability is highest relative to how common it is"
            )?;
        }
        if self.any && self.with_scores {
            writeln!(
                self.out,
                "score: what the classes are ranked by, the probability if all classes were equally common"
            )?;
        }
        let before = if self.prior.is_some() { " before --prior" } else { "" };
        if let Some(prior) = &self.prior {
            let shares = shares(self.spec, prior);
            writeln!(self.out, "probabilities are for the class shares of --prior: {shares}")?;
        }
        if let Some(threshold) =
            self.spec.malignancy_threshold.filter(|_| self.any_flagged || self.prior.is_some())
        {
            let threshold = percent(threshold);
            let meaning =
                self.spec.malignancy_sensitivity.map_or("the model's threshold".to_owned(), |share| {
                    let share = share * 100.0;
                    format!("the threshold that catches {share:.0} % of malignant lesions in held-out images")
                });
            writeln!(self.out, "flagged: malignant probability{before} is at least {threshold}, {meaning}")?;
        }
        if let Some(coverage) = self.coverage.filter(|_| self.any) {
            let share = whole_percent(coverage);
            writeln!(
                self.out,
                "could also be: for {share} of malignant and of benign lesions, the true class is one of these or the predicted class"
            )?;
        }
        if self.any {
            writeln!(self.out, "{NOTICE}")?;
        }
        self.out.flush()
    }
}

/// The classes of the prediction set without the predicted class: `mel, bkl`, or `none`.
fn others_of_set(prediction: &Prediction, labels: &[Label]) -> String {
    let Some(set) = &prediction.set else { return String::new() };
    let others: Vec<_> = set.classes.iter().copied().filter(|class| *class != prediction.class).collect();
    if others.is_empty() {
        "none".to_owned()
    } else {
        super::codes(&others, labels).collect::<Vec<_>>().join(", ")
    }
}

/// `90 %`, `97.5 %`: no more digits than a share has.
pub(crate) fn whole_percent(share: f32) -> String {
    format!("{} %", (share * 1e4).round() / 100.0)
}

/// `mel 12.5 %, nv 87.5 %`
pub(crate) fn shares(spec: &ModelSpec, prior: &Prior) -> String {
    let of_class = spec.labels.iter().zip(prior.shares());
    let shares: Vec<_> =
        of_class.map(|(label, share)| format!("{} {}", label.code, percent(*share))).collect();
    shares.join(", ")
}

/// `5.3 %`
pub(crate) fn percent(share: f32) -> String {
    format!("{:.1} %", share * 100.0)
}
