//! Where more users stop giving more throughput.

use crate::bench::load::result::{Knee, Run};

/// Of the largest throughput, for a number of users to be enough.
const ENOUGH: f64 = 0.95;

/// The knee of a sweep: runs with ascending numbers of users. `None` with fewer than two that can be relied on.
pub(crate) fn knee(runs: &[Run]) -> Option<Knee> {
    let good_per_s = |run: &Run| run.steady_total().good_per_s();
    let (left_out, runs): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.verdict.spoils_figures());
    if runs.len() < 2 {
        return None;
    }
    let max_good_per_s = runs.iter().copied().map(good_per_s).fold(0.0, f64::max);
    let enough = runs
        .iter()
        .position(|run| good_per_s(run) >= ENOUGH * max_good_per_s)
        .filter(|_| max_good_per_s > 0.0)?;
    let reached = enough + 1 < runs.len();
    let (fewest, enough) = (runs.first()?, runs[enough]);
    let response_s = fewest.steady_total().average_ms.map(|ms| ms / 1e3);
    let think_s = fewest.think_s().unwrap_or(0.0);
    Some(Knee {
        left_out: left_out.iter().map(|run| run.plan.users()).collect(),
        users: enough.plan.users(),
        good_per_s: good_per_s(enough),
        max_good_per_s,
        reached,
        predicted_users: response_s.map(|response_s| (response_s + think_s) * max_good_per_s),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::{Load, Verdict, fixture};

    fn run(users: usize, good_per_s: f64, verdict: Verdict) -> Run {
        let load = Load::Closed { users, spawn_rate: 50.0, think_s: [1.0, 3.0] };
        let mut measured = fixture::measured();
        measured.plan.load = load;
        fixture::steady_total(&mut measured).rps = good_per_s;
        Run { measured, verdict, ..fixture::run() }
    }

    #[test]
    fn runs_that_cannot_be_relied_on_have_no_say() {
        use Verdict::{ClientSaturated, Failed, NotSaturated, TooShort, Unstable, Valid};
        let knee = super::knee(&[
            run(1, 10.0, NotSaturated),
            run(2, 19.0, Valid),
            run(4, 20.0, Valid),
            run(8, 90.0, Unstable),
            run(16, 80.0, TooShort),
            run(32, 80.0, ClientSaturated),
            run(64, 80.0, Failed),
        ])
        .expect("three runs");
        assert_eq!((knee.users, knee.good_per_s, knee.max_good_per_s, knee.reached), (2, 19.0, 20.0, true));
        assert_eq!(knee.left_out, [8, 16, 32, 64]);
        assert!(super::knee(&[run(1, 10.0, TooShort), run(2, 20.0, Unstable)]).is_none());
        assert!(
            super::knee(&[run(1, 10.0, Valid), run(2, 20.0, Unstable)]).is_none(),
            "one run has nothing to compare with"
        );
    }

    #[test]
    fn a_knee_is_reached_where_more_users_were_tried() {
        let of = |throughputs: &[f64]| {
            let runs: Vec<_> =
                throughputs.iter().enumerate().map(|(n, rps)| run(1 << n, *rps, Verdict::Valid)).collect();
            super::knee(&runs).map(|knee| (knee.users, knee.reached))
        };
        assert_eq!(of(&[10.0, 20.0, 21.0]), Some((2, true)), "20 are 95 % of 21");
        assert_eq!(of(&[10.0, 20.0, 21.1]), Some((4, false)));
        assert_eq!(of(&[20.0, 20.0, 10.0]), Some((1, true)));
        assert_eq!(of(&[0.0, 0.0]), None);
        assert_eq!(of(&[10.0]), None);
        assert_eq!(of(&[]), None);
    }

    /// N* = (R_min + Z) X_max, with R of 17.9 ms and Z of 2 s.
    #[test]
    fn the_asymptotes_cross_at_the_predicted_users() {
        let knee =
            super::knee(&[run(1, 10.0, Verdict::Valid), run(2, 20.0, Verdict::Valid)]).expect("two runs");
        assert!((knee.predicted_users.expect("a number") - 2.0179 * 20.0).abs() < 1e-9, "{knee:?}");
    }
}
