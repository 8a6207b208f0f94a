//! Routes, and what each answers; no sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use skinclf::{Classifier, ClassifyError, Options, Prediction, Prior, Timings, image};

use super::error::{ApiError, ErrorCode, RETRY_AFTER};
use super::message::{ApiRequest, ApiResponse};
use super::metrics::Metrics;
use super::multipart::{self, Part};
use super::pages::{Page, Pages};
use super::query;
use crate::output;
use crate::output::{Failure, Heatmap, ModelId, Record, Subject};
use crate::process::interrupt;

/// Methods that exist here; anything else is "other" in logs.
pub(super) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];

/// Images that need no more than this, which is nearly all, do not wait for others. 32 MiB are 11 megapixels of a
/// plain format.
const SMALL_IMAGE: u64 = 32 << 20;

/// For how long a worker goes through one form. 256 ordinary images take a few seconds; as many
/// blank ones of 64 megapixels, which are as small to send, would take minutes.
const BATCH_TIME: Duration = Duration::from_secs(10);

const PREDICT: &str = "/predict";
const PREDICT_BATCH: &str = "/predict/batch";
const METRICS: &str = "/metrics";

type Handler = fn(&Api, &ApiRequest) -> Result<ApiResponse, ApiError>;

/// Path, allowed methods, handler. HEAD comes here as GET.
const ROUTES: [(&str, &str, Handler); 9] = [
    (PREDICT, "POST", Api::predict),
    (PREDICT_BATCH, "POST", Api::predict_batch),
    ("/health", "GET, HEAD", |api, _| Ok(api.health())),
    ("/livez", "GET, HEAD", |_, _| Ok(ApiResponse::json(&Probe { status: "alive" }))),
    ("/readyz", "GET, HEAD", |api, _| api.readiness()),
    (METRICS, "GET, HEAD", |api, _| Ok(api.metrics())),
    ("/openapi.json", "GET, HEAD", |api, _| {
        Ok(ApiResponse::ok("application/json", api.pages.openapi.clone()))
    }),
    ("/docs", "GET, HEAD", |api, _| Ok(page(&api.pages.docs))),
    ("/", "GET, HEAD", |api, _| Ok(page(&api.pages.index))),
];

/// A route's name for metrics and logs: never what a client made up.
pub(super) fn route_label(path: &str) -> &'static str {
    ROUTES.iter().find(|(route, ..)| *route == path).map_or("other", |(route, ..)| route)
}

pub(super) fn is_prediction(path: &str) -> bool {
    [PREDICT, PREDICT_BATCH].contains(&path)
}

/// Whether a route requires the API key: those that cost time, and the one that reveals use. Probes must work
/// without it, and the pages hold nothing secret.
pub(super) fn is_guarded(path: &str) -> bool {
    is_prediction(path) || path == METRICS
}

pub(super) struct Api {
    classifier: Classifier,
    /// Of requests that name none.
    prior: Option<Prior>,
    metrics: Arc<Metrics>,
    pages: Pages,
    queue: usize,
    started: Instant,
}

impl Api {
    pub(super) fn new(
        classifier: Classifier,
        prior: Option<Prior>,
        metrics: Arc<Metrics>,
        queue: usize,
    ) -> Self {
        let pages = Pages::new(classifier.spec());
        metrics.describe(classifier.spec(), classifier.isa());
        Self { classifier, prior, metrics, pages, queue, started: Instant::now() }
    }

    /// The answer to a request; an error is an answer, too.
    pub(super) fn answer(&self, request: &ApiRequest) -> ApiResponse {
        let path = request.path();
        let Some((_, allowed, handler)) = ROUTES.iter().find(|(route, ..)| *route == path) else {
            return ApiError::new(ErrorCode::NotFound, "not found; GET /docs lists the routes").into();
        };
        if !allowed.split(", ").any(|method| method == request.method) {
            let error = ApiError::new(ErrorCode::MethodNotAllowed, format!("{path} accepts {allowed} only"));
            return ApiResponse::from(error).with_header("Allow", *allowed);
        }
        handler(self, request).unwrap_or_else(ApiResponse::from)
    }

