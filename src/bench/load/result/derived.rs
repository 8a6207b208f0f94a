//! Figures that follow from saved ones: add one here, and a line in `report/columns.rs` shows it.

use super::run::{Endpoint, Endpoints, Load, Measured, Phase, Plan, Second, Stage, Verdict};
use super::usage::Usage;

/// Share of failed requests up to which the others stand for all.
pub(crate) const TOLERATED_FAILURES: f64 = 0.01;

/// Share of all cores from which on a server counts as busy.
const BUSY_SERVER: f64 = 0.85;

impl Endpoint {
    /// Good answers per second: a server that refuses fast is not fast.
    pub(crate) fn good_per_s(&self) -> f64 {
        self.rps - self.failures_per_s
    }

    /// Failed requests among all, 0 to 1; 0 without requests.
    pub(crate) fn failure_share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failures as f64 / self.requests as f64 }
    }
}

impl Plan {
    /// Of a closed loop; of an open one, its connections.
    pub(crate) fn users(&self) -> usize {
        match self.load {
            Load::Closed { users, .. } | Load::Open { connections: users, .. } => users,
        }
    }

    /// Whether users wait between two requests, so that they may limit the load.
    pub(crate) fn has_think_time(&self) -> bool {
        matches!(self.load, Load::Closed { think_s: [_, max], .. } if max > 0.0)
    }
}

impl Verdict {
    /// Whether the figures are not to be relied on.
    pub(crate) fn spoils_figures(self) -> bool {
        match self {
            Self::Valid | Self::NotSaturated => false,
            Self::ClientSaturated | Self::Unstable | Self::TooShort | Self::Failed => true,
        }
    }
}

impl Measured {
    /// Those of the whole run, where it has no steady state.
    pub(crate) fn steady_endpoints(&self) -> &Endpoints {
        self.steady_state.as_ref().map_or(&self.endpoints, |phase| &phase.endpoints)
    }

    pub(crate) fn steady_total(&self) -> &Endpoint {
        &self.steady_endpoints().total
    }

    pub(crate) fn steady_endpoint(&self, path: Option<&str>) -> Option<&Endpoint> {
        let endpoints = self.steady_endpoints();
        path.map_or(Some(&endpoints.total), |path| endpoints.each.iter().find(|e| e.name == path))
    }

    pub(crate) fn steady_seconds(&self) -> impl Iterator<Item = &Second> {
        steady_seconds(&self.series, self.steady_state.as_ref())
    }

    /// The part of a prediction's time, if the servers report it.
    pub(crate) fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Cores that the servers used of those of this machine, in the steady state; `None` if that of some is not known.
    pub(crate) fn local_server_cpu(&self) -> Option<f64> {
        if self.has_containers_of_all() {
            return self.containers.iter().map(|container| container.cpu_mean).sum();
        }
        if !self.replicas.is_empty() {
            let local: Vec<_> = self.replicas.iter().filter(|replica| replica.shares_machine).collect();
            let used: Option<f64> = local.iter().map(|replica| replica.usage.as_ref()?.cpu_mean).sum();
            return used.filter(|_| !local.is_empty());
        }
        let local = self.targets.iter().filter(|t| t.shares_machine);
        local.filter_map(|t| t.usage.as_ref()?.cpu_mean).reduce(|a, b| a + b)
    }

    /// Of the container that used most; without containers, of the replica or server.
    pub(crate) fn memory_max_bytes(&self) -> Option<f64> {
        let of = |usage: &Option<Usage>| usage.as_ref()?.rss_max_bytes;
        let containers = self.containers.iter().filter_map(|container| container.memory_max_bytes);
        let replicas = self.replicas.iter().filter_map(|replica| of(&replica.usage));
        let targets = self.targets.iter().filter_map(|target| of(&target.usage));
        let most = containers.reduce(f64::max).or_else(|| replicas.reduce(f64::max));
        most.or_else(|| targets.reduce(f64::max))
    }

    /// Whether there are as many containers as servers, as far as is known: then they are what the servers run in.
    fn has_containers_of_all(&self) -> bool {
        let servers = self.targets.len().max(self.replicas.len()).max(self.served_by.len());
        self.containers.len() >= servers
    }

