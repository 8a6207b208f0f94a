//! Signals that a server was started with and those it gets.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use crate::support::{BINARY, Server, send, skinclf};

/// A server that a shell starts with a signal ignored, as nohup(1) does with HUP and a script with the INT of what it
/// runs in the background.
fn ignoring(signal: &str) -> Server {
    let script = format!("trap '' {signal}; exec \"$0\" \"$@\"");
    let binary = skinclf();
    let mut shell = Command::new("sh");
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Server::start_as(shell.args(["-c", &script]).arg(BINARY).args(["serve", "--port", "0"]))
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for signal in ["HUP", "INT"] {
        let server = ignoring(signal);
        send(server.process(), signal);
        assert_eq!(server.get("/health").status, 200, "{signal}");
        assert_eq!(server.terminate().0, Some(0), "{signal} does not count as a first request to stop");
    }
}

#[test]
fn a_hangup_ends_the_server_as_it_ends_any_program() {
    let server = Server::start(&[]);
    send(server.process(), "HUP");
    assert_eq!(server.wait().signal(), Some(1));
}

#[test]
fn an_interrupt_stops_as_a_request_to_terminate_does() {
    let server = Server::start(&[]);
    send(server.process(), "INT");
    assert_eq!(server.wait().code(), Some(0));
}
