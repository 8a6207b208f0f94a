//! `--csv PREFIX`: the four files of `locust --csv`, with Locust's names, columns and units, so that
//! tools made for them read these. Response times are those of successful requests and timeouts; Locust also
//! counts other failures, and rounds times above 100 ms to two digits.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::iter;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bench::load::result::{Endpoint, FailureTimes, PERCENTILES, Run, Second};
use crate::destination::Destination;
use crate::table::{Cell, Column, Csv, Table};

type Content = fn(&mut dyn Write, &Run) -> io::Result<()>;

/// What follows the prefix, and the function that writes the file.
const FILES: [(&str, Content); 4] = [
    ("_stats.csv", stats),
    ("_stats_history.csv", history),
    ("_failures.csv", failures),
    ("_exceptions.csv", exceptions),
];

pub(super) type Files = Vec<(Destination, Content)>;

/// Opens the files of each run. Where there are several, the name of the run follows the prefix.
pub(super) fn open(prefix: &Path, runs: &[String]) -> anyhow::Result<Vec<Files>> {
    let of_run = |infix: String| {
        let file = |(ending, content)| {
            let mut path = prefix.as_os_str().to_owned();
            path.push(format!("{infix}{ending}"));
            Ok((Destination::create("--csv", Path::new(&path))?, content))
        };
        FILES.into_iter().map(file).collect()
    };
    infixes(runs).into_iter().map(of_run).collect()
}

/// What tells the files of one run from those of the others.
fn infixes(runs: &[String]) -> Vec<String> {
    if runs.len() == 1 {
        return vec![String::new()];
    }
    let mut taken = BTreeSet::new();
    let infix = |run: &String| {
        let name = run.replace([' ', '/'], "-");
        let mut names = iter::once(format!("_{name}")).chain((2..).map(|n| format!("_{name}-{n}")));
        names.find(|name| taken.insert(name.clone())).unwrap_or_default()
    };
    runs.iter().map(infix).collect()
}

fn stats(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let columns = [
        Column::csv_only("Type", |e: &&Endpoint| e.method.clone()),
        Column::csv_only("Name", |e: &&Endpoint| locust_name(e)),
        Column::csv_only("Request Count", |e: &&Endpoint| Cell::number(e.requests)),
        Column::csv_only("Failure Count", |e: &&Endpoint| Cell::number(e.failures)),
        Column::csv_only("Median Response Time", |e: &&Endpoint| whole(e.median_ms)),
        Column::csv_only("Average Response Time", |e: &&Endpoint| float(e.average_ms)),
        Column::csv_only("Min Response Time", |e: &&Endpoint| float(e.min_ms)),
        Column::csv_only("Max Response Time", |e: &&Endpoint| float(e.max_ms)),
        Column::csv_only("Average Content Size", |e: &&Endpoint| mean(e.bytes_received, e.requests)),
        Column::csv_only("Requests/s", |e: &&Endpoint| float(Some(e.rps))),
        Column::csv_only("Failures/s", |e: &&Endpoint| float(Some(e.failures_per_s))),
    ];
    let percentiles = percentiles(|e: &&Endpoint| &e.percentiles_ms);
    let rows: Vec<_> = by_name(&run.endpoints.each).into_iter().chain([&run.endpoints.total]).collect();
    write(out, Table::new(columns.into_iter().chain(percentiles)), &rows)
}

fn history(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let before = [
        Column::csv_only("Timestamp", |s: &Second| Cell::number(timestamp(run, s.at_s))),
        Column::csv_only("User Count", |s: &Second| Cell::number(s.users)),
        Column::csv_only("Type", |_: &Second| ""),
        Column::csv_only("Name", |_: &Second| "Aggregated"),
        Column::csv_only("Requests/s", |s: &Second| format!("{:.6}", s.rps)),
        Column::csv_only("Failures/s", |s: &Second| {
            format!("{:.6}", s.rps * s.failures as f64 / s.requests.max(1) as f64)
        }),
    ];
    let after = [
        Column::csv_only("Total Request Count", |s: &Second| Cell::number(s.so_far.requests)),
        Column::csv_only("Total Failure Count", |s: &Second| Cell::number(s.so_far.failures)),
        Column::csv_only("Total Median Response Time", |s: &Second| whole(s.so_far.median_ms)),
        Column::csv_only("Total Average Response Time", |s: &Second| float(s.so_far.average_ms)),
        Column::csv_only("Total Min Response Time", |s: &Second| float(s.so_far.min_ms)),
        Column::csv_only("Total Max Response Time", |s: &Second| float(s.so_far.max_ms)),
        Column::csv_only("Total Average Content Size", |s: &Second| {
            mean(s.so_far.bytes_received, s.so_far.requests)
        }),
    ];
    let percentiles = percentiles(|s: &Second| &s.so_far.percentiles_ms);
    write(out, Table::new(before.into_iter().chain(percentiles).chain(after)), &run.series)
}

