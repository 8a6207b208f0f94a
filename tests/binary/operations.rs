//! What docs/operations.md promises to an operator: metrics, the line at the start, ids of traces in the log.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Server, embedded_but, form};

const LESION: &[u8] = include_bytes!("../../samples/lesion-1.jpg");

/// All samples of a metric, by their labels: `{class="mel"}` to 1.
fn samples_of(metrics: &str, name: &str) -> Vec<(String, f64)> {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    samples.map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number"))).collect()
}

fn value(metrics: &str, name: &str) -> f64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

/// The names in a text that look like metrics of this program.
fn named_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("skinclf_") || word.starts_with("process_")).collect()
}

#[test]
fn the_documents_name_the_metrics_that_there_are() {
    let server = Server::start(&[]);
    // What is counted by route or stage is there once there is something to count.
    server.post("/predict", "image/jpeg", LESION);
    let metrics = server.get("/metrics").text;
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let there: BTreeSet<&str> = types.collect();
    let document = |path| std::fs::read_to_string(path).expect("a document");
    let (operations, readme) = (document("docs/operations.md"), document("README.md"));
    let documented = named_in(&operations);
    let missing: Vec<_> = there.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/operations.md does not name {missing:?}");
    for name in documented.union(&named_in(&readme)) {
        let family = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(there.contains(family), "there is no {name}");
    }
}

#[test]
fn predictions_are_counted_by_class_and_flag() {
    let server = Server::start(&["--log", "off"]);
    let counts = || samples_of(&server.get("/metrics").text, "skinclf_predictions_total");
    let before = counts();
    assert_eq!(before.len(), 2 * 7);
    assert!(before.iter().all(|(_, count)| *count == 0.0), "{before:?}");

    let mut answers = vec![server.post("/predict", "image/jpeg", LESION).json()];
    let [sharp, blank] =
        ["samples/gray.jpg", "samples/lesion-2.jpg"].map(|path| std::fs::read(path).expect(path));
    let (content_type, body) =
        form(&[("files", "a", &sharp), ("files", "b", b"no image"), ("files", "c", &blank)]);
    let batch = server.post("/predict/batch", &content_type, &body).json();
    answers.extend(batch["predictions"].as_array().expect("a list").iter().cloned());
    let mut wanted = before;
    for answer in answers.iter().filter(|answer| answer["error"].is_null()) {
        let labels = format!("{{class={},flagged=\"{}\"}}", answer["class_name"], answer["flagged"]);
        wanted.iter_mut().find(|(pair, _)| *pair == labels).expect("a pair").1 += 1.0;
    }
    assert_eq!(wanted.iter().map(|(_, count)| count).sum::<f64>(), 3.0);
    assert_eq!(counts(), wanted);
}

#[test]
fn unusable_images_are_counted_unless_they_are_refused() {
    let (_folder, picky) = embedded_but(|spec| spec["usable"] = serde_json::json!({ "min_sharpness": 1e6 }));
    let server = Server::start(&["--model", picky.to_str().expect("UTF-8"), "--log", "off"]);
    assert_eq!(server.post("/predict?strict=true", "image/jpeg", LESION).status, 422);
    let class = server.post("/predict", "image/jpeg", LESION).json()["class_name"].to_string();
    // Without a threshold nothing is flagged or not, so the label is empty.
    let counts = samples_of(&server.get("/metrics").text, "skinclf_predictions_total");
    assert_eq!(counts.len(), 7);
    for (labels, count) in counts {
        let wanted = if labels == format!("{{class={class},flagged=\"\"}}") { 1.0 } else { 0.0 };
        assert_eq!(count, wanted, "{labels}");
    }
}

#[test]
fn metrics_name_the_build_its_settings_and_its_process() {
    let server = Server::start(&["--workers", "3", "--queue", "17"]);
    let model = server.get("/health").json()["model"].clone();
    let metrics = server.get("/metrics").text;
    let info = samples_of(&metrics, "skinclf_build_info");
    let [(labels, 1.0)] = &info[..] else { panic!("{info:?}") };
    for (label, wanted) in [
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("model", model["name"].clone()),
        ("model_version", model["version"].clone()),
        ("model_sha256", model["sha256"].clone()),
    ] {
        let pair = format!("{label}=\"{}\"", wanted.as_str().expect("text"));
        assert!(labels.contains(&pair), "{pair} is not in {labels}");
    }
    let isa = labels.split_once("isa=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a label").0;
    assert!(server.started.contains(&format!("kernels for {isa},")), "{isa}: {}", server.started);
    assert_eq!(value(&metrics, "skinclf_workers"), 3.0);
    assert_eq!(value(&metrics, "skinclf_queue_limit"), 17.0);
    if cfg!(target_os = "linux") {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        let age = now - value(&metrics, "process_start_time_seconds");
        // Linux reports when it booted in whole seconds.
        assert!((-2.0..600.0).contains(&age), "{age} s");
        let (open, most) = (value(&metrics, "process_open_fds"), value(&metrics, "process_max_fds"));
        assert!(3.0 < open && open < most, "{open} of {most}");
    }
}

#[test]
fn a_line_at_the_start_tells_what_runs() {
    let text = Server::start(&["--workers", "1", "--queue", "9", "--api-key", "sesame"]);
    let health = text.get("/health").json();
    let model = &health["model"];
    let part = |field: &str| model[field].as_str().expect("text").to_owned();
    let [version, name, model_version, hash] =
        [health["version"].as_str().expect("text").to_owned(), part("name"), part("version"), part("sha256")];
    let start =
        format!("skinclf {version}: model {name} {model_version} (sha256 {}), kernels for ", &hash[..12]);
    let rest = text.started.strip_prefix(&start).unwrap_or_else(|| panic!("{}", text.started));
    assert!(rest.ends_with(", 1 worker, queue of 9, API key required"), "{rest}");
    assert!(Server::start(&["--workers", "2"]).started.ends_with(", 2 workers, queue of 256, no API key"));

    let json = Server::start(&["--log", "json", "--workers", "2", "--api-key", "sesame"]);
    let line: Value = serde_json::from_str(&json.started).expect("JSON");
    assert!(line["time"].is_string() && line["isa"].is_string(), "{line}");
    let wanted = serde_json::json!({
        "message": "starting", "version": version, "model": model, "workers": 2, "queue": 256, "api_key": true, "prior": false,
    });
    for (field, wanted) in wanted.as_object().expect("an object") {
        assert_eq!(&line[field], wanted, "{field}");
    }
    assert!(!json.started.contains("sesame") && !text.started.contains("sesame"));
}

#[test]
fn the_log_joins_the_trace_of_a_request() {
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let valid = format!("00-{trace}-{parent}-01");
    let invalid = format!("ff-{trace}-{parent}-01");
    let ask = |log: &str| {
        let server = Server::start(&["--log", log]);
        let reply = server.get_with("/livez", &[("Traceparent", &valid)]);
        assert_eq!((reply.header("traceparent"), reply.header("traceresponse")), (None, None));
        server.get_with("/livez", &[("traceparent", &invalid)]);
        server.get("/livez");
        server.terminate().1
    };
    let json = ask("json");
    let entries: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> =
        entries.iter().map(|entry| (entry["trace_id"].as_str(), entry["parent_id"].as_str())).collect();
    assert_eq!(ids, [(Some(trace), Some(parent)), (None, None), (None, None)], "{json}");

    let text = ask("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].ends_with(&format!(" trace_id={trace} parent_id={parent}")), "{text}");
    assert!(lines[1..].iter().all(|line| !line.contains("trace")), "{text}");
}
