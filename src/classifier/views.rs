//! The eight views of a square, for test-time augmentation: a lesion has no up and no left.

/// A way to lay a square on itself; the eight of them are the dihedral group D4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    transposed: bool,
    rows_flipped: bool,
    columns_flipped: bool,
}

impl View {
    /// The square as it is.
    pub(crate) const UPRIGHT: Self = Self::new(false, false, false);

    /// The other seven.
    pub(crate) const OTHERS: [Self; 7] = [
        Self::new(false, false, true),
        Self::new(false, true, false),
        Self::new(false, true, true),
        Self::new(true, false, false),
        Self::new(true, false, true),
        Self::new(true, true, false),
        Self::new(true, true, true),
    ];

    const fn new(transposed: bool, rows_flipped: bool, columns_flipped: bool) -> Self {
        Self { transposed, rows_flipped, columns_flipped }
    }

    /// `planes`, each `side` x `side` and row by row, seen this way.
    pub(crate) fn apply(self, planes: &[f32], side: usize) -> Vec<f32> {
        let mut seen = Vec::with_capacity(planes.len());
        for plane in planes.chunks_exact(side * side) {
            seen.extend(self.sources(side).map(|source| plane[source]));
        }
        seen
    }

    /// Adds planes that are seen this way to `sum`, turned back.
    pub(crate) fn add_undone(self, seen: &[f32], side: usize, sum: &mut [f32]) {
        for (plane, sum) in seen.chunks_exact(side * side).zip(sum.chunks_exact_mut(side * side)) {
            self.sources(side).zip(plane).for_each(|(source, value)| sum[source] += value);
        }
    }

    /// For each cell of the view, row by row, the cell of the square that is seen there.
    fn sources(self, side: usize) -> impl Iterator<Item = usize> {
        let flipped = move |flip: bool, at: usize| if flip { side - 1 - at } else { at };
        (0..side).flat_map(move |y| {
            (0..side).map(move |x| {
                let (row, column) = if self.transposed { (x, y) } else { (y, x) };
                flipped(self.rows_flipped, row) * side + flipped(self.columns_flipped, column)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_differ_and_are_undone() {
        let plane: Vec<f32> = (0..9).map(|n| n as f32).collect();
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for view in View::OTHERS.into_iter().chain([View::UPRIGHT]) {
            let turned = view.apply(&plane, 3);
            let mut undone = vec![0.0; 9];
            view.add_undone(&turned, 3, &mut undone);
            assert_eq!(undone, plane, "{view:?}");
            assert!(!seen.contains(&turned), "{view:?}");
            seen.push(turned);
        }
        assert_eq!(seen[7], plane);
    }
}
