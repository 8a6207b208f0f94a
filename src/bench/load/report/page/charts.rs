//! Which charts a run is drawn as.

use crate::bench::load::report::figures;
use crate::bench::load::result::{Endpoint, Knee, Load, Recent, Run, Scenario, Second};
use crate::bench::words::counted;
use crate::html::chart::{Axis, Chart, HALF, Mark, Panel, Readout, Series, Shade, Shape, WIDE};
use crate::html::scale::{log_ticks, ticks, time_ticks};

/// At most so many stretches of the timeline show their figures under the pointer.
const READOUTS: usize = 600;

pub(super) fn timeline(run: &Run) -> Chart {
    let stalls = run.stalls.iter().map(|stall| Shade {
        from: (stall.at_s - stall.length_s).max(0.0),
        to: stall.at_s.min(end(run)),
        class: "stall",
        label: "no answers",
    });
    let total = &run.endpoints.total;
    let description = format!(
        "Over {}: median {}, 95th percentile {}, {} requests per second, {}.",
        figures::duration(run.elapsed_s),
        figures::latency(total.median_ms),
        figures::latency(total.p95_ms),
        figures::rate(total.rps),
        counted(total.failures, "failure"),
    );
    Chart {
        title: "Response times, requests per second and users over time".to_owned(),
        description,
        width: WIDE,
        x: time_axis(end(run)),
        panels: timeline_panels(run),
        shaded: ramp_up(run).into_iter().chain(stalls).collect(),
        marks: Vec::new(),
        readouts: readouts(run),
    }
}

fn timeline_panels(run: &Run) -> Vec<Panel> {
    let series = |name: &str, style, shape, value: &dyn Fn(&Second) -> Option<f64>| {
        let points = run.series.iter().map(|s| (s.at_s, value(s))).collect();
        Series { name: name.to_owned(), style, shape, points }
    };
    let shown = percentiles(run);
    let mut percentiles = vec![
        series("p99", "p99", Shape::Line, &|s| shown(s).p99_ms),
        series("p95", "c2", Shape::Line, &|s| shown(s).p95_ms),
        series("p50", "c1", Shape::Line, &|s| shown(s).p50_ms),
    ];
    percentiles.retain(|series| series.points.iter().any(|point| point.1.is_some()));
    let mut failures = series("failures/s", "bad", Shape::Bars(1.0), &|s| Some(s.failures as f64));
    failures.points.iter_mut().for_each(|point| point.0 = (point.0 - 1.0).max(0.0));
    let mut rates = vec![failures, series("requests/s", "c1", Shape::Line, &|s| Some(s.rps))];
    rates.retain(|series| series.style != "bad" || series.points.iter().any(|point| point.1 != Some(0.0)));
    let in_flight = series("in flight", "c2", Shape::Line, &|s| Some(s.in_flight as f64));
    let users = series("users", "c1", Shape::Step, &|s| Some(s.users as f64));
    vec![
        Panel { title: "Response time, ms", height: 150.0, series: percentiles },
        Panel { title: "Requests/s", height: 100.0, series: rates },
        match run.plan.load {
            Load::Open { .. } => Panel { title: "Requests in flight", height: 60.0, series: vec![in_flight] },
            Load::Closed { .. } => Panel { title: "Users", height: 60.0, series: vec![in_flight, users] },
        },
    ]
}

/// Whether most seconds have enough requests for a p95 of their own.
pub(super) fn seconds_say_enough(run: &Run) -> bool {
    let known = run.series.iter().filter(|s| s.p95_ms.is_some()).count();
    2 * known > run.series.len()
}

/// The response times that are shown for a second: its own, or those of ten where most seconds have too few requests.
pub(super) fn percentiles(run: &Run) -> fn(&Second) -> Recent {
    if seconds_say_enough(run) {
        |&Second { p50_ms, p95_ms, p99_ms, .. }| Recent { p50_ms, p95_ms, p99_ms }
    } else {
        |second| second.recent
    }
}

fn readouts(run: &Run) -> Vec<Readout> {
    let shown = percentiles(run);
    let stride = run.series.len().div_ceil(READOUTS).max(1);
    let mut from = 0.0;
    let mut readout = |second: &Second| {
        let start = std::mem::replace(&mut from, second.at_s);
        let Recent { p50_ms, p95_ms, p99_ms } = shown(second);
        let text = format!(
            "{}: {}, {} requests/s, {}, p50 {}, p95 {}, p99 {}",
            figures::clock(second.at_s),
            counted(second.users, "user"),
            figures::rate(second.rps),
            counted(second.failures, "failure"),
            figures::latency(p50_ms),
            figures::latency(p95_ms),
            figures::latency(p99_ms),
        );
        Readout { from: start, to: second.at_s, text }
    };
    run.series.iter().step_by(stride).map(&mut readout).collect()
}

pub(super) fn histograms(run: &Run) -> Vec<(&str, Chart)> {
    run.endpoints.each.iter().filter_map(|e| Some((&*e.name, histogram(e)?))).collect()
}

