//! `skinclf serve`, over real connections.

use crate::support::{Server, classify_json, form, run, samples, skinclf, timeless};

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
        assert_eq!((reply.status, timeless(reply.json())), (200, wanted.clone()));

        wanted.as_object_mut().expect("an object").remove("path");
        for content_type in ["image/jpeg", "application/octet-stream"] {
            let reply = server.post("/predict", content_type, &bytes);
            assert_eq!((reply.status, timeless(reply.json())), (200, wanted.clone()));
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
    let body = reply.json();
    assert_eq!((reply.status, &body["total_images"]), (200, &3.into()));
    let predictions = body["predictions"].as_array().expect("a list");
    assert_eq!(predictions[0]["path"], "a.jpg");
    assert_eq!(
        (&predictions[1]["filename"], &predictions[1]["error"]["code"]),
        (&"b.txt".into(), &"not_an_image".into())
    );
    assert_eq!(predictions[2]["class_name"], predictions[0]["class_name"]);
}

#[test]
fn errors_have_their_status_and_code() {
    let server = Server::start(&["--max-body", "100KiB"]);
    let truncated = std::fs::read("samples/broken/truncated.jpg").expect("a sample");
    let (form_type, empty_form) = form(&[]);
    let too_long = vec![0; 101 * 1024];
    let cases: [(&str, &str, &[u8], u16, &str); 16] = [
        ("/predict", "image/jpeg", b"", 400, "not_an_image"),
        ("/predict", "image/png", b"no image at all", 400, "not_an_image"),
        ("/predict", "image/jpeg", &truncated, 422, "truncated_image"),
        ("/predict", "text/plain", b"hello", 415, "unsupported_media_type"),
        ("/predict", "multipart/form-data", b"x", 400, "bad_multipart"),
        ("/predict", &form_type, &empty_form, 400, "bad_multipart"),
        ("/predict", &form_type, b"--------a-boundary", 400, "bad_multipart"),
        ("/predict/batch", "image/jpeg", b"x", 415, "unsupported_media_type"),
        ("/nowhere", "image/jpeg", b"x", 404, "not_found"),
        ("/predict?ttta=true", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict?tta=maybe", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict?tta=true&tta=true", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict?coverage=90", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict/batch?coverage=0.93", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict/batch?heatmap=true", "image/jpeg", b"x", 400, "bad_query"),
        ("/predict/batch?strict=true", "image/jpeg", b"x", 415, "unsupported_media_type"),
    ];
    for (path, content_type, body, status, code) in cases {
        let reply = server.post(path, content_type, body);
        assert_eq!(
            (reply.status, reply.json()["code"].as_str()),
            (status, Some(code)),
            "{path} {content_type}"
        );
        assert!(reply.json()["detail"].as_str().is_some_and(|d| !d.is_empty()));
    }
    let reply = server.post("/predict", "image/jpeg", &too_long);
    assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("body_too_large")));
    let reply = server.get("/predict");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
}

#[test]
fn health_has_the_model_and_the_probe_reads_it() {
    let server = Server::start(&[]);
    let reply = server.get("/health");
    let health = reply.json();
    assert_eq!(
        (reply.status, &health["status"], &health["model_loaded"]),
        (200, &"healthy".into(), &true.into())
    );
    assert_eq!(health["device"], "cpu");
    assert!(health["model"]["name"].is_string() && health["uptime_seconds"].is_number());
    assert_eq!(run(["health", &server.url]).code, Some(0));
    let address = server.url.strip_prefix("http://").expect("an http URL");
    let behind_proxy = skinclf().args(["health", address]).env("HTTP_PROXY", "http://127.0.0.1:9").output();
    assert!(behind_proxy.expect("it runs").status.success(), "a proxy is for others");
    let url = server.url.clone();
    drop(server);
    let gone = run(["health", &url]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("not healthy"), "{}", gone.stderr);
}

#[test]
fn probes_pages_and_the_description_are_there() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/livez").json()["status"], "alive");
    assert_eq!(server.get("/readyz").json()["status"], "ready");
    let openapi = server.get("/openapi.json").json();
    assert_eq!(
        (&openapi["openapi"], &openapi["info"]["version"]),
        (&"3.1.0".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let example =
        &openapi["paths"]["/health"]["get"]["responses"]["200"]["content"]["application/json"]["example"];
    assert_eq!(example["model"], server.get("/health").json()["model"]);
    let description = openapi["paths"]["/metrics"]["get"]["description"].as_str().expect("a sentence");
    let metrics = server.get("/metrics").text;
    for name in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(description.contains(name), "{name} is not described");
    }
    for path in ["/", "/docs"] {
        let page = server.get(path);
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.header("content-security-policy").is_some_and(|p| p.contains("default-src 'none'")));
        assert!(!page.text.contains("{{"), "a token was not filled in on {path}");
        assert!(page.text.len() < 60_000, "{path} has {} bytes", page.text.len());
    }
    assert!(server.get("/").text.contains("Melanocytic nevus"), "the labels come from the spec");
}

