//! CPU time of the generator.

use rustix::time::{ClockId, clock_gettime};

/// CPU time up to now, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuTime {
    /// Of all threads.
    pub(super) process: f64,
    /// Of the calling thread: the event loop's, which cannot use more than one core.
    pub(super) thread: f64,
}

impl CpuTime {
    pub(super) fn now() -> Self {
        let seconds = |clock| {
            let time = clock_gettime(clock);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        Self { process: seconds(ClockId::ProcessCPUTime), thread: seconds(ClockId::ThreadCPUTime) }
    }
}