fn histogram(endpoint: &Endpoint) -> Option<Chart> {
    let bins: Vec<_> = endpoint.histogram.iter().filter(|b| b.from_ms > 0.0 && b.to_ms > b.from_ms).collect();
    let (first, last) = (bins.first()?, bins.last()?);
    // With a margin, and never a single bar as wide as the page.
    let (from, to) = (first.from_ms / 1.25, (last.to_ms * 1.25).max(first.from_ms * 4.0));
    let width = (first.to_ms / first.from_ms).log10();
    let mark = |name: &str, value: Option<f64>| {
        value.map(|ms| Mark { at: ms.log10(), label: format!("{name} {}", figures::latency(Some(ms))) })
    };
    let marks = [mark("p50", endpoint.median_ms), mark("p95", endpoint.p95_ms), mark("p99", endpoint.p99_ms)];
    let title = format!("Histogram of the response times of {}", endpoint.name);
    let description = format!(
        "From {} to {}, median {}.",
        figures::latency(endpoint.min_ms),
        figures::latency(endpoint.max_ms),
        figures::latency(endpoint.median_ms),
    );
    let tick = |ms: f64| (ms.log10(), if ms < 1000.0 { format!("{ms}") } else { format!("{} s", ms / 1e3) });
    Some(Chart {
        title,
        description,
        width: HALF,
        x: Axis {
            from: from.log10(),
            to: to.log10(),
            ticks: log_ticks(from, to).into_iter().map(tick).collect(),
            label: "ms",
        },
        panels: vec![Panel {
            title: "Answers",
            height: 130.0,
            series: vec![Series {
                name: "answers".to_owned(),
                style: "c1",
                shape: Shape::Bars(width),
                points: bins.iter().map(|b| (b.from_ms.log10(), Some(b.count as f64))).collect(),
            }],
        }],
        shaded: Vec::new(),
        marks: marks.into_iter().flatten().collect(),
        readouts: bins
            .iter()
            .map(|b| Readout {
                from: b.from_ms.log10(),
                to: b.to_ms.log10(),
                text: format!(
                    "{} to {}: {}",
                    figures::latency(Some(b.from_ms)),
                    figures::latency(Some(b.to_ms)),
                    b.count
                ),
            })
            .collect(),
    })
}

pub(super) fn sweep(runs: &[Run], knee: &Knee) -> Chart {
    let is_knee = |run: &&Run| run.scenario == Scenario::Custom && run.plan.users() == knee.users;
    let like = |a: &Run, b: &Run| a.plan.duration_s == b.plan.duration_s && a.plan.mix == b.plan.mix;
    let mut runs: Vec<&Run> = match runs.iter().rfind(is_knee) {
        // There may be other runs besides those of the sweep, from other files.
        Some(knee) => runs.iter().filter(|run| run.scenario == Scenario::Custom && like(run, knee)).collect(),
        None => runs.iter().collect(),
    };
    runs.sort_by_key(|run| run.plan.users());
    let series = |name: &str, style, value: fn(&Endpoint) -> Option<f64>| {
        let steady = |run: &Run| value(run.steady_total());
        let points = runs.iter().map(|run| (run.plan.users() as f64, steady(run))).collect();
        Series { name: name.to_owned(), style, shape: Shape::Line, points }
    };
    let most = runs.iter().map(|r| r.plan.users()).max().unwrap_or(1) as f64;
    Chart {
        title: "Successful requests per second and response times over the number of users".to_owned(),
        description: format!(
            "{} successful requests per second at the knee of {}.",
            figures::rate(knee.good_per_s),
            counted(knee.users, "user")
        ),
        width: WIDE,
        x: Axis {
            from: 0.0,
            to: most * 1.02,
            ticks: ticks(most, 8).into_iter().filter(|t| *t <= most).map(|t| (t, t.to_string())).collect(),
            label: "users",
        },
        panels: vec![
            Panel {
                title: "Successful requests/s",
                height: 120.0,
                series: vec![series("successful requests/s", "c1", |e| Some(e.good_per_s()))],
            },
            Panel {
                title: "Response time, ms",
                height: 120.0,
                series: vec![series("p95", "c2", |e| e.p95_ms), series("p50", "c1", |e| e.median_ms)],
            },
        ],
        shaded: Vec::new(),
        marks: vec![Mark { at: knee.users as f64, label: format!("knee: {}", counted(knee.users, "user")) }],
        readouts: Vec::new(),
    }
}

pub(super) fn ramp_up(run: &Run) -> Option<Shade> {
    let phase = run.ramp_up.as_ref()?;
    Some(Shade { from: phase.from_s, to: phase.to_s.min(end(run)), class: "shade", label: "ramp-up" })
}

pub(super) fn time_axis(end: f64) -> Axis {
    let ticks = time_ticks(end, 10).into_iter().map(|t| (t, figures::clock(t))).collect();
    Axis { from: 0.0, to: end, ticks, label: "minutes and seconds since the start" }
}

/// The end of a run's time axis, in seconds.
pub(super) fn end(run: &Run) -> f64 {
    run.series.last().map_or(run.elapsed_s, |s| s.at_s).max(0.1)
}
