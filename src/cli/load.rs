//! The flags of a load test: `skinclf bench --url`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser as _;
use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::attachment::Attachment;
use super::compared::Compared;
use super::condition::Condition;
use super::load_values::{Arrival, ContainerName, MetricsUrl, Mix, PerSecond, Sweep, Think};
use super::values::{count, positive_duration, whole};
use crate::destination;
use crate::url::Target;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load test over HTTP",
          group = ArgGroup::new("runs").multiple(true).args(["urls", "from", "compare"]))]
pub(crate) struct LoadArgs {
    /// Server to test, e.g. http://localhost:8000; repeat the flag to spread the users over several servers
    #[arg(long = "url", visible_alias = "host", value_name = "URL", value_hint = ValueHint::Url,
          conflicts_with_all = ["iterations", "warmup", "image"])]
    pub(crate) urls: Vec<Target>,

    /// Replica behind the load balancer of --url, whose requests, CPU, memory and queue are read from its /metrics;
    /// repeat the flag for each replica
    ///
    /// URL is the address of the replica, with or without /metrics at the end. Reports call it NAME [default: host and port].
    /// If NAME is what the balancer sends in the response header X-Served-By, the generator's count of its answers is in the
    /// same row. With this flag, the server of --url is not asked for /metrics.
    #[arg(long = "metrics-url", value_name = "[NAME=]URL", value_hint = ValueHint::Url, requires = "urls")]
    pub(crate) metrics_urls: Vec<MetricsUrl>,

    /// Container of a server (not of the balancer), whose CPU, memory and limits are read from the Docker engine; repeat the
    /// flag for each container
    ///
    /// The engine is asked once a second through its socket, /var/run/docker.sock or that of DOCKER_HOST=unix://PATH. If all
    /// servers run in these containers and each has a CPU limit, the verdict compares the CPU used with the sum of the limits
    /// in place of the machine's cores.
    #[arg(long = "container", value_name = "NAME", requires = "urls")]
    pub(crate) containers: Vec<ContainerName>,

    /// Predefined test: number of users, spawn rate and duration
    #[arg(long, value_enum, value_name = "NAME", requires = "urls")]
    pub(crate) scenario: Option<Scenario>,

    /// Concurrent users; with --rate, the maximum number of requests in flight [default: 10, with --rate 1000]
    #[arg(short, long, value_name = "N", requires = "urls", conflicts_with = "scenario", value_parser = count)]
    pub(crate) users: Option<NonZeroUsize>,

    /// Number of users that start per second [default: all within the first second]
    #[arg(long, visible_short_alias = 'r', value_name = "N", requires = "urls",
          conflicts_with_all = ["scenario", "rate"])]
    pub(crate) spawn_rate: Option<PerSecond>,

    /// Duration of the test, ramp-up included, e.g. 2m [default: 30s, or that of --scenario]
    #[arg(long, visible_alias = "run-time", visible_short_alias = 't', value_name = "TIME", requires = "urls",
          value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,

    /// Think time: how long a user waits between two requests; 0 with enough users saturates the server
    #[arg(long, value_name = "MIN-MAX", default_value = "1s-3s", requires = "urls", conflicts_with = "rate")]
    pub(crate) think: Think,

    /// Requests to send and their weights: predict posts an image as form field "file", any other NAME is GET /NAME
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = "predict=4,health=1", requires = "urls")]
    pub(crate) mix: Mix,

    /// Directory of images to post in turn [default: three embedded synthetic images]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "urls")]
    pub(crate) images: Option<PathBuf>,

    /// Open loop: start N requests per second whether or not earlier ones were answered; latency counts from the scheduled start
    #[arg(long, value_name = "N", requires = "urls", conflicts_with_all = ["scenario", "sweep"])]
    pub(crate) rate: Option<PerSecond>,

    /// Spacing of the request starts of --rate
    #[arg(long, value_enum, default_value_t = Arrival::Constant, requires = "rate")]
    pub(crate) arrival: Arrival,

    /// One run for each number of users, e.g. users=1,2,4,8; finds the knee, beyond which more users only add latency
    #[arg(long, value_name = "users=N,…", requires = "urls", conflicts_with_all = ["scenario", "users"])]
    pub(crate) sweep: Option<Sweep>,

    /// Time limit for one response
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "urls", value_parser = positive_duration)]
    pub(crate) timeout: Duration,

    /// Do not compare the server's predictions with local ones of the same images
    #[arg(long, requires = "urls")]
    pub(crate) no_check: bool,

    /// Seed of the random order of requests and of the think times
    #[arg(long, value_name = "N", default_value_t = 1, requires = "urls", value_parser = whole::<u64>(0..=u64::MAX, 1))]
    pub(crate) seed: u64,

    /// API key to send, if the server requires one
    #[arg(long, value_name = "KEY", env = "SKINCLF_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,

    /// Exit with status 3 if CONDITION holds or cannot be evaluated, e.g. p95>500ms, rps<100 or predict:p99>1s
    ///
    /// Figures are p50 (median), p90, p95, p99, p99.9, average (avg), min, max, failures and rps (successful requests per
    /// second). They are those of the steady state, which begins when the last user has started; a run without a steady
    /// state is evaluated as a whole. If a condition is about failures, e.g. failures>1%, failed requests within
    /// that limit do not cause exit status 1.
    #[arg(long, value_name = "CONDITION", requires = "urls")]
    pub(crate) fail_if: Vec<Condition>,

    /// Also write a report: a page with charts if FILE ends in .html or .htm, a document if it ends in .md
    #[arg(long, value_name = "FILE", value_parser = clap::builder::PathBufValueParser::new().try_map(report_file),
          value_hint = ValueHint::FilePath, requires = "runs")]
    pub(crate) report: Vec<PathBuf>,

    /// Include FILE in the report that ends in .md: a picture as a link, the beginning of a text or log file as a block,
    /// another .md file as a section
    ///
    /// Pictures are .png, .jpg, .jpeg, .webp and .svg; text files are .txt, .log, .json, .jsonl and .csv. The link is
    /// relative to the folder of the report.
    #[arg(long, value_name = "CAPTION=FILE", value_hint = ValueHint::FilePath, requires = "report")]
    pub(crate) attach: Vec<Attachment>,

    /// Also write PREFIX_stats.csv, PREFIX_stats_history.csv and PREFIX_failures.csv in Locust's format; with several
    /// runs, one set of files per run, e.g. PREFIX_light_stats.csv
    #[arg(long, value_name = "PREFIX", value_hint = ValueHint::FilePath, requires = "runs")]
    pub(crate) csv: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) compare: Compared,

    /// Print runs saved with --format json and write their reports, instead of measuring
    #[arg(long, value_name = "FILE.json", num_args = 1.., value_hint = ValueHint::FilePath,
          conflicts_with_all = ["urls", "iterations", "warmup", "image"])]
    pub(crate) from: Vec<PathBuf>,
}

impl LoadArgs {
    /// Whether any flag asks for a load test, or for a saved one.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.urls.is_empty() || !self.compare.series.is_empty() || !self.from.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// 10 users, 2 started per second, 2 minutes: baseline performance
    Light,
    /// 50 users, 5 started per second, 3 minutes: normal production load
    Medium,
    /// 100 users, 10 started per second, 3 minutes: stress testing
    Heavy,
    /// Light, medium and heavy, one after the other
    All,
}

fn report_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    if destination::is_page(&path) || destination::is_document(&path) {
        Ok(path)
    } else {
        Err("must end in .html, .htm or .md")
    }
}
