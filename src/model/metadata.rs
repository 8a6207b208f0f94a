//! The spec of a model from the properties (`metadata_props`) inside of its ONNX file.

use std::collections::HashMap;
use std::path::Path;

use prost::Message as _;
use tract_onnx::pb::StringStringEntryProto;

use crate::spec::{Decision, Group, Input, Label, ModelSpec, Outputs, Usable, preprocessing};

/// # Errors
/// A sentence that names the property at fault.
pub(super) fn spec(onnx: &[u8], path: &Path) -> Result<ModelSpec, String> {
    let metadata = properties(onnx)?;
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
            layout: preprocessing::layout(),
            color: preprocessing::color(),
            crop: preprocessing::crop(),
            resize: preprocessing::resize(),
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
        conformal: None,
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

fn properties(onnx: &[u8]) -> Result<HashMap<String, String>, String> {
    /// The one field of the file that is decoded; all others, the weights among them, are skipped.
    #[derive(prost::Message)]
    struct Properties {
        #[prost(message, repeated, tag = "14")]
        metadata_props: Vec<StringStringEntryProto>,
    }
    let properties = Properties::decode(onnx).map_err(|_| "not an ONNX model")?;
    Ok(properties.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malignant_class_that_is_none_is_named() {
        let file = include_bytes!("../../tests/binary/models/channel-means.onnx");
        let mut graph = tract_onnx::pb::ModelProto::decode(&file[..]).expect("a model");
        let field = graph.metadata_props.iter_mut().find(|field| field.key == "malignant").expect("a field");
        field.value = "red, grean".to_owned();
        let error = spec(&graph.encode_to_vec(), Path::new("net.onnx")).expect_err("a typing error");
        assert!(error.contains("\"grean\""), "{error}");
    }

    #[test]
    fn codes_come_as_json_or_separated_by_commas() {
        assert_eq!(codes(r#"["mel", "nv"]"#), ["mel", "nv"]);
        assert_eq!(codes("mel, nv,"), ["mel", "nv"]);
    }
}
