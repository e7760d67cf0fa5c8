//! Random graphs on a chip in miniature: what is scheduled is what a simple model allows, and a graph
//! that cannot be is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Fault, Graph, Setup};
use lanescope_abi::capture::Policy;
use lanescope_abi::control::{ControlHeader, DeviceError, GraphTask};
use lanescope_abi::token::{TOKEN_FIRST, TOKEN_LAST};
use lanescope_abi::{Chip, CoreType, RING_SIZES};
use lanescope_stress::{Effort, Tried, property};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{HashMap, HashSet};
use std::mem::offset_of;

/// Graphs of each seed.
const CASES: u32 = 16;
/// Device calls that a run takes at most: for each task, edge, core, and once. A run of one thread
/// takes about a third of it.
const CALLS: [u64; 4] = [200, 4, 130, 300];

/// Core types, and edges as pairs of places: the nearer end is the producer.
fn graph(most_tasks: usize) -> impl Strategy<Value = Graph> {
    let edges = prop_oneof![
        // Sparse and dense ones, and such as reach a few tasks ahead, which make it deep.
        2 => prop::collection::vec((any::<Index>(), any::<Index>()), 0..40)
            .prop_map(|edges| (edges, usize::MAX)),
        1 => prop::collection::vec((any::<Index>(), any::<Index>()), 0..200)
            .prop_map(|edges| (edges, usize::MAX)),
        2 => prop::collection::vec((any::<Index>(), any::<Index>()), 0..200)
            .prop_map(|edges| (edges, 3)),
    ];
    let kinds = prop::collection::vec(prop::sample::select(CoreType::ALL.to_vec()), 0..most_tasks);
    (kinds, edges).prop_map(|(kinds, (edges, reach))| {
        let mut tasks: Vec<(CoreType, Vec<u32>)> =
            kinds.into_iter().map(|kind| (kind, Vec::new())).collect();
        let last = tasks.len().saturating_sub(1);
        for (one, other) in edges.iter().filter(|_| last > 0) {
            let from = one.index(last);
            let room = (last - from).min(reach);
            let to = from + 1 + other.index(room);
            tasks[from].1.push(u32::try_from(to).unwrap());
        }
        Graph { tasks }
    })
}

/// A launch of it; three of four have one thread, which makes them the same every time.
fn launch(graph: Graph) -> impl Strategy<Value = Setup> {
    let sizes = (
        prop::sample::select(RING_SIZES.to_vec()),
        any::<Index>(),
        1u32..=4,
        prop_oneof![3 => Just(1u32), 1 => 2u32..=3],
    );
    let others = (
        any::<bool>(),
        0u32..=4,
        prop::sample::select(vec![TOKEN_FIRST, 77, TOKEN_LAST - 20, TOKEN_LAST]),
        0u32..=3,
        1u32..=20,
    );
    (sizes, others).prop_map(move |(sizes, others)| {
        let (ring_size, depth, clusters, threads) = sizes;
        let (is_a5, level, first_token, buffers, records) = others;
        let mut setup = Setup::new(graph.clone());
        setup.chip = if is_a5 { Chip::A5 } else { Chip::A2a3 };
        setup.ring_size = ring_size;
        setup.issue_depth = 1 + u32::try_from(depth.index(ring_size as usize)).unwrap();
        setup.clusters = clusters;
        setup.threads = threads;
        setup.level = level;
        setup.first_token = first_token;
        setup.lane.buffers = 1 << buffers;
        setup.lane.records = records;
        setup.lane.policy = Policy::Block;
        setup
    })
}

