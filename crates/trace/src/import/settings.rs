//! What a capture of an imported run keeps in its session's settings: facts no device would have.

use crate::Orchestrator;

/// What the run was imported from; such a run has no verdict.
pub(crate) const SOURCE: &str = "source";
/// The tick that the source calls time 0.
pub(crate) const ORIGIN_TICKS: &str = "origin_ticks";
/// [`UNKNOWN`] when the source does not tell the chip.
pub(crate) const CHIP: &str = "chip";
/// See [`CHIP`].
pub(crate) const UNKNOWN: &str = "unknown";
/// The orchestrator's totals, in the order of [`Orchestrator`]'s fields.
pub(crate) const ORCHESTRATOR: &str = "orchestrator";
/// Tensors that the source says its device dropped.
pub(crate) const DROPPED_TENSORS: &str = "dropped_tensors";
/// A note of the importer: how many, a space, what.
pub(crate) const NOTE: &str = "note";
/// The thread of a core that no thread is known of.
pub(crate) const NO_THREAD: u32 = u32::MAX;
/// The level of a source that has none.
pub(crate) const NO_LEVEL: u32 = u32::MAX;

pub(crate) fn of_totals(totals: &Orchestrator) -> String {
    let facts = [totals.start_ticks, totals.end_ticks];
    let numbers = facts.iter().chain(&totals.phase_ticks);
    let numbers: Vec<_> = numbers.map(u64::to_string).collect();
    format!("{} {}", totals.submit_count, numbers.join(" "))
}

/// The totals in a text of [`of_totals`].
pub(crate) fn totals(text: &str) -> Option<Orchestrator> {
    let (submit_count, rest) = text.split_once(' ')?;
    let mut numbers = rest.split(' ').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let mut totals = Orchestrator {
        submit_count: submit_count.parse().ok()?,
        start_ticks: next()?,
        end_ticks: next()?,
        ..Orchestrator::default()
    };
    for ticks in &mut totals.phase_ticks {
        *ticks = next()?;
    }
    Some(totals)
}
