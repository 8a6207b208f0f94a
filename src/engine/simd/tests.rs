//! Holds every instruction set of this CPU to plain loops written here, and so to the portable body.

use proptest::prelude::*;

use super::*;

/// Deterministic values from -1 to 1.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn assert_close(isa: Isa, got: &[f32], wanted: &[f32]) {
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let same = got == wanted || (got.is_nan() && wanted.is_nan());
        assert!(same || (got - wanted).abs() < 1e-4, "{}, [{i}]: {got} instead of {wanted}", isa.name());
    }
}

/// As the specification says it: NaN stays NaN.
fn clamped(v: f32, clamp: Clamp) -> f32 {
    if v.is_nan() { v } else { v.max(clamp.lo).min(clamp.hi) }
}

#[derive(Debug)]
struct Product {
    rows: usize,
    columns: usize,
    run: usize,
    starts: Vec<usize>,
    step: usize,
    residual: bool,
    clamp: Clamp,
}

impl Product {
    fn check(&self, seed: u64) {
        let depth = self.run * self.starts.len();
        let reach = self.starts.iter().max().expect("a run") + self.run;
        // Exactly as long as it must be, so that a read past its end is a read out of bounds.
        let data = noise((self.rows - 1) * self.step + reach, seed);
        let weights = noise(depth * self.columns, seed + 1);
        let bias = noise(self.columns, seed + 2);
        let residual = self.residual.then(|| noise(self.rows * self.columns, seed + 3));
        let left = Left { data: &data, step: self.step, starts: &self.starts, run: self.run };
        let mut wanted = Vec::new();
        for row in 0..self.rows {
            for column in 0..self.columns {
                let mut sum = bias[column];
                for k in 0..depth {
                    let at = row * self.step + self.starts[k / self.run] + k % self.run;
                    sum += data[at] * weights[column * depth + k];
                }
                sum += residual.as_ref().map_or(0.0, |r| r[wanted.len()]);
                wanted.push(clamped(sum, self.clamp));
            }
        }
        for isa in Isa::available() {
            let packed = Weights::pack(isa, &weights, &bias);
            let mut out = vec![f32::NAN; wanted.len()];
            packed.multiply(left, self.rows, residual.as_deref(), self.clamp, Layout::Rows, &mut out);
            assert_close(isa, &out, &wanted);

            let lanes = isa.lanes();
            let plane = self.rows * lanes + 3;
            let mut out = vec![f32::NAN; self.columns.div_ceil(lanes) * plane];
            packed.multiply(left, self.rows, None, self.clamp, Layout::Planes(plane), &mut out);
            if residual.is_none() {
                assert_close(isa, &from_planes(&out, plane, lanes, self.columns), &wanted);
            }
        }
    }
}

/// `[pixels][channels]` to planes, the unused lanes NaN.
fn to_planes(rows: &[f32], plane: usize, lanes: usize, channels: usize) -> Vec<f32> {
    let mut planes = vec![f32::NAN; channels.div_ceil(lanes) * plane];
    for (i, value) in rows.iter().enumerate() {
        let (pixel, channel) = (i / channels, i % channels);
        planes[channel / lanes * plane + pixel * lanes + channel % lanes] = *value;
    }
    planes
}

fn from_planes(planes: &[f32], plane: usize, lanes: usize, channels: usize) -> Vec<f32> {
    let pixel = |i| (0..channels).map(move |c| planes[c / lanes * plane + i * lanes + c % lanes]);
    (0..plane / lanes).flat_map(pixel).collect()
}

