//! The library as other programs meet it. One program, because linking one takes minutes.

mod evaluation;
mod goldens;
mod panics;
mod reduced;
mod robustness;
mod tiff;
