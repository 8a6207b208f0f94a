//! `--csv PREFIX`: the four files of `locust --csv`, with Locust's names, columns and units, so that
//! tools made for them read these. Response times are those of good answers and timeouts; Locust also
//! counts refusals, and rounds what is above 100 ms to two digits.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bench::load::result::{Endpoint, PERCENTILES, Run, Second};
use crate::destination::Destination;

type Content = fn(&mut dyn Write, &Run) -> io::Result<()>;

/// What stands behind the prefix, and what writes it.
const FILES: [(&str, Content); 4] = [
    ("_stats.csv", stats),
    ("_stats_history.csv", history),
    ("_failures.csv", failures),
    ("_exceptions.csv", exceptions),
];

/// The files of one run, and what is to be in each.
pub(super) type Files = Vec<(Destination, Content)>;

/// Opens the files of each run; the prefix of one of several runs ends in its name.
pub(super) fn open(prefix: &Path, runs: &[String]) -> anyhow::Result<Vec<Files>> {
    let of_run = |(index, run): (usize, &String)| {
        let name = run.replace([' ', '/'], "-");
        let of_run = match runs.len() {
            1 => String::new(),
            _ if runs[..index].contains(run) => format!("_{name}-{}", index + 1),
            _ => format!("_{name}"),
        };
        let file = |(ending, content)| {
            let mut path = prefix.as_os_str().to_owned();
            path.push(format!("{of_run}{ending}"));
            Ok((Destination::create("--csv", Path::new(&path))?, content))
        };
        FILES.into_iter().map(file).collect()
    };
    runs.iter().enumerate().map(of_run).collect()
}

/// `50%` … `99.99%`, `100%`
fn percentile_titles() -> impl Iterator<Item = String> {
    PERCENTILES.iter().map(|p| format!("{p}%"))
}

fn stats(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let mut writer = writer(out);
    let titles = [
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    writer.write_record(titles.map(str::to_owned).into_iter().chain(percentile_titles()))?;
    for endpoint in by_name(&run.endpoints.each).into_iter().chain([&run.endpoints.total]) {
        let row = [
            endpoint.method.clone(),
            locust_name(endpoint).to_owned(),
            endpoint.requests.to_string(),
            endpoint.failures.to_string(),
            whole(endpoint.median_ms),
            float(endpoint.average_ms),
            float(endpoint.min_ms),
            float(endpoint.max_ms),
            mean(endpoint.bytes_received, endpoint.requests),
            float(Some(endpoint.rps)),
            float(Some(endpoint.failures_per_s)),
        ];
        writer.write_record(row.into_iter().chain(percentiles(&endpoint.percentiles_ms)))?;
    }
    writer.flush()
}

fn history(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let mut writer = writer(out);
    let before = ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];
    let after = [
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
    ];
    let owned = |titles: &[&str]| titles.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    writer.write_record(owned(&before).into_iter().chain(percentile_titles()).chain(owned(&after)))?;
    for second in &run.series {
        let Second { so_far, .. } = second;
        let failures_per_s = second.rps * second.failures as f64 / second.requests.max(1) as f64;
        let before = [
            timestamp(run, second.at_s).to_string(),
            second.users.to_string(),
            String::new(),
            "Aggregated".to_owned(),
            format!("{:.6}", second.rps),
            format!("{failures_per_s:.6}"),
        ];
        let after = [
            so_far.requests.to_string(),
            so_far.failures.to_string(),
            whole(so_far.median_ms),
            float(so_far.average_ms),
            float(so_far.min_ms),
            float(so_far.max_ms),
            mean(so_far.bytes_received, so_far.requests),
        ];
        writer.write_record(before.into_iter().chain(percentiles(&so_far.percentiles_ms)).chain(after))?;
    }
    writer.flush()
}

fn failures(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let mut writer = writer(out);
    writer.write_record(["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"])?;
    for endpoint in by_name(&run.endpoints.each) {
        for (kind, count) in &endpoint.failures_by_kind {
            let seen = run.failure_times.iter().find(|t| t.endpoint == endpoint.name && t.kind == *kind);
            let at = |seconds: Option<f64>| seconds.map_or(String::new(), |s| date(run, s));
            writer.write_record([
                &endpoint.method,
                &endpoint.name,
                kind,
                &count.to_string(),
                &at(seen.map(|t| t.first_s)),
                &at(seen.map(|t| t.last_s)),
            ])?;
        }
    }
    writer.flush()
}

/// Of a script that is the user; there is none here.
fn exceptions(out: &mut dyn Write, _run: &Run) -> io::Result<()> {
    let mut writer = writer(out);
    writer.write_record(["Count", "Message", "Traceback", "Nodes"])?;
    writer.flush()
}

/// Lines end as those of Python's `csv` do.
fn writer(out: &mut dyn Write) -> csv::Writer<&mut dyn Write> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out)
}

/// Locust's order.
fn by_name(endpoints: &[Endpoint]) -> Vec<&Endpoint> {
    let mut sorted: Vec<_> = endpoints.iter().collect();
    sorted.sort_by_key(|e| &e.name);
    sorted
}

fn locust_name(endpoint: &Endpoint) -> &str {
    if endpoint.is_total() { "Aggregated" } else { &endpoint.name }
}

/// Whole milliseconds, as Locust's percentiles are; `N/A` where too few samples stand behind one,
/// the largest value taken for the percentiles beyond those that are known.
fn percentiles(values: &[Option<f64>]) -> Vec<String> {
    let max = values.last().copied().flatten();
    let shown = |value: &Option<f64>| value.or(max).map_or("N/A".to_owned(), |ms| format!("{ms:.0}"));
    values.iter().map(shown).collect()
}

fn whole(ms: Option<f64>) -> String {
    format!("{:.0}", ms.unwrap_or(0.0))
}

/// With a decimal point, as Python writes floats.
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
