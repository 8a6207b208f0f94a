//! The API of the Docker engine, or of one like it, on its Unix socket: what a container may use, and what it has used.
//! <https://docs.docker.com/reference/api/engine/version/v1.41/>

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow, bail, ensure};
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::bench::load::client::ask_once;

const SOCKET: &str = "/var/run/docker.sock";

/// Engines before 20.10 know no `one-shot`, and wait for a second sample.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(super) struct Engine {
    socket: PathBuf,
}

/// Cores and bytes; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) cpu: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stats {
    pub(super) at: Instant,
    pub(super) cpu_seconds: f64,
    /// How long its CPU cap kept it from running.
    pub(super) throttled_seconds: Option<f64>,
    /// Without the page cache that can be given back, as `docker stats` shows it.
    pub(super) memory_bytes: Option<f64>,
}

impl Engine {
    /// At the socket that `DOCKER_HOST` names.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        match std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
            None => Ok(Self { socket: SOCKET.into() }),
            Some(host) => {
                let socket = host.strip_prefix("unix://").with_context(|| {
                    format!("DOCKER_HOST is {host}: only the socket of an engine on this machine is supported, for example unix://{SOCKET}")
                })?;
                Ok(Self { socket: socket.into() })
            }
        }
    }

    /// # Errors
    /// When there is no engine, no such container, or it does not run.
    pub(super) async fn limits(&self, container: &str) -> anyhow::Result<Limits> {
        let (status, body) = self.get(&format!("/containers/{container}/json")).await?;
        ensure!(status != 404, "no such container; `docker ps` lists those that run");
        ensure!(status == 200, "the Docker engine at {} answers {status}", self.socket.display());
        let inspected: Inspected = parsed(&body).context("the Docker engine's answer is not understood")?;
        if !inspected.state.running {
            bail!("the container does not run");
        }
        Ok(inspected.host_config.limits())
    }

    /// `None` while the container does not run.
    pub(super) async fn stats(&self, container: &str) -> Option<Stats> {
        let path = format!("/containers/{container}/stats?stream=false&one-shot=true");
        let (status, body) = self.get(&path).await.ok()?;
        if status != 200 {
            return None;
        }
        parsed::<Reported>(&body)?.stats()
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let socket = self.socket.display();
        let request = Request::get(path).header("Host", "docker").body(Full::default());
        let request = request.context("not the name of a container")?;
        let ask = async {
            let stream = UnixStream::connect(&self.socket).await.with_context(|| {
                format!("no access to a Docker engine at {socket}; start it, or name its socket with DOCKER_HOST=unix://PATH")
            })?;
            let reply = ask_once(stream, request).await;
            reply.map_err(|_| anyhow!("what listens at {socket} is not a Docker engine"))
        };
        let reply = timeout(TIMEOUT, ask).await;
        let reply = reply.with_context(|| format!("the Docker engine at {socket} does not answer"))??;
        Ok((reply.status, reply.body))
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: State,
    host_config: HostConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    running: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    nano_cpus: i64,
    cpu_quota: i64,
    cpu_period: i64,
    memory: i64,
}

impl HostConfig {
    /// 0 is no limit, and so is a quota of -1.
    fn limits(&self) -> Limits {
        let above_0 = |value: i64| (value > 0).then_some(value as f64);
        // The kernel's own, where none was given.
        let period = above_0(self.cpu_period).unwrap_or(100_000.0);
        Limits {
            cpu: above_0(self.nano_cpus)
                .map(|nano| nano / 1e9)
                .or(above_0(self.cpu_quota).map(|quota| quota / period)),
            memory_bytes: above_0(self.memory),
        }
    }
}

#[derive(Deserialize)]
struct Reported {
    read: String,
    cpu_stats: CpuStats,
    #[serde(default)]
    memory_stats: MemoryStats,
}

#[derive(Deserialize)]
struct CpuStats {
    cpu_usage: CpuUsage,
    throttling_data: Option<Throttling>,
}

#[derive(Deserialize)]
struct CpuUsage {
    total_usage: u64,
}

#[derive(Deserialize)]
struct Throttling {
    #[serde(default)]
    throttled_time: u64,
}

#[derive(Default, Deserialize)]
struct MemoryStats {
    usage: Option<u64>,
    #[serde(default)]
    stats: BTreeMap<String, u64>,
}