    /// The cores that the CPU caps of the servers' containers leave them; `None` unless each has a cap, and all together
    /// less than this machine has.
    pub(crate) fn cpu_caps(&self, cores: Option<usize>) -> Option<f64> {
        if !self.has_containers_of_all() {
            return None;
        }
        let caps: Option<f64> = self.containers.iter().map(|container| container.cpu_cap).sum();
        caps.filter(|caps| cores.is_none_or(|cores| *caps < cores as f64))
    }

    /// What the servers may use of this machine's `cores`.
    pub(crate) fn server_cores(&self, cores: Option<usize>) -> Option<f64> {
        self.cpu_caps(cores).or(cores.map(|cores| cores as f64))
    }

    /// Requests that waited for a worker in the steady state, on average: of all replicas together; of servers without a
    /// balancer, the most.
    pub(crate) fn queue_mean(&self) -> Option<f64> {
        let of = |usage: &Option<Usage>| usage.as_ref()?.queue_mean;
        if self.replicas.is_empty() {
            return self.targets.iter().filter_map(|t| of(&t.usage)).reduce(f64::max);
        }
        self.replicas.iter().filter_map(|replica| of(&replica.usage)).reduce(|a, b| a + b)
    }

    /// [`Self::queue_mean`] for one server of those whose queue is known.
    pub(crate) fn queue_of_one(&self) -> Option<f64> {
        let known = self.replicas.iter().filter(|r| r.usage.as_ref().is_some_and(|u| u.queue_mean.is_some()));
        Some(self.queue_mean()? / known.count().max(1) as f64)
    }

    pub(crate) fn busy(&self, cores: Option<usize>) -> Option<f64> {
        self.local_server_cpu().zip(self.server_cores(cores)).map(|(used, cores)| used / cores)
    }

    /// Whether the queue or CPU time of a server shows that it could do no more: then this was its capacity.
    pub(crate) fn server_was_full(&self, cores: Option<usize>) -> bool {
        self.queue_of_one().is_some_and(|queue| queue >= 1.0) || self.cores_were_busy(cores)
    }

    pub(crate) fn cores_were_busy(&self, cores: Option<usize>) -> bool {
        self.busy(cores).is_some_and(|busy| busy >= BUSY_SERVER)
    }

    /// Think time as planned, on average; `None` in an open loop.
    pub(crate) fn think_s(&self) -> Option<f64> {
        match self.plan.load {
            Load::Closed { think_s: [min, max], .. } => Some(self.think_mean_s.unwrap_or((min + max) / 2.0)),
            Load::Open { .. } => None,
        }
    }
}

/// Whole seconds of the steady state.
pub(crate) fn steady_seconds<'s>(
    series: &'s [Second],
    steady_state: Option<&Phase>,
) -> impl Iterator<Item = &'s Second> {
    let from_s = steady_state.map_or(f64::INFINITY, |phase| phase.from_s);
    let is_whole = move |(n, second): &(usize, &Second)| {
        // The last second may be a short one.
        second.at_s > *n as f64 + 0.99 && second.at_s - 0.99 >= from_s
    };
    series.iter().enumerate().filter(is_whole).map(|(_, second)| second)
}

