//! A request over HTTP, and a client that sends it on a connection kept alive. Read [`Client::ask`] first.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::result::FailureKind;
use crate::url::Target;

/// Bodies are kept up to this size; what is beyond is counted only.
const KEPT_BODY: usize = 1 << 20;

/// `GET path`.
pub(crate) fn get(
    target: &Target,
    path: &str,
    api_key: Option<&str>,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = head(Method::GET, target, path, api_key).body(Full::default());
    request.with_context(|| format!("cannot send GET {path} to {}: check its URL and --api-key", target.url))
}

pub(crate) fn head(method: Method, target: &Target, path: &str, api_key: Option<&str>) -> Builder {
    let builder = Request::builder()
        .method(method)
        .uri(format!("{}{path}", target.prefix))
        .header("Host", &target.authority)
        .header("User-Agent", concat!("skinclf-bench/", env!("CARGO_PKG_VERSION")))
        .header("Accept", "*/*");
    match api_key {
        Some(key) => builder.header("Authorization", format!("Bearer {key}")),
        None => builder,
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Of the whole body, of which [`Self::body`] may be the beginning.
    pub(crate) bytes: u64,
}

pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<Connection<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends a request and takes the whole answer. The connection is opened if there is none or the
    /// server has closed it meanwhile; after a failure, and after a future that was dropped, the next
    /// request opens a new one.
    pub(crate) async fn ask(&mut self, mut request: Request<Full<Bytes>>) -> Result<Reply, FailureKind> {
        loop {
            let (mut connection, is_new) = match self.connection.take() {
                Some(connection) => (connection, false),
                None => (Connection::open(self.address).await?, true),
            };
            match connection.exchange(request).await {
                Ok(reply) => {
                    self.connection = Some(connection);
                    return Ok(reply);
                }
                Err(Lost::Unsent(again)) if !is_new => request = *again,
                Err(Lost::Unsent(_)) => return Err(FailureKind::Reset),
                Err(Lost::Failed(kind)) => return Err(kind),
            }
        }
    }
}

/// Sends one request on a connection that is not kept.
pub(crate) async fn ask_once<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, FailureKind>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection::over(stream).await?;
    connection.exchange(request).await.map_err(|lost| match lost {
        Lost::Unsent(_) => FailureKind::Reset,
        Lost::Failed(kind) => kind,
    })
}

/// Reads and writes while it is polled.
type Driver<S> = http1::Connection<TokioIo<S>, Full<Bytes>>;

struct Connection<S: AsyncRead + AsyncWrite + Unpin> {
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Pin<Box<Driver<S>>>>,
}

enum Lost {
    /// The connection had ended before anything of it was written.
    Unsent(Box<Request<Full<Bytes>>>),
    Failed(FailureKind),
}

impl Connection<TcpStream> {
    async fn open(address: SocketAddr) -> Result<Self, FailureKind> {
        let stream = TcpStream::connect(address).await.map_err(|_| FailureKind::Connect)?;
        stream.set_nodelay(true).map_err(|_| FailureKind::Connect)?;
        Self::over(stream).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn over(stream: S) -> Result<Self, FailureKind> {
        let (sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| FailureKind::Connect)?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// One request, one answer. The task that asks also drives the connection: a task of its own
    /// would cost two more wake-ups per request.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Lost> {
        let Self { sender, driver } = self;
        let mut exchange = pin!(exchange(sender, request));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = exchange.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                let Some(running) = driver else { return Poll::Pending };
                if running.as_mut().poll(cx).is_pending() {
                    // What it has just read may be what the exchange waits for.
                    return exchange.as_mut().poll(cx);
                }
                // Once it is dropped, the exchange knows that nothing more will come.
                *driver = None;
            }
        })
        .await
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Lost> {
    if sender.ready().await.is_err() {
        return Err(Lost::Unsent(Box::new(request)));
    }
    let response =
        sender.try_send_request(request).await.map_err(|mut refused| match refused.take_message() {
            Some(request) => Lost::Unsent(Box::new(request)),
            None => Lost::Failed(FailureKind::of(refused.error())),
        })?;
    let (head, mut incoming) = response.into_parts();
    let (mut body, mut bytes) = (Vec::new(), 0);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|e| Lost::Failed(FailureKind::of(&e)))?;
        if let Some(data) = frame.data_ref() {
            bytes += data.len() as u64;
            body.extend_from_slice(&data[..data.len().min(KEPT_BODY - body.len())]);
        }
    }
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, bytes })
}
