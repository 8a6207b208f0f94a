//! The predictions that wait for a worker or are worked on, a bounded number.

use std::cell::Cell;

use prometheus::IntGauge;

use crate::serve::error::ApiError;

pub(super) struct Queue {
    workers: usize,
    /// How many may wait.
    places: usize,
    /// How many wait or are worked on.
    predictions: Cell<usize>,
    depth: IntGauge,
}

impl Queue {
    pub(super) fn new(workers: usize, places: usize, depth: IntGauge) -> Self {
        Self { workers, places, predictions: Cell::new(0), depth }
    }

    pub(super) fn ensure_room(&self) -> Result<(), ApiError> {
        if self.predictions.get() >= self.workers.saturating_add(self.places) {
            return Err(ApiError::overloaded("the queue is full"));
        }
        Ok(())
    }

    pub(super) fn enter(&self) -> Result<QueuePermit<'_>, ApiError> {
        self.ensure_room()?;
        self.set(self.predictions.get() + 1);
        Ok(QueuePermit(self))
    }

    fn set(&self, predictions: usize) {
        self.predictions.set(predictions);
        self.depth.set(predictions.saturating_sub(self.workers) as i64);
    }
}

/// One of the predictions, until dropped.
pub(super) struct QueuePermit<'q>(&'q Queue);

impl Drop for QueuePermit<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.predictions.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::error::ErrorCode;

    #[test]
    fn a_full_queue_refuses_until_a_permit_is_dropped() {
        let depth = IntGauge::new("depth", "predictions that wait").expect("a gauge");
        let queue = Queue::new(2, 1, depth.clone());
        let mut permits: Vec<_> = (0..3).map(|_| queue.enter().expect("room")).collect();
        assert_eq!(depth.get(), 1);
        assert!(queue.enter().is_err_and(|error| error.code == ErrorCode::QueueFull));
        permits.pop();
        assert_eq!(depth.get(), 0);
        assert!(queue.enter().is_ok());
    }
}
