//! What /proc reports about this process and its machine (proc(5)); `None` on systems without it.

use std::fs::{read_dir, read_to_string};

use rustix::time::{ClockId, clock_gettime};

/// /proc counts CPU time in USER_HZ, which is 100 on every Linux architecture that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time up to now, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    /// Of all threads.
    pub(crate) process: f64,
    /// Of the calling thread.
    pub(crate) thread: f64,
    /// Of all processes of the machine.
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
            machine: read_to_string("/proc/stat").ok().as_deref().and_then(machine_cpu_seconds),
        }
    }
}

/// How many CPUs the machine has, whichever of them this process may use.
pub(crate) fn machine_cpus() -> Option<usize> {
    Some(count_cpus(&read_to_string("/proc/stat").ok()?))
}

pub(crate) fn machine_memory_bytes() -> Option<u64> {
    bytes(&field_of("/proc/meminfo", "MemTotal")?)
}

/// `AMD EPYC 7B13`
pub(crate) fn cpu_model() -> Option<String> {
    field_of("/proc/cpuinfo", "model name")
}

pub(crate) fn process_cpu_seconds() -> Option<f64> {
    own_cpu_seconds(&read_to_string("/proc/self/stat").ok()?)
}

/// When this process started, in seconds since 1970.
pub(crate) fn start_time_seconds() -> Option<f64> {
    let booted = boot_seconds(&read_to_string("/proc/stat").ok()?)?;
    Some(booted + start_after_boot(&read_to_string("/proc/self/stat").ok()?)?)
}

/// Memory of this process that is in RAM.
pub(crate) fn resident_bytes() -> Option<u64> {
    bytes(&field_of("/proc/self/status", "VmRSS")?)
}

pub(crate) fn is_ignored(signal: i32) -> Option<bool> {
    has_signal(&field_of("/proc/self/status", "SigIgn")?, signal)
}

pub(crate) fn open_descriptors() -> Option<u64> {
    Some(read_dir("/proc/self/fd").ok()?.count() as u64)
}

fn field_of(file: &str, name: &str) -> Option<String> {
    field(&read_to_string(file).ok()?, name).map(str::to_owned)
}

/// The value of the first `name : value` line.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// From a value as `16316412 kB`.
fn bytes(value: &str) -> Option<u64> {
    value.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The signals of a mask are counted from its lowest bit, the first being 1.
fn has_signal(mask: &str, signal: i32) -> Option<bool> {
    let mask = u64::from_str_radix(mask, 16).ok()?;
    Some(mask.checked_shr(u32::try_from(signal).ok()?.checked_sub(1)?)? & 1 == 1)
}

fn count_cpus(stat: &str) -> usize {
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(is_cpu).count()
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. What the
/// hypervisor took is not ours to use, so it counts as used.
fn machine_cpu_seconds(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND)
}

/// The fields user (14) and system (15).
fn own_cpu_seconds(stat: &str) -> Option<f64> {
    Some(ticks(stat, 14)? + ticks(stat, 15)?)
}

/// The field starttime.
fn start_after_boot(stat: &str) -> Option<f64> {
    ticks(stat, 22)
}

/// A field of /proc/self/stat, counted from 1 as in proc(5), in seconds. Field 2, the name of the program in brackets,
/// may hold anything.
fn ticks(stat: &str, field: usize) -> Option<f64> {
    let (_, from_field_3) = stat.rsplit_once(')')?;
    let ticks: f64 = from_field_3.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

/// From /proc/stat.
fn boot_seconds(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 20 30 4000 500 6 7 8 900 10\ncpu0 50 10 15 2000 250 3 3 4 0 0\n\
                        cpu1 50 10 15 2000 250 3 4 4 0 0\nintr 12 3\nctxt 5\n";

    #[test]
    fn cpu_time_of_the_machine_is_all_but_idle() {
        for (stat, seconds) in [
            (STAT, Some(1.71)),
            ("cpu  1 2 3 4 5 6 7\n", None),
            ("cpu  1 2 3 4 5 6 7 x\n", None),
            ("cpu0 1 2 3 4 5 6 7 8\n", None),
            ("", None),
        ] {
            assert_eq!(machine_cpu_seconds(stat), seconds, "{stat:?}");
        }
        assert_eq!([STAT, "", "cpu 1\ncpufreq 2\n"].map(count_cpus), [2, 0, 0]);
    }

    #[test]
    fn cpu_time_of_a_process_is_found_behind_any_name() {
        let after = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9";
        for (stat, seconds) in [
            (format!("17 (skinclf) {after}"), Some(3.0)),
            (format!("17 (a) b (c) {after}"), Some(3.0)),
            ("17 (skinclf) S 1 2 3 4 5 6 7 8 9 10 250".to_owned(), None),
            ("17 (skinclf) S 1 2 3 4 5 6 7 8 9 10 250 x".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(own_cpu_seconds(&stat), seconds, "{stat:?}");
        }
    }

    #[test]
    fn a_process_starts_some_ticks_after_its_machine() {
        let fields = |count: usize| (3..3 + count).map(|field| format!(" {field}00")).collect::<String>();
        for (stat, seconds) in [
            (format!("17 (a) b){}", fields(20)), Some(22.0)),
            (format!("17 (skinclf){}", fields(40)), Some(22.0)),
            (format!("17 (skinclf){}", fields(19)), None),
            (String::new(), None),
        ] {
            assert_eq!(start_after_boot(&stat), seconds, "{stat:?}");
        }
        for (stat, seconds) in [
            ("cpu  1 2\nbtime 1764230000\nprocesses 9\n", Some(1_764_230_000.0)),
            ("btime x\n", None),
            ("xbtime 1\n", None),
        ] {
            assert_eq!(boot_seconds(stat), seconds, "{stat:?}");
        }
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: AMD EPYC: 7B13\nmodel name\t: another\nVmRSS:\t    2048 kB\nno colon\n";
        for (name, value) in [
            ("model name", Some("AMD EPYC: 7B13")),
            ("model", Some("1")),
            ("VmRSS", Some("2048 kB")),
            ("Vm", None),
            ("no colon", None),
        ] {
            assert_eq!(field(text, name), value, "{name}");
        }
    }

    #[test]
    fn sizes_are_in_kibibytes() {
        for (value, parsed) in
            [("2048 kB", Some(2 << 20)), ("2048", None), ("-1 kB", None), ("18446744073709551615 kB", None)]
        {
            assert_eq!(bytes(value), parsed, "{value}");
        }
    }

    #[test]
    fn signals_are_bits_of_a_mask() {
        for (mask, signal, found) in [
            ("0000000000000003", 1, Some(true)),
            ("0000000000000003", 2, Some(true)),
            ("0000000000000003", 15, Some(false)),
            ("0000000000004000", 15, Some(true)),
            ("8000000000000000", 64, Some(true)),
            ("8000000000000000", 65, None),
            ("1", 0, None),
            ("x", 1, None),
        ] {
            assert_eq!(has_signal(mask, signal), found, "{mask} {signal}");
        }
    }
}
