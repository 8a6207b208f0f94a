//! One run on the page.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{charts, stages, table, verdict};
use crate::bench::load::report::columns;
use crate::bench::load::report::columns::Column;
use crate::bench::load::report::{describe, figures};
use crate::bench::load::result::{Recent, Run, Second, ServerFigures};

/// Most rows of the table behind the timeline.
const ROWS: usize = 300;

const SECOND: [Column<Second>; 8] = [
    ("at", |s| figures::clock(s.at_s)),
    ("users", |s| s.users.to_string()),
    ("in flight", |s| s.in_flight.to_string()),
    ("requests/s", |s| figures::rate(s.rps)),
    ("failures", |s| s.failures.to_string()),
    ("p50", |s| figures::ms(s.p50_ms)),
    ("p95", |s| figures::ms(s.p95_ms)),
    ("p99", |s| figures::ms(s.p99_ms)),
];

const TARGET: [Column<ServerFigures>; 12] = [
    ("server", |t| t.url.clone()),
    ("version", |t| t.version.clone().unwrap_or("-".to_owned())),
    ("requests", |t| t.requests.to_string()),
    ("share", |t| t.share.map_or("-".to_owned(), figures::percent)),
    ("failures", |t| t.failures.to_string()),
    ("median", |t| figures::ms(t.median_ms)),
    ("p95", |t| figures::ms(t.p95_ms)),
    ("p99", |t| figures::ms(t.p99_ms)),
    ("requests/s", |t| figures::rate(t.rps)),
    ("CPU, cores", |t| figures::cores(t.usage.as_ref().and_then(|u| u.cpu_mean))),
    ("memory, most", |t| figures::mebibytes(t.usage.as_ref().and_then(|u| u.rss_max_bytes))),
    ("queue, most", |t| {
        t.usage.as_ref().and_then(|u| u.queue_max).map_or("-".to_owned(), |q| format!("{q:.0}"))
    }),
];

/// `alone`: on a page of one run, whose warnings already stand above it.
pub(super) fn section(index: usize, run: &Run, alone: bool) -> Markup {
    let timeline = charts::timeline(run);
    html! {
        section.run.warned[describe::is_warning(run.verdict)] id={ "run-" (index + 1) } {
            h2 {
                (run.name())
                @if let Some(purpose) = &run.purpose { span.soft { " \u{2013} " (purpose) } }
            }
            p.plan {
                (describe::plan(&run.plan)) ". Started " (figures::date(&run.started_at))
                ", took " (figures::duration(run.elapsed_s)) "."
            }
            @if run.interrupted { p.bad { strong { "Interrupted" } " before its planned end" } }
            @if !(alone && describe::is_warning(run.verdict)) { (verdict(run)) }
            (tiles(run))
            (wide(run, "Over time", &method(run), timeline.svg()))
            (every_second(run))
            h3 { "Endpoints" }
            (endpoints(run))
            @for note in columns::notes(run) { p { (note) } }
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
            (findings(run))
        }
    }
}

/// The figures to remember.
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
    let from = describe::latency_from(&run.plan);
    let window = if charts::seconds_say_enough(run) {
        "Each second, by when answers came"
    } else {
        "Each second, by when answers came; response times of the ten seconds before, since one has too few requests"
    };
    format!("{window}. Latency {from}. Hover over it for the figures.")
}

/// The figures behind the timeline; every nth of a long run.
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
        details { summary { (what) " as a table" } (table(&format!("{what} of {}", run.name()), &SECOND, &rows)) }
    }
}

fn endpoints(run: &Run) -> Markup {
    let shown = columns::rows(run);
    html! {
        div.wide role="region" aria-label={ "Endpoints of " (run.name()) } tabindex="0" { table {
            caption { "Times in ms; endpoints and total of the whole run." }
            thead { tr { @for (title, _) in &columns::ENDPOINT { th scope="col" { (title) } } } }
            tbody {
                @for endpoint in &shown {
                    tr.total[endpoint.is_total()] {
                        @for (index, (_, cell)) in columns::ENDPOINT.iter().enumerate() {
                            @if index == 0 { th scope="row" { (cell(endpoint)) } }
                            @else { td.failed[index == 2 && endpoint.failures > 0] { (cell(endpoint)) } }
                        }
                    }
                }
            }
        } }
    }
}

/// By kind and endpoint.
fn failures(run: &Run) -> Markup {
    let endpoints = &run.endpoints.each;
    let mut kinds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        for (kind, count) in &endpoint.failures_by_kind {
            kinds.entry(kind).or_insert_with(|| vec![0; endpoints.len()])[index] = *count;
        }
    }
    if kinds.is_empty() {
        return html! {};
    }
    html! {
        h3 { "Failures by kind" }
        div.wide role="region" aria-label={ "Failures of " (run.name()) } tabindex="0" { table {
            thead { tr {
                th scope="col" { "kind" }
                @for endpoint in endpoints { th scope="col" { (endpoint.name) } }
            } }
            tbody {
                @for (kind, counts) in &kinds {
                    tr { th scope="row" { (kind) } @for count in counts { td { (count) } } }
                }
            }
        } }
    }
}

fn servers(run: &Run) -> Markup {
    html! {
        h3 { @if run.targets.len() == 1 { "Server" } @else { "Servers" } }
        @if run.targets.len() > 1 {
            (wide(run, "Share of the requests", "An even spread gives each the same.", stages::shares(&run.targets)))
        }
        @if let Some(chart) = charts::usage(run) {
            (wide(run, "What the servers used", "From their /metrics.", chart.svg()))
        }
        p.soft { "Requests and response times (ms) of the whole run, CPU on average in the steady state." }
        (table(&format!("Servers of {}", run.name()), &TARGET, &run.targets))
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

fn findings(run: &Run) -> Markup {
    html! {
        @if !run.findings.is_empty() {
            h3 { "Findings" }
            ul { @for finding in &run.findings { li { (describe::sentence(&finding.text)) } } }
        }
        @if !run.thresholds.is_empty() {
            h3 { "Limits" }
            ul {
                @for threshold in &run.thresholds {
                    li.failed[threshold.missed] { (columns::threshold(run, threshold)) }
                }
            }
        }
    }
}
