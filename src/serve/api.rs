//! Routes, and what each answers; no sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use skinclf::{Classifier, ClassifyError, Options, Prediction, Timings, image};

use super::backend::NEEDS_MEMORY;
use super::metrics::Metrics;
use super::multipart;
use super::multipart::Part;
use super::pages::{Page, Pages};
use super::query;
use super::refusal::Refusal;
use crate::output;
use crate::output::{Failure, Heatmap, ModelId, Record, Subject};
use crate::process::interrupt;

/// A whole request.
pub(super) struct Request {
    pub(super) method: String,
    /// With the query.
    pub(super) path: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    /// Bytes that its pictures may take up, beyond what every worker has at hand.
    pub(super) memory: u64,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, headers: Vec::new(), body }
    }

    fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("maps with string keys and finite numbers are JSON");
        Self::new(status, "application/json", body)
    }

    fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let answer = Self::json(refusal.status, &refusal);
        match refusal.needs_memory {
            Some(bytes) => answer.with_header(NEEDS_MEMORY, bytes.to_string()),
            None => answer,
        }
    }
}

/// Seconds that a refused client is asked to wait: about what a full queue takes.
pub(super) const RETRY_AFTER: &str = "2";

/// Methods that exist here; anything else is "other" in logs.
pub(super) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];

/// Pictures that need no more than this, which is nearly all, do not wait for others. 32 MiB are 11 megapixels of a
/// plain format.
const SMALL_PICTURE: u64 = 32 << 20;

/// For how long a worker goes through one form. 256 ordinary pictures take a few seconds; as many
/// blank ones of 64 megapixels, which are as small to send, would take minutes.
const BATCH_TIME: Duration = Duration::from_secs(10);

const PREDICT: &str = "/predict";
const PREDICT_BATCH: &str = "/predict/batch";
const METRICS: &str = "/metrics";

type Handler = fn(&Api, &Request) -> Result<Answer, Refusal>;

/// Path, allowed methods, handler. HEAD comes here as GET.
const ROUTES: [(&str, &str, Handler); 9] = [
    (PREDICT, "POST", Api::predict),
    (PREDICT_BATCH, "POST", Api::predict_batch),
    ("/health", "GET, HEAD", |api, _| Ok(api.health())),
    ("/livez", "GET, HEAD", |_, _| Ok(Answer::json(200, &Probe { status: "alive" }))),
    ("/readyz", "GET, HEAD", |api, _| Ok(api.readiness())),
    (METRICS, "GET, HEAD", |api, _| Ok(api.metrics())),
    ("/openapi.json", "GET, HEAD", |api, _| {
        Ok(Answer::new(200, "application/json", api.pages.openapi.clone()))
    }),
    ("/docs", "GET, HEAD", |api, _| Ok(page(&api.pages.docs))),
    ("/", "GET, HEAD", |api, _| Ok(page(&api.pages.index))),
];

/// A route's name for metrics and logs: never what a client made up.
pub(super) fn route_label(path: &str) -> &'static str {
    ROUTES.iter().find(|(route, ..)| *route == path).map_or("other", |(route, ..)| route)
}

/// Whether a route does the work that is queued.
pub(super) fn is_prediction(path: &str) -> bool {
    [PREDICT, PREDICT_BATCH].contains(&path)
}

/// Whether a route asks for the API key: what costs, and what tells about use. Probes must work
/// without it, and the pages hold nothing secret.
pub(super) fn is_guarded(path: &str) -> bool {
    is_prediction(path) || path == METRICS
}

/// The service, shared by all workers.
pub(super) struct Api {
    classifier: Classifier,
    metrics: Arc<Metrics>,
    pages: Pages,
    queue: usize,
    started: Instant,
}

impl Api {
    pub(super) fn new(classifier: Classifier, metrics: Arc<Metrics>, queue: usize) -> Self {
        let pages = Pages::new(classifier.spec());
        Self { classifier, metrics, pages, queue, started: Instant::now() }
    }

