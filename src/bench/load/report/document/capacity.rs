//! The part of the document that plans capacity: measured runs beside a formula, and what the formula says of other rates.

use std::io::{self, Write};

use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{Capacity, Check, Responses};
use crate::bench::words::counted;
use crate::table::{Cell, Column, Table, escaped, list};

/// Predictions per second to plan for.
const RATES: [f64; 7] = [10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

/// Within which 95 % of the responses should be, in ms.
const LIMITS: [f64; 3] = [50.0, 100.0, 500.0];

const FORMULA: &str = "The formula is that of the queue M/G/c, where c workers share one queue: Erlang's C gives the probability of waiting, \
                       Allen and Cunneen's approximation the mean wait, C × (service time) / (c (1 - utilisation)) × (1 + cv²)/2, and those \
                       who wait do so for an exponentially distributed time; a response takes its wait and a response time without waiting \
                       (A. O. Allen, *Probability, Statistics, and Queueing Theory*, 2nd ed., 1990; W. Whitt, \"Approximations for the GI/G/m \
                       queue\", *Production and Operations Management* 2(2), 1993). It holds for requests of many independent clients \
                       (Poisson arrivals), none of which is refused, and for a rate that stays the same for long.";

pub(super) fn write(out: &mut dyn Write, capacity: &Capacity<'_>) -> io::Result<()> {
    writeln!(out, "## Capacity Planning\n")?;
    writeln!(
        out,
        "Predictions only. One core answers **{}/s**: {}/s by {}, one on each core, as `skinclf serve` starts them.\n",
        figures::rate(capacity.per_worker()),
        figures::rate(capacity.max_per_s()),
        counted(capacity.workers, "worker")
    )?;
    writeln!(out, "Measured, and put into the formula:")?;
    list(out, &inputs(capacity))?;
    writeln!(out, "\n{FORMULA}\n")?;

    writeln!(out, "### The Formula and Measured Runs\n")?;
    writeln!(
        out,
        "Requests at random times (`--rate N --arrival poisson`), by the rate that was measured; times in ms.\n"
    )?;
    checks(capacity).markdown(out, &capacity.checks)?;
    if let Some(sentence) = deviation(&capacity.checks) {
        writeln!(out, "\n{}", escaped(&sentence))?;
    }

    writeln!(out, "\n### Cores for a Rate\n")?;
    writeln!(
        out,
        "By the formula: the fewest cores that answer 95 % of the predictions within a time, one worker on each, if cores add up as \
         they do on this machine, in one server with one queue. Several servers with a queue each need more, since one may be idle while requests wait at \
         another. A dash: no number of cores does.\n"
    )?;
    plan(capacity).markdown(out, &RATES)?;
    writeln!(out, "\n---\n")
}

fn inputs(capacity: &Capacity<'_>) -> Vec<String> {
    let stages = capacity.stages_ms().map_or(String::new(), |ms| {
        format!(", of which decoding, preprocessing and inference are {}", figures::latency(Some(ms)))
    });
    vec![
        format!(
            "all workers busy ({}): {}/s, so that a prediction keeps its worker for {}{stages};",
            words::plan(&capacity.full.plan),
            figures::rate(capacity.max_per_s()),
            figures::latency(Some(capacity.service_ms())),
        ),
        format!(
            "nobody waits ({}): responses of {} on average, with a coefficient of variation (cv) of {}.",
            words::plan(&capacity.alone.plan),
            figures::latency(Some(capacity.without_wait.mean())),
            figures::ratio(Some(capacity.without_wait.variation())),
        ),
    ]
}

fn checks<'a>(capacity: &'a Capacity<'a>) -> Table<'a, Check<'a>> {
    let ms = |value: Option<f64>| Cell::from(figures::ms(value));
    Table::new([
        Column::name("run", |c: &Check<'_>| c.run.name()),
        Column::figure("requests/s", |c: &Check<'_>| figures::rate(c.per_s)),
        Column::figure("utilisation", |c: &Check<'_>| figures::percent(capacity.utilisation(c.per_s))),
        Column::figure("mean, formula", move |c: &Check<'_>| ms(c.predicted.and_then(|r| r.mean_ms))),
        Column::figure("mean, measured", move |c: &Check<'_>| ms(c.measured.mean_ms)),
        Column::figure("p95, formula", move |c: &Check<'_>| ms(c.predicted.and_then(|r| r.p95_ms))),
        Column::figure("p95, measured", move |c: &Check<'_>| ms(c.measured.p95_ms)),
        Column::figure("verdict", |c: &Check<'_>| words::word(c.run.verdict)),
    ])
}

fn plan<'a>(capacity: &'a Capacity<'a>) -> Table<'a, f64> {
    let rate = Column::name("predictions/s", |rate: &f64| format!("{rate:.0}"));
    let limits = LIMITS.into_iter().map(|limit| {
        Column::figure(format!("p95 up to {limit:.0} ms"), move |rate: &f64| {
            capacity.workers_for(*rate, limit).map_or("-".to_owned(), |workers| workers.to_string())
        })
    });
    Table::new([rate].into_iter().chain(limits))
}

/// How far the formula is from what was measured, at most.
fn deviation(checks: &[Check<'_>]) -> Option<String> {
    let of = |name: &str, figure: fn(&Responses) -> Option<f64>| {
        let distance = |check: &Check<'_>| {
            let (formula, measured) = (figure(&check.predicted?)?, figure(&check.measured)?);
            (measured > 0.0).then(|| ((formula / measured - 1.0).abs(), check.run.name()))
        };
        let reliable = checks.iter().filter(|check| !check.run.verdict.spoils_figures());
        let (share, run) = reliable.filter_map(distance).max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(format!("its {name} is at most {} from the measured one ({run})", figures::percent(share)))
    };
    let parts = [of("mean", |r| r.mean_ms), of("p95", |r| r.p95_ms)];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let text = format!("How near the formula comes: {}.", parts.join(", "));
    (!parts.is_empty()).then_some(text)
}