    fn options(&self, request: &ApiRequest, allowed: &[&str]) -> Result<Options, ApiError> {
        let mut options = query::options(request.query(), allowed, self.classifier.spec())?;
        options.prior = options.prior.or_else(|| self.prior.clone());
        Ok(options)
    }

    fn predict(&self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        let options = self.options(request, query::PREDICT)?;
        if options.explain && self.classifier.spec().outputs.class_maps.is_none() {
            let detail = "heatmap is not available: the model of this server has no class maps";
            return Err(ApiError::new(ErrorCode::BadQuery, detail));
        }
        let media_type = media_type(&request.content_type);
        let part = if media_type == "multipart/form-data" {
            multipart::image(&request.content_type, request.body.clone())?
        } else if media_type.starts_with("image/") || media_type == "application/octet-stream" {
            Part { field: String::new(), filename: None, bytes: request.body.clone() }
        } else {
            let wanted = "an image (image/*, application/octet-stream) or a form with a field \"file\"";
            return Err(unsupported(&request.content_type, wanted));
        };
        if let Some(bytes) = missing_memory(request, [&part.bytes]) {
            return Ok(ApiResponse::needs_memory(bytes));
        }
        self.predict_one(part.filename.as_deref(), &part.bytes, &options)
    }

    fn predict_one(
        &self,
        filename: Option<&str>,
        bytes: &[u8],
        options: &Options,
    ) -> Result<ApiResponse, ApiError> {
        let subject = filename.map_or(Subject::Unnamed, Subject::Path);
        let record = self.classify(subject, bytes, options)?;
        let timing = record.outcome.as_ref().ok().map(|prediction| server_timing(&prediction.timings));
        Ok(ApiResponse::json(&record).with_header("Server-Timing", timing.unwrap_or_default()))
    }

    fn predict_batch(&self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        let options = self.options(request, query::PREDICT_BATCH)?;
        if media_type(&request.content_type) != "multipart/form-data" {
            return Err(unsupported(&request.content_type, "a form with one or more fields \"files\""));
        }
        let parts = multipart::images(&request.content_type, request.body.clone())?;
        if let Some(bytes) = missing_memory(request, parts.iter().map(|part| &part.bytes)) {
            return Ok(ApiResponse::needs_memory(bytes));
        }
        let predictions = self.classify_until(Instant::now() + BATCH_TIME, &parts, &options);
        Ok(ApiResponse::json(&Batch { total_images: predictions.len(), predictions }))
    }

    /// One record per part; those whose turn comes after the deadline are failures.
    fn classify_until<'a>(
        &'a self,
        deadline: Instant,
        parts: &'a [Part],
        options: &Options,
    ) -> Vec<Record<'a>> {
        let one = |part: &'a Part| {
            let name = part.filename.as_deref().unwrap_or_default();
            let failure = if Instant::now() < deadline {
                match self.classify(Subject::Path(name), &part.bytes, options) {
                    Ok(record) => return record,
                    Err(error) => Failure::from(error),
                }
            } else {
                let limit = BATCH_TIME.as_secs();
                let message = format!(
                    "not processed: the batch reached its {limit} s limit; send fewer files per request"
                );
                Failure::new(ErrorCode::Timeout.as_str(), message)
            };
            self.record(Subject::Filename(name), Err(failure))
        };
        parts.iter().map(one).collect()
    }

    fn classify<'a>(
        &'a self,
        subject: Subject<'a>,
        bytes: &[u8],
        options: &Options,
    ) -> Result<Record<'a>, ClassifyError> {
        let outcome = self.classifier.classify_with(bytes, options);
        if let Err(ClassifyError::Unusable(reasons)) = &outcome {
            self.metrics.observe_unusable(reasons);
        }
        let mut prediction = outcome?;
        self.metrics.observe(&prediction, self.classifier.spec());
        let explanation = prediction.explanation.take();
        let heatmap = explanation.map(|explanation| Heatmap::Png(output::heatmap::png(&explanation)));
        Ok(Record { heatmap, ..self.record(subject, Ok(prediction)) })
    }

    fn record<'a>(&'a self, subject: Subject<'a>, outcome: Result<Prediction, Failure>) -> Record<'a> {
        Record { subject, outcome, spec: self.classifier.spec(), top_k: None, heatmap: None }
    }

    fn health(&self) -> ApiResponse {
        let draining = interrupt::requested();
        let health = Health {
            status: if draining { "draining" } else { "healthy" },
            model_loaded: true,
            uptime_seconds: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            device: "cpu",
            version: env!("CARGO_PKG_VERSION"),
            model: self.classifier.spec().into(),
        };
        if !draining {
            return ApiResponse::json(&health);
        }
        ApiResponse::json(&health)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_header("Retry-After", RETRY_AFTER)
    }

    fn readiness(&self) -> Result<ApiResponse, ApiError> {
        if interrupt::requested() {
            return Err(ApiError::new(ErrorCode::Draining, "the server is shutting down"));
        }
        if usize::try_from(self.metrics.queue_depth.get()).is_ok_and(|waiting| waiting >= self.queue) {
            return Err(ApiError::overloaded("the queue is full"));
        }
        Ok(ApiResponse::json(&Probe { status: "ready" }))
    }

    fn metrics(&self) -> ApiResponse {
        ApiResponse::ok("text/plain; version=0.0.4; charset=utf-8", self.metrics.render().into_bytes())
    }
}

