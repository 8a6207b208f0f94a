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
    open: Rc<RefCell<HashMap<u64, Connection>>>,
    next_id: Cell<u64>,
    changed: Rc<Notify>,
    metrics: Arc<Metrics>,
}

struct Connection {
    task: AbortHandle,
    state: Rc<State>,
}

/// What a connection tells about itself.
#[derive(Default)]
pub(super) struct State {
    /// Since when no request of it is being served; `None` while one is.
    idle_since: Cell<Option<Instant>>,
}

impl State {
    pub(super) fn is_idle(&self) -> bool {
        self.idle_since.get().is_some()
    }

    /// Busy until the result is dropped.
    pub(super) fn busy(self: &Rc<Self>) -> Busy {
        self.idle_since.set(None);
        Busy(self.clone())
    }
}

/// A request of a connection is being served.
pub(super) struct Busy(Rc<State>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle_since.set(Some(Instant::now()));
    }
}

impl Connections {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { open: Rc::default(), next_id: Cell::new(0), changed: Rc::default(), metrics }
    }

    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Runs a connection as a task of its own.
    pub(super) fn spawn<F>(&self, serve: impl FnOnce(Rc<State>) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let state = Rc::new(State { idle_since: Cell::new(Some(Instant::now())) });
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
        self.open.borrow_mut().insert(id, Connection { task: task.abort_handle(), state });
        self.metrics.connections.inc();
    }

    /// Closes the connection that has been without a request for longest; false if all have one.
    pub(super) fn evict_longest_idle(&self) -> bool {
        let mut open = self.open.borrow_mut();
        let idle = open.iter().filter_map(|(id, c)| Some((c.state.idle_since.get()?, *id)));
        let Some(connection) = idle.min().and_then(|(_, id)| open.remove(&id)) else {
            return false;
        };
        connection.task.abort();
        self.metrics.evicted.inc();
        true
    }

    /// Waits until none is open.
    pub(super) async fn emptied(&self) {
        while self.count() > 0 {
            self.changed.notified().await;
        }
    }
}

/// Takes a connection off the list however its task ends.
struct Closing {
    id: u64,
    open: Rc<RefCell<HashMap<u64, Connection>>>,
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