/// `None` without values.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;
    use crate::bench::load::result::run::Arrival;

    #[test]
    fn good_answers_and_failures_are_parts_of_all_requests() {
        let mut endpoint = fixture::measured().endpoints.total;
        (endpoint.requests, endpoint.failures, endpoint.rps, endpoint.failures_per_s) = (200, 50, 40.0, 10.0);
        assert_eq!((endpoint.good_per_s(), endpoint.failure_share()), (30.0, 0.25));
        endpoint.requests = 0;
        assert_eq!(endpoint.failure_share(), 0.0);
    }

    #[test]
    fn the_steady_state_has_whole_seconds_with_all_users() {
        let generator_cpu =
            |run: &Measured| mean(run.steady_seconds().filter_map(|second| second.generator_cpu));
        let ends = |run: &Measured| run.steady_seconds().map(|second| second.at_s).collect::<Vec<_>>();
        let mut run = fixture::measured();
        assert_eq!(ends(&run), [2.0, 3.0, 4.0, 5.0]);
        run.series[4].at_s = 4.5;
        assert_eq!(ends(&run), [2.0, 3.0, 4.0]);
        run.steady_state.as_mut().expect("a steady state").from_s = 1.5;
        assert_eq!(ends(&run), [3.0, 4.0]);
        run.series[2].generator_cpu = None;
        run.series[3].generator_cpu = Some(0.5);
        assert_eq!(generator_cpu(&run), Some(0.5));
        run.steady_state = None;
        assert!(ends(&run).is_empty() && generator_cpu(&run).is_none());
        assert_eq!(run.steady_total().requests, 204, "the whole run");
    }

    #[test]
    fn servers_on_this_machine_share_its_cores() {
        let mut run = fixture::measured();
        let mut second = run.targets[0].clone();
        second.usage.as_mut().expect("usage").queue_mean = Some(0.9);
        run.targets.push(second);
        assert_eq!((run.local_server_cpu(), run.queue_mean()), (Some(2.4), Some(0.9)));
        assert!(run.server_was_full(Some(2)) && !run.server_was_full(Some(3)) && !run.server_was_full(None));
        run.targets[1].shares_machine = false;
        assert_eq!((run.local_server_cpu(), run.busy(Some(2))), (Some(1.2), Some(0.6)));
        run.targets[1].usage.as_mut().expect("usage").queue_mean = Some(1.0);
        assert!(run.server_was_full(None));
    }

    #[test]
    fn replicas_are_one_server_with_the_sum_of_their_queues() {
        let mut run = fixture::balanced();
        run.containers.clear();
        assert_eq!((run.local_server_cpu(), run.busy(Some(2))), (Some(0.9), Some(0.45)));
        assert_eq!((run.queue_mean(), run.queue_of_one()), (Some(1.5), Some(0.75)));
        assert!(!run.server_was_full(Some(2)));
        run.replicas[0].usage.as_mut().expect("usage").queue_mean = Some(1.25);
        assert_eq!((run.queue_of_one(), run.server_was_full(Some(2))), (Some(1.0), true));
        run.replicas[0].shares_machine = false;
        assert_eq!(run.local_server_cpu(), Some(0.45));
        run.replicas[1].usage = None;
        assert_eq!(
            (run.local_server_cpu(), run.queue_mean(), run.queue_of_one()),
            (None, Some(1.25), Some(1.25))
        );
    }

    #[test]
    fn caps_of_containers_are_the_cores_of_their_servers() {
        let mut run = fixture::balanced();
        let figures = |run: &Measured| (run.local_server_cpu(), run.cpu_caps(Some(2)), run.busy(Some(2)));
        assert_eq!(figures(&run), (Some(0.96), Some(1.0), Some(0.96)));
        assert!(run.server_was_full(Some(2)));
        // Caps beyond the machine are none.
        assert_eq!((run.cpu_caps(Some(1)), run.server_cores(Some(1))), (None, Some(1.0)));
        assert_eq!((run.cpu_caps(None), run.server_cores(None)), (Some(1.0), Some(1.0)));
        run.containers[1].cpu_cap = None;
        assert_eq!(figures(&run), (Some(0.96), None, Some(0.48)));
        // One of two containers says little of both servers.
        run.containers.truncate(1);
        assert_eq!(figures(&run), (Some(0.9), None, Some(0.45)));
        run.replicas.clear();
        assert_eq!(run.local_server_cpu(), None, "two names have answered");
        run.served_by.clear();
        assert_eq!(figures(&run), (Some(0.48), Some(0.5), Some(0.96)));
        run.containers[0].cpu_mean = None;
        assert_eq!(run.local_server_cpu(), None);
    }

    #[test]
    fn think_time_is_as_drawn_or_as_planned() {
        let mut run = fixture::measured();
        run.think_mean_s = Some(1.9);
        assert_eq!(run.think_s(), Some(1.9));
        run.think_mean_s = None;
        assert_eq!(run.think_s(), Some(2.0));
        run.plan.load = Load::Open { rate: 1.0, arrival: Arrival::Constant, connections: 3 };
        assert_eq!((run.think_s(), run.plan.users()), (None, 3));
    }
}
