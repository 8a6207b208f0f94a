//! Code for particular instruction sets: the only place with `unsafe`.
//!
//! An algorithm is a [`Kernel`], written once over [`Simd`]. A value of a type that implements
//! `Simd` is the proof that the CPU has those instructions, so the arithmetic on it is safe to
//! call. [`Isa::dispatch`] is the one place that goes from the value to the compiled code.
//!
//! What is left to be unsafe is memory: [`Simd::load_at`] and its like do not check bounds in a
//! release build. Each kernel's safe entry checks the lengths of its slices once a call.
#![allow(unsafe_code)]

mod depthwise;
mod matmul;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use depthwise::{Depthwise, Rows};
pub(crate) use matmul::{Layout, Left, Weights};

use portable::Portable;

/// Bounds that an activation is cut to; ReLU6 is `0..=6`. NaN stays NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clamp {
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

impl Clamp {
    pub(crate) const NONE: Self = Self { lo: f32::NEG_INFINITY, hi: f32::INFINITY };
}

/// An instruction set that this CPU has: the variants hold the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    Portable(Portable),
}

/// Names one of [`Isa::available`] to be used in place of the best, or [`UNFUSED`].
const FORCE: &str = "SKINCLF_ISA";

/// Leaves the whole network to tract: what the fused stages are compared with.
const UNFUSED: &str = "tract";

impl Isa {
    /// All that this CPU has, the best first.
    pub(crate) fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(x86::Avx512::new().map(Self::Avx512));
            all.extend(x86::Avx2::new().map(Self::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::Neon::new().map(Self::Neon));
        all.push(Self::Portable(Portable));
        all
    }

    /// The best one, or what the environment variable `SKINCLF_ISA` names: `None` for tract.
    pub(crate) fn chosen() -> Result<Option<Self>, String> {
        match std::env::var(FORCE) {
            Err(std::env::VarError::NotPresent) => Ok(Some(Self::available()[0])),
            Ok(name) if name == UNFUSED => Ok(None),
            Ok(name) => Self::named(&name).map(Some),
            Err(e) => Err(format!("{FORCE}: {e}")),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let available = Self::available();
        available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(|isa| isa.name()).collect();
            format!(
                "{FORCE}={name} is not an instruction set that this CPU has: {}, or {UNFUSED} for none",
                names.join(", ")
            )
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
            Self::Portable(_) => "portable",
        }
    }

    pub(crate) fn lanes(self) -> usize {
        fn of<S: Simd>(_: S) -> usize {
            S::LANES
        }
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(isa) => of(isa),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(isa) => of(isa),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(isa) => of(isa),
            Self::Portable(isa) => of(isa),
        }
    }

    /// The instruction set to multiply with, where there is one better than `self` for so few
    /// columns: 24 fill three AVX2 vectors, but half of the second AVX-512 vector stays empty.
    pub(crate) fn for_columns(self, columns: usize) -> Self {
        #[cfg(not(target_arch = "x86_64"))]
        let _ = columns;
        #[cfg(target_arch = "x86_64")]
        if let (Self::Avx512(_), Some(narrow)) = (self, x86::Avx2::new()) {
            let used = columns % self.lanes();
            if columns < 3 * self.lanes() && 0 < used && used <= Self::Avx2(narrow).lanes() {
                return Self::Avx2(narrow);
            }
        }
        self
    }

    fn dispatch<K: Kernel>(self, kernel: K) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(isa) => isa.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(isa) => isa.vectorize(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(isa) => isa.vectorize(kernel),
            Self::Portable(isa) => isa.vectorize(kernel),
        }
    }
}

/// Something to compute with any instruction set.
trait Kernel {
    /// Must be `#[inline(always)]`: its instructions are those of the function it is inlined into.
    fn run<S: Simd>(self, isa: S);
}

/// The vector operations of one instruction set. All methods are `#[inline(always)]`, for the same
/// reason as [`Kernel::run`].
trait Simd: Copy {
    /// A vector of `LANES` values.
    type V: Copy;
    const LANES: usize;
    /// Rows of the matmul tile that is 1, 2 or 3 vectors wide: as many as the registers hold
    /// beside the operands, at most [`matmul::MAX_ROWS`].
    const TILE_ROWS: [usize; 3];

    /// Runs `kernel` compiled for this instruction set, as a function of its own.
    fn vectorize<K: Kernel>(self, kernel: K);

    fn splat(self, x: f32) -> Self::V;
    /// The first `LANES` values of `from`, which must have as many.
    fn load(self, from: &[f32]) -> Self::V;
    /// The at most `LANES` values of `from`, then zeros.
    fn load_partial(self, from: &[f32]) -> Self::V;
    /// To the first `LANES` places of `to`, which must have as many.
    fn store(self, v: Self::V, to: &mut [f32]);
    /// As many as `to`, at most `LANES` long, has places for.
    fn store_partial(self, v: Self::V, to: &mut [f32]);
    /// `a * b + c`, fused where the hardware does that.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// NaN stays NaN, as with ONNX's Clip.
    fn clamp(self, v: Self::V, lo: Self::V, hi: Self::V) -> Self::V;
    /// Hints that the cache line of `from[at]` will be read soon. Any `at` will do.
    #[inline(always)]
    fn prefetch(self, _from: &[f32], _at: usize) {}

    /// `n` values from `from[at]`, then zeros.
    ///
    /// # Safety
    /// `n <= LANES` and `at + n <= from.len()`.
    #[inline(always)]
    unsafe fn load_at(self, from: &[f32], at: usize, n: usize) -> Self::V {
        debug_assert!(n <= Self::LANES && at + n <= from.len(), "{at}+{n} of {}", from.len());
        // SAFETY: the caller's promise.
        let values = unsafe { from.get_unchecked(at..at + n) };
        if n == Self::LANES { self.load(values) } else { self.load_partial(values) }
    }

    /// The first `n` values of `v` to `to[at]` and on.
    ///
    /// # Safety
    /// `n <= LANES` and `at + n <= to.len()`.
    #[inline(always)]
    unsafe fn store_at(self, v: Self::V, to: &mut [f32], at: usize, n: usize) {
        debug_assert!(n <= Self::LANES && at + n <= to.len(), "{at}+{n} of {}", to.len());
        // SAFETY: the caller's promise.
        let places = unsafe { to.get_unchecked_mut(at..at + n) };
        if n == Self::LANES { self.store(v, places) } else { self.store_partial(v, places) }
    }

    /// `from[at]` in all lanes.
    ///
    /// # Safety
    /// `at < from.len()`.
    #[inline(always)]
    unsafe fn splat_at(self, from: &[f32], at: usize) -> Self::V {
        debug_assert!(at < from.len(), "{at} of {}", from.len());
        // SAFETY: the caller's promise.
        self.splat(*unsafe { from.get_unchecked(at) })
    }
}

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
