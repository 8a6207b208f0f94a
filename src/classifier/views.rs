//! Test-time augmentation: the eight views of a square, and the mean of what the network finds in them.
//! A lesion has no up and no left.

use crate::engine::Heads;
use crate::image::ClassMap;

/// A way to lay a square on itself; the eight of them are the dihedral group D4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    transposed: bool,
    rows_flipped: bool,
    columns_flipped: bool,
}

impl View {
    pub(crate) const UPRIGHT: Self = Self::new(false, false, false);

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

    /// `planes`, each `side` x `side` and row by row, turned and mirrored to this view.
    pub(crate) fn apply(self, planes: &[f32], side: usize) -> Vec<f32> {
        let mut seen = Vec::with_capacity(planes.len());
        for plane in planes.chunks_exact(side * side) {
            seen.extend(self.sources(side).map(|source| plane[source]));
        }
        seen
    }

    /// Turns planes of this view back to upright, and adds them to `sum`.
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

/// The network's outputs, averaged over views. The mean of one view is, bit for bit, that view's outputs.
#[derive(Debug)]
pub(crate) struct Mean {
    /// Weight of each view: 1 / number of views.
    share: f32,
    pub(crate) probabilities: Vec<f32>,
    /// `[label][row][column]`, in logits; empty if the model has no maps.
    maps: Vec<f32>,
    pub(crate) dermoscopy: Option<f32>,
}

impl Mean {
    pub(crate) fn over(views: usize) -> Self {
        Self { share: 1.0 / views as f32, probabilities: Vec::new(), maps: Vec::new(), dermoscopy: None }
    }

    pub(crate) fn add(&mut self, view: View, heads: &Heads, temperature: f32) {
        let probabilities = softmax(&heads.logits, temperature);
        self.probabilities.resize(probabilities.len(), 0.0);
        self.probabilities.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += self.share * p);
        let maps: Vec<f32> = heads.maps.iter().map(|value| self.share * value).collect();
        self.maps.resize(maps.len(), 0.0);
        view.add_undone(&maps, self.map_side(), &mut self.maps);
        if let Some(logit) = heads.dermoscopy {
            *self.dermoscopy.get_or_insert(0.0) += self.share * sigmoid(logit);
        }
    }

    /// A network that overflows gives infinities or NaN.
    pub(crate) fn is_finite(&self) -> bool {
        self.probabilities.iter().chain(&self.dermoscopy).all(|p| p.is_finite())
    }

    pub(crate) fn map(&self, class: usize) -> Option<ClassMap> {
        let side = self.map_side();
        let cells = self.maps.chunks_exact(side * side).nth(class)?;
        Some(ClassMap { side, cells: cells.to_vec() })
    }

    /// Rows of a map, which are as many as its columns.
    fn map_side(&self) -> usize {
        (self.maps.len() / self.probabilities.len().max(1)).isqrt().max(1)
    }
}

/// Softmax of `logits / temperature`, shifted by the largest logit so that it cannot overflow.
fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|l| ((l - max) / temperature).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
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

    #[test]
    fn softmax_survives_large_logits_and_follows_the_temperature() {
        assert_eq!(softmax(&[1000.0, 1000.0], 1.0), [0.5, 0.5]);
        let [sharp, soft] = [1.0, 4.0].map(|t| softmax(&[2.0, 0.0], t)[0]);
        assert!((sharp - 0.880_797).abs() < 1e-6, "{sharp}");
        assert!((soft - 0.622_459).abs() < 1e-6, "{soft}");
    }
}
