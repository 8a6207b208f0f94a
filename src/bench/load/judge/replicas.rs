//! Findings about the replicas behind a balancer.

use crate::bench::load::result::{Finding, Measured};
use crate::bench::words::counted;

/// Of an even share, below which a replica has answered much less than the others.
const LITTLE: f64 = 0.75;

/// Standard deviations that chance does not reach.
const CHANCE: f64 = 4.0;

/// The replica that answered least, if that is much less than its share.
pub(super) fn uneven(run: &Measured) -> Option<Finding> {
    let answered = answered(run);
    let all: u64 = answered.iter().map(|(_, count)| count).sum();
    let even = all as f64 / answered.len() as f64;
    let (name, least) = answered.iter().min_by_key(|(_, count)| count)?;
    let least = *least as f64;
    if least >= LITTLE * even || even - least <= CHANCE * even.sqrt() {
        return None;
    }
    let (share, even_share) = (least / all as f64, 1.0 / answered.len() as f64);
    let text = format!(
        "{name} answered {least} of {} ({:.0} %), where an even share is {:.0} %: it was away for a part of the run, or the balancer prefers others",
        counted(all, "request"),
        share * 100.0,
        even_share * 100.0
    );
    Some(Finding::new("uneven_replicas", text, &[("share", share), ("even_share", even_share)]))
}

/// By their own counts, where all have one: a replica that never answers is known by that alone.
fn answered(run: &Measured) -> Vec<(&str, u64)> {
    let own = run.replicas.iter().map(|replica| Some((&*replica.name, replica.predictions?)));
    let own: Option<Vec<_>> = own.collect();
    own.filter(|own| !own.is_empty())
        .unwrap_or_else(|| run.served_by.iter().map(|served| (&*served.name, served.requests)).collect())
}

/// What nobody has measured.
pub(super) fn balancer(run: &Measured) -> Option<Finding> {
    let text = "the requests went through a balancer, whose own CPU is not known: if that was full, the figures are those of the balancer";
    run.is_balanced().then(|| Finding::new("balancer", text.to_owned(), &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;

    #[test]
    fn a_replica_that_answered_much_less_is_found() {
        let said = |predictions: [Option<u64>; 2], requests: [u64; 2]| {
            let mut run = fixture::balanced();
            for n in [0, 1] {
                run.replicas[n].predictions = predictions[n];
                run.served_by[n].requests = requests[n];
            }
            uneven(&run).map(|finding| finding.text)
        };
        assert_eq!(said([Some(81), Some(82)], [102, 102]), None);
        let found = said([Some(100), Some(20)], [102, 102]).expect("a finding");
        assert!(
            found.starts_with("two answered 20 of 120 requests (17 %), where an even share is 50 %"),
            "{found}"
        );
        assert!(
            said([Some(0), Some(200)], [0, 0]).is_some_and(|text| text.starts_with("one answered 0 of 200"))
        );
        // By chance, or near enough.
        assert_eq!(said([Some(10), Some(3)], [0, 0]), None);
        assert_eq!(said([Some(8000), Some(10000)], [0, 0]), None);
        // The generator's count, where a replica has none.
        assert_eq!(said([None, Some(82)], [102, 102]), None);
        assert!(
            said([None, Some(82)], [10, 102]).is_some_and(|text| text.starts_with("one answered 10 of 112"))
        );
        assert_eq!(said([Some(0), Some(0)], [0, 0]), None);
        let mut run = fixture::measured();
        assert!(uneven(&run).is_none() && balancer(&run).is_none());
        run.served_by = fixture::balanced().served_by;
        assert!(balancer(&run).is_some());
    }
}