#[test]
fn a_random_graph_runs_each_task_once_after_all_it_waits_for() {
    let effort = Effort::new(
        "a_random_graph_runs_each_task_once_after_all_it_waits_for",
        16,
    );
    while let Some(seed) = effort.next_seed() {
        let most_tasks = if effort.is_stress() { 400 } else { 80 };
        let launches = graph(most_tasks).prop_flat_map(launch);
        let ran = property(seed, CASES).run(&launches, |setup| {
            let (device, header) = setup.build();
            let outcome = setup.run_on(&device, &header);
            outcome.assert_exact(&setup);
            if setup.threads == 1 {
                let edges: usize = setup.graph.tasks.iter().map(|(_, next)| next.len()).sum();
                let counts = [
                    setup.graph.tasks.len() as u64,
                    edges as u64,
                    u64::from(setup.cores()),
                    1,
                ];
                let most: u64 = counts
                    .iter()
                    .zip(CALLS)
                    .map(|(count, calls)| count * calls)
                    .sum();
                let calls = device.world().calls();
                prop_assert!(calls <= most, "{} device calls, at most {}", calls, most);
            }
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        effort.add(Tried::Runs, u64::from(CASES));
    }
}

/// What a task that is never released leaves: the rest has run, and the launch ends with an error.
#[test]
fn a_graph_with_a_cycle_ends_at_the_limit_and_runs_nothing_of_the_cycle() {
    let effort = Effort::new(
        "a_graph_with_a_cycle_ends_at_the_limit_and_runs_nothing_of_the_cycle",
        4,
    );
    while let Some(seed) = effort.next_seed() {
        let cases = (graph(40), any::<Index>(), any::<Index>());
        let ran = property(seed, CASES).run(&cases, |(mut graph, from, to)| {
            prop_assume!(!graph.tasks.is_empty());
            let from = from.index(graph.tasks.len());
            let to = to.index(from + 1);
            // Forwards from `to` to `from`, if need be, and back.
            if to != from {
                graph.tasks[to].1.push(u32::try_from(from).unwrap());
            }
            graph.tasks[from].1.push(u32::try_from(to).unwrap());
            let never = behind(&graph, to);
            let setup = Setup::new(graph);
            let outcome = setup.run();
            prop_assert_eq!(
                outcome.first_failure().error,
                DeviceError::SchedulerTimeout as u32
            );
            let ran: HashSet<u64> = outcome.ran.iter().map(|ran| ran.task_id - 1_000).collect();
            prop_assert_eq!(ran.len(), outcome.ran.len(), "a task ran twice");
            let all = 0..setup.graph.tasks.len() as u64;
            let expected: HashSet<u64> = all.filter(|task| !never.contains(task)).collect();
            prop_assert_eq!(ran, expected);
            prop_assert!(outcome.has_left.iter().all(|left| *left));
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        effort.add(Tried::Faults, u64::from(CASES));
    }
}

/// The tasks that wait, at whatever distance, for `task`, itself included.
fn behind(graph: &Graph, task: usize) -> HashSet<u64> {
    let mut found = HashSet::new();
    let mut next = vec![task];
    while let Some(task) = next.pop() {
        if found.insert(task as u64) {
            next.extend(graph.tasks[task].1.iter().map(|&to| to as usize));
        }
    }
    found
}

/// A word of the graph's tables that is not what the host would write.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Successor,
    FanIn,
    Ready,
    Task(usize),
}

/// One wrong word: the launch ends, well or with an error that says why, and touches nothing else.
#[test]
fn a_graph_with_a_wrong_word_ends_well_or_says_so_and_what_ran_is_recorded() {
    let effort = Effort::new(
        "a_graph_with_a_wrong_word_ends_well_or_says_so_and_what_ran_is_recorded",
        12,
    );
    let wrong = prop_oneof![
        Just(Wrong::Successor),
        Just(Wrong::FanIn),
        Just(Wrong::Ready),
        prop::sample::select(vec![
            offset_of!(GraphTask, kernel_address),
            offset_of!(GraphTask, kernel_address) + 4,
            offset_of!(GraphTask, arg_count),
            offset_of!(GraphTask, core_type),
            offset_of!(GraphTask, first_successor),
            offset_of!(GraphTask, successor_count),
        ])
        .prop_map(Wrong::Task),
    ];
    let values = prop_oneof![0u32..64, any::<u32>(), Just(u32::MAX), Just(1 << 31)];
    let cases = (graph(40), wrong, any::<Index>(), values);
    while let Some(seed) = effort.next_seed() {
        let ran = property(seed, CASES).run(&cases, |(graph, wrong, place, value)| {
            let setup = Setup::new(graph);
            let (device, header) = setup.build();
            let Some(address) = address_of(&setup, &header, wrong, place) else {
                return Ok(());
            };
            {
                let world = device.world();
                world.memory.store32(world.memory.base() + address, value);
            }
            let outcome = setup.run_on(&device, &header);
            prop_assert!(outcome.has_left.iter().all(|left| *left));
            let mut times: HashMap<u64, u32> = HashMap::new();
            for ran in &outcome.ran {
                *times.entry(ran.task_id).or_default() += 1;
            }
            match outcome.results[0] {
                Ok(()) => prop_assert_eq!(outcome.ran.len(), setup.graph.tasks.len()),
                Err(failure) => {
                    let known = [DeviceError::BadGraph, DeviceError::SchedulerTimeout];
                    prop_assert!(known.contains(&failure.error), "{:?}", failure.error);
                    prop_assert_eq!(outcome.first_failure().error, failure.error as u32);
                }
            }
            // Every task that ran has its record, whatever became of the launch.
            prop_assert_eq!(outcome.records.len(), outcome.ran.len());
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        effort.add(Tried::Faults, u64::from(CASES));
    }
}

/// Where the wrong word is, from the start of the control region.
fn address_of(setup: &Setup, header: &ControlHeader, wrong: Wrong, place: Index) -> Option<u64> {
    let at = |section: &lanescope_abi::Section, count: usize| {
        (count != 0).then(|| section.at(u32::try_from(place.index(count)).unwrap()))
    };
    let tasks = &setup.graph.tasks;
    match wrong {
        Wrong::Successor => {
            let edges = tasks.iter().map(|(_, next)| next.len()).sum();
            at(&header.successors, edges)
        }
        Wrong::FanIn => at(&header.fan_in, tasks.len()),
        Wrong::Ready => {
            let cubes = tasks.iter().filter(|(kind, _)| *kind == CoreType::Aic);
            at(&header.ready[CoreType::Aic as usize], cubes.count())
        }
        Wrong::Task(field) => at(&header.tasks, tasks.len()).map(|task| task + field as u64),
    }
}

/// The bound on device calls can be missed: a core that hangs makes a run longer than that.
#[test]
fn a_run_that_takes_too_long_is_noticed() {
    let mut setup = Setup::new(crate::support::independent(1));
    setup.clusters = 1;
    setup.faults = vec![(0, Fault::Hang(1))];
    let (device, header) = setup.build();
    setup.run_on(&device, &header);
    assert!(device.world().calls() > CALLS[0] + 3 * CALLS[2] + CALLS[3]);
}
