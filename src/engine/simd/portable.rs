//! Plain Rust: the specification of all other instruction sets, and the body for a CPU without any.

use super::{Kernel, Simd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portable;

impl Simd for Portable {
    /// Four, because compilers turn that into one register of the x86-64 baseline.
    type V = [f32; 4];
    const LANES: usize = 4;
    const TILE_ROWS: [usize; 3] = [8, 4, 3];

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        #[inline(never)]
        fn compiled<K: Kernel>(isa: Portable, kernel: K) {
            kernel.run(isa);
        }
        compiled(self, kernel);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; 4]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        [from[0], from[1], from[2], from[3]]
    }

    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        let mut v = [0.0; 4];
        v[..from.len()].copy_from_slice(from);
        v
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32]) {
        to[..4].copy_from_slice(&v);
    }

    #[inline(always)]
    fn store_partial(self, v: Self::V, to: &mut [f32]) {
        to.copy_from_slice(&v[..to.len()]);
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i]) // f32::mul_add is a library call without FMA
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn clamp(self, v: Self::V, lo: Self::V, hi: Self::V) -> Self::V {
        std::array::from_fn(|i| {
            let at_least = if lo[i] > v[i] { lo[i] } else { v[i] };
            if hi[i] < at_least { hi[i] } else { at_least }
        })
    }
}
