//! The public server over workers that misbehave, with deadlines that no flag shortens.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;

use clap::Parser as _;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;
use crate::cli::{Cli, Command, LogFormat};

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A worker's socket; `answer` gets its connection after the probe that comes first.
fn worker(answer: impl Fn(UnixStream) + Send + 'static) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        assert!(takes_request(&mut stream), "a probe");
        stream.write_all(EMPTY).expect("the server reads");
        answer(stream);
    });
    (folder, socket)
}

/// Whether a whole request has come, and not the end.
fn takes_request(stream: &mut UnixStream) -> bool {
    let mut request = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|n| n > 0) {
        request.extend(byte);
        let end: &[u8] = if request.starts_with(b"POST") { b"\r\n\r\nx" } else { b"\r\n\r\n" };
        if request.ends_with(end) {
            return true;
        }
    }
    false
}

fn config() -> Config {
    let args = ["skinclf", "serve", "--port", "0", "--log", "off", "--workers", "1"];
    let Command::Serve(args) = Cli::parse_from(args).command else {
        unreachable!("serve was asked for");
    };
    Config::from_args(&args).expect("the defaults")
}

/// Runs a server, whose two pools have one worker each, until `client` has returned or the server ends by itself.
fn serve<T: Send + 'static>(
    config: Config,
    answer: impl Fn(UnixStream) + Clone + Send + 'static,
    client: impl FnOnce(SocketAddr, &Metrics) -> T + Send + 'static,
) -> (anyhow::Result<()>, T) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (ended, client) = tokio::task::LocalSet::new().block_on(&runtime, async {
        let pool = async || {
            let (_folder, socket) = worker(answer.clone());
            WorkerPool::connect(&socket, Arc::new(Notify::new()), 1).await.expect("a pool")
        };
        let (predicting, quick) = (pool().await, pool().await);
        let (metrics, log) = (Arc::new(Metrics::new()), RequestLog::start(LogFormat::Off));
        let server = Server::open(config, predicting, quick, metrics.clone(), log).expect("a server");
        let address = server.address();
        let (stop, stopped) = watch::channel(false);
        let client = std::thread::spawn(move || {
            let got = client(address, &metrics);
            stop.send_replace(true);
            got
        });
        (server.run(stopped).await, client)
    });
    (ended, client.join().expect("the client"))
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        .expect("the server reads");
    stream.write_all(b"Content-Type: image/png\r\nContent-Length: 1\r\n\r\nx").expect("the server reads");
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an end");
    answer
}

#[test]
fn a_worker_that_is_gone_ends_the_server_with_an_error() {
    let hang_up = |mut stream: UnixStream| {
        takes_request(&mut stream);
    };
    let (ended, ()) = serve(config(), hang_up, |address, _| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
        // Until the server has ended, so that nothing asks it to stop. The end may be a reset.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(ended.is_err_and(|e| e.to_string().contains("worker")));
}

#[test]
fn a_request_that_waits_too_long_for_a_worker_is_a_504() {
    let (busy, worked_on) = channel();
    let take = move |mut stream: UnixStream| {
        assert!(takes_request(&mut stream));
        busy.send(stream).expect("the client listens");
    };
    let mut config = config();
    config.queue_timeout = Duration::from_millis(1);
    let (ended, (first, second)) = serve(config, take, move |address, _| {
        let first = send(address, "POST /predict");
        let mut worker: UnixStream = worked_on.recv().expect("the first request");
        let second = answer(send(address, "POST /predict"));
        worker.write_all(EMPTY).expect("the server reads");
        (answer(first), second)
    });
    ended.expect("an orderly end");
    assert!(second.starts_with("HTTP/1.1 504") && second.contains("\"code\":\"timeout\""), "{second}");
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
}

#[test]
fn a_client_that_hangs_up_in_the_queue_frees_its_place() {
    let (busy, worked_on) = channel();
    let take = move |mut stream: UnixStream| {
        while takes_request(&mut stream) {
            busy.send(stream.try_clone().expect("a descriptor")).expect("the client listens");
        }
    };
    let mut config = config();
    config.queue = 1;
    let (ended, (refused, first, last)) = serve(config, take, move |address, metrics| {
        let until_waiting = |n| {
            while metrics.queue_depth.get() != n {
                std::thread::yield_now();
            }
        };
        let first = send(address, "POST /predict");
        let mut worker: UnixStream = worked_on.recv().expect("the first request");
        let mut respond = || worker.write_all(EMPTY).expect("the server reads");
        let waiting = send(address, "POST /predict");
        until_waiting(1);
        let refused = answer(send(address, "POST /predict"));
        drop(waiting);
        until_waiting(0);
        let last = send(address, "POST /predict");
        until_waiting(1);
        respond();
        worked_on.recv().expect("the last request");
        respond();
        (refused, answer(first), answer(last))
    });
    ended.expect("an orderly end");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2"), "{refused}");
    assert!(first.starts_with("HTTP/1.1 200") && last.starts_with("HTTP/1.1 200"), "{first}{last}");
}

/// More than the buffers of two sockets hold.
const LARGE: usize = 64 << 20;

#[test]
fn a_client_that_does_not_read_its_answer_is_given_up() {
    let flood = |mut stream: UnixStream| {
        assert!(takes_request(&mut stream));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").expect("the server reads");
        stream.write_all(&vec![b'x'; LARGE]).expect("the server reads");
    };
    let mut config = config();
    (config.write_timeout, config.shutdown_timeout) = (Duration::from_millis(50), Duration::from_secs(3600));
    // Stopping waits for the connection, of which the client reads the first byte.
    let (ended, mut stream) = serve(config, flood, |address, _| {
        let mut stream = send(address, "GET /health");
        stream.read_exact(&mut [0]).expect("the answer begins");
        stream
    });
    ended.expect("an orderly end");
    let mut rest = Vec::new();
    // The end may be a reset.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < LARGE, "the answer was cut off");
}
