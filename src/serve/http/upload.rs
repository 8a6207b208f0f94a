//! The body of a request, received whole within a budget that all uploads share, and without long silence.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::ConnectionState;
use crate::serve::error::{ApiError, ErrorCode};

/// Longest silence within a body. A client that announces a chunk of any size and goes quiet is
/// not waited for until the deadline of the whole body.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of uploads held at once. Small uploads, which is nearly all, have a budget of their own,
/// so that a few stalled large ones cannot keep them out.
const BUDGET: usize = 128 << 20;
const SMALL: u64 = 2 << 20;

pub(super) struct Uploads {
    max_body: u64,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A whole body; its share of the budget is given back when this is dropped.
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Uploads {
    pub(super) fn new(max_body: u64) -> Self {
        Self {
            max_body,
            small: Arc::new(Semaphore::new(BUDGET)),
            large: Arc::new(Semaphore::new(BUDGET.max(max_body as usize))),
        }
    }

    /// Refuses a body from its `Content-Length`.
    pub(super) fn check_length(&self, body: &Incoming) -> Result<(), ApiError> {
        if body.size_hint().lower() > self.max_body { Err(self.too_large()) } else { Ok(()) }
    }

    pub(super) async fn receive(
        &self,
        mut body: Incoming,
        deadline: Duration,
        state: &ConnectionState,
    ) -> Result<Upload, ApiError> {
        let upload = tokio::time::timeout(deadline, self.collect(&mut body, state)).await;
        upload.map_err(|_| too_slow("the request body did not arrive in time"))?
    }

    async fn collect(&self, body: &mut Incoming, state: &ConnectionState) -> Result<Upload, ApiError> {
        let announced = body.size_hint().exact();
        let budget = if announced.is_some_and(|n| n <= SMALL) { &self.small } else { &self.large };
        let mut share: Option<OwnedSemaphorePermit> = None;
        let mut whole = BytesMut::new();
        while let Some(frame) = next_frame(body, announced.is_some()).await? {
            let Ok(data) = frame.into_data() else {
                continue; // trailers
            };
            state.received(data.len());
            if (whole.len() + data.len()) as u64 > self.max_body {
                return Err(self.too_large());
            }
            let more = reserve(budget, data.len());
            let more = more.ok_or_else(|| ApiError::overloaded("too many uploads at once"))?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            whole.extend_from_slice(&data);
        }
        Ok(Upload { bytes: whole.freeze(), share })
    }

    fn too_large(&self) -> ApiError {
        let detail = format!("the request body may have at most {} bytes", self.max_body);
        ApiError::new(ErrorCode::BodyTooLarge, detail)
    }
}

async fn next_frame(body: &mut Incoming, has_length: bool) -> Result<Option<Frame<Bytes>>, ApiError> {
    let seconds = STALL_TIMEOUT.as_secs();
    match tokio::time::timeout(STALL_TIMEOUT, body.frame()).await {
        Ok(frame) => frame.transpose().map_err(|error| ended_early(&error)),
        Err(_) if has_length => Err(too_slow(format!("no data of the request body arrived for {seconds} s"))),
        // The size of a chunk may have been wrong as well.
        Err(_) => Err(ended_early(&format_args!("no data arrived for {seconds} s"))),
    }
}

fn too_slow(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::RequestTimeout, detail)
}

fn ended_early(why: &dyn Display) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("the request body ended early: {why}"))
}

fn reserve(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    budget.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}
