//! The network's outputs: which are asked for, whether they fit the spec, and what they hold.

use tract_onnx::prelude::*;

use super::error::LoadError;
use crate::spec::ModelSpec;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Heads {
    pub(crate) logits: Vec<f32>,
    /// `[label][row][column]`, rows as many as columns; empty if the spec names none.
    pub(crate) maps: Vec<f32>,
    /// Logit of the probability of a dermoscopic image, if the spec names the output.
    pub(crate) dermoscopy: Option<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Logits,
    ClassMaps,
    Dermoscopy,
}

impl Head {
    pub(super) fn named(spec: &ModelSpec) -> Vec<(Self, &str)> {
        let outputs = &spec.outputs;
        let optional = [(Self::ClassMaps, &outputs.class_maps), (Self::Dermoscopy, &outputs.dermoscopy)];
        let optional = optional.into_iter().filter_map(|(head, name)| Some((head, name.as_deref()?)));
        [(Self::Logits, outputs.logits.as_str())].into_iter().chain(optional).collect()
    }

    pub(super) fn spec_field(self) -> &'static str {
        match self {
            Self::Logits => "outputs.logits",
            Self::ClassMaps => "outputs.class_maps",
            Self::Dermoscopy => "outputs.dermoscopy",
        }
    }

    pub(super) fn check(self, fact: &TypedFact, name: &str, spec: &ModelSpec) -> Result<(), LoadError> {
        let labels = spec.labels.len();
        let dims = fact.shape.as_concrete().unwrap_or_default();
        let (fits, wanted) = match self {
            Self::Logits => (dims == [1, labels], format!("[1, {labels}]")),
            Self::ClassMaps => {
                let square =
                    matches!(dims, [1, n, rows, columns] if *n == labels && rows == columns && *rows > 0);
                (square, format!("[1, {labels}, N, N]"))
            }
            Self::Dermoscopy => (dims == [1, 1], "[1, 1]".to_owned()),
        };
        let (name, field) = (name.to_owned(), self.spec_field());
        if !fits {
            let found: Vec<String> = fact.shape.iter().map(ToString::to_string).collect();
            let found = found.join(", ");
            return Err(LoadError::OutputShape { name, field, found, labels, wanted });
        }
        if fact.datum_type != f32::datum_type() {
            return Err(LoadError::OutputType { name, field, found: format!("{:?}", fact.datum_type) });
        }
        Ok(())
    }

    pub(super) fn fill(self, values: Vec<f32>, heads: &mut Heads) {
        match self {
            Self::Logits => heads.logits = values,
            Self::ClassMaps => heads.maps = values,
            Self::Dermoscopy => heads.dermoscopy = values.first().copied(),
        }
    }
}
