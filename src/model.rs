//! A model: an ONNX file and its spec, from the binary itself or from disk.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::spec::{Color, Crop, Decision, Group, Input, Label, Layout, ModelSpec, Outputs, Resize, Usable};

/// The most bytes of a model's file: 2 GiB, as much as ONNX can hold in one.
const LARGEST: u64 = 2 << 30;

/// An ONNX graph, still encoded, and what is known about it.
pub struct Model {
    pub(crate) spec: ModelSpec,
    pub(crate) onnx: Bytes,
    /// For error messages.
    pub(crate) file: PathBuf,
}

/// Why a model cannot be used; each message names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct ModelError {
    file: PathBuf,
    problem: String,
}

impl ModelError {
    pub(crate) fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problem: problem.into() }
    }
}

impl Model {
    /// The default model, compiled into the program.
    pub fn embedded() -> Self {
        let spec = ModelSpec::parse(include_bytes!("../models/mobilenetv2.json"));
        Self {
            // The pair is fixed when the program is built, and a test holds its hash to the spec:
            // checking again would cost every start the hashing of all its bytes.
            spec: spec.expect("the embedded spec is valid"),
            onnx: Bytes::from_static(include_bytes!("../models/mobilenetv2.onnx")),
            file: PathBuf::from("(embedded model)"),
        }
    }

    /// What is known about the graph.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Reads `NAME.onnx` and, beside it, `NAME.json`. Without the latter the spec comes from the
    /// graph's `metadata_props`: `labels` (JSON array of codes, or separated by commas), `mean`
    /// and `std` (JSON arrays of three, on the 0..=255 scale), and optionally `size` (224 if
    /// absent), `malignant` (codes, as `labels`) and `temperature`.
    ///
    /// # Errors
    /// A file that cannot be read, is no regular file or larger than 2 GiB, is not ONNX, has no usable
    /// spec, or whose SHA-256 is not the one in its spec.
    pub fn open(onnx_path: &Path) -> Result<Self, ModelError> {
        let onnx = read(onnx_path).map_err(|e| ModelError::new(onnx_path, format!("cannot be read: {e}")))?;
        let sha256 = hex(&Sha256::digest(&onnx));
        let json_path = onnx_path.with_extension("json");
        let mut spec = match read(&json_path) {
            Ok(json) => ModelSpec::parse(&json).map_err(|e| ModelError::new(&json_path, e))?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                spec_from_metadata(&onnx, onnx_path).map_err(|problem| {
                    let missing = format!("{problem}; put a spec at {}", json_path.display());
                    ModelError::new(onnx_path, missing)
                })?
            }
            Err(e) => return Err(ModelError::new(&json_path, format!("cannot be read: {e}"))),
        };
        if spec.sha256.is_empty() {
            spec.sha256 = sha256;
        } else if !spec.sha256.eq_ignore_ascii_case(&sha256) {
            let problem = format!(
                "its SHA-256 is {sha256}, but {} says {}: one of the two was changed or mixed up",
                json_path.display(),
                spec.sha256
            );
            return Err(ModelError::new(onnx_path, problem));
        }
        Ok(Self { spec, onnx: onnx.into(), file: onnx_path.to_owned() })
    }
}

/// A pipe may wait for ever, and a device may have no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let kind = "a folder, pipe, socket or device; name a regular file";
        return Err(io::Error::new(ErrorKind::InvalidInput, kind));
    }
    if metadata.len() > LARGEST {
        let size = "larger than 2 GiB, which no ONNX file can be";
        return Err(io::Error::new(ErrorKind::FileTooLarge, size));
    }
    fs::read(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn spec_from_metadata(onnx: &[u8], path: &Path) -> Result<ModelSpec, String> {
    let metadata: HashMap<String, String> = crate::engine::metadata(onnx)?.into_iter().collect();
    let field = |name: &str| metadata.get(name).map(String::as_str);
    let required = |name: &str| field(name).ok_or_else(|| format!("metadata_props lacks {name:?}"));
    let numbers = |name: &str| -> Result<[f32; 3], String> {
        let bad = |_| format!("metadata_props {name:?} must be a JSON array of three numbers");
        serde_json::from_str(required(name)?).map_err(bad)
    };
    let size =
        field("size").unwrap_or("224").parse().map_err(|_| "metadata_props \"size\" must be an integer")?;
    let malignant = codes(field("malignant").unwrap_or_default());
    let labels = codes(required("labels")?);
    if let Some(code) = malignant.iter().find(|code| !labels.contains(code)) {
        return Err(format!("metadata_props \"malignant\" names {code:?}, which is none of \"labels\""));
    }
    let labels = labels.into_iter().map(|code| Label {
        name: code.clone(),
        description: String::new(),
        group: if malignant.contains(&code) { Group::Malignant } else { Group::Benign },
        code,
    });
    let spec = ModelSpec {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        version: field("version").unwrap_or("unknown").to_owned(),
        file: None,
        architecture: None,
        sha256: String::new(),
        input: Input {
            name: None,
            shape: [1, 3, size, size],
            layout: Layout::default(),
            color: Color::default(),
            crop: Crop::default(),
            resize: Resize::default(),
            mean: numbers("mean")?,
            std: numbers("std")?,
        },
        outputs: Outputs::default(),
        temperature: field("temperature")
            .map_or(Ok(1.0), str::parse)
            .map_err(|_| "metadata_props \"temperature\" must be a number")?,
        prior: None,
        decision: Decision::default(),
        malignancy_threshold: None,
        malignancy_sensitivity: None,
        usable: Usable::default(),
        labels: labels.collect(),
        license: field("license").unwrap_or_default().to_owned(),
    };
    spec.check()?;
    Ok(spec)
}

/// `["a", "b"]` or `a, b`.
fn codes(list: &str) -> Vec<String> {
    serde_json::from_str(list)
        .unwrap_or_else(|_| list.split(',').map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_pair_belongs_together() {
        let model = Model::embedded();
        assert_eq!(hex(&Sha256::digest(&model.onnx)), model.spec.sha256);
    }

    #[test]
    fn a_malignant_class_that_is_none_is_named() {
        use prost::Message as _;
        let file = include_bytes!("../tests/binary/models/channel-means.onnx");
        let mut graph = tract_onnx::pb::ModelProto::decode(&file[..]).expect("a model");
        let field = graph.metadata_props.iter_mut().find(|field| field.key == "malignant").expect("a field");
        field.value = "red, grean".to_owned();
        let error =
            spec_from_metadata(&graph.encode_to_vec(), Path::new("net.onnx")).expect_err("a typing error");
        assert!(error.contains("\"grean\""), "{error}");
    }

    #[test]
    fn codes_come_as_json_or_separated_by_commas() {
        assert_eq!(codes(r#"["mel", "nv"]"#), ["mel", "nv"]);
        assert_eq!(codes("mel, nv,"), ["mel", "nv"]);
    }
}