impl Reported {
    /// `None` if nothing was read: the container does not run, and all its figures are 0.
    fn stats(&self) -> Option<Stats> {
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        if self.read.starts_with("0001-") {
            return None;
        }
        // The engine's own time, because the answer may come late; another clock's time is of no use, nor is that of
        // another time zone, which Podman gives.
        let read = humantime::parse_rfc3339(&self.read).ok();
        let age =
            read.and_then(|read| SystemTime::now().duration_since(read).ok()).filter(|age| *age < TIMEOUT);
        let now = Instant::now();
        Some(Stats {
            at: age.and_then(|age| now.checked_sub(age)).unwrap_or(now),
            cpu_seconds: seconds(self.cpu_stats.cpu_usage.total_usage),
            throttled_seconds: self.cpu_stats.throttling_data.as_ref().map(|t| seconds(t.throttled_time)),
            memory_bytes: self.memory_stats.in_use(),
        })
    }
}

impl MemoryStats {
    /// Of cgroups of version 1, `total_` is with those below; version 2 has no such field.
    fn in_use(&self) -> Option<f64> {
        let (usage, stats) = (self.usage?, &self.stats);
        let inactive = stats.get("total_inactive_file").or(stats.get("inactive_file")).copied();
        Some(usage.saturating_sub(inactive.unwrap_or(0)) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Docker 20.10 with cgroups of version 1, about a container with `--cpus 0.25 --memory 64m`.
    const STATS: &str = include_str!("../../../../tests/load/fixtures/docker-stats.json");
    const INSPECTED: &str = include_str!("../../../../tests/load/fixtures/docker-inspect.json");

    #[test]
    fn stats_are_those_that_docker_stats_shows() {
        let stats = parsed::<Reported>(STATS.as_bytes()).expect("JSON").stats().expect("a sample");
        assert_eq!((stats.cpu_seconds, stats.throttled_seconds), (0.581_095_826, Some(0.821_567_31)));
        // `docker stats` showed 396 KiB: usage 1,146,880 less inactive files 741,376.
        assert_eq!(stats.memory_bytes, Some(405_504.0));
    }

    #[test]
    fn memory_of_both_versions_of_cgroups_is_known() {
        for (text, wanted) in [
            (r#"{"usage":100,"stats":{"inactive_file":30}}"#, Some(70.0)),
            (r#"{"usage":100,"stats":{"total_inactive_file":30,"inactive_file":5}}"#, Some(70.0)),
            (r#"{"usage":100,"stats":{"inactive_file":130}}"#, Some(0.0)),
            (r#"{"usage":100}"#, Some(100.0)),
            ("{}", None),
        ] {
            let memory: MemoryStats = serde_json::from_str(text).expect(text);
            assert_eq!(memory.in_use(), wanted, "{text}");
        }
    }

    #[test]
    fn a_container_that_does_not_run_has_no_stats() {
        // What Docker 20.10 answers then.
        let stopped = r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{}}"#;
        assert_eq!(parsed::<Reported>(stopped.as_bytes()).expect("JSON").stats(), None);
        for other in [
            "",
            "[]",
            "{}",
            r#"{"read":"2026-11-27T09:17:03Z","cpu_stats":{"cpu_usage":{"total_usage":-1}}}"#,
        ] {
            assert!(parsed::<Reported>(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_time_of_another_zone_is_taken_for_now() {
        let text = STATS.replacen("Z\"", "+02:00\"", 1);
        assert!(text != STATS && parsed::<Reported>(text.as_bytes()).expect("JSON").stats().is_some());
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let inspected: Inspected = serde_json::from_str(INSPECTED).expect("JSON");
        let limits = inspected.host_config.limits();
        assert!(inspected.state.running);
        assert_eq!(limits, Limits { cpu: Some(0.25), memory_bytes: Some(67_108_864.0) });
        for (text, cpu, memory_bytes) in [
            (r#"{"NanoCpus":0,"CpuQuota":0,"CpuPeriod":0,"Memory":0}"#, None, None),
            (r#"{"CpuQuota":-1,"Memory":-1}"#, None, None),
            (r#"{"CpuQuota":50000}"#, Some(0.5), None),
            (r#"{"CpuQuota":30000,"CpuPeriod":20000,"Memory":1}"#, Some(1.5), Some(1.0)),
            ("{}", None, None),
        ] {
            let config: HostConfig = serde_json::from_str(text).expect(text);
            assert_eq!(config.limits(), Limits { cpu, memory_bytes }, "{text}");
        }
    }
}
