//! The replicas that a balancer chooses from, as one table.

use super::run::Measured;
use super::usage::{ReplicaFigures, ServedBy, Usage};

/// A row of the table of replicas.
pub(crate) struct ReplicaRow<'r> {
    pub(crate) name: &'r str,
    /// By the generator's count.
    pub(crate) requests: Option<u64>,
    /// By its own count.
    pub(crate) predictions: Option<u64>,
    /// By the generator's count if there is one, else by their own.
    pub(crate) share: Option<f64>,
    pub(crate) usage: Option<&'r Usage>,
}

impl Measured {
    /// Replicas that were named, and after them those that only answers name. The same name is the same replica.
    pub(crate) fn replica_rows(&self) -> Vec<ReplicaRow<'_>> {
        let served = |name: &str| self.served_by.iter().find(|served| served.name == name);
        let named = self.replicas.iter().map(|replica| {
            let served = served(&replica.name);
            ReplicaRow {
                name: &replica.name,
                requests: served.map(|served| served.requests),
                predictions: replica.predictions,
                share: served.map(|served| served.share).or(replica.share),
                usage: replica.usage.as_ref(),
            }
        });
        let is_further = |served: &&ServedBy| self.replicas.iter().all(|replica| replica.name != served.name);
        let further = self.served_by.iter().filter(is_further).map(|served| ReplicaRow {
            name: &served.name,
            requests: Some(served.requests),
            predictions: None,
            share: Some(served.share),
            usage: None,
        });
        named.chain(further).collect()
    }

    /// Whether requests went through a balancer, as far as is known.
    pub(crate) fn is_balanced(&self) -> bool {
        let is_asked = |replica: &ReplicaFigures| self.targets.iter().any(|target| target.url == replica.url);
        !self.served_by.is_empty() || !self.replicas.is_empty() && !self.replicas.iter().all(is_asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;

    #[test]
    fn a_replica_has_one_row_whoever_names_it() {
        let mut run = fixture::balanced();
        let rows = |run: &Measured| -> Vec<_> {
            let row = |row: ReplicaRow<'_>| (row.name.to_owned(), row.requests, row.predictions, row.share);
            run.replica_rows().into_iter().map(row).collect()
        };
        let own =
            |name: &str, requests, predictions, share| (name.to_owned(), requests, predictions, Some(share));
        assert_eq!(rows(&run), [own("one", Some(102), Some(81), 0.5), own("two", Some(102), Some(82), 0.5)]);
        run.replicas[1].name = "10.0.0.2:8000".to_owned();
        let own_share = 82.0 / 163.0;
        assert_eq!(
            rows(&run),
            [
                own("one", Some(102), Some(81), 0.5),
                own("10.0.0.2:8000", None, Some(82), own_share),
                own("two", Some(102), None, 0.5)
            ]
        );
        run.replicas.clear();
        assert_eq!(rows(&run).len(), 2);
        assert!(run.is_balanced());
        run.served_by.clear();
        assert!(rows(&run).is_empty() && !run.is_balanced());
    }

    #[test]
    fn replicas_that_are_asked_directly_have_no_balancer() {
        let mut run = fixture::balanced();
        run.served_by.clear();
        assert!(run.is_balanced());
        run.targets[0].url = run.replicas[0].url.clone();
        assert!(run.is_balanced(), "and the other replica?");
        run.replicas.truncate(1);
        assert!(!run.is_balanced());
    }
}
