//! Why a graph cannot be loaded.

use tract_onnx::prelude::TractError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("not an ONNX model")]
    NotOnnx,
    /// tract panics on some graphs that no exporter writes.
    #[error("cannot be loaded: the graph is malformed")]
    Malformed,
    #[error("cannot be loaded: {0:#}")]
    Parse(TractError),
    #[error("cannot be compiled: {0:#}")]
    Compile(#[from] TractError),
    #[error("uses operators that are not supported: {}", .0.join(", "))]
    Operators(Vec<String>),
    #[error("the graph has {0} inputs; one image input is expected")]
    Inputs(usize),
    /// `found` has `?` for a dimension that the graph leaves open.
    #[error("the graph's input is [{found}], but its spec says input.shape {wanted:?}")]
    InputShape { found: String, wanted: [usize; 4] },
    /// `field` is where the spec names the output, as in the next two.
    #[error("has no output {name:?} ({field} of its spec); it has {known}")]
    NoOutput { name: String, field: &'static str, known: String },
    #[error(
        "output {name:?} ({field}) has shape [{found}], but its spec has {labels} labels: it must be {wanted}"
    )]
    OutputShape { name: String, field: &'static str, found: String, labels: usize, wanted: String },
    #[error("output {name:?} ({field}) holds {found}; it must be f32")]
    OutputType { name: String, field: &'static str, found: String },
    #[error("{0}")]
    InstructionSet(String),
}
