//! The class shares of a user's own lesions, and probabilities rescaled to them.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::spec::{LEAST_SHARE, ModelSpec};

/// Characters of a class code that an error quotes: it may be anything.
const QUOTED: usize = 40;

/// How common each class is where a model is used, for [`Options::prior`](crate::Options::prior). It belongs to the model
/// whose spec it is made with, and is cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// In the order of the labels; they sum to 1.
    shares: Arc<[f32]>,
    /// Each share over that of the spec.
    gains: Arc<[f32]>,
}

impl Prior {
    /// From class codes, each with its share or a count: only the ratios matter.
    ///
    /// # Errors
    /// A sentence, when the spec has no [`prior`](ModelSpec::prior), a class is missing, unknown or named twice, or its
    /// number is not above zero or less than a millionth of the sum.
    pub fn new(spec: &ModelSpec, named: &[(&str, f64)]) -> Result<Self, String> {
        let Some(own) = &spec.prior else {
            return Err(format!(
                "the model {} has no prior in its spec, the class shares that its probabilities are calibrated to; use a model \
                 that has one",
                spec.name
            ));
        };
        let codes = || spec.labels.iter().map(|label| &*label.code).collect::<Vec<_>>().join(", ");
        let mut numbers = vec![None; spec.labels.len()];
        for (code, number) in named {
            let Some(class) = spec.labels.iter().position(|label| label.code == *code) else {
                let code: String = code.chars().take(QUOTED).collect();
                return Err(format!("{code:?} is not a class of the model; its classes are {}", codes()));
            };
            if !(number.is_finite() && *number > 0.0) {
                return Err(format!(
                    "the number for {code} is not above 0; give each class a share or a count"
                ));
            }
            if numbers[class].replace(*number).is_some() {
                return Err(format!("{code} is named twice; give each class one number"));
            }
        }
        let sum: f64 = numbers.iter().flatten().sum();
        let mut shares = Vec::with_capacity(numbers.len());
        for (label, number) in spec.labels.iter().zip(numbers) {
            let code = &label.code;
            let Some(number) = number else {
                return Err(format!(
                    "there is no number for {code}; name all classes of the model: {}",
                    codes()
                ));
            };
            let share = (number / sum) as f32;
            if share < LEAST_SHARE {
                return Err(format!(
                    "the share of {code} is below {LEAST_SHARE}; give a class that hardly occurs a larger one"
                ));
            }
            shares.push(share);
        }
        let gains = shares.iter().zip(own).map(|(share, own)| share / own).collect();
        Ok(Self { shares: shares.into(), gains })
    }

    /// From a JSON object of class codes and numbers, as [`new`](Self::new) takes them.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when it is not such an object.
    pub fn parse(spec: &ModelSpec, json: &[u8]) -> Result<Self, String> {
        let Named(named) = serde_json::from_slice(json).map_err(|error| {
            // It quotes what it was given.
            let why: String = error.to_string().chars().take(5 * QUOTED).collect();
            format!(
                "not a JSON object with a number for each class, such as {{\"mel\":180,\"nv\":500}}: {why}"
            )
        })?;
        let named: Vec<_> = named.iter().map(|(code, number)| (&**code, *number)).collect();
        Self::new(spec, &named)
    }

    /// The share of each class, in the order of the labels; they sum to 1.
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// The model's probabilities of all classes, rescaled from the shares of its spec to these: `p' ∝ p · new / old`. They
    /// sum to 1. Right where each class looks as it does in the model's own lesions, and only its share differs (label
    /// shift; Saerens, Latinne and Decaestecker 2002, <https://doi.org/10.1162/089976602753284446>).
    ///
    /// # Panics
    /// When the number of probabilities is not that of the model's classes.
    pub fn rescale(&self, probabilities: &[f32]) -> Vec<f32> {
        assert_eq!(probabilities.len(), self.gains.len(), "another model's prior");
        let products: Vec<f32> = probabilities.iter().zip(&*self.gains).map(|(p, gain)| p * gain).collect();
        let sum: f32 = products.iter().sum();
        products.into_iter().map(|product| product / sum).collect()
    }
}

