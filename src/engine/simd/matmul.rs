//! Matrix times packed weights, plus bias, residual and clamp: every 1x1 convolution on NHWC, and
//! by way of [`Left`]'s runs a dense convolution of few channels on NCHW.

use super::{Clamp, Isa, Kernel, Simd};
use crate::engine::aligned::Aligned;

/// The tallest register tile of any instruction set.
pub(super) const MAX_ROWS: usize = 14;
/// Vectors that the widest register tile is wide.
const MAX_VECTORS: usize = 3;
/// Bytes of the left operand that should stay in the L1 cache while all weights pass by.
const LEFT_L1_BYTES: usize = 16 << 10;
/// Weights larger than this stay where they are while all rows pass by.
const WEIGHTS_L1_BYTES: usize = 64 << 10;

/// `[columns][depth]` weights and `[columns]` biases, packed for one instruction set.
///
/// The columns are cut into panels as wide as a register tile, 1 to 3 vectors. A panel is its
/// biases, then for each depth its weights, all padded with zeros to whole vectors.
#[derive(Debug)]
pub(crate) struct Weights {
    isa: Isa,
    depth: usize,
    columns: usize,
    panels: Aligned,
}

/// The left operand: row `i` at depth `s * run + k` is `data[i * step + starts[s] + k]`.
///
/// A 1x1 convolution on NHWC has a single run, as long as there are channels; one on planes has one
/// for each plane, of which the last may be used in part. A dense convolution on NCHW has one for
/// each input channel and kernel row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) step: usize,
    pub(crate) starts: &'a [usize],
    pub(crate) run: usize,
}

/// Where the value of a row and a column is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layout {
    /// `[rows][columns]`: NHWC.
    Rows,
    /// `[vectors of columns][rows][LANES]`, with so many values from one plane to the next.
    Planes(usize),
}

impl<'a> Left<'a> {
    /// A plain row-major matrix.
    pub(crate) fn rows_of(data: &'a [f32], depth: usize) -> Self {
        Self { data, step: depth, starts: &[0], run: depth }
    }
}

