//! All requests of a run, built once: sending one clones a head and shares a body.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Method, Request};

use super::images::Upload;
use crate::bench::load::result::Weight;
use crate::cli::Target;

/// The only endpoint that takes an image.
pub(crate) const PREDICT: &str = "/predict";

/// What an upload is framed with; no image holds it.
const BOUNDARY: &str = "skinclf-7e3f0a5d-image-boundary";

/// What can be asked.
pub(crate) struct Requests {
    mix: Vec<Weight>,
    /// By server, endpoint and image.
    prepared: Vec<Vec<Vec<Request<Full<Bytes>>>>>,
}

impl Requests {
    pub(crate) fn prepare(
        mix: &[Weight],
        targets: &[&Target],
        images: &[Upload],
        api_key: Option<&str>,
    ) -> anyhow::Result<Self> {
        let forms: Vec<_> = images.iter().map(form).collect();
        let of_endpoint = |target: &Target, path: &str| -> anyhow::Result<Vec<_>> {
            if path == PREDICT {
                return forms.iter().map(|form| post(target, form.clone(), api_key)).collect();
            }
            Ok(vec![get(target, path, api_key)?])
        };
        let of_target = |target: &&Target| mix.iter().map(|w| of_endpoint(target, &w.endpoint)).collect();
        let prepared = targets.iter().map(of_target).collect::<anyhow::Result<_>>()?;
        Ok(Self { mix: mix.to_vec(), prepared })
    }

    /// An endpoint, as often as its weight says.
    pub(crate) fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let mut at = random.u32(0..self.mix.iter().map(|w| w.weight).sum());
        let fits = |w: &Weight| match at.checked_sub(w.weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        };
        self.mix.iter().position(fits).unwrap_or_default()
    }

    /// The n-th request of a user to an endpoint: images are taken in turn.
    pub(crate) fn nth(&self, server: usize, endpoint: usize, n: usize) -> Request<Full<Bytes>> {
        let requests = &self.prepared[server][endpoint];
        requests[n % requests.len()].clone()
    }

    /// Whether an endpoint takes images.
    pub(crate) fn is_prediction(&self, endpoint: usize) -> bool {
        self.mix[endpoint].endpoint == PREDICT
    }
}

/// `GET path`.
pub(crate) fn get(
    target: &Target,
    path: &str,
    api_key: Option<&str>,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = head(Method::GET, target, path, api_key).body(Full::default());
    request.context("this cannot be asked")
}

fn post(target: &Target, form: Bytes, api_key: Option<&str>) -> anyhow::Result<Request<Full<Bytes>>> {
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = head(Method::POST, target, PREDICT, api_key).header("Content-Type", media_type);
    request.body(Full::new(form)).context("this cannot be asked")
}

fn head(method: Method, target: &Target, path: &str, api_key: Option<&str>) -> Builder {
    let builder = Request::builder()
        .method(method)
        .uri(format!("{}{path}", target.prefix))
        .header("Host", &target.authority)
        .header("User-Agent", concat!("skinclf-bench/", env!("CARGO_PKG_VERSION")))
        .header("Accept", "*/*");
    match api_key {
        Some(key) => builder.header("Authorization", format!("Bearer {key}")),
        None => builder,
    }
}

/// The field `file` of a form, as curl, browsers and Locust send it.
fn form(image: &Upload) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image\"\r\nContent-Type: {}\r\n\r\n",
        image.media_type
    );
    [head.as_bytes(), &image.bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat().into()
}