fn clamps() -> impl Strategy<Value = Clamp> {
    prop_oneof![
        Just(Clamp::NONE),
        Just(Clamp { lo: 0.0, hi: 6.0 }),
        Just(Clamp { lo: 0.0, hi: f32::INFINITY }),
        Just(Clamp { lo: -0.25, hi: 0.25 }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn matrix_products(
        rows in 1_usize..60, columns in 1_usize..70, depth in 1_usize..50, gap in 0_usize..3,
        residual: bool, clamp in clamps(), seed in 0_u64..1000,
    ) {
        let product =
            Product { rows, columns, run: depth, starts: vec![0], step: depth + gap, residual, clamp };
        product.check(seed);
    }

    #[test]
    fn convolutions_in_place(
        rows in 1_usize..60, columns in 1_usize..40, run in 1_usize..8, runs in 1_usize..10,
        apart in 0_usize..100, step in 1_usize..4, clamp in clamps(), seed in 0_u64..1000,
    ) {
        let starts = (0..runs).map(|i| i * apart).collect();
        Product { rows, columns, run, starts, step, residual: false, clamp }.check(seed);
    }

    #[test]
    fn products_of_planes(
        rows in 1_usize..30, columns in 1_usize..30, depth in 1_usize..50, seed in 0_u64..1000,
    ) {
        let data = noise(rows * depth, seed);
        let weights = noise(depth * columns, seed + 1);
        let bias = noise(columns, seed + 2);
        for isa in Isa::available() {
            let packed = Weights::pack(isa, &weights, &bias);
            let mut wanted = vec![0.0; rows * columns];
            packed.multiply(Left::rows_of(&data, depth), rows, None, Clamp::NONE, Layout::Rows, &mut wanted);
            let (lanes, plane) = (isa.lanes(), rows * isa.lanes());
            let planes = to_planes(&data, plane, lanes, depth);
            let starts: Vec<usize> = (0..depth.div_ceil(lanes)).map(|i| i * plane).collect();
            let left = Left { data: &planes, step: lanes, starts: &starts, run: lanes };
            let mut out = vec![f32::NAN; rows * columns];
            packed.multiply(left, rows, None, Clamp::NONE, Layout::Rows, &mut out);
            assert_eq!(out, wanted);
        }
    }

    #[test]
    fn depthwise_rows(
        channels in 1_usize..70, width in 1_usize..20, stride in 1_usize..=2,
        left in 0_usize..=2, right in 0_usize..=2, clamp in clamps(), seed in 0_u64..1000,
    ) {
        prop_assume!(left + width + right >= 3);
        let columns = (left + width + right - 3) / stride + 1;
        let rows = [0, 1, 2].map(|i| noise(width * channels, seed + i));
        let weights = noise(9 * channels, seed + 3);
        let bias = noise(channels, seed + 4);
        let mut wanted = Vec::new();
        for x in 0..columns {
            for channel in 0..channels {
                let mut sum = bias[channel];
                for (tap, weight) in weights[channel * 9..][..9].iter().enumerate() {
                    let pixel = (x * stride + tap % 3).checked_sub(left).filter(|pixel| *pixel < width);
                    sum += pixel.map_or(0.0, |pixel| rows[tap / 3][pixel * channels + channel] * weight);
                }
                wanted.push(clamped(sum, clamp));
            }
        }
        for isa in Isa::available() {
            let op = Depthwise::new(isa, &weights, &bias, stride, left, clamp);
            let (lanes, plane, out_plane) = (isa.lanes(), 3 * width * isa.lanes(), 2 * columns * isa.lanes());
            let input = to_planes(&rows.concat(), plane, lanes, channels);
            let mut out = vec![f32::NAN; op.planes() * out_plane];
            op.rows(
                Rows { data: &input, plane, columns: width },
                &[[Some(0), Some(1), Some(2)]; 2],
                &vec![0.0; plane],
                Rows { data: &mut out, plane: out_plane, columns },
            );
            assert_close(isa, &from_planes(&out, out_plane, lanes, channels), &[&wanted[..]; 2].concat());
        }
    }
}

/// The shapes of MobileNetV2's layers, for which the tiles were chosen.
#[test]
fn products_as_in_mobilenet() {
    for (rows, columns, depth) in
        [(224, 16, 32), (112, 24, 144), (49, 160, 96), (49, 1280, 32), (49, 7, 1280)]
    {
        let clamp = Clamp { lo: 0.0, hi: 6.0 };
        Product { rows, columns, run: depth, starts: vec![0], step: depth, residual: true, clamp }.check(1);
    }
}

/// Infinities are cut like any other value; a NaN is not turned into a number that looks right.
#[test]
fn clamps_keep_nan_and_cut_infinity() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.5, 0.0, 3.0, 6.5];
    let wanted = [f32::NAN, 6.0, 0.0, 0.0, 0.0, 3.0, 6.0];
    let clamp = Clamp { lo: 0.0, hi: 6.0 };
    for isa in Isa::available() {
        // A product with 1, in rows of 1 and of 33 columns: partial and whole vectors.
        for columns in [1, 33] {
            let packed = Weights::pack(isa, &vec![1.0; columns], &vec![0.0; columns]);
            let mut out = vec![0.0; values.len() * columns];
            packed.multiply(Left::rows_of(&values, 1), values.len(), None, clamp, Layout::Rows, &mut out);
            for (out, wanted) in out.chunks(columns).zip(wanted) {
                assert_close(isa, out, &vec![wanted; columns]);
            }
        }
        let identity = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let op = Depthwise::new(isa, &identity.repeat(7), &[0.0; 7], 1, 1, clamp);
        let (lanes, plane) = (isa.lanes(), 7 * isa.lanes());
        let input: Vec<f32> = values.iter().flat_map(|v| vec![*v; lanes]).collect();
        let mut out = vec![0.0; op.planes() * plane];
        op.rows(
            Rows { data: &input.repeat(op.planes()), plane, columns: 7 },
            &[[None, Some(0), None]],
            &vec![0.0; plane],
            Rows { data: &mut out, plane, columns: 7 },
        );
        let out = from_planes(&out, plane, lanes, 7);
        // Zero times infinity is NaN: what is next to one is NaN, too.
        for (pixel, wanted) in [(0, f32::NAN), (3, f32::NAN), (4, 0.0), (5, 3.0), (6, 6.0)] {
            assert_close(isa, &out[pixel * 7..][..7], &[wanted; 7]);
        }
    }
}

#[test]
#[should_panic(expected = "left is too short")]
fn a_short_left_operand_is_refused() {
    let packed = Weights::pack(Isa::Portable(Portable), &[1.0; 6], &[0.0; 2]);
    packed.multiply(Left::rows_of(&[0.0; 5], 3), 2, None, Clamp::NONE, Layout::Rows, &mut [0.0; 4]);
}

#[test]
fn an_instruction_set_is_named_or_refused() {
    for isa in Isa::available() {
        assert_eq!(Isa::named(isa.name()), Ok(isa));
    }
    let error = Isa::named("mmx").expect_err("no such name");
    assert!(error.contains("SKINCLF_ISA=mmx") && error.contains("portable"), "{error}");
}
