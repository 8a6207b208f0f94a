//! For a spreadsheet: one row an endpoint and run, of the whole run.

use std::io::{self, Write};

use super::describe;
use crate::bench::load::result::{Endpoint, LoadTest};

type Column = (&'static str, fn(&Endpoint) -> String);

const COLUMNS: [Column; 17] = [
    ("endpoint", |e| e.name.clone()),
    ("method", |e| e.method.clone()),
    ("requests", |e| e.requests.to_string()),
    ("failures", |e| e.failures.to_string()),
    ("median_ms", |e| cell(e.median_ms)),
    ("p90_ms", |e| cell(e.p90_ms)),
    ("p95_ms", |e| cell(e.p95_ms)),
    ("p99_ms", |e| cell(e.p99_ms)),
    ("p999_ms", |e| cell(e.p999_ms)),
    ("average_ms", |e| cell(e.average_ms)),
    ("min_ms", |e| cell(e.min_ms)),
    ("max_ms", |e| cell(e.max_ms)),
    ("rps", |e| e.rps.to_string()),
    ("failures_per_s", |e| e.failures_per_s.to_string()),
    ("failures_by_kind", kinds),
    ("bytes_sent", |e| e.bytes_sent.to_string()),
    ("bytes_received", |e| e.bytes_received.to_string()),
];

pub(super) fn write(out: &mut dyn Write, report: &LoadTest) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let fixed = ["run", "users", "duration_s", "verdict"];
    writer.write_record(fixed.iter().chain(&COLUMNS.map(|(title, _)| title)))?;
    for run in &report.runs {
        let fixed = [
            run.name(),
            run.plan.users().to_string(),
            run.plan.duration_s.to_string(),
            describe::word(run.verdict).to_owned(),
        ];
        for endpoint in run.endpoints.all() {
            writer.write_record(fixed.iter().chain(&COLUMNS.map(|(_, shown)| shown(endpoint))))?;
        }
    }
    writer.flush()
}

fn cell(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| v.to_string())
}

/// `status_503=3;timeout=1`
fn kinds(endpoint: &Endpoint) -> String {
    let kinds = endpoint.failures_by_kind.iter().map(|(kind, count)| format!("{kind}={count}"));
    kinds.collect::<Vec<_>>().join(";")
}
