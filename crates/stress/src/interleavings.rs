//! Every interleaving of a model's threads, counted.

use crate::{Effort, Tried};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps after which a model is taken for one that never ends.
const MOST_STEPS: usize = 20_000;
/// Interleavings between two looks at the clock.
const BETWEEN_LOOKS: usize = 1000;

/// Runs `model` in every interleaving in which at most `preemptions` threads are interrupted where
/// they would have gone on, weak orderings included; in all of them when there is no bound.
///
/// Under stress each round allows one more interruption than the one before, until time is up or
/// there are no more interleavings to be had.
///
/// # Panics
///
/// When the model does, in the first interleaving in which it does.
pub fn explore(
    test: &'static str,
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) {
    let effort = Effort::new(test, 1);
    let model = Arc::new(model);
    let tried = Arc::new(AtomicU64::new(0));
    let (mut bound, mut before) = (preemptions, 0);
    while effort.next_seed().is_some() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = bound;
        builder.max_branches = MOST_STEPS;
        builder.checkpoint_interval = BETWEEN_LOOKS;
        builder.max_duration = effort.left();
        let (shared, counted) = (Arc::clone(&model), Arc::clone(&tried));
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            shared();
        });
        let tried = tried.swap(0, Ordering::Relaxed);
        effort.add(Tried::Interleavings, tried);
        if bound.is_none() || tried == before {
            break;
        }
        before = tried;
        bound = bound.map(|bound| bound + 1);
    }
}
