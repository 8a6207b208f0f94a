//! One run on the page.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{charts, stages, usage, verdict};
use crate::bench::load::report::{columns, figures, words};
use crate::bench::load::result::{Recent, Run, Second};
use crate::table::{Cell, Column, Table};

/// Rows of the table that belongs to the timeline, at most.
const ROWS: usize = 300;

/// `alone`: on a page of one run, where the warnings are above it already.
pub(super) fn section(index: usize, run: &Run, alone: bool) -> Markup {
    let timeline = charts::timeline(run);
    html! {
        section.run.warned[run.verdict.spoils_figures()] id={ "run-" (index + 1) } {
            h2 {
                (run.name())
                @if let Some(purpose) = &run.purpose { span.soft { " \u{2013} " (purpose) } }
            }
            p.plan {
                (words::plan(&run.plan)) ". Started " (figures::date(&run.started_at))
                ", took " (figures::duration(run.elapsed_s)) "."
            }
            @if run.interrupted { p.bad { strong { "Interrupted" } " before its planned end" } }
            @if !(alone && run.verdict.spoils_figures()) { (verdict(run)) }
            (tiles(run))
            (wide(run, "Over time", &method(run), timeline.svg()))
            (every_second(run))
            h3 { "Endpoints" }
            (endpoints(run))
            @for note in words::notes(run) { p { (note) } }
            (failures(run))
            div.pair {
                @for (endpoint, chart) in charts::histograms(run) {
                    @let title = format!("Response times of {endpoint}");
                    @let what = "How many answers of the whole run took how long, on a logarithmic axis.";
                    (figure(&title, what, chart.svg()))
                }
            }
            @if !run.stages.is_empty() {
                (wide(run, "Where the time of /predict goes", stages::METHOD, stages::bars(run)))
                (stages::table_of(run))
            }
            (servers(run))
            (replicas(run))
            (containers(run))
            (findings(run))
        }
    }
}

fn tiles(run: &Run) -> Markup {
    let steady = figures::phase_total(run.steady_state.as_ref());
    let whole = &run.endpoints.total;
    let total = steady.unwrap_or(whole);
    let of = if steady.is_some() { "in the steady state" } else { "in the whole run" };
    html! {
        div.tiles {
            (tile("requests/s", &figures::rate(total.rps), of, false))
            (tile("median", &figures::latency(total.median_ms), of, false))
            (tile("p95", &figures::latency(total.p95_ms), of, false))
            (tile("p99", &figures::latency(total.p99_ms), of, false))
            @let counts = format!("{} of {} in the whole run", whole.failures, whole.requests);
            (tile("failed", &figures::percent(whole.failure_share()), &counts, whole.failures > 0))
            @if let Some(starts) = &run.starts {
                @let counts = format!("of {}, {} late", starts.planned, starts.late);
                (tile("dropped starts", &starts.dropped.to_string(), &counts, starts.dropped > 0))
            }
        }
    }
}

fn tile(what: &str, value: &str, more: &str, bad: bool) -> Markup {
    html! {
        div.tile.failed[bad] { p.what { (what) } p.value { (value) } p.more { (more) } }
    }
}

fn figure(title: &str, caption: &str, picture: Markup) -> Markup {
    html! {
        figure { figcaption { strong { (title) } " " span.soft { (caption) } } (picture) }
    }
}

/// A figure too wide for a phone.
fn wide(run: &Run, title: &str, caption: &str, picture: Markup) -> Markup {
    let scrolling = html! {
        div.wide role="region" aria-label={ (title) ", " (run.name()) } tabindex="0" { (picture) }
    };
    figure(title, caption, scrolling)
}

fn method(run: &Run) -> String {
    let from = words::latency_from(&run.plan);
    let window = if charts::seconds_say_enough(run) {
        "Each second, by when answers came"
    } else {
        "Each second, by when answers came; response times of the ten seconds before, since one has too few requests"
    };
    format!("{window}. Latency {from}. Hover over it for the figures.")
}

