//! `skinclf serve`, sent bytes that no HTTP library would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{Server, embedded_but, form, read_answer};

const CLOSE: &str = "Host: localhost\r\nConnection: close\r\n";

/// Status and body of the only answer in `raw`.
fn parsed(raw: &str) -> (u16, Value) {
    let (head, body) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {raw:?}"));
    assert_eq!(raw.to_lowercase().matches("x-request-id: ").count(), 1, "one answer: {raw:?}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|e| panic!("{e} in {body:?}")))
}

/// All examples that the description gives for an error of an operation.
fn documented(api: &Value, path: &str, method: &str, status: u16) -> Vec<Value> {
    let reference = api["paths"][path][method]["responses"][status.to_string()]["$ref"].as_str();
    let reference = reference.unwrap_or_else(|| panic!("{method} {path} has no {status}"));
    let response = api.pointer(reference.trim_start_matches('#')).expect("what the reference points to");
    let content = &response["content"]["application/json"];
    let several =
        content["examples"].as_object().into_iter().flat_map(|e| e.values().map(|v| v["value"].clone()));
    several.chain(content.get("example").cloned()).collect()
}

#[test]
fn error_answers_are_among_the_documented_examples() {
    let server = Server::start(&[]);
    let keyed = Server::start(&["--api-key", "sesame"]);
    let (_folder, picky) = embedded_but(|spec| spec["usable"] = serde_json::json!({ "min_sharpness": 1e6 }));
    let picky = Server::start(&["--model", picky.to_str().expect("UTF-8")]);
    let unusable =
        picky.post("/predict?strict=true", "image/jpeg", include_bytes!("../../samples/lesion-1.jpg"));
    let query = server.post("/predict?tta=maybe", "image/jpeg", b"x");
    let api = server.get("/openapi.json").json();
    let post = |content_type: &str, body: &[u8]| {
        let reply = server.post("/predict", content_type, body);
        (reply.status, reply.json())
    };
    let truncated = std::fs::read("samples/broken/truncated.jpg").expect("a sample");
    let (form_type, empty_form) = form(&[]);
    let (files_type, many_files) = form(&[("files", "x", b"y".as_slice()); 257]);
    let batch = |content_type: &str, body: &[u8]| {
        let reply = server.post("/predict/batch", content_type, body);
        (reply.status, reply.json())
    };
    let raw = |request: String| parsed(&server.raw(request.as_bytes()));
    let refused = keyed.post("/predict", "image/jpeg", b"x");
    let get = server.get("/predict");
    let answers = [
        ("/predict", "post", 400, post("image/png", b"no image at all")),
        ("/predict", "post", 400, post(&form_type, &empty_form)),
        ("/predict", "post", 400, (query.status, query.json())),
        ("/predict", "post", 401, (refused.status, refused.json())),
        ("/predict", "post", 405, (get.status, get.json())),
        ("/predict", "post", 411, raw(format!("POST /predict HTTP/1.1\r\n{CLOSE}\r\n"))),
        (
            "/predict",
            "post",
            413,
            raw(format!("POST /predict HTTP/1.1\r\n{CLOSE}Content-Length: 16777217\r\n\r\n")),
        ),
        ("/predict", "post", 415, post("text/plain", b"hello")),
        ("/predict", "post", 422, post("image/jpeg", &truncated)),
        ("/predict", "post", 422, (unusable.status, unusable.json())),
        ("/predict/batch", "post", 400, batch(&form_type, &empty_form)),
        ("/predict/batch", "post", 413, batch(&files_type, &many_files)),
        ("/health", "get", 400, raw("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned())),
        ("/health", "get", 414, raw(format!("GET /health?{} HTTP/1.1\r\n{CLOSE}\r\n", "x".repeat(2000)))),
        (
            "/health",
            "get",
            431,
            raw(format!("GET /health HTTP/1.1\r\nX-Long: {}\r\n{CLOSE}\r\n", "x".repeat(40_000))),
        ),
        ("/health", "get", 431, raw(format!("GET /health HTTP/1.1\r\n{}\r\n", "X-Short: 1\r\n".repeat(101)))),
        ("/health", "get", 505, raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned())),
    ];
    for (path, method, status, (got, body)) in answers {
        assert_eq!(got, status, "{method} {path}: {body}");
        let examples = documented(&api, path, method, status);
        assert!(examples.contains(&body), "{body} is not among {examples:?}");
    }
}

#[test]
fn as_many_and_as_long_headers_as_the_limits_allow_are_read() {
    let server = Server::start(&[]);
    let get = |headers: &str| server.raw(format!("GET /livez HTTP/1.1\r\n{CLOSE}{headers}\r\n").as_bytes());
    // Two are in CLOSE.
    assert_eq!(parsed(&get(&"X-Short: 1\r\n".repeat(98))).0, 200);
    assert_eq!(parsed(&get(&"X-Short: 1\r\n".repeat(99))).0, 431);
    assert_eq!(parsed(&get(&format!("X-Long: {}\r\n", "x".repeat(32_000)))).0, 200);
}

#[test]
fn what_is_no_request_is_refused_counted_and_logged() {
    let server = Server::start(&["--log", "json"]);
    let (status, body) = parsed(&server.raw(b"this is not HTTP\r\n\r\n"));
    assert_eq!((status, &body["code"]), (400, &"bad_request".into()));
    let metrics = server.get("/metrics").text;
    let line = "skinclf_http_requests_total{code=\"400\",route=\"other\"} 1";
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
    let (_, log) = server.terminate();
    let entry: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&entry["status"], &entry["route"]), (&400.into(), &"other".into()));
}

