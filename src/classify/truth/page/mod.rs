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
            (sets(evaluation))
            (curves(evaluation))
            (selected(evaluation))
            (per_class(evaluation))
            (confusion(evaluation))
        }
        footer {
            p { (evaluation.method()) " A dash is a figure that is undefined." }
            "skinclf " (env!("CARGO_PKG_VERSION")) ". " (NOTICE)
        }
    };
    out.write_all(crate::html::page(&title, STYLE, &body).into_string().as_bytes())?;
    out.flush()
}

/// Images and labels that the figures do not include.
fn left_out(evaluation: &Evaluation<'_>) -> Markup {
    let left_out = &evaluation.left_out;
    let without_image = match evaluation.interrupted {
        true => "labels that were not reached",
        false => "labels without an image",
    };
    let notes = [
        ("images that could not be classified", left_out.failed),
        ("classified images without a label", left_out.unlabelled),
        ("classified images whose label is not a class of the model", left_out.unknown_label),
        ("classified images with the name of an earlier one", left_out.repeated),
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
            (columns::estimates("figure", "value").html("All classes together", &columns::overall_figures(&evaluation.scores)))
            @if let Some(flagged) = evaluation.flagged() { p { (flagged) } }
            p.note {
                "Balanced accuracy is the mean recall of the classes that occur. AUROC is how often an image of the class gets a "
                "larger probability of that class than an image of another class. The calibration error is the average difference "
                "between the largest probability and how often it is right."
            }
        }
    }
}

fn sets(evaluation: &Evaluation<'_>) -> Markup {
    const TITLE: &str = "Prediction sets";
    html! {
        @if let Some((title, sets)) = evaluation.sets_title().zip(evaluation.scores.sets.as_ref()) {
            section {
                h2 { (title) }
                (columns::estimates("figure", "value").html(TITLE, &columns::set_figures(sets)))
                p.note {
                    "A prediction set has the classes that an image may be of. Coverage is the share of the images whose set contains their \
                     class."
                }
            }
        }
    }
}

fn selected(evaluation: &Evaluation<'_>) -> Markup {
    const TITLE: &str = "Error rate without the least confident images";
    let table = columns::estimates("images kept", "error rate");
    html! {
        section {
            h2 { (TITLE) }
            div.pair {
                figure {
                    figcaption {
                        strong { "Risk-coverage" } " "
                        span.soft { "How often the predicted class is wrong, over the share of the images that are kept: those with the largest probability of their predicted class. The curve starts at 10 % of the images." }
                    }
                    (charts::risk_coverage(evaluation).svg())
                }
                (table.html(TITLE, &columns::error_rates(&evaluation.scores)))
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
                        span.soft { "At each threshold: the share of the class that is found, over the share of all other images that is found with it." }
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
                        span.soft { "How often the most probable class is right, by its probability. On the line, both agree." }
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
