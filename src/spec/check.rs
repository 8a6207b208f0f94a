//! Checks of a model's spec.

use super::{Conformal, Decision, Group, Input, LEAST_SHARE, ModelSpec, Usable, preprocessing};

impl ModelSpec {
    pub(crate) fn check(&self) -> Result<(), String> {
        let [batch, channels, height, width] = self.input.shape;
        if (batch, channels) != (1, 3) || height != width || !(8..=4096).contains(&height) {
            return Err(format!(
                "input.shape is {:?}; it must be [1, 3, N, N] with N from 8 to 4096",
                self.input.shape
            ));
        }
        self.input.check_names()?;
        if self.input.std.iter().any(|s| !s.is_normal()) || self.input.mean.iter().any(|m| !m.is_finite()) {
            return Err("input.mean must be finite and input.std finite and not zero".to_owned());
        }
        if !(self.temperature.is_normal() && self.temperature > 0.0) {
            return Err(format!("temperature is {}; it must be greater than zero", self.temperature));
        }
        if self.labels.len() < 2 {
            return Err(format!("{} labels; at least two are needed", self.labels.len()));
        }
        for (i, label) in self.labels.iter().enumerate() {
            if label.code.is_empty() || self.labels[..i].iter().any(|l| l.code == label.code) {
                return Err(format!("labels[{i}].code {:?} is empty or used twice", label.code));
            }
        }
        self.check_decision()?;
        self.check_conformal()?;
        self.check_usable()
    }

    fn check_decision(&self) -> Result<(), String> {
        let Some(prior) = &self.prior else {
            return match self.decision {
                Decision::Argmax => Ok(()),
                Decision::BalancedArgmax => {
                    Err("decision is \"balanced-argmax\", which needs prior, the classes' shares".to_owned())
                }
            };
        };
        if prior.len() != self.labels.len() {
            let (shares, labels) = (prior.len(), self.labels.len());
            return Err(format!(
                "prior has {shares} shares; it must have one for each of the {labels} labels"
            ));
        }
        let sum: f32 = prior.iter().sum();
        if prior.iter().all(|share| *share >= LEAST_SHARE) && (sum - 1.0).abs() <= 1e-3 {
            return Ok(());
        }
        Err(format!("prior is {prior:?}; its shares must be at least {LEAST_SHARE} and add up to 1"))
    }

    fn check_conformal(&self) -> Result<(), String> {
        let Some(Conformal { coverages, malignant, benign }) = &self.conformal else { return Ok(()) };
        let are_shares = coverages.iter().all(|share| *share > 0.0 && *share < 1.0);
        if coverages.is_empty() || !are_shares || !coverages.is_sorted_by(|a, b| a < b) {
            return Err(format!(
                "conformal.coverages is {coverages:?}; it must be rising shares between 0 and 1"
            ));
        }
        for (field, group, thresholds) in
            [("malignant", Group::Malignant, malignant), ("benign", Group::Benign, benign)]
        {
            let is_needed = self.labels.iter().any(|label| label.group == group);
            let (count, wanted) = (thresholds.len(), coverages.len());
            if count != wanted && (is_needed || count > 0) {
                return Err(format!(
                    "conformal.{field} has {count} thresholds; it must have one for each of the {wanted} coverages"
                ));
            }
            let are_probabilities = thresholds.iter().all(|t| (0.0..=1.0).contains(t));
            if !are_probabilities || !thresholds.is_sorted_by(|a, b| a >= b) {
                return Err(format!(
                    "conformal.{field} is {thresholds:?}; it must be probabilities from 0 to 1, none above the one before it"
                ));
            }
        }
        Ok(())
    }

    fn check_usable(&self) -> Result<(), String> {
        let Usable { min_side: _, min_contrast, min_sharpness, min_dermoscopy } = self.usable;
        let probability = |p: f32| p > 0.0 && p < 1.0;
        for (field, value) in
            [("malignancy_threshold", self.malignancy_threshold), ("usable.min_dermoscopy", min_dermoscopy)]
        {
            if let Some(value) = value.filter(|p| !probability(*p)) {
                return Err(format!("{field} is {value}; it must be a probability between 0 and 1"));
            }
        }
        for (field, value) in [("usable.min_contrast", min_contrast), ("usable.min_sharpness", min_sharpness)]
        {
            if let Some(value) = value.filter(|v| !(v.is_finite() && *v >= 0.0)) {
                return Err(format!("{field} is {value}; it must not be negative"));
            }
        }
        if let Some(share) = self.malignancy_sensitivity {
            if !(share > 0.0 && share <= 1.0) {
                return Err(format!(
                    "malignancy_sensitivity is {share}; it must be a share above 0 and at most 1"
                ));
            }
            if self.malignancy_threshold.is_none() {
                return Err(
                    "malignancy_sensitivity needs malignancy_threshold, which it is the sensitivity of"
                        .to_owned(),
                );
            }
        }
        if min_dermoscopy.is_some() && self.outputs.dermoscopy.is_none() {
            return Err("usable.min_dermoscopy needs outputs.dermoscopy, the name of an output".to_owned());
        }
        Ok(())
    }
}