    /// The answer to a request; never fails, for a failure is an answer too.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap_or_default();
        let Some((_, allowed, handler)) = ROUTES.iter().find(|(route, ..)| *route == path) else {
            return Refusal::new(404, "not_found", "there is nothing here; GET /docs lists what there is")
                .into();
        };
        if !allowed.split(", ").any(|method| method == request.method) {
            let refusal = Refusal::new(405, "method_not_allowed", format!("{path} answers {allowed} only"));
            return Answer::from(refusal).with_header("Allow", *allowed);
        }
        handler(self, request).unwrap_or_else(Answer::from)
    }

    fn predict(&self, request: &Request) -> Result<Answer, Refusal> {
        let options = query::options(request.query(), query::PREDICT)?;
        if options.explain && self.classifier.spec().outputs.class_maps.is_none() {
            return Err(Refusal::new(400, "bad_query", "heatmap: this server's model has no class maps"));
        }
        let media_type = media_type(&request.content_type);
        if media_type == "multipart/form-data" {
            let part = multipart::image(&request.content_type, request.body.clone())?;
            ensure_memory(request, [&part.bytes])?;
            return self.predict_one(part.filename.as_deref(), &part.bytes, options);
        }
        if media_type.starts_with("image/") || media_type == "application/octet-stream" {
            ensure_memory(request, [&request.body])?;
            return self.predict_one(None, &request.body, options);
        }
        let wanted = "an image (image/*, application/octet-stream) or a form with a field \"file\"";
        Err(unsupported(&request.content_type, wanted))
    }

    fn predict_one(&self, filename: Option<&str>, bytes: &[u8], options: Options) -> Result<Answer, Refusal> {
        let subject = filename.map_or(Subject::Unnamed, Subject::Path);
        let record = self.classify(subject, bytes, options);
        match &record.outcome {
            Ok(prediction) => {
                let timing = server_timing(&prediction.timings);
                Ok(Answer::json(200, &record).with_header("Server-Timing", timing))
            }
            Err(failure) => Err(failure.clone().into()),
        }
    }

    fn predict_batch(&self, request: &Request) -> Result<Answer, Refusal> {
        let options = query::options(request.query(), query::PREDICT_BATCH)?;
        if media_type(&request.content_type) != "multipart/form-data" {
            return Err(unsupported(&request.content_type, "a form with one or more fields \"files\""));
        }
        let parts = multipart::images(&request.content_type, request.body.clone())?;
        ensure_memory(request, parts.iter().map(|part| &part.bytes))?;
        let predictions = self.classify_until(Instant::now() + BATCH_TIME, &parts, options);
        Ok(Answer::json(200, &Batch { total_images: predictions.len(), predictions }))
    }

    /// One record a part; those whose turn comes after the deadline are failures.
    fn classify_until<'a>(
        &'a self,
        deadline: Instant,
        parts: &'a [Part],
        options: Options,
    ) -> Vec<Record<'a>> {
        let one = |part: &'a Part| {
            let name = part.filename.as_deref().unwrap_or_default();
            let record = if Instant::now() < deadline {
                self.classify(Subject::Path(name), &part.bytes, options)
            } else {
                let message = format!(
                    "not classified: those before it took {} s; send fewer in a form",
                    BATCH_TIME.as_secs()
                );
                self.record(Subject::Path(name), Err(Failure { code: "timeout", message }))
            };
            let subject = if record.outcome.is_ok() { Subject::Path(name) } else { Subject::Filename(name) };
            Record { subject, ..record }
        };
        parts.iter().map(one).collect()
    }

    fn classify<'a>(&'a self, subject: Subject<'a>, bytes: &[u8], options: Options) -> Record<'a> {
        let mut outcome = self.classifier.classify_with(bytes, options);
        match &outcome {
            Ok(prediction) => self.metrics.observe(&prediction.timings, &prediction.reasons),
            Err(ClassifyError::Unusable(reasons)) => self.metrics.observe_unusable(reasons),
            Err(_) => {}
        }
        let explanation = outcome.as_mut().ok().and_then(|prediction| prediction.explanation.take());
        let heatmap = explanation.map(|explanation| Heatmap::Png(output::heatmap::png(&explanation)));
        Record { heatmap, ..self.record(subject, outcome.map_err(Failure::from)) }
    }

    fn record<'a>(&'a self, subject: Subject<'a>, outcome: Result<Prediction, Failure>) -> Record<'a> {
        Record { subject, outcome, spec: self.classifier.spec(), top_k: None, heatmap: None }
    }

    fn health(&self) -> Answer {
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
            return Answer::json(200, &health);
        }
        Answer::json(503, &health).with_header("Retry-After", RETRY_AFTER)
    }

    fn readiness(&self) -> Answer {
        let full = usize::try_from(self.metrics.queue_depth.get()).is_ok_and(|waiting| waiting >= self.queue);
        let refusal = match (interrupt::requested(), full) {
            (true, _) => Refusal::new(503, "draining", "the server is shutting down"),
            (false, true) => {
                Refusal::new(503, "queue_full", format!("the queue is full; try again in {RETRY_AFTER} s"))
            }
            (false, false) => return Answer::json(200, &Probe { status: "ready" }),
        };
        Answer::from(refusal).with_header("Retry-After", RETRY_AFTER)
    }

    fn metrics(&self) -> Answer {
        Answer::new(200, "text/plain; version=0.0.4; charset=utf-8", self.metrics.render().into_bytes())
    }
}

/// Whether a request may decode its pictures, one after the other.
fn ensure_memory<'b>(
    request: &Request,
    pictures: impl IntoIterator<Item = &'b Bytes>,
) -> Result<(), Refusal> {
    // What cannot be read needs nothing, and is refused later.
    let needs = pictures.into_iter().map(|bytes| image::peak_memory(bytes).unwrap_or_default());
    match needs.max().unwrap_or_default() {
        bytes if bytes > SMALL_PICTURE && bytes > request.memory => Err(Refusal::needs_memory(bytes)),
        _ => Ok(()),
    }
}

fn page(page: &Page) -> Answer {
    let html = Answer::new(200, "text/html; charset=utf-8", page.html.clone());
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

fn unsupported(content_type: &str, wanted: &str) -> Refusal {
    let got = if content_type.is_empty() {
        "no Content-Type was sent".to_owned()
    } else {
        format!("got {content_type}")
    };
    Refusal::new(415, "unsupported_media_type", format!("{got}; send {wanted}"))
}

#[cfg(test)]
mod tests {
    use skinclf::Model;

    use super::*;

    #[test]
    fn a_form_that_takes_too_long_is_answered_in_part() {
        let classifier = Classifier::load(Model::embedded()).expect("the embedded model");
        let api = Api::new(classifier, Arc::new(Metrics::new()), 1);
        let bytes = Bytes::from_static(include_bytes!("../../samples/lesion-1.jpg"));
        let part = |name: &str| Part {
            field: "files".to_owned(),
            filename: Some(name.to_owned()),
            bytes: bytes.clone(),
        };
        let parts = [part("a.jpg"), part("b.jpg")];
        let in_time = api.classify_until(Instant::now() + BATCH_TIME, &parts, Options::default());
        assert!(in_time.iter().all(|record| record.outcome.is_ok()));
        let late = api.classify_until(Instant::now(), &parts, Options::default());
        let late = serde_json::to_value(late).expect("JSON");
        assert_eq!((&late[1]["filename"], &late[1]["error"]["code"]), (&"b.jpg".into(), &"timeout".into()));
    }
}
