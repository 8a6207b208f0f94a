//! Code for particular instruction sets: the only place with `unsafe`.
#![allow(unsafe_code)]

/// Marks the upper halves of the vector registers as unused.
///
/// tract-linalg 0.23's assembly never executes `vzeroupper`. On most x86-64 cores every later
/// legacy-SSE instruction (all code compiled for the baseline target, image decoders included)
/// then waits for, or merges with, the stale halves.
pub(crate) fn clear_upper_halves() {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") {
        #[target_feature(enable = "avx")]
        fn zero_upper() {
            std::arch::x86_64::_mm256_zeroupper();
        }
        // SAFETY: AVX was detected on the line above, which is all `zero_upper` needs. The
        // instruction touches no memory, and no caller may expect the upper halves to survive a
        // call: every x86-64 calling convention leaves them to the callee.
        unsafe { zero_upper() }
    }
}
