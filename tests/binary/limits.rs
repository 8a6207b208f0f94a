//! What docs/security.md promises of a server that is full or stopping, as far as a client sees it. What takes longer
//! than a test may, a wait of 30 s for a worker or for a reader, is tested in `src/serve/http/tests.rs`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Server, form, read_answer, send};

const LESION: &[u8] = include_bytes!("../../samples/lesion-1.jpg");

/// The whole of a request with a body.
fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends a form that takes a worker seconds, 256 images in eight views each, and returns when a worker has begun.
fn keep_a_worker_busy(server: &Server) -> TcpStream {
    let (content_type, body) = form(&[("files", "a.jpg", LESION); 256]);
    let mut stream = server.connect();
    stream.write_all(&post("/predict/batch?tta=true", &content_type, &body)).expect("the server reads");
    until(server, "skinclf_stage_duration_seconds_count{stage=\"inference\"}", |images| images > 0);
    stream
}

fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.get("/metrics").text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

fn until(server: &Server, name: &str, holds: impl Fn(u64) -> bool) {
    while !holds(metric(server, name)) {}
}

fn ask(stream: &mut TcpStream, path: &str) -> (u16, String) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
    read_answer(stream).expect("an answer")
}

/// Whether a new connection is told so; `None` if none is accepted.
fn is_ready(server: &Server) -> Option<bool> {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://")?).ok()?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    Some(start == *b"HTTP/1.1 200")
}

#[test]
fn at_the_connection_limit_the_longest_idle_connection_makes_room() {
    let server = Server::start(&["--max-connections", "2"]);
    let [mut first, mut second] = [server.connect(), server.connect()];
    for stream in [&mut second, &mut first] {
        assert_eq!(ask(stream, "/livez").0, 200);
    }
    let mut newcomer = server.connect();
    let (status, metrics) = ask(&mut newcomer, "/metrics");
    assert_eq!(status, 200);
    for line in ["skinclf_connections 2", "skinclf_connections_evicted_total 1"] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
    assert_eq!(
        second.read(&mut [0]).expect("an end"),
        0,
        "the connection that was idle for longest is closed"
    );
    assert_eq!(ask(&mut first, "/livez").0, 200);
}

#[test]
fn hanging_up_in_the_queue_frees_the_place_at_once() {
    let server = Server::start(&["--workers", "1", "--queue", "1", "--log", "off"]);
    let _busy = keep_a_worker_busy(&server);
    let predict = post("/predict", "image/jpeg", LESION);
    let wait_in_queue = || {
        let mut waiting = server.connect();
        waiting.write_all(&predict).expect("the server reads");
        until(&server, "skinclf_queue_depth", |depth| depth == 1);
        waiting
    };
    let waiting = wait_in_queue();
    let refused = server.post("/predict", "image/jpeg", LESION);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("queue_full")));
    assert_eq!(server.get("/readyz").status, 503);
    drop(waiting);
    until(&server, "skinclf_queue_depth", |depth| depth == 0);
    assert_eq!(metric(&server, "skinclf_in_flight"), 2, "the worker is still busy beside this scrape");
    wait_in_queue();
}

#[test]
fn a_request_in_flight_is_answered_after_a_request_to_stop() {
    let server = Server::start(&["--log", "off"]);
    let [mut idle, mut client] = [server.connect(), server.connect()];
    let predict = post("/predict", "image/jpeg", LESION);
    let (half, rest) = predict.split_at(predict.len() / 2);
    client.write_all(half).expect("the server reads");
    until(&server, "skinclf_in_flight", |requests| requests == 2);
    send(server.process(), "TERM");
    while is_ready(&server) == Some(true) {}
    let (status, health) = ask(&mut idle, "/health");
    assert!(status == 503 && health.contains("\"status\":\"draining\""), "{status} {health}");
    client.write_all(rest).expect("the server reads");
    let (status, prediction) = read_answer(&mut client).expect("an answer");
    assert!(status == 200 && prediction.contains("\"class_name\""), "{status} {prediction}");
    assert_eq!(client.read(&mut [0]).expect("an end"), 0, "the connection is closed after its answer");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_shutdown_timeout_bounds_the_wait_for_requests_in_flight() {
    let server = Server::start(&["--workers", "1", "--shutdown-timeout", "10ms", "--log", "off"]);
    let mut busy = keep_a_worker_busy(&server);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("still open after --shutdown-timeout"), "{log}");
    let mut answer = Vec::new();
    // The end may be a reset.
    let _ = busy.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn all_is_served_on_for_the_drain_delay_and_told_to_go_elsewhere() {
    let server = Server::start(&["--drain-delay", "1h", "--log", "off"]);
    let mut kept = server.connect();
    assert_eq!(ask(&mut kept, "/livez").0, 200);
    send(server.process(), "TERM");
    while is_ready(&server).expect("connections are accepted") {}
    for (path, status) in [("/readyz", 503), ("/health", 503), ("/livez", 200), ("/metrics", 200)] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.header("connection")), (status, Some("close")), "{path}");
    }
    assert_eq!(server.get("/readyz").json()["code"], "draining");
    let predicted = server.post("/predict", "image/jpeg", LESION);
    assert_eq!((predicted.status, predicted.header("connection")), (200, Some("close")));
    assert_eq!(ask(&mut kept, "/livez").0, 200);
    assert_eq!(kept.read(&mut [0]).expect("an end"), 0, "the connection is closed after its answer");
    send(server.process(), "TERM");
    assert_eq!(server.wait().code(), Some(130), "a second signal does not wait");
}

#[test]
fn after_the_drain_delay_the_server_ends() {
    let (code, log) = Server::start(&["--drain-delay", "1ms"]).terminate();
    assert_eq!((code, log.as_str()), (Some(0), ""));
}

/// A request of which the server has only the beginning when it stops, on a connection that was idle before, is answered
/// like any other: though it is none, and though its body is refused.
#[test]
fn what_has_begun_to_arrive_before_the_stop_is_answered() {
    let body = vec![0; 300_000];
    let refused =
        [b"T /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".as_slice(), &body].concat();
    let requests: [(&[u8], &[u8], u16); 3] = [
        (b"GET /livez HTTP/1.1\r\nHo", b"st: x\r\n\r\n", 200),
        (b"this is ", b"no request\r\n\r\n", 400),
        (b"POS", &refused, 401),
    ];
    let server = Server::start(&["--api-key", "sesame", "--log", "off"]);
    let mut idle = server.connect();
    assert_eq!(ask(&mut idle, "/livez").0, 200);
    let mut begun = requests.map(|(begin, ..)| {
        let mut stream = server.connect();
        assert_eq!(ask(&mut stream, "/livez").0, 200);
        stream.write_all(begin).expect("the server reads");
        stream
    });
    send(server.process(), "TERM");
    assert_eq!(idle.read(&mut [0]).expect("an end"), 0, "idle connections are closed after a while");
    for (stream, (_, rest, status)) in begun.iter_mut().zip(requests) {
        stream.write_all(rest).expect("the server reads");
        assert_eq!(read_answer(stream).expect("an answer").0, status);
        assert_eq!(stream.read(&mut [0]).expect("an end, and no reset"), 0);
    }
    assert_eq!(server.wait().code(), Some(0));
}
