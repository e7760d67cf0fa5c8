//! Where the time went, what held the run up, the critical path and comparisons of runs.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod by_hand;
mod compare;
mod model;

use lanescope_trace::{Core, CoreType, EdgeTable, Session, Task, Trace, TraceParts};

/// A row: id, core, dispatch, start, end, finish.
type Row = (u64, u16, [u64; 4]);

fn task((task_id, core, times): Row) -> Task {
    let [dispatch_ticks, start_ticks, end_ticks, finish_ticks] = times;
    Task {
        task_id,
        core,
        dispatch_ticks,
        start_ticks,
        end_ticks,
        finish_ticks,
        ..Task::default()
    }
}

/// Rows on cores of these types, at 1 tick a nanosecond.
fn parts(cores: &[CoreType], rows: &[Row], edges: &[(u32, u32)]) -> TraceParts {
    let mut session = Session::named("by hand", 1_000_000_000);
    session.cores = cores
        .iter()
        .map(|&core_type| Core {
            core_type,
            thread: Some(0),
            first_token: None,
        })
        .collect();
    let types = session.cores.clone();
    let nodes = edges.iter().map(|&(from, to)| from.max(to) + 1).max();
    let (edges, refused) = EdgeTable::dense(nodes.unwrap_or(0), edges.iter().copied()).unwrap();
    assert_eq!(refused, 0);
    TraceParts {
        session,
        tasks: rows
            .iter()
            .map(|&row| Task {
                core_type: types[usize::from(row.1)].core_type,
                ..task(row)
            })
            .collect(),
        edges,
        ..TraceParts::default()
    }
}

fn trace(cores: &[CoreType], rows: &[Row], edges: &[(u32, u32)]) -> Trace {
    Trace::new(parts(cores, rows, edges))
}
