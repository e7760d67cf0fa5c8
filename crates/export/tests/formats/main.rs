//! Every format of one made-up run with losses and unknown times says what the trace says; golden files come
//! out byte for byte.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod chrome;
#[cfg(feature = "columns")]
mod columns;
mod csv;
mod golden_collectors;
mod merged_swimlane;
mod mermaid;
mod npy;
mod records_json;

use lanescope_trace::synth::Synth;
use lanescope_trace::{
    Chip, Core, CoreType, EdgeTable, Functions, OrchestratorPhase, PmuRow, SchedulerPhase, Session,
    Task, Trace, TraceParts,
};

/// A run with everything that is not plain: an unknown time, a lost record, a task of two rows, an edge to
/// a task without a record, names that need quoting, and times that a double of nanoseconds cannot hold.
fn odd() -> Trace {
    let origin = 84_195_465_005_227;
    let task = |task_id, core, token, start: u64| Task {
        task_id,
        func_id: 1,
        core,
        token,
        run_id: 7,
        core_type: CoreType::Aiv,
        dispatch_ticks: origin + start - 40,
        receive_ticks: origin + start - 20,
        start_ticks: origin + start,
        end_ticks: origin + start + 101,
        finish_ticks: origin + start + 203,
    };
    let core = |core_type| Core {
        core_type,
        thread: Some(1),
        first_token: Some(16),
    };
    let pairs = [(1, 2), (2, 9), (1, 1 << 60)];
    let mut session = Session::named("a5sim", 1_000_000_000);
    session.chip = Some(Chip::A5);
    session.cores = vec![core(CoreType::Aic), core(CoreType::Aiv)];
    session.threads = 2;
    Trace::new(TraceParts {
        session,
        functions: Functions::from_iter([(1, "a \"b\", c\n")]),
        tasks: vec![
            task(1, 1, 16, 100),
            task(2, 1, 18, 1000),
            task(2, 0, 16, 1007),
            Task {
                end_ticks: 0,
                finish_ticks: 0,
                ..task(1 << 60, 0, 17, 2000)
            },
        ],
        edges: EdgeTable::named(pairs.into_iter()).unwrap(),
        scheduler_phases: vec![
            vec![],
            vec![SchedulerPhase {
                start_ticks: origin + 3,
                end_ticks: origin + 5,
                phase: SchedulerPhase::DISPATCH,
                loop_iter: 3,
                tasks_processed: 1,
                rounds: 1,
                pops: Some((4, 5)),
            }],
        ],
        orchestrator_phases: vec![vec![OrchestratorPhase {
            start_ticks: origin + 1,
            end_ticks: origin + 2,
            phase: OrchestratorPhase::FIRST + 1,
            submit_index: 11,
            task_id: 2,
        }]],
        pmu: vec![vec![PmuRow {
            task_id: 1,
            func_id: 1,
            core: 1,
            core_type: CoreType::Aiv,
            token: 16,
            event: 2,
            total_cycles: 1234,
            counters: [9; 10],
            ticks: origin + 300,
            ..PmuRow::default()
        }]],
        ..TraceParts::default()
    })
}

fn plain(tasks: u32) -> Trace {
    Synth {
        tasks,
        edges_per_task: 2,
        ..Synth::default()
    }
    .trace()
    .unwrap()
}
