//! `skinclf serve`, over real connections.

use crate::support::{Server, classify_json, form, run, samples, timeless};

#[test]
fn command_line_form_and_raw_body_give_the_same_answer() {
    let server = Server::start(&[]);
    for sample in samples() {
        let path = sample.to_str().expect("UTF-8");
        let name = sample.file_name().expect("a name").to_str().expect("UTF-8");
        let bytes = std::fs::read(&sample).expect("a sample");
        let mut wanted = timeless(classify_json(&[path]).remove(0));

        wanted["path"] = name.into();
        let (content_type, body) = form(&[("other", "x", b"ignored"), ("file", name, &bytes)]);
        let reply = server.post("/predict", &content_type, &body);
        assert_eq!((reply.status, timeless(reply.body)), (200, wanted.clone()));

        wanted.as_object_mut().expect("an object").remove("path");
        for content_type in ["image/jpeg", "application/octet-stream"] {
            let reply = server.post("/predict", content_type, &bytes);
            assert_eq!((reply.status, timeless(reply.body)), (200, wanted.clone()));
        }
    }
}

#[test]
fn a_batch_is_answered_in_order_and_failures_stay_alone() {
    let server = Server::start(&["--workers", "1"]);
    let good = std::fs::read("samples/gray.jpg").expect("a sample");
    let (content_type, body) =
        form(&[("files", "a.jpg", &good), ("files", "b.txt", b"text"), ("files", "c.jpg", &good)]);
    let reply = server.post("/predict/batch", &content_type, &body);
    assert_eq!((reply.status, &reply.body["total_images"]), (200, &3.into()));
    let predictions = reply.body["predictions"].as_array().expect("a list");
    assert_eq!(predictions[0]["path"], "a.jpg");
    assert_eq!(
        (&predictions[1]["filename"], &predictions[1]["error"]["code"]),
        (&"b.txt".into(), &"not_an_image".into())
    );
    assert_eq!(predictions[2]["class_name"], predictions[0]["class_name"]);
}

#[test]
fn refusals_have_their_status_and_code() {
    let server = Server::start(&["--max-body", "100KiB"]);
    let truncated = std::fs::read("samples/broken/truncated.jpg").expect("a sample");
    let (form_type, empty_form) = form(&[("other", "x", b"y")]);
    let too_long = vec![0; 101 * 1024];
    let cases: [(&str, &str, &[u8], u16, &str); 9] = [
        ("/predict", "image/jpeg", b"", 400, "not_an_image"),
        ("/predict", "image/png", b"no image at all", 400, "not_an_image"),
        ("/predict", "image/jpeg", &truncated, 422, "truncated_image"),
        ("/predict", "text/plain", b"hello", 415, "unsupported_media_type"),
        ("/predict", "multipart/form-data", b"x", 400, "bad_multipart"),
        ("/predict", &form_type, &empty_form, 400, "bad_multipart"),
        ("/predict", &form_type, b"--------a-boundary", 400, "bad_multipart"),
        ("/predict/batch", "image/jpeg", b"x", 415, "unsupported_media_type"),
        ("/nowhere", "image/jpeg", b"x", 404, "not_found"),
    ];
    for (path, content_type, body, status, code) in cases {
        let reply = server.post(path, content_type, body);
        assert_eq!(
            (reply.status, reply.body["code"].as_str()),
            (status, Some(code)),
            "{path} {content_type}"
        );
        assert!(reply.body["detail"].as_str().is_some_and(|d| !d.is_empty()));
    }
    let reply = server.post("/predict", "image/jpeg", &too_long);
    assert_eq!((reply.status, reply.body["code"].as_str()), (413, Some("body_too_large")));
    let reply = server.get("/predict");
    assert_eq!((reply.status, reply.allow.as_deref()), (405, Some("POST")));
}

#[test]
fn health_tells_the_model_and_the_probe_reads_it() {
    let server = Server::start(&[]);
    let health = server.get("/health");
    assert_eq!(
        (health.status, &health.body["status"], &health.body["model_loaded"]),
        (200, &"healthy".into(), &true.into())
    );
    assert_eq!(health.body["device"], "cpu");
    assert!(health.body["model"]["name"].is_string() && health.body["uptime_seconds"].is_number());
    assert_eq!(run(["health", &server.url]).code, Some(0));
    let url = server.url.clone();
    drop(server);
    let gone = run(["health", &url]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("not healthy"), "{}", gone.stderr);
}

#[cfg(unix)]
#[test]
fn a_request_to_stop_ends_it_with_status_0() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_taken_port_is_named() {
    let server = Server::start(&[]);
    let port = server.url.rsplit(':').next().expect("a port");
    let ran = run(["serve", "--port", port]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains(port) && ran.stderr.contains("--port 0"), "{}", ran.stderr);
}
