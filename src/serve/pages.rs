//! The web pages and the API description, filled in once at start.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use skinclf::{Coverage, ModelSpec};

use crate::output::ModelId;

/// What the page asks for, if the model has it.
const COVERAGE: f32 = 0.9;

pub(super) struct Pages {
    pub(super) index: Page,
    pub(super) docs: Page,
    pub(super) openapi: Vec<u8>,
}

pub(super) struct Page {
    pub(super) html: Vec<u8>,
    pub(super) policy: String,
}

impl Pages {
    pub(super) fn new(spec: &ModelSpec) -> Self {
        let labels = serde_json::to_string(&spec.labels).expect("strings are JSON");
        // A label must not end the script element that contains it.
        let labels = labels.replace('<', "\\u003c");
        let model_id = serde_json::to_string(&ModelId::from(spec)).expect("strings are JSON");
        let sensitivity =
            spec.malignancy_sensitivity.map_or(String::new(), |share| format!("{:.0}", share * 100.0));
        let heatmaps = spec.outputs.class_maps.is_some().to_string();
        let coverage =
            Coverage::of(spec, COVERAGE).map_or(String::new(), |coverage| coverage.share().to_string());
        let model = escaped(&format!("{} {}", spec.name, spec.version));
        let fill = |template: &str| {
            let filled = template.replace("{{COMMON}}", include_str!("pages/common.css").trim_end());
            let filled = filled.replace("{{VERSION}}", env!("CARGO_PKG_VERSION"));
            let filled = filled.replace("{{HEATMAPS}}", &heatmaps).replace("{{SENSITIVITY}}", &sensitivity);
            let filled = filled.replace("{{COVERAGE}}", &coverage).replace("{{HEAT_SCALE}}", &heat_scale());
            // With their quotes, so that the template is JSON, too.
            let filled = filled.replace("\"{{MODEL_ID}}\"", &model_id);
            let filled = filled.replace("\"{{COVERAGE_SCHEMA}}\"", &coverage_schema(spec));
            filled.replace("{{MODEL}}", &model).replace("{{LABELS}}", &labels)
        };
        Self {
            index: Page::new(fill(include_str!("pages/index.html"))),
            docs: Page::new(fill(include_str!("pages/docs.html"))),
            openapi: fill(include_str!("pages/openapi.json")).into_bytes(),
        }
    }
}

impl Page {
    /// A page that runs its own script and style only, loads nothing from elsewhere and cannot be
    /// shown inside another.
    fn new(html: String) -> Self {
        let [script, style] = ["script", "style"].map(|element| {
            let (start, end) = (format!("<{element}>"), format!("</{element}>"));
            let inside = html.split_once(&start).and_then(|(_, rest)| rest.split_once(&end));
            let (inside, _) = inside.expect("each page has one script and one style of its own");
            BASE64_STANDARD.encode(Sha256::digest(inside))
        });
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src blob: data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { html: html.into_bytes(), policy }
    }
}

/// The JSON schema of a coverage, with those that the model has. They are no enumeration, because the same number may be
/// written with more digits.
fn coverage_schema(spec: &ModelSpec) -> String {
    let known = spec.conformal.as_ref().map(|conformal| format!(",\"examples\":{:?}", conformal.coverages));
    let known = known.unwrap_or_default();
    format!("{{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1{known}}}")
}

/// The colours of heatmaps from no heat to the most, as the stops of a CSS gradient.
fn heat_scale() -> String {
    let stop = |eighths: u8| {
        let ([red, green, blue], opacity) = skinclf::image::heat_color(f32::from(eighths) / 8.0);
        format!("rgb({red:.0} {green:.0} {blue:.0} / {opacity:.2})")
    };
    (0..=8).map(stop).collect::<Vec<_>>().join(", ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