#[test]
fn a_slow_head_is_answered_408_and_a_silent_connection_is_closed_without_an_answer() {
    let server = Server::start(&["--header-timeout", "200ms"]);
    assert_eq!(parsed(&server.raw(b"GET /health HTTP/1.1\r\nHost: lo")).0, 408);
    assert_eq!(server.raw(b""), "");
    // The same after an answer: whoever asks next must not read the 408 as their own.
    assert_eq!(parsed(&server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")).0, 200);
}

#[test]
fn a_slow_body_is_answered_408() {
    let server = Server::start(&["--body-timeout", "200ms"]);
    let head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345";
    let (status, body) = parsed(&server.raw(head.as_bytes()));
    assert_eq!((status, &body["code"]), (408, &"request_timeout".into()));
}

#[test]
fn a_body_that_stops_is_answered_408_before_its_deadline() {
    let head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345";
    let (status, body) = parsed(&Server::start(&["--body-timeout", "1h"]).raw(head.as_bytes()));
    assert_eq!((status, &body["code"]), (408, &"request_timeout".into()));
}

/// Whoever is reading an answer is not idle, however slow: a connection without a request makes room first.
#[test]
fn a_slow_reader_is_not_taken_for_idle() {
    const ANSWERS: usize = 1000;
    let server = Server::start(&["--max-connections", "2"]);
    let ask = |stream: &mut TcpStream, path: &str| {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
        read_answer(stream).expect("an answer").1
    };

    let mut slow = server.connect();
    let request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = format!("GET /openapi.json HTTP/1.1\r\n{CLOSE}\r\n");
    let requests = [request.repeat(ANSWERS - 1), last].concat();
    slow.write_all(requests.as_bytes()).expect("the kernel takes them");
    // The other connection is idle for less long than the answers are not read.
    let mut idle = server.connect();
    let mut sent = String::new();
    loop {
        let metrics = ask(&mut idle, "/metrics");
        let count = metrics.lines().find(|line| line.contains("requests_total") && line.contains("openapi"));
        match count {
            Some(count) if sent == count => break,
            count => sent = count.unwrap_or_default().to_owned(),
        }
    }
    let mut newcomer = server.connect();
    assert!(ask(&mut newcomer, "/livez").contains("alive"));
    let mut answers = String::new();
    slow.read_to_string(&mut answers).expect("all answers, whole");
    assert_eq!(answers.matches("HTTP/1.1 200").count(), ANSWERS);
    assert_eq!(idle.read(&mut [0]).expect("an end"), 0, "the idle one made room");
}

#[test]
fn a_target_may_name_the_server_and_no_path() {
    let server = Server::start(&[]);
    for target in ["http://localhost", "http://localhost/", "http://localhost?x=1", "/?x=1"] {
        let page = server.raw(format!("GET {target} HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
        assert!(page.starts_with("HTTP/1.1 200"), "{target}: {page}");
    }
}

#[test]
fn both_framings_at_once_get_one_answer_and_an_end() {
    let server = Server::start(&[]);
    for headers in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let request =
            format!("POST /predict HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n{hidden}");
        assert!((400..500).contains(&parsed(&server.raw(request.as_bytes())).0), "{headers}");
    }
}

#[test]
fn a_connection_is_kept_after_a_body_that_was_read_and_its_end_is_announced_after_one_that_was_not() {
    let chunked = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let last = format!("GET /health HTTP/1.1\r\n{CLOSE}\r\n");
    let both = Server::start(&[]).raw(format!("{chunked}{last}").as_bytes());
    let statuses: Vec<_> =
        both.match_indices("HTTP/1.1 ").map(|(at, s)| &both[at + s.len()..][..3]).collect();
    assert_eq!(statuses, ["400", "200"], "{both}");

    let keyed = Server::start(&["--api-key", "sesame"]);
    for body in ["Content-Length: 5\r\n\r\nhello", "Content-Length: 500000\r\n\r\n"] {
        let refused = keyed.raw(format!("POST /predict HTTP/1.1\r\nHost: localhost\r\n{body}").as_bytes());
        assert_eq!(parsed(&refused).0, 401);
        assert!(refused.to_lowercase().contains("\r\nconnection: close\r\n"), "{refused}");
    }
}
