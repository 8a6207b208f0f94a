//! Servers that require an API key: a warning at the first 401 of each, and the end of a test whose predictions are all
//! refused so.

use std::cell::RefCell;

use crate::bench::load::result::FailureKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unauthorized {
    pub(super) server: usize,
    pub(super) endpoint: usize,
    /// Whether it is a prediction, as all before it at this server were: nothing can be measured.
    pub(super) is_hopeless: bool,
}

impl Unauthorized {
    /// `has_key`: whether the request had one.
    pub(super) fn message(self, url: &str, endpoint: &str, has_key: bool) -> String {
        let problem = if has_key {
            "the server refuses the key of --api-key (or SKINCLF_API_KEY)"
        } else {
            "the server requires an API key; give it with --api-key KEY or SKINCLF_API_KEY"
        };
        format!("--url {url}: {endpoint} answers 401: {problem}")
    }
}

pub(crate) struct ApiKeys(RefCell<Vec<Known>>);

#[derive(Clone, Default)]
struct Known {
    /// Whether a prediction ended in another way than 401.
    has_predicted: bool,
    has_warned: bool,
}

impl ApiKeys {
    pub(crate) fn new(servers: usize) -> Self {
        Self(RefCell::new(vec![Known::default(); servers]))
    }

    pub(super) fn note(
        &self,
        server: usize,
        endpoint: usize,
        is_prediction: bool,
        failure: Option<FailureKind>,
    ) -> Option<Unauthorized> {
        let known = &mut self.0.borrow_mut()[server];
        if failure != Some(FailureKind::Status(401)) {
            known.has_predicted |= is_prediction;
            return None;
        }
        let is_hopeless = is_prediction && !known.has_predicted;
        let is_new = !std::mem::replace(&mut known.has_warned, true);
        (is_hopeless || is_new).then_some(Unauthorized { server, endpoint, is_hopeless })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_refuses_every_prediction_is_hopeless() {
        type Ended = (usize, (usize, bool), Option<FailureKind>);
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
            let keys = ApiKeys::new(2);
            let noted = requests.iter().filter_map(|(server, (endpoint, is_prediction), outcome)| {
                keys.note(*server, *endpoint, *is_prediction, *outcome)
            });
            let said: Vec<_> = noted.map(|n| (n.server, n.endpoint, n.is_hopeless)).collect();
            assert_eq!(said, wanted, "{requests:?}");
        }
    }
}
