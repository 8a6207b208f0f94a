//! What a run shows about the server, each with the numbers behind it.

use super::Circumstances;
use super::replicas;
use crate::bench::load::result::{Finding, Load, Measured, PREDICT, Stage, Verdict, mean, notation};
use crate::bench::words::{counted, were};

/// Above this share of all cores, generator and server take time from each other.
const CONTENDED: f64 = 0.9;

/// A share of all cores that others may use without being mentioned.
const OTHERS: f64 = 0.1;

pub(super) fn findings(run: &Measured, verdict: Verdict, circumstances: &Circumstances) -> Vec<Finding> {
    let &Circumstances { cores, has_whole_machine, met_other_model, .. } = circumstances;
    let found = [
        capacity(run, verdict, cores),
        cpu_cost(run, cores),
        littles_law(run),
        explained(run),
        replicas::uneven(run),
        replicas::balancer(run),
        contention(run, cores),
        others(run, cores.filter(|_| has_whole_machine)),
        failures(run),
        dropped(run),
        unfinished(run),
        met_other_model.then(other_model),
    ];
    found.into_iter().flatten().collect()
}

fn other_model() -> Finding {
    let text = "the server answers with a model other than the local one, or for the class shares of a prior: only the form \
                of its answers was checked";
    Finding::new("other_model", text.to_owned(), &[])
}

fn capacity(run: &Measured, verdict: Verdict, cores: Option<usize>) -> Option<Finding> {
    let total = run.steady_total();
    let good = total.good_per_s();
    let text = match (verdict, &run.plan.load) {
        (Verdict::Valid, Load::Closed { .. }) if run.server_was_full(cores) => {
            format!(
                "capacity: {good:.1} successful requests/s under this mix, p95 {}, in the steady state",
                ms(total.p95_ms)
            )
        }
        (Verdict::Valid | Verdict::NotSaturated, _) => {
            format!(
                "capacity is at least the {good:.1} successful requests/s of this run, p95 {}, in the steady state",
                ms(total.p95_ms)
            )
        }
        _ => format!("{good:.1} successful requests/s: not a capacity figure; see the verdict"),
    };
    Some(Finding::new("capacity", text, &[("good_per_s", good)]))
}

/// The utilisation law: CPU per request is utilisation over throughput.
fn cpu_cost(run: &Measured, cores: Option<usize>) -> Option<Finding> {
    let (used, rps) = (run.local_server_cpu()?, run.steady_total().rps);
    let (cap, cores) = (run.cpu_caps(cores), run.server_cores(cores)?);
    if rps <= 0.0 {
        return None;
    }
    let each_ms = used / rps * 1e3;
    if each_ms <= 0.0 {
        return None;
    }
    let bound = cores / each_ms * 1e3;
    let (of, with) = match cap {
        Some(cap) if run.containers.len() == 1 => {
            (format!("its cap of {}", counted(cap, "core")), "at its cap")
        }
        Some(cap) => (format!("its caps of {} in all", counted(cap, "core")), "at its caps"),
        None => (counted(cores, "core"), "with all cores to itself"),
    };
    let text = format!(
        "the server used {used:.2} of {of}, {each_ms:.1} ms of CPU per request; {with} it could serve at most about {bound:.0}/s"
    );
    let mut numbers = vec![("server_cores", used), ("cpu_ms_per_request", each_ms), ("bound_per_s", bound)];
    numbers.extend(cap.map(|cap| ("cap_cores", cap)));
    Some(Finding::new("cpu_cost", text, &numbers))
}

/// N = X (R + Z); in an open loop the number in flight is what follows.
fn littles_law(run: &Measured) -> Option<Finding> {
    let total = run.steady_total();
    let response_s = total.average_ms? / 1e3;
    let throughput = total.rps;
    let think_s = run.think_s().unwrap_or(0.0);
    let product = throughput * (response_s + think_s);
    let numbers = [
        ("throughput_per_s", throughput),
        ("response_s", response_s),
        ("think_s", think_s),
        ("users", product),
    ];
    let text = match run.plan.load {
        Load::Closed { users, .. } => format!(
            "Little's law: X (R + Z) = {throughput:.1}/s ({response_s:.3} s + {think_s:.3} s) = {product:.1} for {}",
            counted(users, "user")
        ),
        Load::Open { .. } => {
            format!(
                "Little's law: X R = {throughput:.1}/s {response_s:.3} s = {product:.1} requests in flight on average"
            )
        }
    };
    Some(Finding::new("littles_law", text, &numbers))
}

