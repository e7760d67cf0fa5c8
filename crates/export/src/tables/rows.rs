//! The rows of each table, taken from a trace.

use super::Cell;
use lanescope_trace::{Chip, PMU_COUNTERS, PmuEvent, Task, Trace};

/// Tasks that are sorted together.
pub const SORTED_TASKS: usize = 1 << 19;

pub(super) fn tasks<E>(
    trace: &Trace,
    take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    let (session, functions) = (trace.session(), trace.functions());
    let mut tasks = trace.tasks();
    let mut stretch = Vec::new();
    let mut order = Vec::new();
    loop {
        stretch.clear();
        stretch.extend(tasks.by_ref().take(SORTED_TASKS));
        if stretch.is_empty() {
            return Ok(());
        }
        by_core(&stretch, session.cores.len(), &mut order);
        for &place in &order {
            let task = &stretch[place as usize];
            let core = &session.cores[usize::from(task.core)];
            take(&[
                Cell::Uint(task.task_id),
                Cell::Uint(u64::from(task.func_id)),
                functions.name(task.func_id).map_or(Cell::Null, Cell::Text),
                Cell::Uint(u64::from(task.core)),
                Cell::Text(core.core_type.name()),
                Cell::or_null(core.thread),
                Cell::or_null(Some(task.token).filter(|&token| token != 0)),
                Cell::or_null(Some(task.run_id).filter(|&run_id| run_id != 0)),
                Cell::time(task.dispatch_ticks),
                Cell::time(task.receive_ticks),
                Cell::time(task.start_ticks),
                Cell::time(task.end_ticks),
                Cell::time(task.finish_ticks),
            ])?;
        }
    }
}

/// The places of the tasks core by core; those of one core keep their order.
fn by_core(tasks: &[Task], cores: usize, order: &mut Vec<u32>) {
    let mut begins = vec![0_usize; cores + 1];
    for task in tasks {
        begins[usize::from(task.core) + 1] += 1;
    }
    for core in 0..cores {
        begins[core + 1] += begins[core];
    }
    order.clear();
    order.resize(tasks.len(), 0);
    for (place, task) in (0..).zip(tasks) {
        let to = &mut begins[usize::from(task.core)];
        order[*to] = place;
        *to += 1;
    }
}

pub(super) fn phases<E>(
    trace: &Trace,
    take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    for thread in trace.threads() {
        for phase in trace.scheduler_phases(thread) {
            take(&[
                Cell::Uint(u64::from(thread)),
                Cell::Text("scheduler"),
                Cell::Text(phase.name()),
                Cell::time(phase.start_ticks),
                Cell::time(phase.end_ticks),
                Cell::count(phase.loop_iter),
                Cell::count(phase.tasks_processed),
                phase.pops.map_or(Cell::Null, |(hits, _)| Cell::count(hits)),
                phase
                    .pops
                    .map_or(Cell::Null, |(_, misses)| Cell::count(misses)),
                Cell::Null,
                Cell::time(phase.rounds),
            ])?;
        }
        for phase in trace.orchestrator_phases(thread) {
            take(&[
                Cell::Uint(u64::from(thread)),
                Cell::Text("orchestrator"),
                Cell::Text(phase.name()),
                Cell::time(phase.start_ticks),
                Cell::time(phase.end_ticks),
                Cell::count(phase.submit_index),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::or_null(Some(phase.task_id).filter(|&id| id != u64::MAX)),
                Cell::Null,
            ])?;
        }
    }
    Ok(())
}

/// The counters of an event type that the chip does not have.
const UNNAMED_COUNTERS: [&str; PMU_COUNTERS] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

pub(super) fn pmu<E>(
    trace: &Trace,
    take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    let chip = trace.session().chip.unwrap_or(Chip::A2a3).info();
    let functions = trace.functions();
    for row in trace.pmu_rows() {
        let event = chip.pmu_event(row.event);
        let named = event.into_iter().flat_map(PmuEvent::columns);
        let unnamed = (0..).zip(UNNAMED_COUNTERS).filter(|_| event.is_none());
        for (counter, column) in named.chain(unnamed) {
            take(&[
                Cell::Uint(row.task_id),
                Cell::Uint(u64::from(row.func_id)),
                functions.name(row.func_id).map_or(Cell::Null, Cell::Text),
                Cell::Uint(u64::from(row.core)),
                Cell::Text(row.core_type.name()),
                Cell::Uint(u64::from(row.thread)),
                Cell::or_null(Some(row.token).filter(|&token| token != 0)),
                Cell::or_null(Some(row.run_id).filter(|&run_id| run_id != 0)),
                event.map_or(Cell::Null, |event| Cell::Text(event.name)),
                Cell::count(row.total_cycles),
                Cell::Text(column),
                Cell::Uint(u64::from(row.counters[counter])),
                Cell::time(row.ticks),
            ])?;
        }
    }
    Ok(())
}

pub(super) fn run(trace: &Trace) -> [Cell<'_>; super::RUNS.len()] {
    let session = trace.session();
    let bounds = trace.bounds_ticks();
    [
        Cell::or_null(run_id(trace)),
        Cell::known(&session.platform),
        session
            .chip
            .map_or(Cell::Null, |chip| Cell::Text(chip.name())),
        Cell::known(&session.workload),
        Cell::or_null(session.seed),
        Cell::count(session.ticks_per_second),
        bounds.map_or(Cell::Null, |(first, _)| Cell::time(first)),
        bounds.map_or(Cell::Null, |(_, last)| Cell::time(last)),
        Cell::Uint(session.cores.len() as u64),
        Cell::or_null(Some(session.threads).filter(|&threads| threads != 0)),
        Cell::or_null(session.level),
        Cell::or_null(session.pmu_event),
        Cell::or_null(session.ring_size),
        Cell::or_null(session.issue_depth),
        Cell::count(trace.task_count()),
        Cell::count(trace.edges().len() as u64),
    ]
}

/// The run's number, as its verdict or its first task has it.
fn run_id(trace: &Trace) -> Option<u32> {
    let first = trace.tasks().next().map(|task| task.run_id);
    let told = trace.verdict().map(|verdict| verdict.run_id);
    told.or(first).filter(|&run_id| run_id != 0)
}

pub(super) fn verdict(trace: &Trace) -> Option<[Cell<'_>; super::VERDICTS.len()]> {
    let verdict = trace.verdict()?;
    let totals = &verdict.totals;
    Some([
        Cell::Uint(u64::from(verdict.run_id)),
        Cell::Text(verdict.outcome.name()),
        verdict.expected_tasks.map_or(Cell::Null, Cell::count),
        Cell::count(verdict.dispatched),
        Cell::count(totals.total),
        Cell::count(totals.collected),
        Cell::count(totals.dropped.no_buffer),
        Cell::count(totals.dropped.no_arena),
        Cell::count(totals.dropped.other),
        Cell::count(totals.mismatched),
        Cell::count(verdict.findings.len() as u64),
        Cell::count(verdict.abandoned.len() as u64),
    ])
}
