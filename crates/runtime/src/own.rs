//! A collector that this project knows nothing of, in a run of a session.

use crate::{Result, RuntimeError};
use lanescope_abi::Kind;
use lanescope_profiling::Collector;
use std::fmt;
use std::sync::Arc;

/// How a collector of others is made. Its records come from a device program that commits them; the
/// executor of this project commits none.
///
/// A session makes one for each capture region and keeps it as long as runs look alike; a clone is the
/// same collector, and two that were made apart are two.
#[derive(Clone)]
pub struct OwnCollector(Arc<dyn Fn() -> Box<dyn Collector> + Send + Sync>);

impl OwnCollector {
    /// A collector of a kind from [`Kind::FIRST_OWN`] on, without payloads or staged lines.
    pub fn new(make: impl Fn() -> Box<dyn Collector> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self) -> Box<dyn Collector> {
        (self.0)()
    }

    /// Refuses what the device side of an own collector cannot do.
    pub(crate) fn check(&self) -> Result<()> {
        let collector = self.make();
        let kind = collector.kind();
        let reason = if Kind::own(kind.raw()).is_none() {
            format!(
                "{kind} is a kind of this project, expected {} or more",
                Kind::FIRST_OWN
            )
        } else if collector.lanes().arena_bytes != 0 || collector.staged_lines() != 0 {
            format!(
                "{kind} asks for an arena or staged lines, which only kinds of this project have"
            )
        } else {
            return Ok(());
        };
        Err(RuntimeError::Option {
            option: "own collector",
            reason,
        })
    }
}

/// Whether they are clones of one.
impl PartialEq for OwnCollector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OwnCollector {}

impl fmt::Debug for OwnCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnCollector").field(&self.make()).finish()
    }
}
