//! One scenario of the document.

use std::io::{self, Write};

use crate::bench::load::report::columns::rows;
use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{Endpoint, Load, Run, Scenario, notation};
use crate::bench::words::counted;
use crate::table::{Cell, Column, Table, Tone, escaped};

/// Columns and titles are those of the example that the document follows; times in ms.
fn columns<'a>() -> Table<'a, Endpoint> {
    Table::new([
        Column::name("Endpoint", |e: &Endpoint| e.name.clone()),
        Column::figure("Requests", |e: &Endpoint| Cell::number(e.requests)),
        Column::figure("Failures", |e: &Endpoint| Cell::number(e.failures)),
        Column::figure("Median (ms)", |e: &Endpoint| figures::ms(e.median_ms)),
        Column::figure("95th (ms)", |e: &Endpoint| figures::ms(e.p95_ms)),
        Column::figure("99th (ms)", |e: &Endpoint| figures::ms(e.p99_ms)),
        Column::figure("Avg (ms)", |e: &Endpoint| figures::ms(e.average_ms)),
        Column::figure("RPS", |e: &Endpoint| figures::rate(e.rps)),
    ])
    .tone(|e| if e.is_total() { Tone::Total } else { Tone::Plain })
}

pub(super) fn write(out: &mut dyn Write, number: usize, run: &Run) -> io::Result<()> {
    let name = match &run.scenario {
        Scenario::Light => "Light Load",
        Scenario::Medium => "Medium Load",
        Scenario::Heavy => "Heavy Load",
        Scenario::Custom => "Custom Load",
        Scenario::Named(name) => name,
    };
    let plan = &run.plan;
    writeln!(out, "### Scenario {number}: {} ({})\n\n**Configuration:**", escaped(name), load(run))?;
    match &plan.load {
        Load::Closed { users, spawn_rate, think_s } => {
            writeln!(
                out,
                "- Users: {users}\n- Spawn Rate: {spawn_rate}/s\n- Think time: {}",
                notation::think(*think_s)
            )?;
        }
        Load::Open { rate, connections, .. } => {
            writeln!(
                out,
                "- Starts: {rate}/s, whatever the answers\n- Requests in flight: at most {connections}"
            )?;
        }
    }
    writeln!(out, "- Duration: {}", figures::duration(plan.duration_s))?;
    writeln!(out, "- Mix: {}", escaped(&notation::mix(plan)))?;
    writeln!(out, "- Test Date: {}\n\n**Results:**\n", escaped(&figures::date(&run.started_at)))?;
    columns().markdown(out, &rows(run))?;
    writeln!(out, "\n**Analysis:**\n")?;
    writeln!(out, "- Verdict: **{}**. {}", words::word(run.verdict), escaped(&words::reasons(run)))?;
    for sentence in analysis(run) {
        writeln!(out, "- {}", escaped(&sentence))?;
    }
    writeln!(out, "\n---\n")
}

fn load(run: &Run) -> String {
    match &run.plan.load {
        Load::Closed { users, .. } => counted(*users, "concurrent user"),
        open @ Load::Open { .. } => open.to_string(),
    }
}

fn analysis(run: &Run) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.push(answers(run, &run.endpoints.total));
    if let (Some(steady), Some(ramp_up), Some(phase)) = (
        figures::phase_total(run.steady_state.as_ref()),
        figures::phase_total(run.ramp_up.as_ref()),
        &run.steady_state,
    ) {
        sentences.push(format!(
            "From {} on, with all users: {} requests/s, {}; before, while they were being started: {} requests/s, {}.",
            figures::clock(phase.from_s),
            figures::rate(steady.rps),
            figures::p95(steady),
            figures::rate(ramp_up.rps),
            figures::p95(ramp_up),
        ));
    }
    // Where the server shares the generator's machine, a finding already has its CPU time.
    let has_finding = run.findings.iter().any(|finding| finding.code == "cpu_cost");
    for target in &run.targets {
        let Some(usage) = &target.usage else { continue };
        let which = if run.targets.len() > 1 { format!(" at {}", target.url) } else { String::new() };
        let cpu = match usage.cpu_mean {
            Some(_) if !has_finding => format!("used {} cores on average, ", figures::ratio(usage.cpu_mean)),
            _ => String::new(),
        };
        let waiting = match usage.queue_max {
            None => String::new(),
            Some(0.0) => "; no request was seen waiting for a worker".to_owned(),
            Some(most) => format!("; at most {most:.0} waited for a worker"),
        };
        let memory = figures::mebibytes(usage.rss_max_bytes);
        sentences.push(format!("The server{which} {cpu}held at most {memory} of memory{waiting}."));
    }
    let notes = words::notes(run);
    let findings = run.findings.iter().map(|finding| words::sentence(&finding.text));
    let limits = run.thresholds.iter().map(|limit| words::sentence(&words::threshold(run, limit)));
    sentences.into_iter().chain(notes).chain(findings).chain(limits).collect()
}

fn answers(run: &Run, total: &Endpoint) -> String {
    let checked = if run.plan.answers_checked {
        ", each prediction compared with a local one of the same image"
    } else {
        ""
    };
    let parts = [("half", total.median_ms), ("95 %", total.p95_ms), ("99 %", total.p99_ms)];
    let known = parts.into_iter().filter(|(_, time)| time.is_some());
    let times: Vec<_> =
        known.map(|(part, time)| format!("{part} within {}", figures::latency(time))).collect();
    let times = if times.is_empty() { "too few for percentiles".to_owned() } else { times.join(", ") };
    match total.failures {
        0 if total.requests == 0 => "No request completed.".to_owned(),
        0 => format!(
            "{} in the whole run, all of them successful{checked}: {times}.",
            counted(total.requests, "request")
        ),
        n => format!(
            "{n} of {} failed ({}): {}. Of the others {times}.",
            counted(total.requests, "request"),
            figures::percent(total.failure_share()),
            figures::failures_by_kind(total),
        ),
    }
}
