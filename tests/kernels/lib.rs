//! `src/engine/simd` and its tests, compiled apart.

#[path = "../../src/engine"]
#[allow(dead_code, reason = "the kernels without the engine that calls all of them")]
mod engine {
    pub(crate) mod aligned;
    pub(crate) mod simd;
}
