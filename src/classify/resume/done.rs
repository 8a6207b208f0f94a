//! The images that a file has rows of, in little memory: about 25 bytes a row, whatever the length of its path.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::classify::inputs::Input;

/// Paths, each as often as it was added. They are known by 64 bits of a keyed hash: with ten million rows, a run over ten
/// million other images takes one of these for done with a probability of 1 in 180,000.
#[derive(Default)]
pub(in crate::classify) struct Done {
    hasher: RandomState,
    hashes: HashSet<u64>,
    /// Further rows of the same path.
    repeated: HashMap<u64, u64>,
    rows: u64,
}

impl Done {
    pub(super) fn add(&mut self, path: &str) {
        let hash = self.hasher.hash_one(path);
        if !self.hashes.insert(hash) {
            *self.repeated.entry(hash).or_default() += 1;
        }
        self.rows += 1;
    }

    pub(in crate::classify) fn rows(&self) -> u64 {
        self.rows
    }

    /// The inputs that are not done, and how many were left out so far. An input that is named twice is left out twice
    /// only if it has two rows.
    pub(in crate::classify) fn skip<I>(mut self, inputs: I) -> (impl Iterator<Item = Input> + use<I>, Skipped)
    where
        I: Iterator<Item = Input>,
    {
        let skipped = Skipped::default();
        let count = skipped.clone();
        let left = inputs.filter(move |input| {
            let done = self.take(&input.name());
            count.0.fetch_add(u64::from(done), Ordering::Relaxed);
            !done
        });
        (left, skipped)
    }

    fn take(&mut self, path: &str) -> bool {
        let hash = self.hasher.hash_one(path);
        match self.repeated.get_mut(&hash).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                true
            }
            None => self.hashes.remove(&hash),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(in crate::classify) struct Skipped(Arc<AtomicU64>);

impl Skipped {
    pub(in crate::classify) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_skipped_as_often_as_it_has_rows() {
        let mut done = Done::default();
        for path in ["a.jpg", "b.jpg", "a.jpg"] {
            done.add(path);
        }
        assert_eq!(done.rows(), 3);
        let inputs = ["a.jpg", "./a.jpg", "a.jpg", "b.jpg", "a.jpg", "b.jpg"];
        let (left, skipped) = done.skip(inputs.into_iter().map(|path| Input::File(path.into())));
        let left: Vec<_> = left.map(|input| input.name()).collect();
        assert_eq!(
            (left.as_slice(), skipped.count()),
            (&["./a.jpg", "a.jpg", "b.jpg"].map(str::to_owned)[..], 3)
        );
    }
}
