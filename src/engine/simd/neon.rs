//! NEON. Tested in an emulator (`tests/kernels/run.sh neon`), run on no hardware so far.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

/// Proof that the CPU has NEON: there is no other way to get one than `new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub(super) fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Simd for Neon {
    /// Two registers: then AVX2's tile shapes fill the 32 registers, too.
    type V = [float32x4_t; 2];
    const LANES: usize = 8;
    const TILE_ROWS: [usize; 3] = [12, 6, 4];

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        #[inline(never)]
        #[target_feature(enable = "neon")]
        fn compiled<K: Kernel>(isa: Neon, kernel: K) {
            kernel.run(isa);
        }
        // SAFETY: `self` proves NEON.
        unsafe { compiled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: `self` proves NEON.
        [unsafe { vdupq_n_f32(x) }; 2]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        let (low, high) = from[..8].split_at(4);
        // SAFETY: `self` proves NEON; `low` is 4 readable floats.
        let low = unsafe { vld1q_f32(low.as_ptr()) };
        // SAFETY: `self` proves NEON; `high` is 4 readable floats.
        let high = unsafe { vld1q_f32(high.as_ptr()) };
        [low, high]
    }

    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        let mut values = [0.0; 8];
        values[..from.len()].copy_from_slice(from);
        self.load(&values)
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32]) {
        let (low, high) = to[..8].split_at_mut(4);
        // SAFETY: `self` proves NEON; `low` is 4 writable floats.
        unsafe { vst1q_f32(low.as_mut_ptr(), v[0]) };
        // SAFETY: `self` proves NEON; `high` is 4 writable floats.
        unsafe { vst1q_f32(high.as_mut_ptr(), v[1]) };
    }

    #[inline(always)]
    fn store_partial(self, v: Self::V, to: &mut [f32]) {
        let mut values = [0.0; 8];
        self.store(v, &mut values);
        to.copy_from_slice(&values[..to.len()]);
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        std::array::from_fn(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        std::array::from_fn(|i| unsafe { vaddq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn clamp(self, v: Self::V, lo: Self::V, hi: Self::V) -> Self::V {
        // Of a NaN and a number these instructions return the NaN.
        // SAFETY: `self` proves NEON.
        let at_least: Self::V = std::array::from_fn(|i| unsafe { vmaxq_f32(lo[i], v[i]) });
        // SAFETY: `self` proves NEON.
        std::array::from_fn(|i| unsafe { vminq_f32(hi[i], at_least[i]) })
    }
}
