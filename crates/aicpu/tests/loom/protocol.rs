//! Our executor against a core: handshake, payloads, staging slots, exit and abort.

use crate::core::{Core, Ran, counted};
use crate::spawn;
use crate::support::{Graph, Model, Setup};
use lanescope_abi::control::CoreOrder;
use lanescope_abi::token::TOKEN_LAST;
use lanescope_abi::{Barrier, Chip, CoreType, Device, PmuRecord, Token};
use lanescope_aicpu::record::{RecordState, Recorder};
use lanescope_aicpu::{Control, Failure, schedule};
use lanescope_stress::explore;
use loom::sync::Arc;
use loom::sync::atomic::Ordering;
use std::mem::offset_of;

/// One core, `tasks` tasks, and room for all their records, also when it is flushed more than once.
fn setup(ring_size: u32, issue_depth: u32, tasks: u32) -> Setup {
    let tasks = (0..tasks).map(|_| (CoreType::Aic, Vec::new())).collect();
    let mut setup = Setup::new(Graph { tasks });
    setup.clusters = 1;
    setup.only_cores = Some(1);
    setup.ring_size = ring_size;
    setup.issue_depth = issue_depth;
    setup.level = 2;
    setup.lane.buffers = 4;
    setup.lane.records = 4;
    setup
}

/// A scheduler of any kind may set a core going once its recorder is attached.
#[test]
fn an_attached_recorder_has_filled_the_order_lines() {
    let setup = setup(1, 1, 0);
    explore(
        "an_attached_recorder_has_filled_the_order_lines",
        None,
        move || {
            let model = Arc::new(Model::new(setup.clone()).with_core());
            let ready_run = model.order(offset_of!(CoreOrder, ready_run));
            let shared = Arc::clone(&model);
            let scheduler = spawn(move || {
                // SAFETY: the model holds both regions, and outlives the thread.
                let control =
                    unsafe { Control::attach(&*shared, shared.base(), shared.setup.chip, 1) };
                let control = control.expect("the layout is right");
                let mut state = RecordState::<1>::new();
                Recorder::attach(&control, 0, &mut state).expect("the lane is there");
                // SAFETY: a word of the order line, which is this thread's.
                unsafe { shared.store32(ready_run, shared.header.run_id) };
            });
            let core = spawn(move || {
                // SAFETY: a word of the order line.
                if unsafe { model.load32(ready_run) } == model.header.run_id {
                    model.barrier(Barrier::Load);
                    // SAFETY: a word of the order line, which `ready_run` says is filled.
                    let first =
                        unsafe { model.load32(model.order(offset_of!(CoreOrder, first_token))) };
                    assert_eq!(first, model.setup.first_token, "a stale order line");
                }
            });
            scheduler.join().unwrap();
            core.join().unwrap();
        },
    );
}

/// Runs AICPU thread and core, the host beside them, to the end of both.
fn run(model: &Arc<Model>, host: impl FnOnce(&Model)) -> (Result<(), Failure>, Vec<Ran>) {
    let (shared, chip) = (Arc::clone(model), model.setup.chip);
    let core = spawn(move || Core::run(&shared));
    let shared = Arc::clone(model);
    let scheduler = spawn(move || {
        let address = shared.base();
        let run = match shared.header.ring_size {
            1 => schedule::run::<Model, 1>,
            _ => schedule::run::<Model, 2>,
        };
        // SAFETY: the model holds both regions and outlives the thread; one thread enters.
        unsafe { run(&shared, address, chip) }
    });
    host(model);
    let ended = scheduler.join().unwrap();
    (ended, core.join().unwrap())
}

/// Every record is whole, and there is one for each task that ran, in order.
fn check_records(model: &Model, ran: &[Ran]) {
    let counters = model.counters();
    assert_eq!(counters.mismatched, 0, "a slot was not published");
    assert_eq!(counters.total, ran.len() as u64, "commits");
    let mut token = Token::new(model.setup.first_token).unwrap();
    let records = model.records();
    assert_eq!(records.len(), ran.len(), "records");
    for (record, ran) in records.iter().zip(ran) {
        let raw = token.raw();
        assert_eq!((record.token, record.task_id), (raw, ran.task_id));
        assert_eq!(ran.token, raw);
        let ticks = [record.receive_ticks, record.start_ticks, record.end_ticks];
        assert_eq!(ticks, [1, 2, 3].map(|tick| u64::from(raw) + tick));
        token = token.next();
    }
}

/// Runs the tasks of `setup` to their end.
fn tasks(setup: Setup) -> impl Fn() + Send + Sync + 'static {
    move || {
        let model = Arc::new(Model::new(setup.clone()).with_core());
        let (ended, ran) = run(&model, |_| {});
        assert_eq!(ended, Ok(()));
        assert_eq!(ran.len(), setup.graph.tasks.len());
        check_records(&model, &ran);
    }
}

#[test]
fn a_core_sees_its_order_line_whole_and_leaves_when_told() {
    let mut setup = setup(1, 1, 0);
    setup.level = 0;
    explore(
        "a_core_sees_its_order_line_whole_and_leaves_when_told",
        Some(3),
        move || {
            let model = Arc::new(Model::new(setup.clone()).with_core());
            assert_eq!(run(&model, |_| {}), (Ok(()), Vec::new()));
        },
    );
}

#[test]
fn one_slot_is_published_committed_and_used_again() {
    explore(
        "one_slot_is_published_committed_and_used_again",
        Some(2),
        tasks(setup(1, 1, 2)),
    );
}

#[test]
fn two_slots_with_two_tokens_in_flight_across_the_wrap() {
    let mut setup = setup(2, 2, 3);
    setup.first_token = TOKEN_LAST;
    explore(
        "two_slots_with_two_tokens_in_flight_across_the_wrap",
        Some(1),
        tasks(setup),
    );
}

#[test]
fn two_slots_with_one_token_in_flight() {
    explore(
        "two_slots_with_one_token_in_flight",
        Some(2),
        tasks(setup(2, 1, 3)),
    );
}

/// Counters that a core stages beside its times are as visible as these, and are its token's.
#[test]
fn counters_are_published_and_committed_with_the_times() {
    let mut setup = setup(1, 1, 2);
    setup.chip = Chip::A5;
    setup.pmu_event = 2;
    explore(
        "counters_are_published_and_committed_with_the_times",
        Some(2),
        move || {
            let model = Arc::new(Model::new(setup.clone()).with_core());
            let (ended, ran) = run(&model, |_| {});
            assert_eq!(ended, Ok(()));
            check_records(&model, &ran);
            let counters = model.counters_at(1);
            assert_eq!((counters.total, counters.mismatched), (2, 0));
            let records = model.records_at::<PmuRecord>(1);
            assert_eq!(records.len(), 2);
            for (record, ran) in records.iter().zip(&ran) {
                assert_eq!((record.token, record.task_id), (ran.token, ran.task_id));
                let counted = counted(ran.token);
                assert_eq!(record.total_cycles, counted.total_cycles, "a stale line");
                assert_eq!(record.counters, counted.values, "a stale line");
            }
        },
    );
}

/// Whenever the host ends the run, what ran is recorded and nothing else.
#[test]
fn a_run_that_is_aborted_records_what_ran() {
    explore("a_run_that_is_aborted_records_what_ran", Some(2), || {
        let model = Arc::new(Model::new(setup(2, 2, 2)).with_core());
        let run_id = model.header.run_id;
        let (_, ran) = run(&model, |model| {
            model.store_index(model.abort(), 0, run_id, Ordering::Release);
        });
        check_records(&model, &ran);
    });
}
