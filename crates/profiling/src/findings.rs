//! Findings of a run while it goes on, with a bound on how many are told in full.

use lanescope_capture::{FindingKind, Verdict};
use std::collections::BTreeMap;

/// Findings of one kind that are told in full; the rest is only counted.
const TOLD_PER_KIND: usize = 16;

/// Collects findings. However many there are, memory and text stay bounded.
#[derive(Debug, Default)]
pub struct Findings {
    kinds: BTreeMap<FindingKind, OfKind>,
}

#[derive(Debug, Default)]
struct OfKind {
    told: Vec<(u64, String)>,
    untold: u64,
    untold_count: u64,
}

impl Findings {
    /// Adds a finding about `count` items; `text` is made only when it will be told.
    pub fn add(&mut self, kind: FindingKind, count: u64, text: impl FnOnce() -> String) {
        let of_kind = self.kinds.entry(kind).or_default();
        if of_kind.told.len() < TOLD_PER_KIND {
            let text = text();
            log::warn!("{text}");
            of_kind.told.push((count, text));
        } else {
            of_kind.untold += 1;
            of_kind.untold_count = of_kind.untold_count.saturating_add(count);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Moves everything into a verdict, which gets as bad as the findings demand.
    pub fn move_into(self, verdict: &mut Verdict) {
        for (kind, of_kind) in self.kinds {
            for (count, text) in of_kind.told {
                verdict.find(kind, count, text);
            }
            if of_kind.untold != 0 {
                let text = format!("{} more of this kind", of_kind.untold);
                verdict.find(kind, of_kind.untold_count, text);
            }
        }
    }
}
