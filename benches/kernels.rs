//! The kernels one by one, on the shapes that MobileNetV2 has at 224x224. Criterion's `elem/s` are
//! multiplications a second; a core's peak is its clock times 16 with AVX2 and times 32 with AVX-512.
//! `SKINCLF_ISA=portable cargo bench --bench kernels` measures another instruction set.

#[path = "../src/engine"]
#[allow(dead_code, reason = "the kernels without the engine that calls all of them")]
mod engine {
    pub(crate) mod aligned;
    pub(crate) mod simd;
}

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

use engine::aligned::Aligned;
use engine::simd::{Clamp, Depthwise, Isa, Layout, Left, Rows, Weights};

const RELU6: Clamp = Clamp { lo: 0.0, hi: 6.0 };

/// Pixels (as many as a strip of rows has), channels of the input, channels of the output.
const EXPANSIONS: [[usize; 3]; 7] = [
    [9 * 112, 16, 96],
    [14 * 56, 24, 144],
    [28 * 28, 32, 192],
    [14 * 14, 64, 384],
    [14 * 14, 96, 576],
    [7 * 7, 160, 960],
    [7 * 7, 320, 1280],
];
const PROJECTIONS: [[usize; 3]; 8] = [
    [4 * 112, 32, 16],
    [4 * 56, 96, 24],
    [7 * 56, 144, 24],
    [14 * 28, 192, 32],
    [14 * 14, 384, 64],
    [5 * 14, 576, 96],
    [7 * 7, 960, 160],
    [7 * 7, 960, 320],
];
/// Columns of the input, rows of the output, channels, stride.
const DEPTHWISE: [[usize; 4]; 8] = [
    [112, 4, 32, 1],
    [112, 4, 96, 2],
    [56, 7, 144, 1],
    [56, 14, 144, 2],
    [28, 14, 192, 1],
    [14, 14, 384, 1],
    [14, 7, 576, 2],
    [7, 7, 960, 1],
];

fn isa() -> Isa {
    let chosen = Isa::chosen().expect("SKINCLF_ISA names an instruction set of this CPU");
    chosen.expect("SKINCLF_ISA is not tract, which has other kernels")
}

fn values(len: usize) -> Aligned {
    let mut values = Aligned::zeroed(len);
    values.iter_mut().zip((0_u8..=250).cycle()).for_each(|(v, i)| *v = f32::from(i) / 250.0 - 0.5);
    values
}

fn group<'c>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    c.benchmark_group(format!("{name}/{}", isa().name()))
}

/// 1x1 convolutions, NHWC to planes.
fn expand(c: &mut Criterion) {
    let isa = isa();
    let mut group = group(c, "expand");
    for [pixels, depth, columns] in EXPANSIONS {
        let x = values(pixels * depth);
        let weights = Weights::pack(isa, &values(depth * columns), &values(columns));
        let plane = pixels * isa.lanes() + 16;
        let mut out = Aligned::zeroed(columns.div_ceil(isa.lanes()) * plane);
        group.throughput(Throughput::Elements((pixels * depth * columns) as u64));
        group.bench_function(format!("{pixels}x{depth} to {columns}"), |b| {
            let left = Left::rows_of(&x, depth);
            b.iter(|| weights.multiply(left, pixels, None, RELU6, Layout::Planes(plane), &mut out));
        });
    }
}

/// 1x1 convolutions, planes to NHWC.
fn project(c: &mut Criterion) {
    let lanes = isa().lanes();
    let mut group = group(c, "project");
    for [pixels, depth, columns] in PROJECTIONS {
        let plane = pixels * lanes + 16;
        let x = values(depth.div_ceil(lanes) * plane);
        let starts: Vec<usize> = (0..depth.div_ceil(lanes)).map(|i| i * plane).collect();
        let weights = Weights::pack(isa().for_columns(columns), &values(depth * columns), &values(columns));
        let mut out = Aligned::zeroed(pixels * columns);
        group.throughput(Throughput::Elements((pixels * depth * columns) as u64));
        group.bench_function(format!("{pixels}x{depth} to {columns}"), |b| {
            let left = Left { data: &x, step: lanes, starts: &starts, run: lanes };
            b.iter(|| weights.multiply(left, pixels, None, Clamp::NONE, Layout::Rows, &mut out));
        });
    }
}

/// The first layer: 3x3, stride 2, 3 channels to 32.
fn stem(c: &mut Criterion) {
    let isa = isa();
    let mut group = group(c, "stem");
    let (columns, padded) = (112, 226);
    let x = values(9 * padded);
    let starts: Vec<usize> = (0..9).map(|i| i * padded).collect();
    let weights = Weights::pack(isa, &values(27 * 32), &values(32));
    let plane = columns * isa.lanes();
    let mut out = Aligned::zeroed(32 * columns);
    group.throughput(Throughput::Elements((columns * 27 * 32) as u64));
    group.bench_function("row of 112", |b| {
        let left = Left { data: &x, step: 2, starts: &starts, run: 3 };
        b.iter(|| weights.multiply(left, columns, None, RELU6, Layout::Planes(plane), &mut out));
    });
}

fn depthwise(c: &mut Criterion) {
    let isa = isa();
    let lanes = isa.lanes();
    let mut group = group(c, "depthwise");
    for [columns, rows, channels, stride] in DEPTHWISE {
        let op = Depthwise::new(isa, &values(channels * 9), &values(channels), stride, 1, RELU6);
        let (out_columns, in_rows) = (columns / stride, (rows - 1) * stride + 3);
        let (plane, out_plane) = (in_rows * columns * lanes + 16, rows * out_columns * lanes + 16);
        let x = values(op.planes() * plane);
        let zeros = Aligned::zeroed(columns * lanes);
        let mut out = Aligned::zeroed(op.planes() * out_plane);
        let sources: Vec<_> = (0..rows).map(|y| [0, 1, 2].map(|k| Some(y * stride + k))).collect();
        group.throughput(Throughput::Elements((rows * out_columns * channels * 9) as u64));
        group.bench_function(format!("{rows} rows from {columns}x{channels}, stride {stride}"), |b| {
            b.iter(|| {
                let input = Rows { data: &x[..], plane, columns };
                let out = Rows { data: &mut out[..], plane: out_plane, columns: out_columns };
                op.rows(input, &sources, &zeros, out);
            });
        });
    }
}

criterion_group!(benches, expand, project, stem, depthwise);
criterion_main!(benches);
