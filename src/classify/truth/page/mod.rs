//! `--report FILE.html`: the scores as a page, with curves.

mod charts;

use std::io::{self, Write};

use maud::{Markup, html};
use skinclf::evaluation::Bin;

use super::columns;
use super::columns::value;
use super::evaluation::Evaluation;
use crate::output::NOTICE;
use crate::table::{Cell, Column, Table};

const STYLE: &str = include_str!("style.css");

pub(super) fn write(out: &mut dyn Write, evaluation: &Evaluation<'_>) -> io::Result<()> {
    let title = format!("{} against {}", evaluation.spec.name, evaluation.file);
    let body = html! {
        header {
            p.brand { "skinclf classify" }
            h1 { (title) }
            p.lead { (evaluation.summary()) }
            p.lead { "Model " (evaluation.spec.name) " " (evaluation.spec.version) ", SHA-256 " (evaluation.spec.sha256) }
        }
        main {
            @if evaluation.interrupted {
                div.bad { strong { "Interrupted" } p { "These scores are of the images up to then, not of all." } }
            }
            (left_out(evaluation))
            (overall(evaluation))
            (curves(evaluation))
            (per_class(evaluation))
            (confusion(evaluation))
        }
        footer {
            p { (evaluation.method()) " A dash stands where a figure is undefined." }
            "skinclf " (env!("CARGO_PKG_VERSION")) ". " (NOTICE)
        }
    };
    out.write_all(crate::html::page(&title, STYLE, &body).into_string().as_bytes())?;
    out.flush()
}

/// What must not be overlooked beside the figures.
fn left_out(evaluation: &Evaluation<'_>) -> Markup {
    let left_out = &evaluation.left_out;
    let without_image = match evaluation.interrupted {
        true => "labels that were not reached",
        false => "labels that belong to none of the images",
    };
    let notes = [
        ("images that could not be classified", left_out.failed),
        ("classified images without a label", left_out.unlabelled),
        ("classified images whose label is no class of the model", left_out.unknown_label),
        ("classified images named like one before", left_out.repeated),
        (without_image, left_out.labels_without_image),
    ];
    let notes: Vec<_> = notes.into_iter().filter(|(_, count)| *count > 0).collect();
    html! {
        @if !notes.is_empty() {
            div.bad {
                strong { "Not scored" }
                ul { @for (what, count) in &notes { li { (what) ": " (count) } } }
            }
        }
    }
}

fn overall(evaluation: &Evaluation<'_>) -> Markup {
    html! {
        section {
            h2 { "All classes together" }
            (columns::overall("figure").html("All classes together", &columns::overall_figures(&evaluation.scores)))
            @if let Some(flagged) = evaluation.flagged() { p { (flagged) } }
            p.note {
                "Balanced accuracy is the mean recall of the classes that occur. AUROC is the probability that, of an image "
                "of what is sought and one of anything else, the former has the larger probability. The calibration error is "
                "how far the largest probability is, on average, from how often it is right."
            }
        }
    }
}

fn per_class(evaluation: &Evaluation<'_>) -> Markup {
    const TITLE: &str = "Each class against all others";
    let table = columns::per_class(|class| format!("{} ({})", class.name, class.code), "images");
    html! {
        section {
            h2 { (TITLE) }
            (table.html(TITLE, &columns::classes(evaluation)))
        }
    }
}

/// Counts, with what share of the true class each is.
fn confusion(evaluation: &Evaluation<'_>) -> Markup {
    const TITLE: &str = "Confusion matrix";
    let table = columns::confusion(evaluation, "true class", |count, row, decision| {
        let share = row.share(decision);
        let count = count.share(share.unwrap_or(0.0));
        match share {
            Some(share) => count.note(format!("{:.0} %", share * 100.0)),
            None => count,
        }
    });
    html! {
        section {
            h2 { (TITLE) }
            p.soft { "Images by true class (rows) and decision (columns), and their share of the true class." }
            (table.styled("confusion").html(TITLE, &columns::true_classes(evaluation)))
        }
    }
}

fn curves(evaluation: &Evaluation<'_>) -> Markup {
    html! {
        section {
            h2 { "Curves" }
            div.pair {
                figure {
                    figcaption {
                        strong { "ROC" } " "
                        span.soft { "At each threshold, how many of those sought are found, and how many others with them." }
                    }
                    (charts::roc(evaluation).svg())
                    ul.legend {
                        @for curve in charts::curves(evaluation) {
                            li class=(curve.style) { (curve.name) " " (value(curve.auroc)) }
                        }
                    }
                }
                figure {
                    figcaption {
                        strong { "Reliability" } " "
                        span.soft { "How often the most probable class is right, by its probability. On the line, probabilities can be taken at their word." }
                    }
                    (charts::reliability(evaluation).svg())
                    details { summary { "Reliability as a table" } (reliability(evaluation)) }
                }
            }
        }
    }
}

fn reliability(evaluation: &Evaluation<'_>) -> Markup {
    type Row<'a> = (usize, &'a Bin);
    let table = Table::new([
        Column::name("largest probability", |(index, _): &Row| charts::bin_name(*index)),
        Column::figure("images", |(_, bin): &Row| Cell::number(bin.images)),
        Column::figure("mean probability", |(_, bin): &Row| mean(bin.confidence_sum, bin.images)),
        Column::figure("share right", |(_, bin): &Row| mean(bin.right as f64, bin.images)),
    ]);
    let bins = evaluation.scores.reliability.iter().enumerate().filter(|(_, bin)| bin.images > 0);
    table.html("Reliability", &bins.collect::<Vec<_>>())
}

fn mean(sum: f64, images: u64) -> String {
    format!("{:.3}", sum / images as f64)
}
