//! `--report FILE.html`: the content of the page; frame and charts are made by [`crate::html`].

mod charts;
mod run;
mod stages;
mod usage;

use std::io::{self, Write};

use maud::{Markup, html};

use super::columns;
use super::{comparison, figures, words};
use crate::bench::load::result::Comparison;
use crate::bench::load::result::{LoadTest, Run, Verdict};
use crate::bench::words::counted;

const STYLE: &str = include_str!("style.css");

pub(super) fn write(out: &mut dyn Write, test: &LoadTest, comparisons: &[Comparison]) -> io::Result<()> {
    out.write_all(page(test, comparisons).into_string().as_bytes())
}

fn page(test: &LoadTest, comparisons: &[Comparison]) -> Markup {
    let title = format!("Load test of {}", targets(test));
    let warned: Vec<_> = test.runs.iter().filter(|run| run.verdict.spoils_figures()).collect();
    let window_title = match warned.first() {
        Some(run) => format!("{}: {title}", words::word(run.verdict)),
        None => title.clone(),
    };
    let body = html! {
        header {
            p.brand { "skinclf bench" }
            h1 { (title) }
            p.lead { (when(test)) }
            p.lead { "Load from " (test.environment.line()) }
        }
        main {
            (headline(test, &warned))
            @if test.runs.len() > 1 { (summary(test)) }
            @for comparison in comparisons { (compared(comparison)) }
            @for (index, run) in test.runs.iter().enumerate() { (run::section(index, run, test.runs.len() == 1)) }
        }
        footer {
            p { "Made by:" }
            pre { code { (test.command) } }
            "skinclf " (test.environment.version) ". Research software, not a medical device. "
            "Percentiles are nearest ranks of all values to three digits; "
            "a dash is a figure with too few samples."
        }
    };
    crate::html::page(&window_title, STYLE, &body)
}

fn targets(test: &LoadTest) -> String {
    let mut urls: Vec<&str> = Vec::new();
    for target in test.runs.iter().flat_map(|run| &run.targets) {
        if !urls.contains(&&*target.url) {
            urls.push(&target.url);
        }
    }
    match urls.len() {
        0 => "nothing".to_owned(),
        1..=3 => urls.join(", "),
        n => counted(n, "server"),
    }
}

fn when(test: &LoadTest) -> String {
    let runs = counted(test.runs.len(), "run");
    match test.runs.first() {
        Some(first) => format!("{runs} from {}", figures::date(&first.started_at)),
        None => runs,
    }
}

/// Comes before any figure: verdicts that forbid to rely on the figures, failures, and conditions that failed.
fn headline(test: &LoadTest, warned: &[&Run]) -> Markup {
    let failed: u64 = test.runs.iter().map(|run| run.endpoints.total.failures).sum();
    let conditions: Vec<_> = test.runs.iter().flat_map(|run| &run.thresholds).collect();
    let missed = conditions.iter().filter(|condition| condition.missed).count();
    html! {
        @if !warned.is_empty() {
            div.alarm role="alert" {
                @for kind in [Verdict::Failed, Verdict::TooShort, Verdict::ClientSaturated, Verdict::Unstable] {
                    @let these: Vec<_> = warned.iter().filter(|run| run.verdict == kind).collect();
                    @if !these.is_empty() { (alarm(kind, &these, test.runs.len() == 1)) }
                }
            }
        }
        @if failed > 0 {
            p.bad { strong { (counted(failed, "request")) " failed." } " Response times are those of successful requests and timeouts." }
        }
        @if missed > 0 {
            p.bad { strong { (missed) " of " (counted(conditions.len(), "condition")) " of --fail-if failed." } }
        }
    }
}

fn alarm(verdict: Verdict, runs: &[&&Run], alone: bool) -> Markup {
    let names: Vec<_> = runs.iter().map(|run| run.name()).collect();
    html! {
        p.word { "\u{26A0} " (words::word(verdict)) @if !alone { ": " (names.join(", ")) } }
        p { (words::meaning(verdict)) }
        ul {
            @for run in runs {
                li { @if !alone { (run.name()) ": " } (words::reasons(run)) }
            }
        }
    }
}

fn verdict(run: &Run) -> Markup {
    let class = match run.verdict {
        Verdict::Valid => "verdict valid",
        Verdict::NotSaturated => "verdict capped",
        _ => "verdict warning",
    };
    html! {
        div class=(class) {
            p.word { (words::word(run.verdict)) }
            p { (words::meaning(run.verdict)) }
            @if !run.verdict_reasons.is_empty() { p.soft { (words::reasons(run)) } }
        }
    }
}

fn summary(test: &LoadTest) -> Markup {
    html! {
        section {
            h2 { "All runs" }
            p.soft { (columns::OF_RUNS) }
            (columns::runs().linked(|index| format!("#run-{}", index + 1)).html("All runs", &test.runs))
            @if let Some(knee) = &test.knee {
                p { (words::knee(knee)) }
                figure { div.wide role="region" aria-label="Successful requests per second by number of users" tabindex="0" {
                    (charts::sweep(&test.runs, knee).svg())
                } }
            }
        }
    }
}

fn compared(comparison: &Comparison) -> Markup {
    let plan = words::sentence(&words::plan(&comparison.plan));
    html! {
        section {
            h2 { "Containers compared" }
            p.soft { (plan) }
            @if !comparison.warnings.is_empty() {
                ul.bad { @for warning in &comparison.warnings { li { (warning) } } }
            }
            (columns::compared().html(&format!("Containers compared: {plan}"), &comparison.rows))
            p.soft { (comparison::METHOD) }
        }
    }
}
