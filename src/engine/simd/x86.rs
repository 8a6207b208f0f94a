//! AVX2 with FMA, and AVX-512F.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Proof that the CPU has AVX2 and FMA: there is no other way to get one than `new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const TILE_ROWS: [usize; 3] = [12, 6, 4];

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        fn compiled<K: Kernel>(isa: Avx2, kernel: K) {
            kernel.run(isa);
        }
        // SAFETY: `self` proves AVX2 and FMA.
        unsafe { compiled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        let from = &from[..8];
        // SAFETY: `self` proves AVX; `from` is 8 readable floats, of any alignment.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> __m256 {
        // SAFETY: `self` proves AVX2.
        let mask = unsafe { first_lanes(from.len()) };
        // SAFETY: `self` proves AVX; lanes from `from.len()` on are masked out and not read.
        unsafe { _mm256_maskload_ps(from.as_ptr(), mask) }
    }

    #[inline(always)]
    fn store(self, v: __m256, to: &mut [f32]) {
        let to = &mut to[..8];
        // SAFETY: `self` proves AVX; `to` is 8 writable floats, of any alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m256, to: &mut [f32]) {
        // SAFETY: `self` proves AVX2.
        let mask = unsafe { first_lanes(to.len()) };
        // SAFETY: `self` proves AVX; lanes from `to.len()` on are masked out and not written.
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), mask, v) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn clamp(self, v: __m256, lo: __m256, hi: __m256) -> __m256 {
        // `v` comes second: of a NaN and a number these instructions return the second operand.
        // SAFETY: `self` proves AVX.
        let at_least = unsafe { _mm256_max_ps(lo, v) };
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_min_ps(hi, at_least) }
    }

    #[inline(always)]
    fn prefetch(self, from: &[f32], at: usize) {
        prefetch(from, at);
    }
}

/// All bits set in the first `n` lanes, none in the others.
#[inline]
#[target_feature(enable = "avx2")]
fn first_lanes(n: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(n.min(8) as i32), lanes)
}

#[inline(always)]
fn prefetch(from: &[f32], at: usize) {
    let line = from.as_ptr().wrapping_add(at);
    // SAFETY: SSE is part of x86-64; a prefetch of any address, mapped or not, has no effect that
    // a program could see.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
}

/// Proof that the CPU has AVX-512F: there is no other way to get one than `new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const TILE_ROWS: [usize; 3] = [14, 14, 9];

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        #[inline(never)]
        #[target_feature(enable = "avx512f")]
        fn compiled<K: Kernel>(isa: Avx512, kernel: K) {
            kernel.run(isa);
        }
        // SAFETY: `self` proves AVX-512F.
        unsafe { compiled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        let from = &from[..16];
        // SAFETY: `self` proves AVX-512F; `from` is 16 readable floats, of any alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> __m512 {
        // SAFETY: `self` proves AVX-512F; lanes from `from.len()` on are masked out and not read.
        unsafe { _mm512_maskz_loadu_ps(first_lanes_mask(from.len()), from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m512, to: &mut [f32]) {
        let to = &mut to[..16];
        // SAFETY: `self` proves AVX-512F; `to` is 16 writable floats, of any alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m512, to: &mut [f32]) {
        // SAFETY: `self` proves AVX-512F; lanes from `to.len()` on are masked out and not written.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first_lanes_mask(to.len()), v) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn clamp(self, v: __m512, lo: __m512, hi: __m512) -> __m512 {
        // `v` comes second: of a NaN and a number these instructions return the second operand.
        // SAFETY: `self` proves AVX-512F.
        let at_least = unsafe { _mm512_max_ps(lo, v) };
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_min_ps(hi, at_least) }
    }

    #[inline(always)]
    fn prefetch(self, from: &[f32], at: usize) {
        prefetch(from, at);
    }
}

/// A bit for each of the first `n` of 16 lanes.
#[inline(always)]
fn first_lanes_mask(n: usize) -> u16 {
    ((1_u32 << n.min(16)) - 1) as u16
}
