//! The objects behind handles.

use crate::{LanescopeError, Result};
use lanescope_runtime::{Build, Graph, Session};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// A session and the build it came from.
pub(super) struct SessionObject {
    pub(super) session: Session,
    pub(super) build: Build,
}

/// A graph under construction.
pub(super) struct GraphObject {
    pub(super) graph: Graph,
}

/// Every object that a handle names.
#[derive(Default)]
pub(super) struct Objects {
    last_handle: u64,
    sessions: HashMap<u64, Arc<Mutex<SessionObject>>>,
    graphs: HashMap<u64, Arc<Mutex<GraphObject>>>,
}

static OBJECTS: LazyLock<Mutex<Objects>> = LazyLock::new(Mutex::default);

impl Objects {
    pub(super) fn add_session(object: SessionObject) -> u64 {
        let mut objects = Self::lock();
        let handle = objects.next_handle();
        objects
            .sessions
            .insert(handle, Arc::new(Mutex::new(object)));
        handle
    }

    pub(super) fn add_graph(object: GraphObject) -> u64 {
        let mut objects = Self::lock();
        let handle = objects.next_handle();
        objects.graphs.insert(handle, Arc::new(Mutex::new(object)));
        handle
    }

    pub(super) fn remove_session(handle: u64) -> Result<()> {
        // Dropped behind the lock's end: closing a device takes time.
        let removed = Self::lock().sessions.remove(&handle);
        removed.map(drop).ok_or_else(|| unknown("session", handle))
    }

    pub(super) fn remove_graph(handle: u64) -> Result<()> {
        let removed = Self::lock().graphs.remove(&handle);
        removed.map(drop).ok_or_else(|| unknown("graph", handle))
    }

    pub(super) fn with_session<T>(
        handle: u64,
        use_it: impl FnOnce(&mut SessionObject) -> Result<T>,
    ) -> Result<T> {
        let found = Self::lock().sessions.get(&handle).cloned();
        with(found, "session", handle, use_it)
    }

    pub(super) fn with_graph<T>(
        handle: u64,
        use_it: impl FnOnce(&mut GraphObject) -> Result<T>,
    ) -> Result<T> {
        let found = Self::lock().graphs.get(&handle).cloned();
        with(found, "graph", handle, use_it)
    }

    fn lock() -> MutexGuard<'static, Self> {
        // No code of others runs under this lock, so a panic cannot leave it half done.
        OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }
}

fn with<O, T>(
    found: Option<Arc<Mutex<O>>>,
    argument: &'static str,
    handle: u64,
    use_it: impl FnOnce(&mut O) -> Result<T>,
) -> Result<T> {
    let object = found.ok_or_else(|| unknown(argument, handle))?;
    let mut object = object.lock().map_err(|_| LanescopeError::Argument {
        argument,
        reason: format!("handle {handle} had an internal error; close it"),
    })?;
    use_it(&mut object)
}

fn unknown(argument: &'static str, handle: u64) -> LanescopeError {
    LanescopeError::Argument {
        argument,
        reason: format!("no {argument} has the handle {handle}; was it closed"),
    }
}
