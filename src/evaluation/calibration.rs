//! Calibration: whether probabilities agree with frequencies.

/// Number of equally wide bins for the largest probability.
pub const BINS: usize = 15;

/// The images whose largest probability lies in one of [`BINS`] equal parts of 0 to 1, each without its lower end
/// and with its upper one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Number of images.
    pub images: u64,
    /// Number of images whose most probable class is the true one.
    pub right: u64,
    /// Sum of the largest probabilities.
    pub confidence_sum: f64,
}

pub(super) struct Calibration(Vec<Judged>);

struct Judged {
    bin: usize,
    right: bool,
    confidence: f64,
    /// Squared differences of the probabilities and the truth, summed over classes.
    brier: f64,
}

impl Calibration {
    /// From each image's probabilities and true class. The most probable class counts (of equals the first), not the
    /// one that the decision rule chooses: the largest probability is that of the former.
    pub(super) fn new<'a>(images: impl Iterator<Item = (&'a [f32], usize)>) -> Self {
        let judge = |(probabilities, truth): (&[f32], usize)| {
            let ranked = probabilities.iter().copied().enumerate().rev();
            let (most, confidence) = ranked.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            let confidence = f64::from(confidence);
            let squared = |(class, p): (usize, &f32)| {
                let wanted = if class == truth { 1.0 } else { 0.0 };
                (f64::from(*p) - wanted).powi(2)
            };
            Judged {
                // The first bin for 0 and NaN.
                bin: ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1,
                right: most == truth,
                confidence,
                brier: probabilities.iter().enumerate().map(squared).sum(),
            }
        };
        Self(images.map(judge).collect())
    }

    pub(super) fn bins(&self, weights: &[u32]) -> [Bin; BINS] {
        let mut bins = [Bin::default(); BINS];
        for (image, weight) in self.0.iter().zip(weights) {
            let bin = &mut bins[image.bin];
            bin.images += u64::from(*weight);
            bin.right += u64::from(*weight) * u64::from(image.right);
            bin.confidence_sum += f64::from(*weight) * image.confidence;
        }
        bins
    }

    /// Expected calibration error (Guo et al. 2017): the mean over images of how far the share of right ones in
    /// an image's bin is from the bin's mean confidence.
    pub(super) fn ece(&self, weights: &[u32]) -> Option<f64> {
        let bins = self.bins(weights);
        let images: u64 = bins.iter().map(|bin| bin.images).sum();
        let off: f64 = bins.iter().map(|bin| (bin.right as f64 - bin.confidence_sum).abs()).sum();
        (images > 0).then(|| off / images as f64)
    }

    /// From 0 to 2 (Brier 1950).
    pub(super) fn brier(&self, weights: &[u32]) -> Option<f64> {
        let images: u64 = weights.iter().map(|w| u64::from(*w)).sum();
        let sum: f64 = self.0.iter().zip(weights).map(|(image, w)| image.brier * f64::from(*w)).sum();
        (images > 0).then(|| sum / images as f64)
    }
}
