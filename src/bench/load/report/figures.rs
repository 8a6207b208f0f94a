//! Figures as people read them. A dash is one that is not known, most often because of too few samples.

pub(super) use crate::bench::load::result::notation::{duration, failures_by_kind};
use crate::bench::load::result::{Endpoint, Phase};

/// Milliseconds to about three digits, without the unit.
pub(super) fn ms(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |ms| match ms {
        ms if ms < 9.995 => format!("{ms:.2}"),
        ms if ms < 99.95 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    })
}

/// `12.3 ms`, `12.3 s`
pub(super) fn latency(value: Option<f64>) -> String {
    match value {
        Some(ms) if ms >= 1e4 => format!("{:.1} s", ms / 1e3),
        Some(_) => format!("{} ms", ms(value)),
        None => "-".to_owned(),
    }
}

pub(super) fn p95(endpoint: &Endpoint) -> String {
    match endpoint.p95_ms {
        Some(_) => format!("p95 {}", latency(endpoint.p95_ms)),
        None => "too few requests for a p95".to_owned(),
    }
}

pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        r if r < 9.995 => format!("{r:.2}"),
        r if r < 999.95 => format!("{r:.1}"),
        r => format!("{r:.0}"),
    }
}

/// `0 %`, `0.02 %`, `3.1 %`, `97 %` from a share of 1. A small share is not rounded to zero.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let size = percent.abs();
    match size {
        0.0 => "0 %".to_owned(),
        s if s < 0.01 => "< 0.01 %".to_owned(),
        s if s < 0.995 => format!("{percent:.2} %"),
        s if s < 9.95 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// `1.50`
pub(super) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |r| format!("{r:.2}"))
}

pub(super) fn mebibytes(bytes: Option<f64>) -> String {
    bytes.map_or("-".to_owned(), |b| format!("{:.0} MiB", b / f64::from(1 << 20)))
}

pub(super) fn whole(count: Option<f64>) -> String {
    count.map_or("-".to_owned(), |count| format!("{count:.0}"))
}

/// `+82 %`, `-3.1 %`
pub(super) fn change(share: Option<f64>) -> String {
    let sign = |share| if share > 0.0 { "+" } else { "" };
    share.map_or("-".to_owned(), |s| format!("{}{}", sign(s), percent(s)))
}

/// `0:42`, the time since the start of a run.
pub(super) fn clock(seconds: f64) -> String {
    if seconds < 60.0 && seconds.fract() > 1e-6 {
        return format!("{seconds:.1} s");
    }
    let seconds = seconds.round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// `2026-11-25 07:12 UTC`; a text that is not a time is left as it is.
pub(super) fn date(rfc3339: &str) -> String {
    let Ok(time) = humantime::parse_rfc3339_weak(rfc3339) else { return rfc3339.to_owned() };
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.get(..16).map_or(text.clone(), |minutes| format!("{} UTC", minutes.replace('T', " ")))
}

pub(super) fn phase_total(phase: Option<&Phase>) -> Option<&Endpoint> {
    phase.map(|phase| &phase.endpoints.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_three_digits_are_shown() {
        assert_eq!([0.4321, 9.996, 99.96, 1234.5].map(|v| ms(Some(v))), ["0.43", "10.0", "100", "1234"]);
        assert_eq!([0.5, 52.345, 12345.6].map(rate), ["0.50", "52.3", "12346"]);
        assert_eq!((latency(Some(12_345.0)), latency(None)), ("12.3 s".into(), "-".into()));
    }

    #[test]
    fn a_failure_among_many_is_not_rounded_away() {
        assert_eq!(
            [0.0, 1e-6, 0.0042, 0.031, 0.97].map(percent),
            ["0 %", "< 0.01 %", "0.42 %", "3.1 %", "97 %"]
        );
    }

    #[test]
    fn a_place_in_a_run_is_minutes_and_seconds() {
        assert_eq!([0.0, 42.0, 61.0, 2.5].map(clock), ["0:00", "0:42", "1:01", "2.5 s"]);
    }
}
