//! The program as its users meet it: the binary itself, and a real server.

mod bench;
mod classify;
mod document;
mod heatmap;
mod input;
mod limits;
mod load;
mod mock;
mod model;
mod operations;
mod reports;
mod results;
mod resume;
mod schema;
mod serve;
mod settings;
mod signals;
mod snapshots;
mod support;
mod terminal;
mod truth;
mod tta;
mod uploads;
mod usable;
mod usage;
mod wire;
