//! The memory that large images may take up while they are decoded, all of them together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: u64 = 1 << 10;

/// 512 MiB, with more than eight workers more.
const LEAST: u64 = 512 << 20;
const PER_WORKER: u64 = 64 << 20;

/// Shares are given in the order of the requests, and given back when they are dropped.
pub(super) struct MemoryBudget {
    free_kib: Arc<Semaphore>,
    kib: u32,
}

pub(super) type Share = OwnedSemaphorePermit;

impl MemoryBudget {
    pub(super) fn for_workers(workers: usize) -> Self {
        Self::of(LEAST.max(PER_WORKER * workers as u64))
    }

    fn of(bytes: u64) -> Self {
        let kib = u32::try_from(bytes / KIB).unwrap_or(u32::MAX);
        Self { free_kib: Arc::new(Semaphore::new(kib as usize)), kib }
    }

    /// Waits for so many bytes, or for the whole budget if that is less, so that no wait is endless.
    pub(super) async fn reserve(&self, bytes: u64) -> Share {
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).min(self.kib);
        self.free_kib.clone().acquire_many_owned(kib).await.expect("never closed")
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// A share, if there is no need to wait for it.
    fn at_once(taking: impl Future<Output = Share>) -> Option<Share> {
        match pin!(taking).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(share) => Some(share),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_does_not_fit_waits_and_what_never_fits_is_alone() {
        let memory = MemoryBudget::of(100 * KIB);
        let most = at_once(memory.reserve(60 * KIB)).expect("all is free");
        assert!(at_once(memory.reserve(50 * KIB)).is_none());
        let rest = at_once(memory.reserve(40 * KIB)).expect("it fits beside the other");
        drop(most);
        assert!(at_once(memory.reserve(u64::MAX)).is_none(), "the rest is still taken");
        drop(rest);
        let all = at_once(memory.reserve(u64::MAX)).expect("nobody has any");
        assert!(at_once(memory.reserve(1)).is_none());
        drop(all);
        assert!(at_once(memory.reserve(1)).is_some());
    }

    #[test]
    fn whoever_waits_is_served_before_those_who_come_later() {
        let memory = MemoryBudget::of(100 * KIB);
        let most = at_once(memory.reserve(60 * KIB)).expect("all is free");
        let mut first = pin!(memory.reserve(100 * KIB));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(at_once(memory.reserve(KIB)).is_none(), "it would overtake");
        drop(most);
        assert!(first.as_mut().poll(&mut context).is_ready());
    }
}