#[test]
fn metrics_count_what_happened() {
    let server = Server::start(&["--log", "off"]);
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    server.post("/predict", "image/jpeg", &lesion);
    server.post("/predict", "image/jpeg", b"no image");
    server.get("/no/such/path");
    let metrics = server.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "skinclf_http_requests_total{code=\"200\",route=\"/predict\"} 1",
        "skinclf_http_requests_total{code=\"400\",route=\"/predict\"} 1",
        "skinclf_http_requests_total{code=\"404\",route=\"other\"} 1",
        "skinclf_stage_duration_seconds_count{stage=\"inference\"} 1",
        "skinclf_stage_duration_seconds_count{stage=\"queue\"} 2",
        "skinclf_request_duration_seconds_count{route=\"/predict\"} 2",
        "skinclf_in_flight 1", // the scrape itself
        "skinclf_queue_depth 0",
        "skinclf_shed_total 0",
    ] {
        assert!(metrics.text.lines().any(|l| l == line), "{line} is not in\n{}", metrics.text);
    }
    let value = |name: &str| {
        let line =
            metrics.text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        line.trim().parse::<f64>().expect("a number")
    };
    assert!(value("process_cpu_seconds_total") > 0.0 && value("process_resident_memory_bytes") > 1e6);
}

/// A scrape may report less CPU time than has been spent when it is read, and never more.
#[cfg(target_os = "linux")]
#[test]
fn scrapes_at_once_do_not_count_twice() {
    let server = Server::start(&["--log", "off"]);
    let stat = format!("/proc/{}/stat", server.process().id());
    let spent = || {
        let stat = std::fs::read_to_string(&stat).expect("proc(5)");
        let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11).take(2);
        fields.map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / 100.0
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let metrics = server.get("/metrics").text;
                    let reported = metrics.lines().find_map(|l| l.strip_prefix("process_cpu_seconds_total "));
                    let reported: f64 = reported.expect("the metric").parse().expect("a number");
                    let spent = spent();
                    assert!(reported < spent + 0.005, "{reported} s reported, {spent} s spent");
                }
            });
        }
    });
}

#[test]
fn answers_carry_an_id_and_where_the_time_went() {
    let server = Server::start(&[]);
    assert_eq!(
        server.get_with("/health", &[("X-Request-Id", "mine-1")]).header("x-request-id"),
        Some("mine-1")
    );
    let own = server.get_with("/health", &[("X-Request-Id", "not\"sane")]);
    assert!(own.header("x-request-id").is_some_and(|id| id.len() == 16));
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    let reply = server.post("/predict", "image/jpeg", &lesion);
    let timing = reply.header("server-timing").expect("Server-Timing");
    let names: Vec<_> = timing.split(", ").filter_map(|stage| stage.split(";dur=").next()).collect();
    assert_eq!(names, ["queue", "decode", "preprocess", "inference"], "{timing}");
}

#[test]
fn a_key_guards_what_costs_and_leaves_the_probes_open() {
    let server = Server::start(&["--api-key", "sesame"]);
    for path in ["/health", "/livez", "/readyz", "/", "/openapi.json"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let refused = server.get("/metrics");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (401, Some("unauthorized")));
    for (name, value, status) in [
        ("Authorization", "Bearer sesame", 200),
        ("Authorization", "bearer sesame", 200),
        ("X-API-Key", "sesame", 200),
        ("X-API-Key", "sesam", 401),
        ("Authorization", "Basic sesame", 401),
    ] {
        assert_eq!(server.get_with("/metrics", &[(name, value)]).status, status, "{name}: {value}");
    }
    assert_eq!(server.post("/predict", "image/jpeg", b"x").status, 401);
}

#[test]
fn other_origins_are_allowed_only_by_the_flag() {
    let allow = "access-control-allow-origin";
    assert_eq!(Server::start(&[]).get("/health").header(allow), None);
    let open = Server::start(&["--cors-origin", "https://example.org"]);
    assert_eq!(open.get("/health").header(allow), Some("https://example.org"));
}

#[test]
fn more_clients_than_places_are_served_or_asked_to_come_back() {
    let server = Server::start(&["--workers", "1", "--queue", "1"]);
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    let replies: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..24).map(|_| scope.spawn(|| server.post("/predict", "image/jpeg", &lesion))).collect();
        clients.into_iter().map(|c| c.join().expect("a client")).collect()
    });
    let shed = replies.iter().filter(|r| r.status == 503).count();
    assert!(shed > 0 && shed < 24, "{shed} of 24 refused");
    for reply in replies {
        assert!(
            reply.status == 200 || reply.status == 503 && reply.header("retry-after").is_some(),
            "{}",
            reply.status
        );
    }
}

#[test]
fn a_request_to_stop_ends_it_with_status_0() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn the_log_has_a_line_a_request_and_no_names() {
    let server = Server::start(&["--log", "json"]);
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    let (content_type, body) = form(&[("file", "patient-name.jpg", &lesion)]);
    server.post("/predict", &content_type, &body);
    server.get("/patient-name");
    let (_, log) = server.terminate();
    let entries: Vec<serde_json::Value> =
        log.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(entries.len(), 2, "{log}");
    assert_eq!((&entries[0]["route"], &entries[0]["status"]), (&"/predict".into(), &200.into()));
    assert_eq!(entries[0]["received_bytes"], body.len());
    assert_eq!((&entries[1]["route"], &entries[1]["status"]), (&"other".into(), &404.into()));
    assert!(!log.contains("patient-name"), "{log}");
}

#[test]
fn a_taken_port_is_named() {
    let server = Server::start(&[]);
    let port = server.url.rsplit(':').next().expect("a port");
    let ran = run(["serve", "--port", port]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains(port) && ran.stderr.contains("--port 0"), "{}", ran.stderr);
}