/// The parts of the time of typical and of the slowest predictions.
fn explained(run: &Measured) -> Option<Finding> {
    let share = |name, of: fn(&Stage) -> Option<f64>| run.stage(name).and_then(of);
    let [queue, inference, other] =
        ["queue", "inference", "other"].map(|name| share(name, |s| s.share_at_p50));
    let (queue, inference, other) = (queue?, inference?, other?);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let mut text = format!(
        "of a typical {PREDICT}, {} is waiting for a worker, {} inference, {} network and HTTP",
        percent(queue),
        percent(inference),
        percent(other)
    );
    let mut numbers = vec![("queue_at_p50", queue), ("inference_at_p50", inference), ("other_at_p50", other)];
    let slowest = ["queue", "inference", "other"].map(|name| share(name, |s| s.share_at_p99));
    if let [Some(queue), Some(inference), Some(other)] = slowest {
        text += &format!(
            "; of the slowest 1 %, {}, {} and {}",
            percent(queue),
            percent(inference),
            percent(other)
        );
        numbers.extend([("queue_at_p99", queue), ("inference_at_p99", inference), ("other_at_p99", other)]);
    }
    Some(Finding::new("stage_shares", text, &numbers))
}

fn contention(run: &Measured, cores: Option<usize>) -> Option<Finding> {
    // More cores are of no use to a server that may not use them.
    if run.cpu_caps(cores).is_some() {
        return None;
    }
    let (server, generator) = (run.local_server_cpu()?, run.generator.cpu_share?);
    let cores = cores? as f64;
    let share = (server + generator) / cores;
    let text = format!(
        "server ({server:.2}) and generator ({generator:.2}) together used {:.0} % of {}: with the generator on another machine, the server would have more of them",
        share * 100.0,
        counted(cores, "core")
    );
    (share > CONTENDED).then(|| {
        Finding::new(
            "shared_cores",
            text,
            &[("server_cores", server), ("generator_cores", generator), ("share", share)],
        )
    })
}

/// Of the whole machine, so that it is known only where this process may use all of its cores.
fn others(run: &Measured, cores: Option<usize>) -> Option<Finding> {
    let (server, generator) = (run.local_server_cpu()?, run.generator.cpu_share?);
    let others = mean(run.steady_seconds().filter_map(|second| second.machine_cpu))? - server - generator;
    let cores = cores? as f64;
    let (who, advice) = if run.is_balanced() {
        (
            "the balancer, if it runs on this machine, other processes or the hypervisor",
            "without other processes",
        )
    } else {
        ("other processes on this machine, or its hypervisor,", "on a quiet machine")
    };
    let text = format!("{who} took {others:.2} of {}: repeat the test {advice}", counted(cores, "core"));
    (others > OTHERS * cores).then(|| Finding::new("other_processes", text, &[("cores", others)]))
}

fn failures(run: &Measured) -> Option<Finding> {
    let total = Some(&run.endpoints.total).filter(|total| total.failures > 0)?;
    let share = total.failure_share();
    let text = format!(
        "{} of {} failed ({:.2} %): {}; the latencies are those of successful requests and timeouts",
        total.failures,
        counted(total.requests, "request"),
        share * 100.0,
        notation::failures_by_kind(total)
    );
    Some(Finding::new("failures", text, &[("failures", total.failures as f64), ("share", share)]))
}

fn dropped(run: &Measured) -> Option<Finding> {
    let starts = run.starts.as_ref().filter(|starts| starts.dropped > 0)?;
    let text = format!(
        "{} of {} {} dropped with {} in flight: the latencies do not include them",
        starts.dropped,
        counted(starts.planned, "start"),
        were(starts.dropped),
        counted(run.plan.users(), "request")
    );
    Some(Finding::new(
        "dropped_starts",
        text,
        &[("dropped", starts.dropped as f64), ("planned", starts.planned as f64)],
    ))
}

/// Requests cut off are normal; that one of them had waited longer than any answer is not.
fn unfinished(run: &Measured) -> Option<Finding> {
    let oldest_ms = run.unfinished.oldest_ms?;
    let longest_ms = run.endpoints.total.max_ms.unwrap_or(0.0);
    let text = format!(
        "{} {} in flight at the end and not counted; the oldest had waited {oldest_ms:.0} ms, longer than any answer took",
        counted(run.unfinished.requests, "request"),
        were(run.unfinished.requests)
    );
    let numbers = [("requests", run.unfinished.requests as f64), ("oldest_ms", oldest_ms)];
    (oldest_ms > longest_ms).then(|| Finding::new("unfinished", text, &numbers))
}

