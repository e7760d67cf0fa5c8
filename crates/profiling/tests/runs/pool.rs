//! Buffers are conserved: whatever the order of steps, each buffer is in exactly one place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_profiling::{BufferState, Pool, PoolError};
use lanescope_stress::{Effort, Tried, property};
use proptest::prelude::*;
use std::collections::VecDeque;

/// Cases of each seed.
const CASES: u32 = 16;

const STATES: [BufferState; 5] = [
    BufferState::Free,
    BufferState::Filling,
    BufferState::Ready,
    BufferState::Draining,
    BufferState::Retired,
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Take,
    Publish,
    Drain,
    Recycle,
    HostileReady(u32),
    HostileTaken(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Take),
        4 => Just(Step::Publish),
        4 => Just(Step::Drain),
        4 => Just(Step::Recycle),
        1 => (0u32..12).prop_map(Step::HostileReady),
        1 => (0u32..12).prop_map(Step::HostileTaken),
    ]
}

#[test]
fn every_buffer_is_in_one_place() {
    let effort = Effort::new("every_buffer_is_in_one_place", 16);
    let cases = (0u32..4, proptest::collection::vec(step(), 0..300));
    while let Some(seed) = effort.next_seed() {
        let ran = property(seed, CASES).run(&cases, |(exponent, steps)| {
            check(1 << exponent, steps);
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        effort.add(Tried::Runs, u64::from(CASES));
    }
}

fn check(buffers: u32, steps: Vec<Step>) {
    let mut pool = Pool::new(buffers);
    // The model: where each buffer is, by plain queues.
    let mut free: VecDeque<u32> = (0..buffers).collect();
    let mut filling = VecDeque::new();
    let mut ready = VecDeque::new();
    let mut draining = VecDeque::new();
    for step in steps {
        match step {
            Step::Take => {
                filling.extend(free.pop_front());
                pool.taken(u32::try_from(free.len()).unwrap()).unwrap();
            }
            Step::Publish => {
                if let Some(buffer) = filling.pop_front() {
                    pool.ready(buffer).unwrap();
                    ready.push_back(buffer);
                }
            }
            Step::Drain => {
                if let Some(buffer) = ready.pop_front() {
                    pool.drain(buffer);
                    draining.push_back(buffer);
                }
            }
            Step::Recycle => {
                if let Some(buffer) = draining.pop_front() {
                    pool.recycle(buffer);
                    free.push_back(buffer);
                }
            }
            Step::HostileReady(buffer) => {
                let next = filling.front().or(free.front()).copied();
                if next != Some(buffer) {
                    assert!(pool.ready(buffer).is_err());
                }
            }
            Step::HostileTaken(queued) => {
                let given = u32::try_from(free.len() + filling.len()).unwrap();
                if queued > given {
                    let expected = Err(PoolError::TakenBack { queued, given });
                    assert_eq!(pool.taken(queued), expected);
                }
            }
        }
        for (state, queue) in [
            (BufferState::Free, &free),
            (BufferState::Filling, &filling),
            (BufferState::Ready, &ready),
            (BufferState::Draining, &draining),
        ] {
            assert_eq!(pool.count(state) as usize, queue.len());
            for &buffer in queue {
                assert_eq!(pool.state(buffer), Ok(state));
            }
        }
        let sum: u32 = STATES.into_iter().map(|state| pool.count(state)).sum();
        assert_eq!(sum, buffers);
    }
    pool.retire_all();
    assert_eq!(pool.count(BufferState::Retired), buffers);
    assert_eq!(pool.filling(), None);
}