struct Failures<'a> {
    endpoint: &'a Endpoint,
    kind: &'a str,
    count: u64,
    times: Option<&'a FailureTimes>,
}

fn failures(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let mut rows = Vec::new();
    for endpoint in by_name(&run.endpoints.each) {
        for (kind, count) in &endpoint.failures_by_kind {
            let times = run.failure_times.iter().find(|t| t.endpoint == endpoint.name && t.kind == *kind);
            rows.push(Failures { endpoint, kind, count: *count, times });
        }
    }
    let at = |seconds: Option<f64>| seconds.map_or(String::new(), |s| date(run, s));
    let columns = [
        Column::csv_only("Method", |f: &Failures| f.endpoint.method.clone()),
        Column::csv_only("Name", |f: &Failures| f.endpoint.name.clone()),
        Column::csv_only("Error", |f: &Failures| f.kind),
        Column::csv_only("Occurrences", |f: &Failures| Cell::number(f.count)),
        Column::csv_only("First Seen", |f: &Failures| at(f.times.map(|t| t.first_s))),
        Column::csv_only("Last Seen", |f: &Failures| at(f.times.map(|t| t.last_s))),
    ];
    write(out, Table::new(columns), &rows)
}

/// Locust lists exceptions of its script here. There is no script, so the file is empty.
fn exceptions(out: &mut dyn Write, _run: &Run) -> io::Result<()> {
    let columns = ["Count", "Message", "Traceback", "Nodes"].map(|name| Column::csv_only(name, |_: &()| ""));
    write(out, Table::new(columns), &[])
}

fn write<T>(out: &mut dyn Write, table: Table<'_, T>, rows: &[T]) -> io::Result<()> {
    table.csv(Csv::with_python_lines(out), rows)
}

fn by_name(endpoints: &[Endpoint]) -> Vec<&Endpoint> {
    let mut sorted: Vec<_> = endpoints.iter().collect();
    sorted.sort_by_key(|e| &e.name);
    sorted
}

fn locust_name(endpoint: &Endpoint) -> &str {
    if endpoint.is_total() { "Aggregated" } else { &endpoint.name }
}

/// `50%` … `99.99%`, `100%`: whole milliseconds, as Locust's percentiles are; `N/A` where too few samples stand behind
/// one, the largest value taken for the percentiles beyond those that are known.
fn percentiles<'a, T: 'a>(values: fn(&T) -> &[Option<f64>]) -> impl Iterator<Item = Column<'a, T>> {
    PERCENTILES.iter().enumerate().map(move |(at, percentile)| {
        Column::csv_only(format!("{percentile}%"), move |row: &T| {
            let values = values(row);
            let max = values.last().copied().flatten();
            values.get(at).copied().flatten().or(max).map_or("N/A".to_owned(), |ms| format!("{ms:.0}"))
        })
    })
}

fn whole(ms: Option<f64>) -> String {
    format!("{:.0}", ms.unwrap_or(0.0))
}

/// Always with a decimal point, as Python writes floats.
fn float(value: Option<f64>) -> String {
    format!("{:?}", value.unwrap_or(0.0))
}

fn mean(sum: u64, count: u64) -> String {
    float(Some(sum as f64 / count.max(1) as f64))
}

/// Whole seconds since 1970.
fn timestamp(run: &Run, at_s: f64) -> u64 {
    time(run, at_s).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `2026-11-25T07:14:24Z`
fn date(run: &Run, at_s: f64) -> String {
    humantime::format_rfc3339_seconds(time(run, at_s)).to_string()
}

fn time(run: &Run, at_s: f64) -> SystemTime {
    let start = humantime::parse_rfc3339_weak(&run.started_at).unwrap_or(UNIX_EPOCH);
    let since = Duration::try_from_secs_f64(at_s).unwrap_or_default();
    start.checked_add(since).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::infixes;

    #[test]
    fn no_two_runs_have_the_same_files() {
        for (runs, wanted) in [
            (&["medium"][..], &[""][..]),
            (&["light", "medium"], &["_light", "_medium"]),
            (&["a b", "a-b", "a/b"], &["_a-b", "_a-b-2", "_a-b-3"]),
            (&["x", "x-2", "x"], &["_x", "_x-2", "_x-3"]),
        ] {
            let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
            assert_eq!(infixes(&runs), wanted);
        }
    }
}