/// An object of numbers, also with keys that are there twice.
struct Named(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Named {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Self, A::Error> {
        while let Some(entry) = entries.next_entry()? {
            self.0.push(entry);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Model;

    /// The embedded spec with three classes.
    fn spec() -> ModelSpec {
        let mut spec = Model::embedded().spec().clone();
        spec.labels.truncate(3);
        spec.prior = Some(vec![0.2, 0.3, 0.5]);
        spec
    }

    const CODES: [&str; 3] = ["akiec", "bcc", "bkl"];

    fn prior(numbers: [f64; 3]) -> Prior {
        let named: Vec<_> = CODES.into_iter().zip(numbers).collect();
        Prior::new(&spec(), &named).expect("a number for each class")
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2e-6)
    }

    #[test]
    fn probabilities_grow_with_the_share_of_their_class() {
        for (numbers, probabilities, wanted) in [
            // As the spec has them.
            ([2.0, 3.0, 5.0], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]),
            // What is as probable as it is common says nothing, so that the shares are what is left.
            ([6.0, 3.0, 1.0], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]),
            // 0.5 · 0.5/0.2 = 1.25 and 0.5 · 0.25/0.5 = 0.25.
            ([2.0, 1.0, 1.0], [0.5, 0.0, 0.5], [1.25 / 1.5, 0.0, 0.25 / 1.5]),
            // A class that is certain stays it.
            ([1.0, 1.0, 999_998.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        ] {
            let rescaled = prior(numbers).rescale(&probabilities);
            assert!(close(&rescaled, &wanted), "{numbers:?}: {rescaled:?} instead of {wanted:?}");
        }
        assert!(close(prior([30.0, 50.0, 20.0]).shares(), &[0.3, 0.5, 0.2]));
    }

    #[test]
    fn what_is_no_share_of_each_class_is_named() {
        let long = format!("{{\"{}\":1}}", "x".repeat(1000));
        for (json, named) in [
            ("", "not a JSON object"),
            ("[1]", "expected an object"),
            (r#"{"akiec":"1"}"#, "expected f64"),
            (r#"{"akiec":1e999}"#, "out of range"),
            (r#"{"akiec":1} x"#, "trailing characters"),
            (r#"{"akiec":1,"bcc":1}"#, "no number for bkl; name all classes of the model: akiec, bcc, bkl"),
            ("{}", "no number for akiec"),
            (r#"{"akiec":1,"bcc":1,"bkl":1,"nv":1}"#, "\"nv\" is not a class of the model"),
            (r#"{"akiec":1,"bcc":1,"akiec":1}"#, "akiec is named twice"),
            (r#"{"akiec":0,"bcc":1,"bkl":1}"#, "akiec is not above 0"),
            (r#"{"akiec":1,"bcc":-1,"bkl":1}"#, "bcc is not above 0"),
            (r#"{"akiec":1,"bcc":1,"bkl":1e7}"#, "the share of akiec is below 0.000001"),
            (r#"{"akiec":1e308,"bcc":1e308,"bkl":1e308}"#, "the share of akiec is below"),
            (&long, "\"xxxxx"),
        ] {
            let error = Prior::parse(&spec(), json.as_bytes()).expect_err(json);
            assert!(error.contains(named) && error.len() < 250, "{json}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let error = Prior::new(&spec(), &[("akiec", f64::NAN)]).expect_err("no number");
        assert!(error.contains("not above 0"), "{error}");
        let error = Prior::new(&ModelSpec { prior: None, ..spec() }, &[]).expect_err("no prior");
        assert!(error.contains("mobilenetv2-ham10000 has no prior"), "{error}");
    }

    fn numbers() -> impl Strategy<Value = [f64; 3]> {
        [0.01..100.0, 0.01..100.0, 0.01..100.0]
    }

    fn probabilities() -> impl Strategy<Value = [f32; 3]> {
        numbers().prop_map(|parts| parts.map(|part| (part / parts.iter().sum::<f64>()) as f32))
    }

    proptest! {
        #[test]
        fn rescaled_probabilities_sum_to_1_whatever_the_shares_are_counted_in(
            shares in numbers(),
            p in probabilities(),
            scale in 1e-6_f64..1e6,
        ) {
            let rescaled = prior(shares).rescale(&p);
            prop_assert!((rescaled.iter().sum::<f32>() - 1.0).abs() <= 2e-6, "{rescaled:?}");
            prop_assert!(close(&rescaled, &prior(shares.map(|share| share * scale)).rescale(&p)));
        }

        #[test]
        fn the_shares_of_the_spec_change_nothing(p in probabilities(), scale in 1e-6_f64..1e6) {
            prop_assert!(close(&prior([0.2, 0.3, 0.5].map(|share| share * scale)).rescale(&p), &p));
        }

        /// By the new shares the classes gain what they gained by the old ones: a balanced decision stays.
        #[test]
        fn the_ratio_to_the_shares_keeps_its_order(shares in numbers(), p in probabilities()) {
            let spec = spec();
            let prior = prior(shares);
            let over = |p: &[f32], shares: &[f32]| -> Vec<f32> {
                let ratios: Vec<f32> = p.iter().zip(shares).map(|(p, share)| p / share).collect();
                let sum: f32 = ratios.iter().sum();
                ratios.into_iter().map(|ratio| ratio / sum).collect()
            };
            let before = over(&p, spec.prior.as_deref().expect("it has one"));
            let after = over(&prior.rescale(&p), prior.shares());
            prop_assert!(close(&before, &after), "{before:?} {after:?}");
        }
    }
}
