//! The program as its users meet it: the binary itself, and a real server.

mod bench;
mod classify;
mod heatmap;
mod load;
mod mock;
mod model;
mod reports;
mod schema;
mod serve;
mod settings;
mod signals;
mod support;
mod truth;
mod tta;
mod uploads;
mod usable;
mod wire;