/// Bytes that a request must reserve before it may decode its images, one after the other.
fn missing_memory<'b>(request: &ApiRequest, images: impl IntoIterator<Item = &'b Bytes>) -> Option<u64> {
    // What cannot be read needs nothing, and is refused later.
    let needs = images.into_iter().map(|bytes| image::peak_memory(bytes).unwrap_or_default());
    needs.max().filter(|bytes| *bytes > SMALL_IMAGE.max(request.memory))
}

fn page(page: &Page) -> ApiResponse {
    let html = ApiResponse::ok("text/html; charset=utf-8", page.html.clone());
    html.with_header("Content-Security-Policy", page.policy.clone())
}

/// <https://www.w3.org/TR/server-timing/>; durations are milliseconds.
fn server_timing(timings: &Timings) -> String {
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
    let Timings { decode, preprocess, inference } = *timings;
    format!(
        "decode;dur={:.3}, preprocess;dur={:.3}, inference;dur={:.3}",
        ms(decode),
        ms(preprocess),
        ms(inference)
    )
}

#[derive(Serialize)]
struct Batch<'a> {
    predictions: Vec<Record<'a>>,
    total_images: usize,
}

#[derive(Serialize)]
struct Probe {
    status: &'static str,
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    model_loaded: bool,
    uptime_seconds: f64,
    device: &'static str,
    version: &'static str,
    model: ModelId<'a>,
}

/// `Image/JPEG; q=1` is `image/jpeg`.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unsupported(content_type: &str, wanted: &str) -> ApiError {
    let problem = if content_type.is_empty() {
        "the Content-Type is missing".to_owned()
    } else {
        format!("the Content-Type {content_type} is not supported")
    };
    ApiError::new(ErrorCode::UnsupportedMediaType, format!("{problem}; send {wanted}"))
}

#[cfg(test)]
mod tests {
    use skinclf::Model;

    use super::*;

    #[test]
    fn a_form_that_takes_too_long_is_answered_in_part() {
        let classifier = Classifier::load(Model::embedded()).expect("the embedded model");
        let api = Api::new(classifier, None, Arc::new(Metrics::new()), 1);
        let bytes = Bytes::from_static(include_bytes!("../../samples/lesion-1.jpg"));
        let part = |name: &str| Part {
            field: "files".to_owned(),
            filename: Some(name.to_owned()),
            bytes: bytes.clone(),
        };
        let parts = [part("a.jpg"), part("b.jpg")];
        let in_time = api.classify_until(Instant::now() + BATCH_TIME, &parts, &Options::default());
        assert!(in_time.iter().all(|record| record.outcome.is_ok()));
        let late = api.classify_until(Instant::now(), &parts, &Options::default());
        let late = serde_json::to_value(late).expect("JSON");
        assert_eq!((&late[1]["filename"], &late[1]["error"]["code"]), (&"b.jpg".into(), &"timeout".into()));
    }
}
