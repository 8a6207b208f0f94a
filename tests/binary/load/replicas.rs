//! Load tests of a balancer: which replica answered, and what each of them used.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{begin, count, endpoint, finish, load, total};
use crate::mock::{Answer, Mock};
use crate::schema::assert_valid_load_test;
use crate::support::{Server, run};

/// Gives each connection to the next server. A thread each way, until one side closes; it listens as long as the tests run.
fn balancer(servers: &[&Server]) -> String {
    let address = |server: &&Server| server.url.trim_start_matches("http://").parse().expect("an address");
    let servers: Vec<SocketAddr> = servers.iter().map(address).collect();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let own = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for (client, server) in listener.incoming().zip(servers.iter().cycle()) {
            let both = client.and_then(|client| Ok((client, TcpStream::connect(server)?)));
            let Ok((client, server)) = both else { continue };
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(a, b)| (a.try_clone().expect("a stream"), b.try_clone().expect("a stream")))
            {
                std::thread::spawn(move || {
                    // Either may go away in the middle.
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    format!("http://{own}")
}

fn finding<'v>(run: &'v Value, code: &str) -> Option<&'v str> {
    let findings = run["findings"].as_array().expect("findings");
    findings.iter().find(|f| f["code"] == code).and_then(|f| f["text"].as_str())
}

#[test]
fn answers_are_counted_by_the_replica_that_a_balancer_names() {
    let answered: Arc<[AtomicU64; 2]> = Arc::default();
    let counted = answered.clone();
    let server = Mock::start(move |path| {
        let body = "{}".to_owned();
        match path {
            "/one" | "/two" => {
                counted[usize::from(path == "/two")].fetch_add(1, Ordering::Relaxed);
                // An error of a replica is an answer of it.
                Answer::By(path[1..].to_owned(), if path == "/one" { 200 } else { 503 }, body)
            }
            _ => Answer::Whole(200, body),
        }
    });
    let args = ["--users", "4", "--think", "5ms", "--duration", "1s", "--mix", "one=6,two=1,none=1"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!(ran.code, Some(1));
    assert_valid_load_test(&run);
    let served = run["served_by"].as_array().expect("a list");
    assert_eq!(served.iter().map(|s| &s["name"]).collect::<Vec<_>>(), ["one", "two"]);
    let counts = [0, 1].map(|n| count(&served[n]["requests"]));
    assert_eq!(counts, ["/one", "/two"].map(|path| count(&endpoint(&run, path)["requests"])));
    // What was in flight at the end was answered and not counted.
    let unfinished = count(&run["unfinished"]["requests"]);
    for (counted, answered) in counts.into_iter().zip(answered.iter()) {
        let answered = answered.load(Ordering::Relaxed);
        assert!((counted..=counted + unfinished).contains(&answered), "{answered} of {served:?}");
    }
    let shares: f64 = served.iter().map(|s| s["share"].as_f64().expect("a share")).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{served:?}");
    assert!(finding(&run, "balancer").is_some_and(|text| text.contains("CPU is not known")));
    let uneven = finding(&run, "uneven_replicas").expect("a finding");
    assert!(uneven.starts_with(&format!("two answered {} of ", counts[1])), "{uneven}");
    assert!(ran.stdout.contains("\"replicas\": [],"), "none was named");
}

#[test]
fn a_hostile_server_cannot_name_replicas_without_end() {
    let named = AtomicUsize::new(0);
    let server = Mock::start(move |_| {
        let n = named.fetch_add(1, Ordering::Relaxed);
        let name = match n % 4 {
            0 => "n".repeat(3000),
            1 => format!("<script>{n}</script>|"),
            2 => "\u{e4}\u{1f600}".to_owned(),
            _ => format!("replica-{n}"),
        };
        Answer::By(name, 200, "{}".to_owned())
    });
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    let args = ["--users", "8", "--think", "1ms", "--duration", "1s", "--mix", "any=1", "--report"];
    let (ran, run) = load(&server.url, &[&args[..], &[page.to_str().expect("UTF-8")]].concat());
    assert_eq!(ran.code, Some(0));
    assert_valid_load_test(&run);
    let served = run["served_by"].as_array().expect("a list");
    assert!(served.len() <= 65, "{} names", served.len());
    assert!(served.iter().all(|s| s["name"].as_str().is_some_and(|name| name.len() <= 64)), "{served:?}");
    assert!(served.iter().any(|s| s["name"] == "(others)"), "{served:?}");
    let counted: u64 = served.iter().map(|s| count(&s["requests"])).sum();
    assert!(counted > 0 && counted <= count(&total(&run)["requests"]));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}

#[test]
fn replicas_are_asked_at_their_own_addresses() {
    let servers = [Server::start(&["--api-key", "k"]), Server::start(&["--api-key", "k"])];
    let url = balancer(&servers.each_ref());
    let [one, two] = [format!("one={}", servers[0].url), format!("{}/metrics", servers[1].url)];
    let replicas = ["--metrics-url", &one, "--metrics-url", &two, "--api-key", "k"];
    let args = ["--users", "4", "--think", "0", "--duration", "3s"];
    let (ran, run) = load(&url, &[&args[..], &replicas].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_valid_load_test(&run);
    assert_eq!(run["targets"][0]["usage"], Value::Null, "of the balancer");
    let replicas = run["replicas"].as_array().expect("a list");
    let second = servers[1].url.trim_start_matches("http://");
    assert_eq!(replicas.iter().map(|r| &r["name"]).collect::<Vec<_>>(), ["one", second]);
    let own: u64 = replicas.iter().map(|r| count(&r["predictions"])).sum();
    let counted = count(&endpoint(&run, "/predict")["requests"]);
    // Each of the users may have had an answer before the first look at the counters, or after the end of the run.
    assert!((counted - 4..=counted + 4).contains(&own), "{own} and {counted}");
    for replica in replicas {
        assert!(count(&replica["predictions"]) > 0, "{replica}");
        let usage = &replica["usage"];
        let known = ["cpu_mean", "rss_max_bytes"].map(|figure| usage[figure].as_f64());
        assert!(known.iter().all(|figure| *figure > Some(0.0)), "{usage}");
    }
    let used: f64 = replicas.iter().map(|r| r["usage"]["cpu_mean"].as_f64().expect("a mean")).sum();
    let cost = run["findings"].as_array().expect("findings").iter().find(|f| f["code"] == "cpu_cost");
    let server_cores = cost.and_then(|f| f["numbers"]["server_cores"].as_f64()).expect("a cost");
    assert!((server_cores - used).abs() < 1e-9, "{server_cores} and {used}");
    assert!(finding(&run, "balancer").is_some());
}

#[test]
fn a_replica_that_dies_leaves_a_gap_and_no_failure() {
    let (server, dying) = (Server::start(&[]), Server::start(&[]));
    let [one, two] = [format!("one={}", server.url), format!("two={}", dying.url)];
    let args = ["--users", "2", "--think", "10ms", "--duration", "4s"];
    let bench = begin(&server.url, &[&args[..], &["--metrics-url", &one, "--metrics-url", &two]].concat());
    // Until it was asked at least twice by the load test, the first time before the load. An answer does not count itself.
    let asked = |own: u64| {
        let line = "skinclf_http_requests_total{code=\"200\",route=\"/metrics\"} ";
        let text = dying.get("/metrics").text;
        let all = text.lines().find_map(|l| l.strip_prefix(line)?.parse::<u64>().ok());
        all.unwrap_or(0) >= own + 2
    };
    let mut own = 0;
    while !asked(own) {
        own += 1;
        std::thread::yield_now();
    }
    drop(dying);
    let (ran, run) = finish(bench);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_valid_load_test(&run);
    let series = run["replicas"][1]["usage"]["series"].as_array().expect("a series");
    assert!(series.first().is_some_and(|s| s["rss_bytes"].is_number()), "{series:?}");
    assert!(series.iter().any(|s| s["rss_bytes"].is_null() && s["cpu"].is_null()), "{series:?}");
    let others = run["replicas"][0]["usage"]["series"].as_array().expect("a series");
    assert!(others.iter().all(|s| s["rss_bytes"].is_number()), "{others:?}");
}

#[test]
fn a_replica_that_cannot_be_asked_is_an_error_before_the_load() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = asked.clone();
    let server = Mock::start(move |path| {
        log.lock().expect("no panic").push(path.to_owned());
        Answer::Whole(if path == "/metrics" { 404 } else { 200 }, "{}".to_owned())
    });
    let closed = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port");
    let closed = format!("http://{closed}");
    for (url, said) in [
        (&server.url, "/metrics answers 404; give the address of a replica"),
        (&closed, "no server; is `skinclf serve` running there?"),
    ] {
        let ran =
            run(["bench", "--url", &server.url, "--no-check", "--metrics-url", url, "--duration", "20s"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("error: --metrics-url {url}: {said}")), "{}", ran.stderr);
    }
    assert!(asked.lock().expect("no panic").iter().all(|path| path != "/predict"));
    for args in [
        &["--metrics-url", "http://localhost:1"][..],
        &["--url", "http://localhost:1", "--metrics-url", "a=localhost:1", "--metrics-url", "a=localhost:2"],
        &["--url", "http://localhost:1", "--metrics-url", "https://localhost:1"],
        &["--url", "http://localhost:1", "--container", "../x"],
        &["--url", "http://localhost:1", "--container", "x", "--container", "x"],
    ] {
        let ran = run(["bench"].iter().chain(args));
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
    }
}

/// A saved run with replicas and containers.
fn balanced() -> Value {
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(format!("tests/load/fixtures/{name}.json")).expect(name);
        serde_json::from_str(&text).expect("JSON")
    };
    let mut run = read("run");
    run["targets"][0]["usage"] = Value::Null;
    let added = read("balanced");
    run.as_object_mut().expect("an object").extend(added.as_object().expect("an object").clone());
    run
}

fn printed(run: &Value, args: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json");
    std::fs::write(&file, run.to_string()).expect("a file");
    let ran = crate::support::run(["bench", "--from", file.to_str().expect("UTF-8")].iter().chain(args));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn replicas_and_containers_are_tables_after_the_endpoints() {
    let mut run = balanced();
    assert_valid_load_test(&run);
    let text = printed(&run, &[]);
    for row in [
        "│ one            102            81    50 %         0.45         60 MiB             2 │",
        "│ two            102            82    50 %         0.45         60 MiB             2 │",
        "│ skinclf-2         0.48       0.5       1.5 s         64 MiB        256 MiB │",
        "Requests by the response header X-Served-By, predictions by the replica's own counter",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    let markdown = printed(&run, &["--format", "markdown"]);
    for row in [
        "| one | 102 | 81 | 50 % | 0.45 | 60 MiB | 2 |",
        "| skinclf-1 | 0.48 | 0.5 | 1.5 s | 64 MiB | 256 MiB |",
    ] {
        assert!(markdown.contains(row), "{row}\n{markdown}");
    }
    // A name that only answers have is a row of its own, and a container without limits says so.
    run["served_by"][1]["name"] = json!("slot2");
    run["containers"][0]["cpu_cap"] = Value::Null;
    run["containers"][0]["memory_limit_bytes"] = Value::Null;
    let markdown = printed(&run, &["--format", "markdown"]);
    for row in [
        "| two | - | 82 | 50 % | 0.45 | 60 MiB | 2 |",
        "| slot2 | 102 | - | 50 % | - | - | - |",
        "| skinclf-1 | 0.48 | none | 1.5 s | 64 MiB | none |",
    ] {
        assert!(markdown.contains(row), "{row}\n{markdown}");
    }
}

#[test]
fn the_page_draws_each_replica_and_container() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let mut run = balanced();
    run["containers"][0]["name"] = json!("<b>");
    printed(&run, &["--report", page.to_str().expect("UTF-8")]);
    let page = std::fs::read_to_string(page).expect("a page");
    for part in [
        "<h3>Replicas</h3>",
        "<h3>Containers</h3>",
        "<title>CPU, memory and queue of the servers</title>",
        "<title>CPU, memory and throttling of the containers</title>",
        "<title>Share of the requests by server</title>",
        "<tspan dx=\"4\">two</tspan>",
        "<tspan dx=\"4\">&lt;b&gt;</tspan>",
        "aria-label=\"Containers of medium\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<b>"));
    // The second container was away at 3 s: its line is drawn in two parts.
    let chart =
        page.split("<title>CPU, memory and throttling of the containers</title>").nth(1).expect("a chart");
    let memory = chart.split("Memory, MiB").nth(1).expect("a panel");
    let lines: Vec<_> = memory.split("<path class=\"line ").skip(1).take(2).collect();
    let parts = |line: &str| line.split('"').nth(2).expect("d=").matches('M').count();
    assert_eq!(lines.iter().map(|line| parts(line)).collect::<Vec<_>>(), [1, 2], "{lines:?}");
}

#[test]
fn containers_with_other_caps_are_not_the_same_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |name: &str, cap: Value| {
        let mut run = balanced();
        for n in [0, 1] {
            run["containers"][n]["cpu_cap"] = cap.clone();
        }
        let file = folder.path().join(name);
        std::fs::write(&file, run.to_string()).expect("a file");
        file.display().to_string()
    };
    let (half, more, free) =
        (save("half.json", json!(0.5)), save("more.json", json!(0.75)), save("free.json", Value::Null));
    let ran = run(["bench", "--compare", &half, &half, &more, &free]);
    for said in [
        "more differs from half in CPU cap of a container (0.75, not 0.5)",
        "free differs from half in CPU cap of a container (none, not 0.5)",
    ] {
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("half differs"), "{}", ran.stdout);
    let csv = run(["bench", "--compare", &half, &more, "--format", "csv"]).stdout;
    assert!(
        csv.lines().next().is_some_and(|titles| titles.contains(",cpu_cores,memory_max_bytes,")),
        "{csv}"
    );
    assert!(csv.lines().nth(1).is_some_and(|row| row.contains(",0.96,67108864,")), "{csv}");
}
