//! What the network says of the views of one square, averaged.

use super::views::View;
use crate::engine::Heads;
use crate::image::ClassMap;

/// The mean over a number of views. Of one view it is, bit for bit, what was said of that.
#[derive(Debug)]
pub(crate) struct Mean {
    /// Weight of a view.
    share: f32,
    /// Of each class.
    pub(crate) probabilities: Vec<f32>,
    /// `[label][row][column]`, in logits; empty if the model has no maps.
    maps: Vec<f32>,
    /// Of a dermoscopic picture of a lesion, if the model tells.
    pub(crate) dermoscopy: Option<f32>,
}

impl Mean {
    /// The mean of nothing yet, over so many views.
    pub(crate) fn over(views: usize) -> Self {
        Self { share: 1.0 / views as f32, probabilities: Vec::new(), maps: Vec::new(), dermoscopy: None }
    }

    /// Adds what was said of one view. `temperature` is that of the classes.
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

    /// Whether there is an answer: a network that overflows gives none.
    pub(crate) fn is_finite(&self) -> bool {
        self.probabilities.iter().chain(&self.dermoscopy).all(|p| p.is_finite())
    }

    /// The map of one class, if the model has maps.
    pub(crate) fn map(&self, class: usize) -> Option<ClassMap> {
        let side = self.map_side();
        let cells = self.maps.chunks_exact(side * side).nth(class)?;
        Some(ClassMap { side, cells: cells.to_vec() })
    }

    /// Rows of a map, and columns.
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
    use super::softmax;

    #[test]
    fn softmax_survives_large_logits_and_follows_the_temperature() {
        assert_eq!(softmax(&[1000.0, 1000.0], 1.0), [0.5, 0.5]);
        let [sharp, soft] = [1.0, 4.0].map(|t| softmax(&[2.0, 0.0], t)[0]);
        assert!((sharp - 0.880_797).abs() < 1e-6, "{sharp}");
        assert!((soft - 0.622_459).abs() < 1e-6, "{soft}");
    }
}
