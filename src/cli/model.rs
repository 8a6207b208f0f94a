//! The model, the same for all commands that classify.

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// ONNX model to use instead of the embedded one; its spec must be in the same directory, as NAME.json
    #[arg(long, value_name = "FILE", env = "SKINCLF_MODEL", value_hint = ValueHint::FilePath)]
    pub(crate) model: Option<PathBuf>,
}

impl ModelArgs {
    /// Files that must not be overwritten: the model and its spec.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.model.iter().flat_map(|onnx| [onnx.clone(), onnx.with_extension("json")])
    }

    pub(crate) fn load(&self) -> anyhow::Result<skinclf::Classifier> {
        let model = match &self.model {
            Some(path) => skinclf::Model::open(path)?,
            None => skinclf::Model::embedded(),
        };
        Ok(skinclf::Classifier::load(model)?)
    }
}
