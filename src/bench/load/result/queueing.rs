//! How long requests wait for a worker, by formula: the queue M/G/c, several servers (here the workers of a server) with one
//! queue, requests at random times (a Poisson process) and service times of any distribution.
//!
//! Erlang's C and the exponential wait of those that have to wait are exact for M/M/c. The factor (1 + cv²)/2 for other
//! distributions is the approximation of Allen and Cunneen, exact for one server: A. O. Allen, *Probability, Statistics, and
//! Queueing Theory*, 2nd ed., 1990; W. Whitt, "Approximations for the GI/G/m queue", *Production and Operations Management*
//! 2(2), 1993.

/// The wait of requests, in the time unit of the service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    /// Probability that a request has to wait.
    probability: f64,
    /// Mean wait of those that have to.
    mean_of_waiting: f64,
}

impl Wait {
    /// At `servers` with this utilisation (0 to 1), a mean service time and its coefficient of variation. `None` where the
    /// queue grows without end.
    pub(crate) fn of(servers: usize, utilisation: f64, mean_service: f64, variation: f64) -> Option<Self> {
        let probability = erlang_c(servers, servers as f64 * utilisation)?;
        let exponential = mean_service / (servers as f64 * (1.0 - utilisation));
        Some(Self { probability, mean_of_waiting: exponential * (1.0 + variation * variation) / 2.0 })
    }

    /// Of all requests.
    pub(crate) fn mean(&self) -> f64 {
        self.probability * self.mean_of_waiting
    }

    /// Share of requests that wait longer than `time`.
    fn beyond(&self, time: f64) -> f64 {
        match time {
            t if t < 0.0 => 1.0,
            t => self.probability * (-t / self.mean_of_waiting).exp(),
        }
    }

    /// The time below which a share of all responses is: a wait, and a response time as it would be without one.
    pub(crate) fn response_percentile(&self, without_wait: &Times, share: f64) -> f64 {
        let beyond = |time: f64| without_wait.expectation(|t| self.beyond(time - t));
        let mut above = without_wait.max().max(f64::MIN_POSITIVE);
        while beyond(above) > 1.0 - share {
            above *= 2.0;
        }
        let mut below = 0.0;
        // Halved 60 times, an interval is smaller than the precision of its ends.
        for _ in 0..60 {
            let middle = f64::midpoint(below, above);
            if beyond(middle) > 1.0 - share { below = middle } else { above = middle }
        }
        above
    }
}

/// Probability that a request finds all servers busy, if they have `load` erlang to do (arrivals per service time).
fn erlang_c(servers: usize, load: f64) -> Option<f64> {
    let utilisation = load / servers as f64;
    if !(0.0..1.0).contains(&utilisation) {
        return None;
    }
    // Erlang's B of one server more each: the factorials of the closed form overflow at 171 servers.
    let blocked = (1..=servers).fold(1.0, |b, n| load * b / (n as f64 + load * b));
    Some(blocked / (1.0 - utilisation * (1.0 - blocked)))
}

/// A distribution of times.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// A time and its share; the shares sum up to 1.
    points: Vec<(f64, f64)>,
}

/// Points that stand for a bin of a histogram, so that a wide one is no step.
const POINTS: u32 = 8;

impl Times {
    /// From the ends of bins and their counts. `None` if they hold nothing.
    pub(crate) fn of_bins(bins: impl Iterator<Item = ([f64; 2], u64)> + Clone) -> Option<Self> {
        let all: u64 = bins.clone().map(|(_, count)| count).sum();
        let spread = |([from, to], count): ([f64; 2], u64)| {
            let share = count as f64 / all as f64 / f64::from(POINTS);
            (0..POINTS).map(move |n| (from + (to - from) * (f64::from(n) + 0.5) / f64::from(POINTS), share))
        };
        (all > 0).then(|| Self { points: bins.flat_map(spread).collect() })
    }

    pub(crate) fn mean(&self) -> f64 {
        self.expectation(|t| t)
    }

    /// Standard deviation over mean.
    pub(crate) fn variation(&self) -> f64 {
        let mean = self.mean();
        let variance = self.expectation(|t| (t - mean).powi(2));
        if mean > 0.0 { variance.sqrt() / mean } else { 0.0 }
    }

    fn max(&self) -> f64 {
        self.points.iter().map(|(time, _)| *time).fold(0.0, f64::max)
    }

