//! `bench --url`: the flags of a load test.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser as _;
use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::condition::Condition;
use super::load_values::{Arrival, Mix, PerSecond, SavedFile, Sweep, Think};
use super::values::{Target, count, positive_duration, whole};
use crate::destination;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load test over HTTP",
          group = ArgGroup::new("runs").multiple(true).args(["urls", "from", "compare"]))]
pub(crate) struct LoadArgs {
    /// Put load on a server, for example http://localhost:8000; repeat it to spread users over several
    #[arg(long = "url", visible_alias = "host", value_name = "URL", value_hint = ValueHint::Url,
          conflicts_with_all = ["iterations", "warmup", "image"])]
    pub(crate) urls: Vec<Target>,

    /// Users, spawn rate and duration of a written test, or all three of them in turn
    #[arg(long, value_enum, value_name = "NAME", requires = "urls")]
    pub(crate) scenario: Option<Scenario>,

    /// Concurrent users; with --rate, the maximum number of requests in flight [default: 10, with --rate 1000]
    #[arg(short, long, value_name = "N", requires = "urls", conflicts_with = "scenario", value_parser = count)]
    pub(crate) users: Option<NonZeroUsize>,

    /// How many users start per second [default: all within the first second]
    #[arg(long, visible_short_alias = 'r', value_name = "N", requires = "urls",
          conflicts_with_all = ["scenario", "rate"])]
    pub(crate) spawn_rate: Option<PerSecond>,

    /// How long, users' starts included, for example 2m [default: 30s, or as --scenario says]
    #[arg(long, visible_alias = "run-time", visible_short_alias = 't', value_name = "TIME", requires = "urls",
          value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,

    /// How long a user thinks before each request but the first; 0, and enough users, saturate the server
    #[arg(long, value_name = "MIN-MAX", default_value = "1s-3s", requires = "urls", conflicts_with = "rate")]
    pub(crate) think: Think,

    /// What is asked how often; predict posts an image as form field "file", any other NAME is GET /NAME
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = "predict=4,health=1", requires = "urls")]
    pub(crate) mix: Mix,

    /// Folder of images to post, in turn [default: three synthetic lesions]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "urls")]
    pub(crate) images: Option<PathBuf>,

    /// Start N requests per second whatever the answers (open loop); latency counts from the intended start
    #[arg(long, value_name = "N", requires = "urls", conflicts_with_all = ["scenario", "sweep"])]
    pub(crate) rate: Option<PerSecond>,

    /// How the starts of --rate follow each other
    #[arg(long, value_enum, default_value_t = Arrival::Constant, requires = "rate")]
    pub(crate) arrival: Arrival,

    /// Do one run for each number of users, for example users=1,2,4,8, and find the knee
    #[arg(long, value_name = "users=N,…", requires = "urls", conflicts_with_all = ["scenario", "users"])]
    pub(crate) sweep: Option<Sweep>,

    /// Time for one answer
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "urls", value_parser = positive_duration)]
    pub(crate) timeout: Duration,

    /// Do not compare answers with the same images classified here
    #[arg(long, requires = "urls")]
    pub(crate) no_check: bool,

    /// Start of the random sequence of endpoints and think times
    #[arg(long, value_name = "N", default_value_t = 1, requires = "urls", value_parser = whole::<u64>(0..=u64::MAX, 1))]
    pub(crate) seed: u64,

    /// Key to send, for a server that asks for one
    #[arg(long, value_name = "KEY", env = "SKINCLF_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,

    /// Exit with status 3 if CONDITION holds in the steady state or cannot be evaluated, e.g. p95>500ms, rps<100 (good
    /// answers) or predict:p99>1s; with one on failures, e.g. failures>1%, fewer failures are no status 1
    ///
    /// Figures are p50 (median), p90, p95, p99, p99.9, average (avg), min, max, failures and rps. The steady state, from
    /// the last user's start on, is what the verdict judges too; a run without one is judged as a whole.
    #[arg(long, value_name = "CONDITION", requires = "urls")]
    pub(crate) fail_if: Vec<Condition>,

    /// Also write a report: FILE.html (or .htm), a page with charts, or FILE.md, a document
    #[arg(long, value_name = "FILE", value_parser = clap::builder::PathBufValueParser::new().try_map(report_file),
          value_hint = ValueHint::FilePath, requires = "runs")]
    pub(crate) report: Vec<PathBuf>,

    /// Also write PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv as Locust does; of
    /// several runs PREFIX_light_stats.csv and so on
    #[arg(long, value_name = "PREFIX", value_hint = ValueHint::FilePath, requires = "runs")]
    pub(crate) csv: Option<PathBuf>,

    /// Compare runs that --format json has saved, the first with the others: one, two, three containers
    ///
    /// N=FILE says how many containers a run had; otherwise its place does. With --url or --from the comparison goes
    /// into the reports only.
    #[arg(long, value_name = "[N=]FILE.json", num_args = 2.., value_hint = ValueHint::FilePath,
          conflicts_with_all = ["iterations", "warmup", "image"])]
    pub(crate) compare: Vec<SavedFile>,

    /// Print and write reports of runs that --format json has saved, instead of measuring
    #[arg(long, value_name = "FILE.json", num_args = 1.., value_hint = ValueHint::FilePath,
          conflicts_with_all = ["urls", "iterations", "warmup", "image"])]
    pub(crate) from: Vec<PathBuf>,
}

impl LoadArgs {
    /// Whether this is about a load test at all.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.urls.is_empty() || !self.compare.is_empty() || !self.from.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// 10 users, 2 more each second, 2 minutes: baseline performance
    Light,
    /// 50 users, 5 more each second, 3 minutes: normal production load
    Medium,
    /// 100 users, 10 more each second, 3 minutes: stress testing
    Heavy,
    /// The three in turn
    All,
}

fn report_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    if destination::is_page(&path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md")) {
        Ok(path)
    } else {
        Err("the name of a report ends in .html, .htm or .md")
    }
}
