//! `--report FILE.html`: the scores as a page, with curves.

mod charts;

use std::io::{self, Write};

use maud::{Markup, html};

use super::figures;
use super::figures::{PER_CLASS, interval, value};
use super::report::Report;
use crate::output;

const STYLE: &str = include_str!("style.css");

pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let title = format!("{} against {}", report.spec.name, report.file);
    let body = html! {
        header {
            p.brand { "skinclf classify" }
            h1 { (title) }
            p.lead { (report.summary()) }
            p.lead { "Model " (report.spec.name) " " (report.spec.version) ", SHA-256 " (report.spec.sha256) }
        }
        main {
            @if report.interrupted {
                div.bad { strong { "Interrupted" } p { "These scores are of the images up to then, not of all." } }
            }
            (left_out(report))
            (overall(report))
            (curves(report))
            (per_class(report))
            (confusion(report))
        }
        footer {
            p { (report.method()) " A dash stands where a figure is undefined." }
            "skinclf " (env!("CARGO_PKG_VERSION")) ". " (output::NOTICE)
        }
    };
    out.write_all(crate::html::page(&title, STYLE, &body).into_string().as_bytes())?;
    out.flush()
}

/// What must not be overlooked beside the figures.
fn left_out(report: &Report<'_>) -> Markup {
    let left_out = &report.left_out;
    let without_image = match report.interrupted {
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

fn overall(report: &Report<'_>) -> Markup {
    html! {
        section {
            h2 { "All classes together" }
            div.wide role="region" aria-label="All classes together" tabindex="0" { table {
                thead { tr { th scope="col" { "figure" } th scope="col" { "value" } th scope="col" { "95 % interval" } } }
                tbody {
                    @for (name, estimate) in figures::overall(&report.scores) {
                        tr { th scope="row" { (name) } td { (value(estimate)) } td { (interval(estimate)) } }
                    }
                }
            } }
            @if let Some(flagged) = report.flagged() { p { (flagged) } }
            p.note {
                "Balanced accuracy is the mean recall of the classes that occur. AUROC is the probability that, of an image "
                "of what is sought and one of anything else, the former has the larger probability. The calibration error is "
                "how far the largest probability is, on average, from how often it is right."
            }
        }
    }
}

fn per_class(report: &Report<'_>) -> Markup {
    html! {
        section {
            h2 { "Each class against all others" }
            div.wide role="region" aria-label="Each class against all others" tabindex="0" { table {
                thead { tr {
                    th scope="col" { "class" }
                    th scope="col" { "images" }
                    @for (name, _) in &PER_CLASS { th scope="col" { (name) } }
                } }
                tbody {
                    @for (class, (label, scores)) in report.spec.labels.iter().zip(&report.scores.per_class).enumerate() {
                        tr {
                            th scope="row" { (label.name) " (" (label.code) ")" }
                            td { (report.scores.confusion.occurrences(class)) }
                            @for (_, figure) in &PER_CLASS {
                                @let estimate = figure(scores);
                                td {
                                    (value(estimate))
                                    @if estimate.ci95.is_some() { div.interval { (interval(estimate)) } }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// Counts, with what share of the true class each is.
fn confusion(report: &Report<'_>) -> Markup {
    let labels = &report.spec.labels;
    html! {
        section {
            h2 { "Confusion matrix" }
            p.soft { "Images by true class (rows) and decision (columns), and their share of the true class." }
            div.wide role="region" aria-label="Confusion matrix" tabindex="0" { table.confusion {
                thead { tr {
                    th scope="col" { "true class" }
                    @for label in labels { th scope="col" { (label.code) } }
                } }
                tbody {
                    @for (class, (label, row)) in labels.iter().zip(report.scores.confusion.rows()).enumerate() {
                        @let images = report.scores.confusion.occurrences(class);
                        tr {
                            th scope="row" { (label.code) }
                            @for (decision, count) in row.iter().enumerate() {
                                @let share = if images > 0 { *count as f64 / images as f64 } else { 0.0 };
                                td.right[class == decision] style={ "--share: " (format!("{:.1}%", share * 100.0)) } {
                                    (count)
                                    @if images > 0 { div.interval { (format!("{:.0} %", share * 100.0)) } }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn curves(report: &Report<'_>) -> Markup {
    html! {
        section {
            h2 { "Curves" }
            div.pair {
                figure {
                    figcaption {
                        strong { "ROC" } " "
                        span.soft { "At each threshold, how many of those sought are found, and how many others with them." }
                    }
                    (charts::roc(report).svg())
                    ul.legend {
                        @for curve in charts::curves(report) {
                            li class=(curve.style) { (curve.name) " " (value(curve.auroc)) }
                        }
                    }
                }
                figure {
                    figcaption {
                        strong { "Reliability" } " "
                        span.soft { "How often the most probable class is right, by its probability. On the line, probabilities can be taken at their word." }
                    }
                    (charts::reliability(report).svg())
                    details { summary { "Reliability as a table" } (reliability(report)) }
                }
            }
        }
    }
}

fn reliability(report: &Report<'_>) -> Markup {
    html! {
        div.wide role="region" aria-label="Reliability" tabindex="0" { table {
            thead { tr {
                @for title in ["largest probability", "images", "mean probability", "share right"] { th scope="col" { (title) } }
            } }
            tbody {
                @for (index, bin) in report.scores.reliability.iter().enumerate().filter(|(_, bin)| bin.images > 0) {
                    tr {
                        th scope="row" { (charts::bin_name(index)) }
                        td { (bin.images) }
                        td { (format!("{:.3}", bin.confidence_sum / bin.images as f64)) }
                        td { (format!("{:.3}", bin.right as f64 / bin.images as f64)) }
                    }
                }
            }
        } }
    }
}
