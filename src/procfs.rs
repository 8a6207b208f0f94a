//! CPU time: of the generator, and of the whole machine.

use rustix::time::{ClockId, clock_gettime};

/// CPU time up to now, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    /// Of all threads.
    pub(crate) process: f64,
    /// Of the calling thread: the event loop's, which cannot use more than one core.
    pub(crate) thread: f64,
    /// Of all processes of the machine; `None` where there is no /proc.
    pub(crate) machine: Option<f64>,
}

impl CpuTime {
    pub(crate) fn now() -> Self {
        let seconds = |clock| {
            let time = clock_gettime(clock);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        Self {
            process: seconds(ClockId::ProcessCPUTime),
            thread: seconds(ClockId::ThreadCPUTime),
            machine: machine_seconds(),
        }
    }
}

/// How many CPUs the machine has, whichever of them this process may use; `None` where there is no /proc.
pub(crate) fn of_machine() -> Option<usize> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(stat.lines().filter(is_cpu).count())
}

/// The first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal, in
/// USER_HZ, which is 100 on every Linux architecture that Rust runs on. What the hypervisor took is
/// not ours to use, so it counts as used.
fn machine_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq + steal) / 100.0)
}