    fn expectation(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.points.iter().map(|(time, share)| share * of(*time)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64, tolerance: f64) {
        assert!((found / wanted - 1.0).abs() <= tolerance, "{found}, not {wanted}");
    }

    /// All responses take this time.
    fn fixed(time: f64) -> Times {
        Times { points: vec![(time, 1.0)] }
    }

    /// Closed forms: C(1, a) = a; C(2, a) = a²/(2 + a); C(3, a) = a³/(a² + 4a + 6). The others are from the sum of its
    /// definition, calculated with mpmath to 60 digits; printed tables have four of them, e.g. C(10, 8) = 0.4092.
    #[test]
    fn erlangs_c_is_that_of_the_tables() {
        for (servers, load, wanted) in [
            (1, 0.7, 0.7),
            (2, 1.0, 1.0 / 3.0),
            (2, 1.7, 1.7 * 1.7 / 3.7),
            (3, 2.0, 8.0 / 18.0),
            (5, 4.0, 0.554_112_554_113),
            (10, 8.0, 0.409_180_150_796),
            (100, 90.0, 0.216_940_480_906),
            (1000, 990.0, 0.659_080_421_881),
        ] {
            near(erlang_c(servers, load).expect("less than the servers can do"), wanted, 1e-10);
        }
        assert_eq!((erlang_c(4, 0.0), erlang_c(2, 2.0), erlang_c(2, 3.0)), (Some(0.0), None, None));
        assert_eq!(erlang_c(0, 1.0), None);
    }

    /// M/M/1: W = ρS/(1 - ρ). M/D/1, by Pollaczek and Khinchine: half of it. M/M/2: W = ρ²S/(1 - ρ²).
    #[test]
    fn mean_waits_are_those_of_closed_forms() {
        for utilisation in [0.1, 0.5, 0.9, 0.99] {
            let wait =
                |servers, variation| Wait::of(servers, utilisation, 10.0, variation).expect("a queue").mean();
            let rho: f64 = utilisation;
            near(wait(1, 1.0), 10.0 * rho / (1.0 - rho), 1e-12);
            near(wait(1, 0.0), 5.0 * rho / (1.0 - rho), 1e-12);
            near(wait(2, 1.0), 10.0 * rho * rho / (1.0 - rho * rho), 1e-12);
        }
        assert!(Wait::of(2, 1.0, 10.0, 0.0).is_none());
    }

    /// M/M/1: response times are exponential with the mean S/(1 - ρ), exactly. The bins are those of exponential services.
    #[test]
    fn percentiles_of_exponential_services_are_exact() {
        let edge = |n: u32| -(1.0 - f64::from(n) / 10_000.0).ln();
        let bins = (0..9_999).map(|n| ([edge(n), edge(n + 1)], 1));
        let services = Times::of_bins(bins).expect("bins");
        near(services.mean(), 1.0, 0.002);
        near(services.variation(), 1.0, 0.02);
        for utilisation in [0.3, 0.6, 0.9] {
            let wait = Wait::of(1, utilisation, 1.0, 1.0).expect("a queue");
            for share in [0.5, 0.95, 0.99] {
                let exact = -(1.0_f64 - share).ln() / (1.0 - utilisation);
                near(wait.response_percentile(&services, share), exact, 0.003);
            }
        }
    }

    /// M/D/1: P(W <= t) = (1 - ρ) Σ (ρ(k - t))^k e^(ρ(t - k)) / k! over k <= t (Erlang 1909), solved for 95 % with mpmath.
    /// That the wait is exponential is an approximation here: 10 % is enough for planning.
    #[test]
    fn percentiles_of_equal_services_are_near() {
        for (utilisation, wait_95) in [(0.5, 2.050_638), (0.8, 6.620_325), (0.9, 14.128_674)] {
            let wait = Wait::of(1, utilisation, 1.0, 0.0).expect("a queue");
            near(wait.response_percentile(&fixed(1.0), 0.95), 1.0 + wait_95, 0.1);
        }
    }

    #[test]
    fn without_load_responses_are_as_without_a_queue() {
        let wait = Wait::of(2, 0.0, 10.0, 0.3).expect("a queue");
        assert_eq!(wait.mean(), 0.0);
        let bins = [([9.0, 11.0], 90), ([20.0, 20.0], 10)];
        let times = Times::of_bins(bins.into_iter()).expect("bins");
        near(wait.response_percentile(&times, 0.95), 20.0, 1e-9);
        near(wait.response_percentile(&times, 0.45), 10.0, 0.02);
        near(times.mean(), 11.0, 1e-9);
        assert!(Times::of_bins([([1.0, 2.0], 0)].into_iter()).is_none());
    }
}
