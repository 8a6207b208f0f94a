//! `skinclf health [URL]`: the probe that a container without curl needs.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::process::Exit;
use crate::process::terminal::{note, printable};
use crate::url::Target;

/// Longer than a healthy server takes, shorter than the timeout of an orchestrator's probe.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer; a longer one is not from this server.
const MAX_ANSWER: usize = 64 << 10;

pub(crate) fn run(server: &Target) -> anyhow::Result<Exit> {
    let prefix = server.prefix.trim_end_matches("/health");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let answer = runtime.block_on(async {
        let asked = tokio::time::timeout(TIMEOUT, ask(server, &format!("{prefix}/health"))).await;
        asked.with_context(|| format!("no answer within {} s", TIMEOUT.as_secs()))?
    });
    // Not dropped: that would wait for a name server that does not answer.
    runtime.shutdown_background();
    match answer {
        Ok(answer) => {
            writeln!(io::stdout(), "{}", printable(answer.trim_end()))?;
            Ok(Exit::Done)
        }
        Err(why) => {
            let url = format!("http://{}{prefix}/health", server.authority);
            note(format_args!("error: {url} is not healthy: {}", printable(&format!("{why:#}"))));
            Ok(Exit::SomeFailed)
        }
    }
}

/// The body of an answer with a status of 2xx.
async fn ask(server: &Target, path: &str) -> anyhow::Result<String> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, &server.authority).body(Empty::<Bytes>::new())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(head.status.is_success(), "{}: {body}", head.status);
    Ok(body)
}