fn ms(value: Option<f64>) -> String {
    value.map_or("not known".to_owned(), |ms| format!("{ms:.0} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture::{self, steady_total};
    use crate::bench::load::result::{Arrival, Starts};

    /// What is found in the run of the fixture after a change, judged VALID, on two cores.
    fn found(change: fn(&mut Measured)) -> Vec<Finding> {
        let mut run = fixture::measured();
        change(&mut run);
        let circumstances =
            Circumstances { cores: Some(2), has_whole_machine: true, ..Circumstances::default() };
        findings(&run, Verdict::Valid, &circumstances)
    }

    fn text(change: fn(&mut Measured), code: &str) -> Option<String> {
        found(change).into_iter().find(|finding| finding.code == code).map(|finding| finding.text)
    }

    fn cpu(run: &mut Measured, server: f64, generator: f64, machine: f64) {
        run.targets[0].usage.as_mut().expect("usage").cpu_mean = Some(server);
        run.generator.cpu_share = Some(generator);
        run.series.iter_mut().for_each(|second| second.machine_cpu = Some(machine));
    }

    #[test]
    fn a_good_run_has_the_findings_of_every_run() {
        let codes: Vec<_> = found(|_| {}).into_iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["capacity", "cpu_cost", "littles_law", "stage_shares"]);
    }

    #[test]
    fn capacity_is_what_the_verdict_allows() {
        for (change, wanted) in [
            (
                (|run| run.targets[0].usage.as_mut().expect("usage").queue_mean = Some(2.0))
                    as fn(&mut Measured),
                "capacity: 41.0 successful requests/s under this mix, p95 23 ms, in the steady state",
            ),
            (|_| {}, "capacity is at least the 41.0 successful requests/s"),
            (|run| steady_total(run).failures_per_s = 1.0, "at least the 40.0 successful requests/s"),
            (|run| run.steady_state = None, "at least the 40.8 successful requests/s"),
        ] {
            let text = text(change, "capacity").expect("a capacity");
            assert!(text.contains(wanted), "{text}");
        }
        for (verdict, wanted) in [
            (Verdict::NotSaturated, "capacity is at least the 41.0 successful requests/s"),
            (Verdict::Unstable, "41.0 successful requests/s: not a capacity figure; see the verdict"),
        ] {
            let found = findings(&fixture::measured(), verdict, &Circumstances::default());
            assert!(found[0].text.starts_with(wanted), "{found:?}");
        }
    }

    #[test]
    fn cpu_per_request_bounds_the_throughput() {
        let found = found(|_| {});
        let cost = found.iter().find(|finding| finding.code == "cpu_cost").expect("a cost");
        // 1.2 cores / 41 per second = 29.3 ms each; 2 cores / 29.3 ms = 68 per second.
        assert!(cost.text.contains("used 1.20 of 2 cores, 29.3 ms of CPU per request"), "{}", cost.text);
        assert!(cost.text.contains("at most about 68/s"), "{}", cost.text);
        assert_eq!(text(|run| run.targets[0].shares_machine = false, "cpu_cost"), None);
        assert_eq!(text(|run| steady_total(run).rps = 0.0, "cpu_cost"), None);
        assert_eq!(text(|run| cpu(run, 0.0, 0.0, 0.0), "cpu_cost"), None);
    }

    #[test]
    fn a_cap_bounds_the_throughput_before_the_cores_do() {
        let circumstances = Circumstances { cores: Some(2), ..Circumstances::default() };
        let cost = |run: &Measured| {
            let found = findings(run, Verdict::Valid, &circumstances);
            found.into_iter().find(|finding| finding.code == "cpu_cost").expect("a cost")
        };
        let mut run = fixture::balanced();
        let said = cost(&run);
        // 0.96 cores / 41 per second = 23.4 ms each; 1 core / 23.4 ms = 42.7 per second.
        assert!(said.text.contains("used 0.96 of its caps of 1 core in all, 23.4 ms"), "{}", said.text);
        assert!(said.text.contains("at its caps it could serve at most about 43/s"), "{}", said.text);
        assert_eq!(said.numbers["cap_cores"], 1.0);
        run.replicas.clear();
        run.served_by.clear();
        run.containers.truncate(1);
        assert!(cost(&run).text.contains("used 0.48 of its cap of 0.5 cores"), "{}", cost(&run).text);
        run.containers[0].cpu_cap = None;
        assert!(cost(&run).text.contains("used 0.48 of 2 cores"), "{}", cost(&run).text);
    }

    #[test]
    fn littles_law_counts_users_or_requests_in_flight() {
        assert_eq!(
            text(|_| {}, "littles_law").as_deref(),
            Some("Little's law: X (R + Z) = 41.0/s (0.018 s + 2.000 s) = 82.7 for 50 users")
        );
        fn open(run: &mut Measured) {
            run.plan.load = Load::Open { rate: 41.0, arrival: Arrival::Constant, connections: 9 };
        }
        let text_of_open = text(open, "littles_law").expect("Little's law");
        assert!(text_of_open.contains("= 0.7 requests in flight on average"), "{text_of_open}");
        assert_eq!(text(|run| steady_total(run).average_ms = None, "littles_law"), None);
    }

    #[test]
    fn stages_are_shares_of_typical_and_of_the_slowest() {
        let shares = text(|_| {}, "stage_shares").expect("stages");
        assert_eq!(
            shares,
            "of a typical /predict, 5 % is waiting for a worker, 80 % inference, 3 % network and HTTP; of the slowest 1 %, 52 %, 40 % and 2 %"
        );
        let few =
            text(|run| run.stages.iter_mut().for_each(|stage| stage.share_at_p99 = None), "stage_shares");
        assert!(few.is_some_and(|text| text.ends_with("network and HTTP")));
        assert_eq!(text(|run| run.stages.clear(), "stage_shares"), None);
    }

    #[test]
    fn others_and_contention_are_found_above_a_tenth_of_the_cores() {
        assert_eq!(text(|run| cpu(run, 1.5, 0.29, 2.0), "shared_cores"), None);
        let contended = text(|run| cpu(run, 1.5, 0.32, 2.0), "shared_cores").expect("contention");
        assert!(
            contended.contains("server (1.50) and generator (0.32) together used 91 % of 2 cores"),
            "{contended}"
        );
        assert_eq!(text(|run| cpu(run, 1.0, 0.1, 1.29), "other_processes"), None);
        let others = text(|run| cpu(run, 1.0, 0.1, 1.32), "other_processes").expect("others");
        assert!(others.contains("took 0.22 of 2 cores"), "{others}");
        let mut run = fixture::measured();
        cpu(&mut run, 1.0, 0.1, 1.9);
        let of_part =
            findings(&run, Verdict::Valid, &Circumstances { cores: Some(2), ..Circumstances::default() });
        assert!(of_part.iter().all(|finding| finding.code != "other_processes"), "a part of a machine");
    }

    #[test]
    fn failures_are_named_by_kind() {
        fn fail(run: &mut Measured) {
            let total = &mut run.endpoints.total;
            total.failures = 4;
            total.failures_by_kind = [("status_503".to_owned(), 3), ("timeout".to_owned(), 1)].into();
        }
        let found = text(fail, "failures").expect("failures");
        assert!(found.starts_with("4 of 204 requests failed (1.96 %): 3 status_503, 1 timeout; "), "{found}");
    }

    #[test]
    fn requests_cut_off_are_found_if_they_waited_longer_than_any_answer_took() {
        assert_eq!(text(|run| run.unfinished.oldest_ms = Some(46.0), "unfinished"), None);
        let found = text(|run| run.unfinished.oldest_ms = Some(47.0), "unfinished").expect("a long wait");
        assert!(
            found.starts_with(
                "1 request was in flight at the end and not counted; the oldest had waited 47 ms"
            ),
            "{found}"
        );
        assert_eq!(text(|run| run.unfinished.oldest_ms = None, "unfinished"), None);
    }

    #[test]
    fn dropped_starts_and_another_model_are_found() {
        fn starts(run: &mut Measured, dropped: u64) {
            let made = 100 - dropped;
            run.starts =
                Some(Starts { planned: 100, made, dropped, late: 0, late_p99_ms: None, late_max_ms: None });
        }
        assert_eq!(text(|run| starts(run, 0), "dropped_starts"), None);
        let dropped = text(|run| starts(run, 2), "dropped_starts").expect("dropped starts");
        assert!(dropped.starts_with("2 of 100 starts were dropped with 50 requests in flight"), "{dropped}");
        let circumstances = Circumstances { met_other_model: true, ..Circumstances::default() };
        let found = findings(&fixture::measured(), Verdict::Valid, &circumstances);
        assert!(found.last().is_some_and(|finding| finding.code == "other_model"));
    }
}
