//! Prediction sets: the classes that an image may be of, with a stated coverage.
//!
//! Split conformal prediction: a class is in the set if its probability reaches a threshold that was fitted on held-out lesions
//! (Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error levels"), one for malignant and
//! one for benign classes (Mondrian; Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a random world"). Of new lesions
//! from the same source, at least the stated share of each group then has its class in the set; nearly, because the model's
//! temperature is fitted on the same lesions.

use crate::spec::{Conformal, Group, Label, ModelSpec};
use crate::stats;

/// A coverage that a model has thresholds for, with these thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    share: f32,
    malignant: f32,
    benign: f32,
}

/// The classes that an image may be of.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionSet {
    /// Share (0 to 1) of the lesions of each group, malignant and benign, whose set contains their class.
    pub coverage: f32,
    /// Indices of the classes by falling probability; of equals the first label first.
    pub classes: Vec<usize>,
}

impl Coverage {
    /// The thresholds of a model for this coverage, a share (0 to 1). There is none between two for which it has some:
    /// what is interpolated guarantees nothing.
    ///
    /// # Errors
    /// A sentence, if the model has no thresholds for this coverage, or none at all.
    pub fn of(spec: &ModelSpec, share: f32) -> Result<Self, String> {
        let Some(Conformal { coverages, malignant, benign }) = &spec.conformal else {
            return Err(format!(
                "the model {} has no thresholds for prediction sets (conformal in its spec); use another model or leave the \
                 coverage out",
                spec.name
            ));
        };
        // The same decimal may be rounded differently where it is read.
        let place = coverages.iter().position(|known| (known - share).abs() < 1e-6);
        let place = place.ok_or_else(|| format!("the model has thresholds for {}", listed(coverages)))?;
        // A list is empty only if the model has no class of the group.
        let of = |thresholds: &[f32]| thresholds.get(place).copied().unwrap_or_default();
        Ok(Self { share: coverages[place], malignant: of(malignant), benign: of(benign) })
    }

    /// As a share (0 to 1).
    pub fn share(self) -> f32 {
        self.share
    }

    /// The set of an image: the classes whose probability reaches the threshold of their group, and the predicted class, so
    /// that no set is empty. The latter can only raise the coverage.
    pub fn set(self, labels: &[Label], probabilities: &[f32], predicted: usize) -> PredictionSet {
        let is_in = |class: &usize| {
            let threshold = match labels[*class].group {
                Group::Malignant => self.malignant,
                Group::Benign => self.benign,
            };
            *class == predicted || probabilities[*class] >= threshold
        };
        let classes = stats::ranked(probabilities).into_iter().filter(is_in).collect();
        PredictionSet { coverage: self.share, classes }
    }
}

/// `0.8, 0.9 and 0.95`
fn listed(shares: &[f32]) -> String {
    let mut texts: Vec<_> = shares.iter().map(f32::to_string).collect();
    let last = texts.pop().unwrap_or_default();
    if texts.is_empty() { last } else { format!("{} and {last}", texts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(conformal: Option<Conformal>) -> ModelSpec {
        let spec = ModelSpec::parse(include_bytes!("../../models/mobilenetv2.json")).expect("a spec");
        ModelSpec { conformal, ..spec }
    }

    /// For models with the labels akiec, bcc, bkl, df, mel, nv, vasc, of which the first, second and fifth are malignant.
    fn conformal() -> Conformal {
        Conformal { coverages: vec![0.8, 0.9], malignant: vec![0.25, 0.125], benign: vec![0.5, 0.25] }
    }

    #[test]
    fn a_set_has_what_reaches_the_threshold_of_its_group_and_the_predicted_class() {
        let spec = spec(Some(conformal()));
        for (share, probabilities, predicted, classes) in [
            (0.9, [0.0, 0.0, 0.0, 0.0, 0.125, 0.875, 0.0], 5, &[5, 4][..]),
            (0.8, [0.0, 0.0, 0.0, 0.0, 0.125, 0.875, 0.0], 5, &[5]),
            (0.8, [0.0, 0.0, 0.0, 0.0, 0.125, 0.875, 0.0], 4, &[5, 4]),
            (0.9, [0.125, 0.25, 0.25, 0.0, 0.125, 0.25, 0.0], 1, &[1, 2, 5, 0, 4]),
            // Nothing reaches a threshold.
            (0.8, [0.0, 0.2, 0.2, 0.2, 0.0, 0.2, 0.2], 3, &[3]),
        ] {
            let set =
                Coverage::of(&spec, share).expect("a coverage").set(&spec.labels, &probabilities, predicted);
            assert_eq!(
                set,
                PredictionSet { coverage: share, classes: classes.to_vec() },
                "{probabilities:?}"
            );
        }
    }

    #[test]
    fn a_coverage_without_thresholds_is_refused_with_those_that_have_some() {
        let refused = |conformal, share| Coverage::of(&spec(conformal), share).expect_err("a refusal");
        assert_eq!(refused(Some(conformal()), 0.85), "the model has thresholds for 0.8 and 0.9");
        let one = Conformal { coverages: vec![0.9], malignant: vec![0.1], benign: vec![0.1] };
        assert_eq!(refused(Some(one), 0.95), "the model has thresholds for 0.9");
        let more = [0.8, 0.85, 0.9];
        assert_eq!(listed(&more), "0.8, 0.85 and 0.9");
        assert!(refused(None, 0.9).starts_with("the model mobilenetv2-ham10000 has no thresholds"));
    }

    proptest! {
        /// A larger coverage never takes a class out.
        #[test]
        fn sets_grow_with_the_coverage(parts in prop::array::uniform7(0_u8..16), predicted in 0_usize..7) {
            let spec = spec(Some(conformal()));
            let probabilities = parts.map(|part| f32::from(part) / 16.0);
            let [small, large] = [0.8, 0.9].map(|share| {
                let coverage = Coverage::of(&spec, share).expect("a coverage");
                coverage.set(&spec.labels, &probabilities, predicted).classes
            });
            prop_assert!(small.contains(&predicted) && small.iter().all(|class| large.contains(class)));
            prop_assert!(large.is_sorted_by(|a, b| probabilities[*a] >= probabilities[*b]));
        }
    }
}
