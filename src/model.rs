//! A model: an ONNX file and its spec, from the binary itself or from disk.

mod metadata;

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::bounded::{self, ReadError};
use crate::spec::ModelSpec;

/// Bytes of a model's file at most: ONNX, which is protobuf, cannot hold more in one file.
const LARGEST: u64 = 2 << 30;

/// An ONNX graph, still encoded, and what is known about it.
pub struct Model {
    pub(crate) spec: ModelSpec,
    pub(crate) onnx: Bytes,
    /// The name of the file, for error messages.
    pub(crate) file: PathBuf,
}

/// Why a model cannot be used; each message names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct ModelError {
    file: PathBuf,
    problem: Box<dyn Error + Send + Sync>,
}

impl ModelError {
    pub(crate) fn new(file: &Path, problem: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { file: file.to_owned(), problem: problem.into() }
    }
}

impl Model {
    /// The default model, compiled into the program.
    pub fn embedded() -> Self {
        let spec = ModelSpec::parse(include_bytes!("../models/mobilenetv2.json"));
        Self {
            // The hash is checked by a test, for hashing all bytes would slow every start.
            spec: spec.expect("the embedded spec is valid"),
            onnx: Bytes::from_static(include_bytes!("../models/mobilenetv2.onnx")),
            file: PathBuf::from("(embedded model)"),
        }
    }

    /// What is known about the graph.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Reads `NAME.onnx` and its spec, `NAME.json` in the same folder. Without `NAME.json` the spec comes from the
    /// graph's `metadata_props`: `labels` (JSON array of codes, or separated by commas), `mean`
    /// and `std` (JSON arrays of three, on the 0..=255 scale), and optionally `size` (224 if
    /// absent), `malignant` (codes, as `labels`) and `temperature`.
    ///
    /// # Errors
    /// When a file cannot be read, is not a regular file or is larger than 2 GiB, when it is not ONNX, has no
    /// usable spec, or its SHA-256 is not the one in its spec.
    pub fn open(onnx_path: &Path) -> Result<Self, ModelError> {
        let onnx = read(onnx_path).map_err(|e| unreadable(onnx_path, &e))?;
        let sha256 = hex(&Sha256::digest(&onnx));
        let json_path = onnx_path.with_extension("json");
        let mut spec = match read(&json_path) {
            Ok(json) => ModelSpec::parse(&json).map_err(|e| ModelError::new(&json_path, e))?,
            Err(ReadError::Io(e)) if e.kind() == ErrorKind::NotFound => metadata::spec(&onnx, onnx_path)
                .map_err(|problem| {
                    let missing = format!("{problem}; put a spec at {}", json_path.display());
                    ModelError::new(onnx_path, missing)
                })?,
            Err(e) => return Err(unreadable(&json_path, &e)),
        };
        if spec.sha256.is_empty() {
            spec.sha256 = sha256;
        } else if !spec.sha256.eq_ignore_ascii_case(&sha256) {
            let problem = format!(
                "its SHA-256 is {sha256}, but {} has {}: one of the two was changed or mixed up",
                json_path.display(),
                spec.sha256
            );
            return Err(ModelError::new(onnx_path, problem));
        }
        Ok(Self { spec, onnx: onnx.into(), file: onnx_path.to_owned() })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    bounded::read_file(path, LARGEST)
}

fn unreadable(path: &Path, error: &ReadError) -> ModelError {
    let problem = match error {
        ReadError::NotAFile => "a folder, pipe, socket or device; name a regular file",
        ReadError::TooLarge(_) => "larger than 2 GiB, which no ONNX file can be",
        ReadError::Io(e) => &e.to_string(),
    };
    ModelError::new(path, format!("cannot be read: {problem}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_pair_belongs_together() {
        let model = Model::embedded();
        assert_eq!(hex(&Sha256::digest(&model.onnx)), model.spec.sha256);
    }
}
