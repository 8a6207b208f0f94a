//! The figures as text, one small file a format.

pub(super) mod csv;
pub(super) mod markdown;
pub(super) mod table;

use skinclf::stats::Summary;

use crate::bench::words::counted;

/// Title and value.
type Column = (&'static str, fn(&Summary) -> Option<f64>);

/// The columns of every format.
const COLUMNS: [Column; 9] = [
    ("mean", |s| s.mean_ms),
    ("stddev", |s| s.stddev_ms),
    ("min", |s| s.min_ms),
    ("p50", |s| s.p50_ms),
    ("p90", |s| s.p90_ms),
    ("p95", |s| s.p95_ms),
    ("p99", |s| s.p99_ms),
    ("p99.9", |s| s.p999_ms),
    ("max", |s| s.max_ms),
];

/// A figure for people; a dash where too few samples stand behind it.
fn shown(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |ms| format!("{ms:.3}"))
}

/// `2 threads: 151.3 images/s, 97 % of perfect scaling`
fn headline(run: &super::Run) -> String {
    let threads = counted(run.threads, "thread");
    let scaling = run.scaling_efficiency.filter(|_| run.threads > 1);
    let scaling = scaling.map_or(String::new(), |e| format!(", {:.0} % of perfect scaling", e * 100.0));
    format!("{threads}: {:.1} images/s{scaling}", run.images_per_second)
}

/// What was done, in a sentence.
fn method(report: &super::Report<'_>) -> String {
    let count = report.runs.first().map_or(0, |r| r.stages.total.count);
    let super::Image { name, bytes, width, height } = &report.image;
    let warmup = report.warmup;
    let interrupted = if report.interrupted { "interrupted: " } else { "" };
    format!(
        "{interrupted}{} of {name} ({width}x{height}, {bytes} bytes), after a warm-up of {warmup} on each thread; times in ms",
        counted(count, "classification")
    )
}
