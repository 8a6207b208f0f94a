//! The program as its users meet it: the binary itself, and a real server.

mod bench;
mod classify;
mod model;
mod schema;
mod serve;
mod support;
mod wire;
