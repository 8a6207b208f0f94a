//! The flags of `skinclf serve`.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::ModelArgs;
use super::values::{body_size, count, duration, listening_host, origin, positive_duration, threads, whole};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address or host name to listen on; 0.0.0.0 listens on all addresses
    #[arg(long, default_value = "127.0.0.1", value_parser = listening_host, env = "SKINCLF_HOST")]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(short, long, default_value_t = 8000, value_parser = whole::<u16>(0..=65535, 8000), env = "SKINCLF_PORT")]
    pub(crate) port: u16,

    /// How many predictions to work on at once [default: SKINCLF_THREADS, or all cores]
    #[arg(short, long, value_name = "N", value_parser = threads, env = "SKINCLF_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// For the variable, which is the number of threads to every command; only bench takes a list
    #[arg(long, hide = true, value_parser = threads, env = "SKINCLF_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Largest request body, for example 16MiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = body_size, env = "SKINCLF_MAX_BODY")]
    pub(crate) max_body: bytesize::ByteSize,

    /// How many predictions may wait for a worker; more are refused with 503 and Retry-After
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(255), value_parser = count, env = "SKINCLF_QUEUE")]
    pub(crate) queue: NonZeroUsize,

    /// How many connections may be open; idle ones give way to new ones
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(2047), value_parser = count, env = "SKINCLF_MAX_CONNECTIONS")]
    pub(crate) max_connections: NonZeroUsize,

    /// Time for a request's head to arrive whole
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration, env = "SKINCLF_HEADER_TIMEOUT")]
    pub(crate) header_timeout: Duration,

    /// Time for a request's body to arrive whole
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration, env = "SKINCLF_BODY_TIMEOUT")]
    pub(crate) body_timeout: Duration,

    /// Time to finish what has begun when told to stop
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, env = "SKINCLF_SHUTDOWN_TIMEOUT")]
    pub(crate) shutdown_timeout: Duration,

    /// Key that /predict and /metrics ask for, as Authorization: Bearer KEY or X-API-Key: KEY
    #[arg(long, value_name = "KEY", env = "SKINCLF_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,

    /// Origin whose pages may call the service from a browser, for example https://example.com, or * for any
    #[arg(long, value_name = "ORIGIN", value_parser = origin, env = "SKINCLF_CORS_ORIGIN")]
    pub(crate) cors_origin: Option<String>,

    /// How to log requests on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT", env = "SKINCLF_LOG")]
    pub(crate) log: LogFormat,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    /// One object a line
    Json,
    Off,
}
