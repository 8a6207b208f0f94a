//! The confusion matrix and the figures that follow from it.

/// Counts of images by true class (rows) and decision (columns), in the order of the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// Row by row.
    counts: Vec<u64>,
}

impl Confusion {
    pub(super) fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    pub(super) fn count(&mut self, truth: usize, decision: usize, weight: u32) {
        self.counts[truth * self.classes + decision] += u64::from(weight);
    }

    /// The decisions for each true class.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks_exact(self.classes)
    }

    /// Number of images of a class.
    pub fn occurrences(&self, class: usize) -> u64 {
        self.counts[class * self.classes..][..self.classes].iter().sum()
    }

    /// Number of images predicted as a class.
    pub fn decisions(&self, class: usize) -> u64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }

    fn hits(&self, class: usize) -> u64 {
        self.counts[class * (self.classes + 1)]
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn accuracy(&self) -> Option<f64> {
        ratio((0..self.classes).map(|class| self.hits(class)).sum(), self.total())
    }

    pub(super) fn balanced_accuracy(&self) -> Option<f64> {
        mean((0..self.classes).filter_map(|class| self.recall(class)))
    }

    pub(super) fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.hits(class), self.occurrences(class))
    }

    pub(super) fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.hits(class), self.decisions(class))
    }

    pub(super) fn specificity(&self, class: usize) -> Option<f64> {
        let others = self.total() - self.occurrences(class);
        let false_alarms = self.decisions(class) - self.hits(class);
        ratio(others - false_alarms, others)
    }

    /// Defined if the class occurs or was predicted; 0 without a hit.
    pub(super) fn f1(&self, class: usize) -> Option<f64> {
        ratio(2 * self.hits(class), self.occurrences(class) + self.decisions(class))
    }
}

pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