/// The figures of the timeline; every nth second of a long run.
fn every_second(run: &Run) -> Markup {
    let stride = run.series.len().div_ceil(ROWS).max(1);
    let shown = charts::percentiles(run);
    let row = |second: &Second| {
        let Recent { p50_ms, p95_ms, p99_ms } = shown(second);
        Second { p50_ms, p95_ms, p99_ms, ..second.clone() }
    };
    let rows: Vec<_> = run.series.iter().step_by(stride).map(row).collect();
    let what = if stride == 1 { "Every second".to_owned() } else { format!("One second in {stride}") };
    html! {
        details { summary { (what) " as a table" } (columns::seconds().html(&format!("{what} of {}", run.name()), &rows)) }
    }
}

fn endpoints(run: &Run) -> Markup {
    let table = columns::endpoints().captioned("Times in ms; endpoints and total of the whole run.");
    table.html(&format!("Endpoints of {}", run.name()), &columns::rows(run))
}

fn failures(run: &Run) -> Markup {
    let endpoints = &run.endpoints.each;
    let kinds: BTreeSet<&str> =
        endpoints.iter().flat_map(|e| e.failures_by_kind.keys()).map(String::as_str).collect();
    if kinds.is_empty() {
        return html! {};
    }
    let mut columns = vec![Column::name("kind", |kind: &&str| *kind)];
    for endpoint in endpoints {
        let count = |kind: &str| endpoint.failures_by_kind.get(kind).copied().unwrap_or(0);
        columns.push(Column::figure(&*endpoint.name, move |kind: &&str| Cell::number(count(kind))));
    }
    let table = Table::new(columns);
    html! {
        h3 { "Failures by kind" }
        (table.html(&format!("Failures of {}", run.name()), &kinds))
    }
}

fn servers(run: &Run) -> Markup {
    html! {
        h3 { @if run.targets.len() == 1 { "Server" } @else { "Servers" } }
        @if run.targets.len() > 1 {
            @let shares: Vec<_> = run.targets.iter().map(|t| (&*t.url, t.share.unwrap_or(0.0))).collect();
            (wide(run, "Share of the requests", "An even spread gives each the same.", stages::shares(&shares)))
        }
        @if let Some(chart) = usage::servers(run) {
            (wide(run, "What the servers used", "From their /metrics.", chart.svg()))
        }
        p.soft { "Requests and response times (ms) of the whole run, CPU on average in the steady state." }
        (columns::servers().html(&format!("Servers of {}", run.name()), &run.targets))
        @if let Some(share) = run.generator.cpu_share {
            p.soft {
                "The generator used " (figures::percent(share)) " of the one core that it can fill"
                @if let Some(per_second) = run.generator.requests_per_cpu_second {
                    ", " (figures::rate(per_second)) " requests per CPU second"
                }
                "."
            }
        }
    }
}

fn replicas(run: &Run) -> Markup {
    let rows = run.replica_rows();
    html! {
        @if !rows.is_empty() {
            h3 { "Replicas" }
            @if rows.len() > 1 {
                @let shares: Vec<_> = rows.iter().filter_map(|row| Some((row.name, row.share?))).collect();
                (wide(run, "Share of each replica", "An even spread gives each the same.", stages::shares(&shares)))
            }
            p.soft { (columns::OF_REPLICAS) }
            (columns::replicas().html(&format!("Replicas of {}", run.name()), &rows))
        }
    }
}

fn containers(run: &Run) -> Markup {
    html! {
        @if !run.containers.is_empty() {
            h3 { @if run.containers.len() == 1 { "Container" } @else { "Containers" } }
            @if let Some(chart) = usage::containers(run) {
                (wide(run, "What the containers used", "From the container engine; a gap is a time without the container.", chart.svg()))
            }
            p.soft { (columns::OF_CONTAINERS) }
            (columns::containers().html(&format!("Containers of {}", run.name()), &run.containers))
        }
    }
}

fn findings(run: &Run) -> Markup {
    html! {
        @if !run.findings.is_empty() {
            h3 { "Findings" }
            ul { @for finding in &run.findings { li { (words::sentence(&finding.text)) } } }
        }
        @if !run.thresholds.is_empty() {
            h3 { "Conditions of --fail-if" }
            ul {
                @for threshold in &run.thresholds {
                    li.failed[threshold.missed] { (words::threshold(run, threshold)) }
                }
            }
        }
    }
}
