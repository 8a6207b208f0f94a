//! Which replica answered, by the response header that balancers set.

use std::collections::BTreeMap;

use crate::bench::load::result::ServedBy;

/// Beyond this number of names, and of characters, it is no name of a replica.
const MOST_NAMES: usize = 64;
const LONGEST: usize = 64;

/// Of all that is beyond.
const OTHERS: &str = "(others)";

#[derive(Default)]
pub(super) struct Served(BTreeMap<String, u64>);

impl Served {
    pub(super) fn count(&mut self, name: &str) {
        let name = name.trim();
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
            return;
        }
        let is_one_more = !name.is_empty() && name.len() <= LONGEST && self.0.len() < MOST_NAMES;
        let name = if is_one_more { name } else { OTHERS };
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn figures(self) -> Vec<ServedBy> {
        let all: u64 = self.0.values().sum();
        let share = |requests: u64| requests as f64 / all as f64;
        self.0
            .into_iter()
            .map(|(name, requests)| ServedBy { name, requests, share: share(requests) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let mut served = Served::default();
        for name in ["a", " b ", "a", "", &"x".repeat(65)] {
            served.count(name);
        }
        for n in 0..1000 {
            served.count(&format!("hostile-{n}"));
        }
        served.count("a");
        let figures = served.figures();
        assert_eq!(figures.len(), MOST_NAMES);
        let of = |name: &str| figures.iter().find(|f| f.name == name).map(|f| f.requests);
        assert_eq!((of("a"), of("b"), of(OTHERS)), (Some(3), Some(1), Some(941)));
        assert_eq!(figures.iter().map(|f| f.requests).sum::<u64>(), 1006);
        assert!((figures.iter().map(|f| f.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(Served::default().figures().is_empty());
    }
}
