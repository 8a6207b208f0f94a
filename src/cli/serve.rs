//! The flags of `skinclf serve`.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::model::ModelArgs;
use super::values::{body_size, count, duration, listening_host, origin, positive_duration, threads, whole};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// IP address or host name to listen on; 0.0.0.0 means all addresses
    #[arg(long, default_value = "127.0.0.1", value_parser = listening_host, env = "SKINCLF_HOST")]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 picks a free port
    #[arg(short, long, default_value_t = 8000, value_parser = whole::<u16>(0..=65535, 8000), env = "SKINCLF_PORT")]
    pub(crate) port: u16,

    /// Number of predictions to run in parallel [default: SKINCLF_THREADS, or all cores]
    #[arg(short, long, value_name = "N", value_parser = threads, env = "SKINCLF_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Never given as a flag: it lets clap read SKINCLF_THREADS, the default of `workers`
    #[arg(long, hide = true, value_parser = threads, env = "SKINCLF_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Maximum size of a request body; larger requests get 413
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = body_size, env = "SKINCLF_MAX_BODY")]
    pub(crate) max_body: bytesize::ByteSize,

    /// Maximum number of predictions waiting for a worker; more get 503 with Retry-After
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(255), value_parser = count, env = "SKINCLF_QUEUE")]
    pub(crate) queue: NonZeroUsize,

    /// Maximum number of open connections; at the limit, idle ones are closed to admit new ones
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(2047), value_parser = count, env = "SKINCLF_MAX_CONNECTIONS")]
    pub(crate) max_connections: NonZeroUsize,

    /// Time limit for receiving all headers of a request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration, env = "SKINCLF_HEADER_TIMEOUT")]
    pub(crate) header_timeout: Duration,

    /// Time limit for receiving the whole body of a request
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration, env = "SKINCLF_BODY_TIMEOUT")]
    pub(crate) body_timeout: Duration,

    /// How long to serve on after SIGTERM or SIGINT while /readyz and /health answer 503, so that a load balancer stops
    /// sending requests first
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, env = "SKINCLF_DRAIN_DELAY")]
    pub(crate) drain_delay: Duration,

    /// How long in-flight requests may take to finish after SIGTERM or SIGINT, and --drain-delay
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, env = "SKINCLF_SHUTDOWN_TIMEOUT")]
    pub(crate) shutdown_timeout: Duration,

    /// Require this API key for /predict, /predict/batch and /metrics, sent as Authorization: Bearer KEY or X-API-Key: KEY
    #[arg(long, value_name = "KEY", env = "SKINCLF_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,

    /// Read the API key from FILE instead, e.g. a secret that is mounted; several keys, one per line, are all accepted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "api_key", env = "SKINCLF_API_KEY_FILE")]
    pub(crate) api_key_file: Option<PathBuf>,

    /// Origin whose web pages may call the API from a browser, e.g. https://example.com; * allows any
    #[arg(long, value_name = "ORIGIN", value_parser = origin, env = "SKINCLF_CORS_ORIGIN")]
    pub(crate) cors_origin: Option<String>,

    /// Format of the request log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT", env = "SKINCLF_LOG")]
    pub(crate) log: LogFormat,

    /// Rescale probabilities to the class shares in FILE, JSON as for skinclf classify, unless a request has its own:
    /// ?prior=mel:180,nv:500,...
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, env = "SKINCLF_PRIOR")]
    pub(crate) prior: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line per request
    Text,
    /// One JSON object per request
    Json,
    /// No request log
    Off,
}
