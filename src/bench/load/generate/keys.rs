//! Servers that ask for a key: said at the first 401, and the end of a test whose predictions are all refused so.

use std::cell::RefCell;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bench::load::result::FailureKind;

/// A 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) server: usize,
    pub(crate) endpoint: usize,
    /// Whether it is a prediction, as all before it at this server were: nothing can be measured.
    pub(crate) is_hopeless: bool,
}

impl Refusal {
    /// A sentence; `has_key`: whether one was sent.
    pub(crate) fn text(self, url: &str, endpoint: &str, has_key: bool) -> String {
        if has_key {
            return format!(
                "--url {url}: {endpoint} answers 401: the server refuses the key of --api-key (or SKINCLF_API_KEY)"
            );
        }
        format!(
            "--url {url}: {endpoint} answers 401: the server asks for a key; give it with --api-key KEY or SKINCLF_API_KEY"
        )
    }
}

/// Listens for 401s, in all runs.
pub(crate) struct Keys {
    servers: RefCell<Vec<Server>>,
    refusals: UnboundedSender<Refusal>,
}

#[derive(Clone, Default)]
struct Server {
    /// Whether a prediction ended in another way.
    has_predicted: bool,
    is_said: bool,
}

impl Keys {
    /// And where the first refusal of each server comes out.
    pub(crate) fn new(servers: usize) -> (Self, UnboundedReceiver<Refusal>) {
        let (refusals, receiver) = unbounded_channel();
        (Self { servers: RefCell::new(vec![Server::default(); servers]), refusals }, receiver)
    }

    /// Takes note of how a request ended.
    pub(crate) fn hear(
        &self,
        server: usize,
        endpoint: usize,
        is_prediction: bool,
        failure: Option<FailureKind>,
    ) {
        let known = &mut self.servers.borrow_mut()[server];
        if failure != Some(FailureKind::Status(401)) {
            known.has_predicted |= is_prediction;
            return;
        }
        let is_hopeless = is_prediction && !known.has_predicted;
        if is_hopeless || !std::mem::replace(&mut known.is_said, true) {
            // Nobody listens any more when all is over.
            let _ = self.refusals.send(Refusal { server, endpoint, is_hopeless });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_refuses_every_prediction_is_hopeless() {
        /// Server, endpoint and whether that predicts, outcome.
        type Ended = (usize, (usize, bool), Option<FailureKind>);
        /// Server, endpoint, hopeless.
        type Said = (usize, usize, bool);
        let refused = Some(FailureKind::Status(401));
        let (health, predict) = ((0, false), (1, true));
        let cases: [(&[Ended], &[Said]); 5] = [
            (&[(0, health, None), (0, predict, refused)], &[(0, 1, true)]),
            (&[(0, health, refused), (0, health, refused), (0, predict, None)], &[(0, 0, false)]),
            (&[(0, predict, None), (0, predict, refused), (0, predict, refused)], &[(0, 1, false)]),
            (&[(0, predict, Some(FailureKind::Status(503))), (0, predict, refused)], &[(0, 1, false)]),
            (&[(0, predict, None), (1, predict, refused)], &[(1, 1, true)]),
        ];
        for (requests, wanted) in cases {
            let (keys, mut receiver) = Keys::new(2);
            for (server, (endpoint, is_prediction), outcome) in requests {
                keys.hear(*server, *endpoint, *is_prediction, *outcome);
            }
            let mut said = Vec::new();
            while let Ok(Refusal { server, endpoint, is_hopeless }) = receiver.try_recv() {
                said.push((server, endpoint, is_hopeless));
            }
            assert_eq!(said, wanted, "{requests:?}");
        }
    }
}
