//! Which scheduler thread a core belongs to: as recorded, else by vote.

use lanescope_trace::reference::{Document, SchedulerStep};
use std::collections::HashMap;

/// The thread of each core, as far as known.
pub(super) fn threads_of(document: &Document) -> Vec<Option<u64>> {
    if document.core_to_thread.is_empty() {
        return voted(document);
    }
    let cores = document
        .core_to_thread
        .iter()
        .take(usize::from(u16::MAX) + 1);
    cores.map(|&thread| u64::try_from(thread).ok()).collect()
}

/// Each task votes for every thread that was dispatching when the task was dispatched. Most votes
/// win; of as many, the thread that got its first vote first.
fn voted(document: &Document) -> Vec<Option<u64>> {
    let threads: Vec<_> = document
        .scheduler
        .iter()
        .map(|steps| Dispatching::of(steps))
        .collect();
    let mut votes: HashMap<u16, Vec<(u64, u64)>> = HashMap::new();
    for row in &document.tasks.rows {
        let Some(dispatch) = row.dispatch().filter(|time| time.value >= 0.0) else {
            continue;
        };
        for (thread, dispatching) in (0_u64..).zip(&threads) {
            if !dispatching.at(dispatch.value) {
                continue;
            }
            let of_core = votes.entry(row.core).or_default();
            match of_core.iter_mut().find(|(voted, _)| *voted == thread) {
                Some((_, count)) => *count += 1,
                None => of_core.push((thread, 1)),
            }
        }
    }
    let winner = |votes: Vec<(u64, u64)>| {
        // Of equals `max_by_key` takes the last, hence from behind.
        let most = votes.into_iter().rev().max_by_key(|&(_, count)| count);
        most.map(|(thread, _)| thread)
    };
    let last = votes.keys().max().map_or(0, |&core| usize::from(core) + 1);
    let mut winners = vec![None; last];
    for (core, votes) in votes {
        winners[usize::from(core)] = winner(votes);
    }
    winners
}

/// When one thread was dispatching.
struct Dispatching {
    /// Begin of each phase, ascending, and the latest end of it and all before.
    phases: Vec<(f64, f64)>,
}

impl Dispatching {
    fn of(steps: &[SchedulerStep]) -> Self {
        let dispatching = steps.iter().filter(|step| step.name() == "dispatch");
        let mut phases: Vec<_> = dispatching
            .map(|step| (step.start.value, step.end.value))
            .collect();
        phases.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut latest = f64::NEG_INFINITY;
        for (_, end) in &mut phases {
            latest = latest.max(*end);
            *end = latest;
        }
        Self { phases }
    }

    /// Whether a phase holds the time, its ends included.
    fn at(&self, time: f64) -> bool {
        let begun = self.phases.partition_point(|&(start, _)| start <= time);
        begun > 0 && self.phases[begun - 1].1 >= time
    }
}
