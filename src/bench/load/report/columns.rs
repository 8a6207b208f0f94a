//! The columns of every table. A figure that is added here is in all outputs that have the table: on the terminal, in
//! Markdown, on the page and, if it is given a name for them by `csv`, in CSV files.
//!
//! Locust's files and the document's scenarios are not here: others have set their columns.

use super::figures;
use super::words;
use crate::bench::load::result::{
    ContainerFigures, Endpoint, ReplicaRow, Row, Run, Second, ServerFigures, Stage, Usage,
};
use crate::table::{Cell, Column, Table, Tone};

/// Of an endpoint; times in ms.
pub(super) fn endpoints<'a>() -> Table<'a, Endpoint> {
    Table::new([
        Column::name("endpoint", |e: &Endpoint| e.name.clone()).csv("endpoint"),
        Column::csv_only("method", |e: &Endpoint| e.method.clone()),
        Column::figure("requests", |e: &Endpoint| Cell::number(e.requests)).csv("requests"),
        Column::figure("failures", |e: &Endpoint| failures(e)).csv("failures"),
        Column::figure("median", |e: &Endpoint| ms(e.median_ms)).csv("median_ms"),
        Column::figure("p90", |e: &Endpoint| ms(e.p90_ms)).csv("p90_ms"),
        Column::figure("p95", |e: &Endpoint| ms(e.p95_ms)).csv("p95_ms"),
        Column::figure("p99", |e: &Endpoint| ms(e.p99_ms)).csv("p99_ms"),
        Column::figure("p99.9", |e: &Endpoint| ms(e.p999_ms)).csv("p999_ms"),
        Column::figure("average", |e: &Endpoint| ms(e.average_ms)).csv("average_ms"),
        Column::figure("min", |e: &Endpoint| ms(e.min_ms)).csv("min_ms"),
        Column::figure("max", |e: &Endpoint| ms(e.max_ms)).csv("max_ms"),
        Column::figure("requests/s", |e: &Endpoint| rate(e.rps)).csv("rps"),
        Column::csv_only("failures_per_s", |e: &Endpoint| Cell::number(e.failures_per_s)),
        Column::csv_only("failures_by_kind", kinds),
        Column::csv_only("bytes_sent", |e: &Endpoint| Cell::number(e.bytes_sent)),
        Column::csv_only("bytes_received", |e: &Endpoint| Cell::number(e.bytes_received)),
    ])
    .spare(&["p99.9", "min", "average", "p90", "max", "p99", "failures", "requests", "median"])
    .tone(|e| if e.is_total() { Tone::Total } else { Tone::Plain })
}

/// Of an endpoint and its run, for CSV files.
pub(super) fn endpoints_of_runs<'a>() -> Table<'a, (&'a Run, &'a Endpoint)> {
    let run = [
        Column::csv_only("run", |r: &Run| r.name()),
        Column::csv_only("users", |r: &Run| Cell::number(r.plan.users())),
        Column::csv_only("duration_s", |r: &Run| Cell::number(r.plan.duration_s)),
        Column::csv_only("verdict", |r: &Run| words::word(r.verdict)),
    ];
    let run = run.into_iter().map(|column| column.of_part(|(run, _): &(&Run, &Endpoint)| *run));
    let endpoint = endpoints().into_columns().into_iter();
    Table::new(
        run.chain(endpoint.map(|column| column.of_part(|(_, endpoint): &(&Run, &Endpoint)| *endpoint))),
    )
}

/// Of a run, all endpoints together, as [`OF_RUNS`] says; times in ms.
pub(super) fn runs<'a>() -> Table<'a, Run> {
    Table::new([
        Column::name("run", |r: &Run| r.name()),
        Column::figure("users", |r: &Run| Cell::number(r.plan.users())),
        Column::figure("requests", |r: &Run| of_total(r, |t| Cell::number(t.requests))),
        Column::figure("failures", |r: &Run| of_total(r, |t| Cell::number(t.failures))),
        Column::figure("median", |r: &Run| of_total(r, |t| ms(t.median_ms))),
        Column::figure("p95", |r: &Run| of_total(r, |t| ms(t.p95_ms))),
        Column::figure("p99", |r: &Run| of_total(r, |t| ms(t.p99_ms))),
        Column::figure("requests/s", |r: &Run| of_total(r, |t| rate(t.rps))),
        Column::figure("verdict", |r: &Run| words::word(r.verdict)),
    ])
    .spare(&["p99", "requests", "median", "failures", "users", "p95"])
    .tone(|r| if r.verdict.spoils_figures() { Tone::Warned } else { Tone::Plain })
}

