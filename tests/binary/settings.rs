//! How a server is set up: addresses, origins, environment variables.

use std::process::Command;

use crate::mock::{Answer, Mock};
use crate::support::{Ran, Server, run, skinclf};

fn end(command: &mut Command) -> Ran {
    command.output().expect("it ends").into()
}

#[test]
fn a_host_may_be_a_name_or_in_brackets() {
    for (host, start) in
        [("localhost", "http://127.0.0.1:"), ("[::1]", "http://[::1]:"), ("::1", "http://[::1]:")]
    {
        if host.contains(':') && std::net::TcpListener::bind(("::1", 0)).is_err() {
            continue; // a machine without IPv6
        }
        let server = Server::start(&["--host", host]);
        assert!(server.url.starts_with(start), "{host}: {}", server.url);
        assert_eq!(server.get("/health").status, 200, "{host}");
    }
    let unknown = run(["serve", "--host", "no such host"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("try 127.0.0.1"), "{}", unknown.stderr);
}

#[test]
fn an_address_of_another_machine_is_told_from_a_taken_port() {
    // TEST-NET-1, which no machine has.
    let ran = run(["serve", "--host", "192.0.2.1", "--port", "0"]);
    assert!(ran.code.is_some_and(|code| code != 0));
    assert!(ran.stderr.contains("an address of this machine"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("another server"), "{}", ran.stderr);
}

#[test]
fn an_origin_that_no_browser_sends_is_refused_with_the_one_it_sends() {
    for (origin, suggested) in
        [("example.com", "https://example.com"), ("http://localhost:3000/app", "http://localhost:3000")]
    {
        let ran = run(["serve", "--port", "0", "--cors-origin", origin]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("try {suggested}\n")), "{}", ran.stderr);
    }
}

#[test]
fn a_wrong_value_is_blamed_on_the_variable_that_it_came_from() {
    for (name, value, flag) in [
        ("SKINCLF_QUEUE", "abc", "--queue"),
        ("SKINCLF_LOG", "xml", "--log"),
        ("SKINCLF_THREADS", "1,2", "--threads"),
    ] {
        let ran = end(skinclf().args(["serve", "--port", "0"]).env(name, value));
        assert_eq!(ran.code, Some(2));
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!([name, value, flag].iter().all(|part| first.contains(part)), "{}", ran.stderr);
    }
    let by_flag = end(skinclf().args(["serve", "--queue", "abc"]).env("SKINCLF_QUEUE", "abc"));
    assert!(!by_flag.stderr.contains("SKINCLF_QUEUE"), "{}", by_flag.stderr);
}

#[test]
fn the_port_that_kubernetes_sets_for_a_service_of_this_name_is_explained() {
    for command in ["serve", "health"] {
        let ran = end(skinclf().arg(command).env("SKINCLF_PORT", "tcp://10.0.0.1:8000"));
        assert_eq!(ran.code, Some(2));
        for part in ["SKINCLF_PORT (environment variable", "Kubernetes", "enableServiceLinks: false"] {
            assert!(ran.stderr.contains(part), "{}", ran.stderr);
        }
    }
    let by_flag = run(["serve", "--port", "tcp://10.0.0.1:8000"]);
    assert!(!by_flag.stderr.contains("Kubernetes"), "{}", by_flag.stderr);
}

#[test]
fn a_variable_that_nothing_reads_is_warned_about() {
    let variables = [
        ("SKINCLF_PROT", "1"),
        ("SKINCLF_ISA", "portable"),
        ("SKINCLF_QUEUE", "9"),
        ("SKINCLF_SERVICE_HOST", "10.0.0.1"),
        ("SKINCLF_PORT_8000_TCP_ADDR", "10.0.0.1"),
    ];
    let server = Server::start_as(skinclf().args(["serve", "--port", "0"]).envs(variables));
    let (_, log) = server.terminate();
    let warnings: Vec<_> = log.lines().filter(|line| line.starts_with("warning:")).collect();
    assert!(matches!(warnings[..], [one] if one.contains("SKINCLF_PROT")), "{log}");
}

/// A container may have a read-only file system and no /tmp.
#[test]
#[cfg(target_os = "linux")]
fn a_server_needs_no_temporary_folder_that_can_be_written_to() {
    let server = Server::start_as(skinclf().args(["serve", "--port", "0"]).env("TMPDIR", "/nonexistent"));
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn health_without_a_url_asks_this_machine() {
    let server = Server::start(&[]);
    let asked = [
        end(skinclf().arg("health").env("SKINCLF_PORT", server.port())),
        run(["health", "--port", server.port()]),
    ];
    for ran in asked {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("\"status\":\"healthy\""), "{}", ran.stdout);
    }
}

#[test]
fn a_server_that_is_not_healthy_fails_the_probe_and_says_why() {
    let draining = Mock::start(|_| Answer::Whole(503, "{\"status\":\"draining\"}".to_owned()));
    let hangs_up = Mock::start(|_| Answer::HangUp);
    for (mock, why) in [(&draining, "draining"), (&hangs_up, "not healthy")] {
        let ran = run(["health", &mock.url]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}

#[test]
fn keys_come_from_a_file_and_any_of_them_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys");
    std::fs::write(&file, "old-key\n new-key\r\n").expect("the file is written");
    let by_flag = Server::start(&["--api-key-file", file.to_str().expect("UTF-8")]);
    let by_variable =
        Server::start_as(skinclf().args(["serve", "--port", "0"]).env("SKINCLF_API_KEY_FILE", &file));
    for server in [by_flag, by_variable] {
        for (key, status) in
            [("old-key", 200), ("new-key", 200), ("old", 401), ("old-key new-key", 401), ("", 401)]
        {
            let reply = server.get_with("/metrics", &[("X-API-Key", key)]);
            assert_eq!(reply.status, status, "{key:?}");
        }
        assert_eq!(server.get("/metrics").status, 401);
        let started = server.started.clone();
        let (_, log) = server.terminate();
        assert!(started.ends_with("API key required") && !log.contains("-key"), "{log}");
    }
}

#[test]
fn a_file_without_a_usable_key_is_named_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("the file is written");
        path.to_str().expect("UTF-8").to_owned()
    };
    for (path, why) in [
        (file("empty", b"\n"), "no key in this file"),
        (file("sentence", b"sesame\nopen sesame"), "line 2"),
        (file("latin-1", b"s\xe9same"), "line 1"),
        (file("large", &[b'x'; 70_000]), "larger than 64.0 KiB"),
        (folder.path().to_str().expect("UTF-8").to_owned(), "directory"),
        ("/no/such/file".to_owned(), "No such file"),
    ] {
        let ran = run(["serve", "--port", "0", "--api-key-file", &path]);
        assert_eq!(ran.code, Some(4), "{path}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        for part in [why, "--api-key-file", &path] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    let both = end(skinclf().args(["serve", "--api-key-file", "keys"]).env("SKINCLF_API_KEY", "sesame"));
    assert_eq!(both.code, Some(2));
    assert!(both.stderr.contains("--api-key-file") && !both.stderr.contains("sesame"), "{}", both.stderr);
}
