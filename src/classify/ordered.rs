//! A parallel map that yields in input order and holds a bounded number of items.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Context as _;

use crate::interrupt;

/// How many inputs a thread may be ahead of the slowest one before it.
const AHEAD: usize = 8;

/// How often a wait looks whether the user interrupted.
const POLL: Duration = Duration::from_millis(50);

/// Runs `f` over `inputs` on `threads` threads.
///
/// One thread takes the inputs and gives each a slot in a bounded queue; its result comes back
/// through that slot, so reading the slots in turn restores the order. After an interruption no
/// further input is taken, and what is being worked on is still yielded.
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
                return; // the reader has left
            }
            let f = f.clone();
            pool.spawn(move || send_unless_gone(&done, f(input)));
        }
    });
    Ok(Ordered(ordered))
}

fn send_unless_gone<T>(done: &SyncSender<T>, result: T) {
    // An error means that nobody wants the result any more.
    let _ = done.send(result);
}

/// The results of [`map`], in input order.
pub(super) struct Ordered<T>(Receiver<Receiver<T>>);

impl<T> Iterator for Ordered<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            match self.0.recv_timeout(POLL) {
                Ok(slot) => return slot.recv().ok(),
                // The thread that takes inputs may be stuck in a read; do not wait for it.
                Err(RecvTimeoutError::Timeout) if interrupt::requested() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::map;

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
}