impl Weights {
    /// `weights` is `[columns][depth]`, row-major; `bias` has a value for each column.
    pub(crate) fn pack(isa: Isa, weights: &[f32], bias: &[f32]) -> Self {
        let columns = bias.len();
        let depth = weights.len().checked_div(columns).unwrap_or(0);
        assert!(depth > 0 && weights.len() == columns * depth, "weights must be [columns][depth]");
        let mut packed = Self { isa, depth, columns, panels: Aligned::default() };
        isa.dispatch(Pack { weights, bias, packed: &mut packed });
        packed
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = clamp(left * weights + bias + residual)`; `residual` is laid out as `out` is.
    ///
    /// # Panics
    /// When a slice is too short for that.
    pub(crate) fn multiply(
        &self,
        left: Left,
        rows: usize,
        residual: Option<&[f32]>,
        clamp: Clamp,
        layout: Layout,
        out: &mut [f32],
    ) {
        if rows == 0 {
            return;
        }
        let lanes = self.isa.lanes();
        let (row_step, vector_step) = match layout {
            Layout::Rows => (self.columns, lanes),
            Layout::Planes(plane) => (lanes, plane),
        };
        let last_vector = self.columns.div_ceil(lanes) - 1;
        let last_lanes = match layout {
            Layout::Rows => self.columns - last_vector * lanes,
            Layout::Planes(_) => lanes,
        };
        let out_len = (rows - 1) * row_step + last_vector * vector_step + last_lanes;
        assert!(out_len <= out.len(), "out is too short");
        assert!(residual.is_none_or(|r| out_len <= r.len()), "residual is too short");
        assert_eq!(left.starts.len(), self.depth.div_ceil(left.run), "left must be as deep as the weights");
        let last_start = left.starts.iter().max().copied().unwrap_or(0);
        assert!((rows - 1) * left.step + last_start + left.run <= left.data.len(), "left is too short");
        let steps = Steps { row: row_step, vector: vector_step, last_lanes };
        self.isa.dispatch(Multiply { weights: self, left, rows, residual, clamp, steps, out });
    }
}

/// A [`Layout`] as distances between values.
#[derive(Debug, Clone, Copy)]
struct Steps {
    row: usize,
    vector: usize,
    /// Lanes of the last vector that exist.
    last_lanes: usize,
}

/// Panels from left to right, as (first column, vectors). Two vectors make the tile with the
/// fewest loads for its multiplications; an odd number of vectors starts with three.
fn panels<S: Simd>(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let left = columns.saturating_sub(next).div_ceil(S::LANES);
        let vectors = match left {
            0 => return None,
            1 => 1,
            _ if left % 2 == 1 => 3,
            _ => 2,
        };
        let first = next;
        next += vectors * S::LANES;
        Some((first, vectors))
    })
}

struct Pack<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    packed: &'a mut Weights,
}

impl Kernel for Pack<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _isa: S) {
        let Self { weights, bias, packed } = self;
        let (columns, depth) = (packed.columns, packed.depth);
        packed.panels = Aligned::zeroed((depth + 1) * columns.next_multiple_of(S::LANES));
        let mut rest = &mut packed.panels[..];
        for (first, vectors) in panels::<S>(columns) {
            let width = vectors * S::LANES;
            let (panel, after) = rest.split_at_mut((depth + 1) * width);
            let used = width.min(columns - first);
            panel[..used].copy_from_slice(&bias[first..first + used]);
            let sources: Vec<&[f32]> = weights[first * depth..][..used * depth].chunks_exact(depth).collect();
            // Panels are written from start to end: they are new memory, and most are larger than
            // the L1 cache.
            for (k, to) in panel[width..].chunks_exact_mut(width).enumerate() {
                for (to, source) in to.iter_mut().zip(&sources) {
                    *to = source[k];
                }
            }
            rest = after;
        }
    }
}

struct Multiply<'a> {
    weights: &'a Weights,
    left: Left<'a>,
    rows: usize,
    residual: Option<&'a [f32]>,
    clamp: Clamp,
    steps: Steps,
    out: &'a mut [f32],
}

impl Kernel for Multiply<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Weights { depth, columns, ref panels, .. } = *self.weights;
        let chunk = if size_of_val(&panels[..]) <= WEIGHTS_L1_BYTES {
            (LEFT_L1_BYTES / size_of::<f32>() / depth).max(S::TILE_ROWS[0]).next_multiple_of(12)
        } else {
            self.rows
        };
        let mut row = 0;
        while row < self.rows {
            let end = self.rows.min(row + chunk);
            let mut rest = &panels[..];
            for (first, vectors) in self::panels::<S>(columns) {
                let (panel, after) = rest.split_at((depth + 1) * vectors * S::LANES);
                // Tiles of about equal height: a short one could not hide the latency of its sums.
                let tiles = (end - row).div_ceil(S::TILE_ROWS[vectors - 1]);
                let (height, taller) = ((end - row) / tiles, (end - row) % tiles);
                let mut column = Column {
                    left: self.left,
                    panel,
                    next: after,
                    ahead: (vectors * S::LANES).div_ceil(tiles),
                    row,
                    tiles: taller,
                    vector: first / S::LANES,
                    vectors: columns.div_ceil(S::LANES),
                    residual: self.residual,
                    clamp: self.clamp,
                    steps: self.steps,
                    out: &mut *self.out,
                };
                column.dispatch(isa, height + 1, vectors);
                column.tiles = tiles - taller;
                column.dispatch(isa, height, vectors);
                rest = after;
            }
            row = end;
        }
    }
}

/// Register tiles of one shape, one below the other, and all that they read and write.
struct Column<'a> {
    left: Left<'a>,
    /// Biases, then weights.
    panel: &'a [f32],
    /// The panel to prefetch, and how many of its values for each depth of a tile.
    next: &'a [f32],
    ahead: usize,
    /// Where the first tile starts. Moves to the end of the last.
    row: usize,
    tiles: usize,
    /// The first vector of columns, and how many there are in all.
    vector: usize,
    vectors: usize,
    residual: Option<&'a [f32]>,
    clamp: Clamp,
    steps: Steps,
    out: &'a mut [f32],
}

/// One function for each shape: with several in one function, compilers keep the sums in memory.
struct Tiles<'c, 'a, const ROWS: usize, const VECTORS: usize>(&'c mut Column<'a>);

impl Column<'_> {
    #[inline(always)]
    fn dispatch<S: Simd>(&mut self, isa: S, rows: usize, vectors: usize) {
        if self.tiles == 0 {
            return;
        }
        macro_rules! shapes {
            ($(($rows:literal, $vectors:literal))*) => {
                match (rows, vectors) {
                    $(($rows, $vectors) => isa.vectorize(Tiles::<$rows, $vectors>(self)),)*
                    _ => unreachable!("no tile has {rows} rows of {vectors} vectors"),
                }
            };
        }
        shapes! {
            (1, 1) (2, 1) (3, 1) (4, 1) (5, 1) (6, 1) (7, 1) (8, 1) (9, 1) (10, 1) (11, 1) (12, 1) (13, 1) (14, 1)
            (1, 2) (2, 2) (3, 2) (4, 2) (5, 2) (6, 2) (7, 2) (8, 2) (9, 2) (10, 2) (11, 2) (12, 2) (13, 2) (14, 2)
            (1, 3) (2, 3) (3, 3) (4, 3) (5, 3) (6, 3) (7, 3) (8, 3) (9, 3)
        }
    }
}

/// A loop over the rows or the vectors of a tile, written out.
///
/// Compilers do not reliably unroll a `for` over a const generic, and a single variable index into
/// the sums moves all of them from registers to memory.
macro_rules! unrolled {
    (for $i:ident in 0..ROWS $body:block) => {
        unrolled!(@ $i ROWS $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (for $i:ident in 0..VECTORS $body:block) => {
        unrolled!(@ $i VECTORS $body 0 1 2)
    };
    (@ $i:ident $n:ident $body:block $($constant:literal)*) => {
        $(if $constant < $n {
            const $i: usize = $constant;
            $body
        })*
    };
}

impl<const ROWS: usize, const VECTORS: usize> Kernel for Tiles<'_, '_, ROWS, VECTORS> {
    #[inline(always)]
    fn run<S: Simd>(mut self, isa: S) {
        if ROWS > S::TILE_ROWS[VECTORS - 1] {
            unreachable!(); // leaves an empty function of the shapes that `S` does not use
        }
        let Column { left, panel, next, ahead, tiles, .. } = *self.0;
        let Left { data, step, starts, run } = left;
        let depth = panel.len() / (VECTORS * S::LANES) - 1;
        let width = VECTORS * S::LANES;
        let end = self.0.row + tiles * ROWS;
        let mut row = self.0.row;
        let mut soon = row / ROWS * ahead * depth;
        while row < end {
            let mut sums = [[isa.splat(0.0); MAX_VECTORS]; MAX_ROWS];
            unrolled!(for J in 0..VECTORS {
                // SAFETY: a panel starts with `width` biases.
                let bias = unsafe { isa.load_at(panel, J * S::LANES, S::LANES) };
                unrolled!(for I in 0..ROWS {
                    sums[I][J] = bias;
                });
            });
            let mut at = width;
            let mut remaining = depth;
            for &start in starts {
                let from = row * step + start;
                // The last run may be longer than what is left of the depth.
                let run = run.min(remaining);
                remaining -= run;
                for k in from..from + run {
                    let mut weights = [isa.splat(0.0); MAX_VECTORS];
                    unrolled!(for J in 0..VECTORS {
                        // SAFETY: after its biases the panel has `depth` times `width` weights, and
                        // `remaining` keeps the loops from running more often than `depth`.
                        weights[J] = unsafe { isa.load_at(panel, at + J * S::LANES, S::LANES) };
                    });
                    unrolled!(for I in 0..ROWS {
                        // SAFETY: `row + I` is a row of `out`, and `multiply` has checked that
                        // `data` has the last value of the last row in the last run.
                        let value = unsafe { isa.splat_at(data, k + I * step) };
                        unrolled!(for J in 0..VECTORS {
                            sums[I][J] = isa.mul_add(value, weights[J], sums[I][J]);
                        });
                    });
                    isa.prefetch(next, soon);
                    soon += ahead;
                    at += width;
                }
            }
            self.store(isa, row, &sums);
            row += ROWS;
        }
        self.0.row = row;
    }
}

impl<const ROWS: usize, const VECTORS: usize> Tiles<'_, '_, ROWS, VECTORS> {
    /// Writes the sums of the tile that starts at `row`.
    #[inline(always)]
    fn store<S: Simd>(&mut self, isa: S, row: usize, sums: &[[S::V; MAX_VECTORS]; MAX_ROWS]) {
        let Column { vector, vectors, residual, clamp, steps, .. } = *self.0;
        let out = &mut *self.0.out;
        let (lo, hi) = (isa.splat(clamp.lo), isa.splat(clamp.hi));
        unrolled!(for J in 0..VECTORS {
            let n = if vector + J + 1 == vectors { steps.last_lanes } else { S::LANES };
            unrolled!(for I in 0..ROWS {
                let to = (row + I) * steps.row + (vector + J) * steps.vector;
                let mut sum = sums[I][J];
                if let Some(residual) = residual {
                    // SAFETY: as below, and `multiply` has checked `residual` like `out`.
                    sum = isa.add(sum, unsafe { isa.load_at(residual, to, n) });
                }
                // SAFETY: `row + I` is one of the rows and `vector + J` one of the vectors;
                // `multiply` has checked that `out` has the last value of the last of both.
                unsafe { isa.store_at(isa.clamp(sum, lo, hi), out, to, n) };
            });
        });
    }
}