impl Input {
    /// A spec names its preprocessing, although there is only one, so that a model with another is refused.
    fn check_names(&self) -> Result<(), String> {
        let fields = [
            ("layout", &self.layout, preprocessing::layout()),
            ("color", &self.color, preprocessing::color()),
            ("crop", &self.crop, preprocessing::crop()),
            ("resize", &self.resize, preprocessing::resize()),
        ];
        for (field, value, supported) in fields {
            if *value != supported {
                return Err(format!(
                    "input.{field} is {value:?}; expected `{supported}`, the only one supported"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::ModelSpec;

    /// The embedded spec, whatever it says of prior, decision and limits left out.
    fn plain() -> serde_json::Value {
        let text = include_str!("../../models/mobilenetv2.json");
        let mut spec: serde_json::Value = serde_json::from_str(text).expect("valid JSON");
        spec["outputs"] = serde_json::json!({ "logits": "logits" });
        spec["decision"] = serde_json::json!("argmax");
        for optional in ["prior", "malignancy_threshold", "malignancy_sensitivity", "conformal", "usable"] {
            spec.as_object_mut().expect("an object").remove(optional);
        }
        spec
    }

    fn parse(value: &serde_json::Value) -> Result<ModelSpec, String> {
        ModelSpec::parse(value.to_string().as_bytes())
    }

    #[test]
    fn each_bad_field_is_named() {
        let cases = [
            ("/input/shape", serde_json::json!([1, 3, 224, 225]), "input.shape"),
            ("/input/shape", serde_json::json!([1, 1, 224, 224]), "input.shape"),
            ("/input/std/1", serde_json::json!(0.0), "input.std"),
            ("/input/crop", serde_json::json!("left"), "center-square"),
            ("/input/crop", serde_json::json!(null), "expected a string"),
            ("/temperature", serde_json::json!(0), "temperature"),
            ("/decision", serde_json::json!("guess"), "argmax"),
            ("/labels", serde_json::json!([]), "labels"),
            ("/labels/1/code", serde_json::json!("akiec"), "labels[1].code"),
            ("/labels/0/group", serde_json::json!("odd"), "malignant"),
            ("/decision", serde_json::json!("balanced-argmax"), "prior"),
            ("/prior", serde_json::json!([0.5, 0.5]), "prior has 2 shares"),
            ("/prior", serde_json::json!([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.11]), "prior is [0.4"),
            ("/prior", serde_json::json!([0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0]), "at least 0.000001"),
            ("/malignancy_threshold", serde_json::json!(1), "malignancy_threshold is 1"),
            ("/malignancy_sensitivity", serde_json::json!(1.1), "malignancy_sensitivity is 1.1"),
            ("/malignancy_sensitivity", serde_json::json!(0.9), "needs malignancy_threshold"),
            ("/conformal", serde_json::json!({ "coverages": [] }), "conformal.coverages is []"),
            ("/conformal", serde_json::json!({ "coverages": [0.9, 0.8] }), "rising shares between 0 and 1"),
            ("/conformal", serde_json::json!({ "coverages": [0.9, 1] }), "conformal.coverages is [0.9, 1.0]"),
            (
                "/conformal",
                serde_json::json!({ "coverages": [0.9], "malignant": [0.1] }),
                "conformal.benign has 0",
            ),
            (
                "/conformal",
                serde_json::json!({ "coverages": [0.9], "malignant": [0.2, 0.1], "benign": [0.1] }),
                "conformal.malignant has 2 thresholds; it must have one for each of the 1 coverages",
            ),
            (
                "/conformal",
                serde_json::json!({ "coverages": [0.8, 0.9], "malignant": [0.2, 0.2], "benign": [0.1, 0.2] }),
                "conformal.benign is [0.1, 0.2]",
            ),
            (
                "/conformal",
                serde_json::json!({ "coverages": [0.9], "malignant": [1.1], "benign": [0] }),
                "conformal.malignant is [1.1]",
            ),
            ("/conformal", serde_json::json!({ "coverages": [0.9], "mel": [0.1] }), "unknown field `mel`"),
            ("/usable", serde_json::json!({ "min_size": 3 }), "min_size"),
            ("/usable", serde_json::json!({ "min_side": 1.5 }), "u32"),
            ("/usable", serde_json::json!({ "min_contrast": -1 }), "usable.min_contrast is -1"),
            ("/usable", serde_json::json!({ "min_sharpness": -1 }), "usable.min_sharpness is -1"),
            ("/usable", serde_json::json!({ "min_dermoscopy": 0.5 }), "outputs.dermoscopy"),
            ("/usable", serde_json::json!({ "min_dermoscopy": 2 }), "usable.min_dermoscopy is 2"),
        ];
        assert!(parse(&plain()).is_ok());
        for (pointer, value, named) in cases {
            let mut spec = plain();
            match spec.pointer_mut(pointer) {
                Some(field) => *field = value,
                None => spec[&pointer[1..]] = value,
            }
            let error = parse(&spec).expect_err(pointer);
            assert!(error.contains(named), "{pointer}: {error}");
        }
    }

    #[test]
    fn thresholds_of_a_group_without_classes_can_be_left_out() {
        let mut spec = plain();
        spec["conformal"] = serde_json::json!({ "coverages": [0.8, 0.9], "benign": [0.2, 0.0] });
        assert!(parse(&spec).is_err(), "there are malignant classes");
        for label in spec["labels"].as_array_mut().expect("labels") {
            label["group"] = "benign".into();
        }
        assert!(parse(&spec).is_ok());
    }

    #[test]
    fn a_balanced_decision_ranks_by_the_gain_over_the_prior() {
        let mut spec = plain();
        spec["decision"] = serde_json::json!("balanced-argmax");
        spec["prior"] = serde_json::json!([0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02]);
        let spec = parse(&spec).expect("a valid spec");
        let scores = spec.scores(&[0.06, 0.05, 0.11, 0.005, 0.11, 0.655, 0.01]);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(scores[0] > scores[5] && (scores[0] / scores[1] - 2.0).abs() < 1e-5, "{scores:?}");
    }
}
