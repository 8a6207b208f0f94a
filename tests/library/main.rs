//! The library as other programs meet it. One program, because linking one takes minutes.

mod goldens;
mod metrics;
mod panics;
mod reduced;
mod robustness;
mod tiff;
