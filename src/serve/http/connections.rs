//! All open client connections, and which of them may be closed to make room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::serve::metrics::Metrics;

pub(super) struct Connections {
    open: Rc<RefCell<HashMap<u64, OpenConnection>>>,
    next_id: Cell<u64>,
    changed: Rc<Notify>,
    metrics: Arc<Metrics>,
}

struct OpenConnection {
    task: AbortHandle,
    state: Rc<ConnectionState>,
}

pub(super) struct ConnectionState {
    phase: Cell<Phase>,
    /// Since when an answer, or a part of it, has waited for the client to read on.
    sending_since: Cell<Option<Instant>>,
    /// Of the last request's body.
    received_bytes: Cell<usize>,
    has_received: Cell<bool>,
}

/// The earlier variant is the first to be closed when there is no room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// There has been no request since then.
    Idle(Instant),
    /// A request's body has been awaited since then.
    Receiving(Instant),
    /// The client has been slow to read its answer since then.
    Sending(Instant),
    Serving,
}

impl ConnectionState {
    fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Idle(Instant::now())),
            sending_since: Cell::default(),
            received_bytes: Cell::default(),
            has_received: Cell::default(),
        }
    }

    fn phase(&self) -> Phase {
        let phase = self.phase.get();
        self.sending_since.get().map_or(phase, |since| phase.max(Phase::Sending(since)))
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase(), Phase::Idle(_))
    }

    /// A request has arrived; not idle until the result is dropped.
    pub(super) fn busy(self: &Rc<Self>, has_body: bool) -> Busy {
        self.received_bytes.set(0);
        self.phase.set(if has_body { Phase::Receiving(Instant::now()) } else { Phase::Serving });
        Busy(self.clone())
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.set(self.received_bytes.get() + bytes);
    }

    pub(super) fn received_bytes(&self) -> usize {
        self.received_bytes.get()
    }

    pub(super) fn received_all(&self) {
        self.phase.set(Phase::Serving);
    }

    /// Whether the client has sent anything since the last answer.
    pub(super) fn has_received(&self) -> bool {
        self.has_received.get()
    }

    pub(super) fn set_has_received(&self, has_received: bool) {
        self.has_received.set(has_received);
    }

    /// Whether the client has to read before more can be sent.
    pub(super) fn set_sending(&self, waits: bool) {
        let since = waits.then(|| self.sending_since.get().unwrap_or_else(Instant::now));
        self.sending_since.set(since);
    }

    pub(super) fn awaits_body(&self) -> bool {
        matches!(self.phase.get(), Phase::Receiving(_))
    }
}

pub(super) struct Busy(Rc<ConnectionState>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Idle(Instant::now()));
    }
}

impl Connections {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { open: Rc::default(), next_id: Cell::new(0), changed: Rc::default(), metrics }
    }

    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    pub(super) fn spawn<F>(&self, serve: impl FnOnce(Rc<ConnectionState>) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let state = Rc::new(ConnectionState::new());
        let closing = Closing {
            id,
            open: self.open.clone(),
            changed: self.changed.clone(),
            metrics: self.metrics.clone(),
        };
        let served = serve(state.clone());
        let task = tokio::task::spawn_local(async move {
            let _closing = closing;
            served.await;
        });
        self.open.borrow_mut().insert(id, OpenConnection { task: task.abort_handle(), state });
        self.metrics.connections.inc();
    }

    /// Closes the connection that has been without a request for longest or, if all have one, that
    /// has sent its body, or not read its answer, for longest; false if all requests are being served.
    pub(super) fn evict(&self) -> bool {
        let mut open = self.open.borrow_mut();
        let first = open.iter().map(|(id, c)| (c.state.phase(), *id)).min();
        let evictable = first.filter(|(phase, _)| *phase != Phase::Serving);
        let Some(connection) = evictable.and_then(|(_, id)| open.remove(&id)) else {
            return false;
        };
        connection.task.abort();
        self.metrics.evicted.inc();
        true
    }

    pub(super) async fn emptied(&self) {
        while self.count() > 0 {
            self.changed.notified().await;
        }
    }
}

/// Takes a connection off the list however its task ends.
struct Closing {
    id: u64,
    open: Rc<RefCell<HashMap<u64, OpenConnection>>>,
    changed: Rc<Notify>,
    metrics: Arc<Metrics>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.open.borrow_mut().remove(&self.id);
        self.metrics.connections.dec();
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_make_room_first_then_uploads_then_slow_readers_and_served_requests_never() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let connections = Connections::new(Arc::new(Metrics::new()));
            let states = RefCell::new(Vec::new());
            for _ in 0..4 {
                connections.spawn(|state| {
                    states.borrow_mut().push(state);
                    std::future::pending()
                });
            }
            let states = states.into_inner();
            let _serving = states[0].busy(false);
            let _receiving = states[1].busy(true);
            states[3].set_sending(true);
            let left = || connections.open.borrow().keys().copied().collect::<Vec<_>>();
            assert!(connections.evict());
            assert!(!left().contains(&2), "the idle one goes first");
            assert!(connections.evict());
            assert!(!left().contains(&1), "then the one that is still sending");
            assert!(connections.evict());
            assert_eq!(left(), [0], "then the one that does not read");
            assert!(!connections.evict(), "a request that is being served is seen through");
        });
    }
}
