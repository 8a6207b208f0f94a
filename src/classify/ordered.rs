//! A parallel map that yields in input order and holds a bounded number of items.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::process::interrupt;

/// Results per thread that may wait for an earlier one.
const AHEAD: usize = 8;

/// How often a wait checks whether the user interrupted.
const POLL: Duration = Duration::from_millis(50);

/// How long to wait for the next result after an interruption: a worker may be stuck in a read that never returns, as
/// from a network file system that is gone.
const GRACE: Duration = Duration::from_secs(1);

/// Runs `f` over `inputs` on `threads` threads.
///
/// One thread takes the inputs and gives each a slot in a bounded queue; its result comes back
/// through that slot, so reading the slots in turn restores the order. After an interruption no
/// further input is taken. Inputs that were begun are still yielded, except those that are not done within [`GRACE`].
pub(super) fn map<I, T, F>(threads: usize, inputs: I, f: F) -> anyhow::Result<Ordered<T>>
where
    I: Iterator + Send + 'static,
    I::Item: Send,
    T: Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + Clone + 'static,
{
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
    let (slots, ordered) = sync_channel(threads.saturating_mul(AHEAD));
    std::thread::spawn(move || {
        for input in inputs.take_while(|_| !interrupt::requested()) {
            let (done, slot) = sync_channel(1);
            if slots.send(slot).is_err() {
                return; // the reader is gone
            }
            let f = f.clone();
            pool.spawn(move || send_unless_gone(&done, f(input)));
        }
    });
    Ok(Ordered { slots: ordered, interrupted: interrupt::requested, waiting_since: None })
}

fn send_unless_gone<T>(done: &SyncSender<T>, result: T) {
    // An error means that the reader is gone.
    let _ = done.send(result);
}

/// The results of [`map`], in input order.
pub(super) struct Ordered<T> {
    slots: Receiver<Receiver<T>>,
    interrupted: fn() -> bool,
    /// When the interruption was noticed, or when the last result after it came.
    waiting_since: Option<Instant>,
}

impl<T> Iterator for Ordered<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            let slot = match self.slots.recv_timeout(POLL) {
                Ok(slot) => slot,
                // The thread that takes inputs may be stuck in a read, so it is not waited for.
                Err(RecvTimeoutError::Timeout) if (self.interrupted)() => return None,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return None,
            };
            // `None` if its worker is stuck; later ones may be done.
            if let Some(result) = self.wait_for(&slot) {
                return Some(result);
            }
        }
    }
}

impl<T> Ordered<T> {
    fn wait_for(&mut self, slot: &Receiver<T>) -> Option<T> {
        loop {
            let left = match self.waiting_since {
                Some(since) => GRACE.saturating_sub(since.elapsed()),
                None => POLL,
            };
            match slot.recv_timeout(left.min(POLL)) {
                Ok(result) => {
                    self.waiting_since = self.waiting_since.map(|_| Instant::now());
                    return Some(result);
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return None,
                Err(RecvTimeoutError::Timeout) if (self.interrupted)() => {
                    self.waiting_since.get_or_insert_with(Instant::now);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_though_early_items_finish_last() {
        let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
        // Items 0 and 1 meet, so 1 cannot have waited for 0 to be yielded.
        let results = map(2, 0..100, move |i| {
            if i < 2 {
                gate.wait();
            }
            i
        });
        assert!(results.expect("threads").eq(0..100));
    }

    #[test]
    fn inputs_are_not_taken_far_ahead_of_the_reader() {
        let (taken, count) = std::sync::mpsc::channel();
        let inputs = (0..100_000).inspect(move |_| taken.send(()).expect("the test listens"));
        let mut results = map(2, inputs, |i| i).expect("threads");
        assert_eq!(results.next(), Some(0));
        drop(results); // ends the taking thread, so that counting below ends too
        assert!(count.iter().count() < 100);
    }

    #[test]
    fn after_an_interruption_a_stuck_worker_is_not_waited_for() {
        let (slots, ordered) = sync_channel(3);
        let (_stuck, slot) = sync_channel(1);
        slots.send(slot).expect("there is room");
        for result in [1, 2] {
            let (done, slot) = sync_channel(1);
            done.send(result).expect("there is room");
            slots.send(slot).expect("there is room");
        }
        // No more inputs come, and the thread that takes them is stuck, too.
        let results = Ordered { slots: ordered, interrupted: || true, waiting_since: None };
        assert!(results.eq([1, 2]));
        drop(slots);
    }
}