/// What the rows of [`runs`] are figures of.
pub(super) const OF_RUNS: &str =
    "All endpoints together, in the steady state (the whole run where it has none); times in ms.";

/// Of a run that is compared with others; times in ms. A narrow terminal may leave out the verdict: warnings repeat it.
pub(super) fn compared<'a>() -> Table<'a, Row> {
    Table::new([
        Column::name("run", |r: &Row| r.name.clone()).csv("run"),
        Column::figure("containers", |r: &Row| Cell::number(r.containers)).csv("containers"),
        Column::figure("users", |r: &Row| Cell::number(r.users)).csv("users"),
        Column::csv_only("duration_s", |r: &Row| Cell::number(r.duration_s)),
        Column::csv_only("requests", |r: &Row| Cell::number(r.requests)),
        Column::figure("average", |r: &Row| ms(r.average_ms)).csv("average_ms"),
        Column::figure("p95", |r: &Row| ms(r.p95_ms)).csv("p95_ms"),
        Column::figure("requests/s", |r: &Row| rate(r.good_per_s)).csv("rps"),
        Column::figure("failed", |r: &Row| share(Some(r.failure_rate))).csv("failure_rate"),
        Column::figure("improvement", |r: &Row| change(r.improvement)).csv("improvement"),
        Column::csv_only("average_reduction", |r: &Row| Cell::default().exactly(r.average_reduction)),
        Column::figure("efficiency", |r: &Row| ratio(r.efficiency)).csv("efficiency"),
        Column::figure("CPU, cores", |r: &Row| ratio(r.cpu_cores)).csv("cpu_cores"),
        Column::figure("memory, most", |r: &Row| mebibytes(r.memory_max_bytes)).csv("memory_max_bytes"),
        Column::figure("verdict", |r: &Row| words::word(r.verdict)).csv("verdict"),
    ])
    .spare(&[
        "memory, most",
        "CPU, cores",
        "users",
        "average",
        "verdict",
        "failed",
        "efficiency",
        "containers",
        "p95",
    ])
}

/// Of a second; times in ms.
pub(super) fn seconds<'a>() -> Table<'a, Second> {
    Table::new([
        Column::name("at", |s: &Second| figures::clock(s.at_s)),
        Column::figure("users", |s: &Second| Cell::number(s.users)),
        Column::figure("in flight", |s: &Second| Cell::number(s.in_flight)),
        Column::figure("requests/s", |s: &Second| rate(s.rps)),
        Column::figure("failures", |s: &Second| Cell::number(s.failures)),
        Column::figure("p50", |s: &Second| ms(s.p50_ms)),
        Column::figure("p95", |s: &Second| ms(s.p95_ms)),
        Column::figure("p99", |s: &Second| ms(s.p99_ms)),
    ])
}

/// Of a server under test; times in ms.
pub(super) fn servers<'a>() -> Table<'a, ServerFigures> {
    Table::new([
        Column::name("server", |s: &ServerFigures| s.url.clone()),
        Column::figure("version", |s: &ServerFigures| s.version.clone().unwrap_or("-".to_owned())),
        Column::figure("requests", |s: &ServerFigures| Cell::number(s.requests)),
        Column::figure("share", |s: &ServerFigures| share(s.share)),
        Column::figure("failures", |s: &ServerFigures| Cell::number(s.failures)),
        Column::figure("median", |s: &ServerFigures| ms(s.median_ms)),
        Column::figure("p95", |s: &ServerFigures| ms(s.p95_ms)),
        Column::figure("p99", |s: &ServerFigures| ms(s.p99_ms)),
        Column::figure("requests/s", |s: &ServerFigures| rate(s.rps)),
        Column::figure("CPU, cores", |s: &ServerFigures| cpu(s.usage.as_ref())),
        Column::figure("memory, most", |s: &ServerFigures| memory(s.usage.as_ref())),
        Column::figure("queue, most", |s: &ServerFigures| queue(s.usage.as_ref())),
    ])
}

/// Of a replica behind a balancer.
pub(super) fn replicas<'a>() -> Table<'a, ReplicaRow<'a>> {
    Table::new([
        Column::name("replica", |r: &ReplicaRow<'_>| r.name.to_owned()),
        Column::figure("requests", |r: &ReplicaRow<'_>| count(r.requests)),
        Column::figure("predictions", |r: &ReplicaRow<'_>| count(r.predictions)),
        Column::figure("share", |r: &ReplicaRow<'_>| share(r.share)),
        Column::figure("CPU, cores", |r: &ReplicaRow<'_>| cpu(r.usage)),
        Column::figure("memory, most", |r: &ReplicaRow<'_>| memory(r.usage)),
        Column::figure("queue, most", |r: &ReplicaRow<'_>| queue(r.usage)),
    ])
    .spare(&["predictions"])
}

/// What the rows of [`replicas`] are figures of.
pub(super) const OF_REPLICAS: &str = "Requests by the response header X-Served-By, predictions by the replica's own counter, \
                                      both in the whole run; share of the requests or, without them, of the predictions. \
                                      CPU on average in the steady state.";

/// Of a container.
pub(super) fn containers<'a>() -> Table<'a, ContainerFigures> {
    let seconds = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |s| format!("{s:.1} s"));
    Table::new([
        Column::name("container", |c: &ContainerFigures| c.name.clone()),
        Column::figure("CPU, cores", |c: &ContainerFigures| figures::ratio(c.cpu_mean)),
        Column::figure("CPU cap", |c: &ContainerFigures| {
            c.cpu_cap.map_or("none".to_owned(), |cap| cap.to_string())
        }),
        Column::figure("throttled", move |c: &ContainerFigures| seconds(c.throttled_s)),
        Column::figure("memory, most", |c: &ContainerFigures| figures::mebibytes(c.memory_max_bytes)),
        Column::figure("memory limit", |c: &ContainerFigures| {
            c.memory_limit_bytes.map_or("none".to_owned(), |limit| figures::mebibytes(Some(limit)))
        }),
    ])
    .spare(&["throttled"])
}

/// What the rows of [`containers`] are figures of.
pub(super) const OF_CONTAINERS: &str = "By the container engine: CPU on average in the steady state; throttled is how long the CPU cap \
                                        held its threads back in the whole run, summed over cores.";

/// Of a part of a request's time; times in ms.
pub(super) fn stages<'a>() -> Table<'a, Stage> {
    Table::new([
        Column::name("stage", |s: &Stage| s.name.clone()),
        Column::figure("mean", |s: &Stage| ms(s.mean_ms)),
        Column::figure("p50", |s: &Stage| ms(s.p50_ms)),
        Column::figure("p95", |s: &Stage| ms(s.p95_ms)),
        Column::figure("p99", |s: &Stage| ms(s.p99_ms)),
        Column::figure("share, typical", |s: &Stage| share(s.share_at_p50)),
        Column::figure("share, slowest", |s: &Stage| share(s.share_at_p99)),
    ])
}

/// The rows of [`endpoints`]: each endpoint, the total, then the total of each phase.
pub(super) fn rows(run: &Run) -> Vec<Endpoint> {
    let phase = |name: &str, phase| {
        figures::phase_total(phase).map(|total| Endpoint { name: name.to_owned(), ..total.clone() })
    };
    let phases =
        [phase("in ramp-up", run.ramp_up.as_ref()), phase("in steady state", run.steady_state.as_ref())];
    run.endpoints.all().cloned().chain(phases.into_iter().flatten()).collect()
}

fn cpu(usage: Option<&Usage>) -> String {
    figures::ratio(usage.and_then(|u| u.cpu_mean))
}

fn memory(usage: Option<&Usage>) -> String {
    figures::mebibytes(usage.and_then(|u| u.rss_max_bytes))
}

fn queue(usage: Option<&Usage>) -> String {
    figures::whole(usage.and_then(|u| u.queue_max))
}

fn count(count: Option<u64>) -> Cell {
    count.map_or("-".into(), Cell::number)
}

fn of_total(run: &Run, cell: fn(&Endpoint) -> Cell) -> Cell {
    cell(run.steady_total())
}

fn ms(time: Option<f64>) -> Cell {
    Cell::from(figures::ms(time)).exactly(time)
}

fn rate(per_second: f64) -> Cell {
    Cell::from(figures::rate(per_second)).exactly(Some(per_second))
}

fn share(share: Option<f64>) -> Cell {
    Cell::from(share.map_or("-".to_owned(), figures::percent)).exactly(share)
}

fn change(share: Option<f64>) -> Cell {
    Cell::from(figures::change(share)).exactly(share)
}

fn ratio(ratio: Option<f64>) -> Cell {
    Cell::from(figures::ratio(ratio)).exactly(ratio)
}

fn mebibytes(bytes: Option<f64>) -> Cell {
    Cell::from(figures::mebibytes(bytes)).exactly(bytes)
}

fn failures(endpoint: &Endpoint) -> Cell {
    Cell::number(endpoint.failures).tone(if endpoint.failures > 0 { Tone::Failed } else { Tone::Plain })
}

/// `status_503=3;timeout=1`
fn kinds(endpoint: &Endpoint) -> String {
    let kinds = endpoint.failures_by_kind.iter().map(|(kind, count)| format!("{kind}={count}"));
    kinds.collect::<Vec<_>>().join(";")
}
