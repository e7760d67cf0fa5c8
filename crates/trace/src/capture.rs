//! Reads captures: one trace per run, the records staying in the mapped file.
//!
//! # Where it sits
//!
//! `lanescope_capture` checks the file; here its rows are checked against the session: each core
//! must exist, and the rows of a core must come in order of start. Where they do, a trace is a list
//! of blocks in the mapping and takes no memory per task. Where they do not, the good rows are
//! copied and sorted, and a [`Note`] says so. Phases, counters, tensors and payloads always stay where
//! they are; a record of them that cannot be believed is left out, and noted.
//!
//! # Errors
//!
//! [`TraceError::Capture`] when the file is no capture or a block of it is malformed,
//! [`TraceError::NoRun`] when it holds no run. Damage and a missing end are notes, not errors.

mod checked;

use crate::import::settings;
use crate::rows::Mapped;
use crate::task::{mapped_task, order_ticks};
use crate::trace::{MAX_THREADS, Rows};
use crate::{Core, EdgeTable, Functions, Note, Session, Trace, TraceError, TraceParts};
use checked::Checked;
use lanescope_capture::{
    BlockKind, Capture, CaptureFile, CaptureRun, Edge, FindingKind, Outcome, SessionInfo, Verdict,
};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Reads every run of a capture file, in the order in which they began; never an empty list.
///
/// # Errors
///
/// As in the module's text.
pub fn read(path: &Path) -> Result<Vec<Trace>, TraceError> {
    let failed = |source| TraceError::Capture {
        path: path.to_owned(),
        source,
    };
    read_file(CaptureFile::open(path).map_err(failed)?)
}

/// A capture in an open file, which errors call `path`.
pub(crate) fn open(file: File, path: &Path) -> Result<CaptureFile, TraceError> {
    CaptureFile::of(file, path).map_err(|source| TraceError::Capture {
        path: path.to_owned(),
        source,
    })
}

/// Reads every run of an open capture file.
///
/// # Errors
///
/// As in the module's text.
pub fn read_file(file: CaptureFile) -> Result<Vec<Trace>, TraceError> {
    let path = file.path().to_owned();
    let failed = |source| TraceError::Capture {
        path: path.clone(),
        source,
    };
    let file = Arc::new(file);
    let capture = file.read().map_err(failed)?;
    let mut traces = Vec::new();
    for run in capture.runs().map_err(failed)? {
        traces.push(trace_of(&file, &capture, &run)?);
    }
    if traces.is_empty() {
        let damage = capture.damage().first();
        let damage = damage.map(|damage| (damage.offset, damage.reason.clone()));
        return Err(TraceError::NoRun { path, damage });
    }
    Ok(traces)
}

fn trace_of(
    file: &Arc<CaptureFile>,
    capture: &Capture<'_>,
    run: &CaptureRun<'_>,
) -> Result<Trace, TraceError> {
    let session = session(run.session());
    let mut notes = file_notes(capture, run);
    for (_, told) in settings_of(run.session(), settings::NOTE) {
        let (count, text) = told.split_once(' ').unwrap_or_default();
        note(&mut notes, count.parse().unwrap_or(0), text);
    }
    let mut totals = settings_of(run.session(), settings::ORCHESTRATOR);
    let orchestrator = totals.find_map(|(_, text)| settings::totals(text));
    let mut dropped = settings_of(run.session(), settings::DROPPED_TENSORS);
    let dropped_tensors = dropped.find_map(|(_, count)| count.parse().ok());
    let (edges, checked) = std::thread::scope(|scope| {
        let edges = scope.spawn(|| edge_table(file, run));
        let checked = Checked::of(file, run, &session);
        match edges.join() {
            Ok(edges) => (edges, checked),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let (edges, stray_edges) = edges?;
    note(&mut notes, stray_edges, "edges that name no task");
    let what = "records that name a core the session does not have";
    note(&mut notes, checked.foreign, what);
    note(&mut notes, checked.strange, "records of another run");
    note(
        &mut notes,
        checked.disordered,
        "records that came after a later one of their core",
    );
    let collected = checked::collected(file, run, &session, &mut notes);
    let functions = run.functions().iter();
    let functions: Functions = functions
        .map(|function| (function.func_id, function.name.as_str()))
        .collect();
    let parts = TraceParts {
        session,
        functions,
        edges,
        orchestrator,
        dropped_tensors: dropped_tensors.unwrap_or(0),
        verdict: verdict_of(capture, run),
        clocks: run.clocks().flatten().copied().collect(),
        notes,
        ..TraceParts::default()
    };
    let rows = if checked.foreign == 0 && checked.disordered == 0 {
        Rows::Mapped(Mapped::new(file, checked.blocks))
    } else {
        let tasks = run.task_records().flatten();
        let tasks = tasks.filter_map(|record| mapped_task(record, &parts.session));
        let mut tasks: Vec<_> = tasks.collect();
        tasks.sort_by_key(order_ticks);
        Rows::Owned(tasks)
    };
    Ok(Trace::with_rows(parts, rows, collected, checked.bounds))
}

/// The settings of a run with this name.
fn settings_of<'a>(
    info: &'a SessionInfo,
    name: &'a str,
) -> impl Iterator<Item = &'a (String, String)> {
    info.settings.iter().filter(move |(given, _)| given == name)
}

fn session(info: &SessionInfo) -> Session {
    let cores = info.core_types.iter().enumerate();
    let cores = cores.map(|(core, &core_type)| Core {
        core_type,
        thread: info
            .core_to_thread
            .get(core)
            .copied()
            // Which leaves out what stands for no thread, too.
            .filter(|&thread| thread < MAX_THREADS),
        first_token: info.first_tokens.get(core).copied(),
    });
    let setting = |name| {
        settings_of(info, name)
            .next()
            .map(|(_, value)| value.as_str())
    };
    let is_chip_known = setting(settings::CHIP) != Some(settings::UNKNOWN);
    let origin_ticks = setting(settings::ORIGIN_TICKS).and_then(|ticks| ticks.parse().ok());
    let is_imported = setting(settings::SOURCE).is_some();
    Session {
        platform: info.platform.clone(),
        chip: is_chip_known.then_some(info.chip),
        ticks_per_second: match info.ticks_per_second {
            0 => info.chip.info().ticks_per_second,
            rate => rate,
        },
        origin_ticks: origin_ticks.unwrap_or(0),
        cores: cores.collect(),
        threads: info.thread_count.min(MAX_THREADS),
        level: Some(info.swimlane_level).filter(|&level| level != settings::NO_LEVEL),
        pmu_event: Some(info.pmu_event).filter(|&event| event != 0),
        ring_size: (!is_imported)
            .then_some(info.ring_size)
            .filter(|&slots| slots != 0),
        issue_depth: (!is_imported)
            .then_some(info.issue_depth)
            .filter(|&tokens| tokens != 0),
        workload: info.workload.clone(),
        seed: info.seed,
        host: info.host.clone(),
        boot: info.boot.clone(),
        device: (info.devices.is_empty() && !is_imported).then_some(info.device),
        devices: info.devices.clone(),
    }
}

/// Damaged places that are told one by one: every run of the file tells of them.
const TOLD_DAMAGE: usize = 16;

fn file_notes(capture: &Capture<'_>, run: &CaptureRun<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    let (told, untold) = match capture.damage().split_at_checked(TOLD_DAMAGE) {
        Some(parts) => parts,
        None => (capture.damage(), &[][..]),
    };
    for damage in told {
        let text = format!(
            "bytes left out at byte {}: {}",
            damage.offset, damage.reason
        );
        note(&mut notes, damage.bytes, &text);
    }
    let bytes = untold.iter().map(|damage| damage.bytes).sum();
    let text = format!("bytes left out at {} further places", untold.len());
    note(&mut notes, bytes, &text);
    let unended = u64::from(!run.is_ended());
    note(&mut notes, unended, "run without its end in the capture");
    notes
}

/// The run's verdict, no better than the file it stands in: a capture that was cut is `partial`, one
/// with damaged blocks, or other records than were counted, `broken`. A whole capture of an imported run has
/// none.
fn verdict_of(capture: &Capture<'_>, run: &CaptureRun<'_>) -> Option<Verdict> {
    let mut sources = settings_of(run.session(), settings::SOURCE);
    if sources.next().is_some() && run.verdict().is_none() && run.is_ended() {
        return None;
    }
    let blocks = run.blocks().iter();
    let records = blocks.filter(|block| matches!(block.kind(), BlockKind::Records(_)));
    let here: u64 = records.map(|block| u64::from(block.header.count)).sum();
    let mut verdict = run.verdict().cloned().unwrap_or_else(|| {
        let mut verdict = Verdict::new(run.session().run_id);
        verdict.expected_tasks = run.session().task_count;
        verdict.totals.collected = here;
        verdict.totals.total = here;
        verdict.find(
            FindingKind::NotEnded,
            1,
            "the capture ends before its verdict",
        );
        verdict
    });
    if run.verdict().is_some() && !capture.damage().is_empty() {
        let bytes = capture.ignored_bytes();
        verdict.find(
            FindingKind::Corruption,
            bytes,
            "bytes of the capture file are damaged",
        );
    }
    // Records that were refused are in the file too; only such a verdict may count fewer.
    let collected = verdict.totals.collected;
    let is_whole = matches!(verdict.outcome, Outcome::Exact | Outcome::Lossy);
    if collected > here || is_whole && collected < here {
        verdict.find(
            FindingKind::Corruption,
            collected.abs_diff(here),
            format!("the verdict counts {collected} records, the capture holds {here}"),
        );
    }
    Some(verdict)
}

fn note(notes: &mut Vec<Note>, count: u64, text: &str) {
    if count > 0 {
        let text = text.to_owned();
        notes.push(Note { count, text });
    }
}

/// The edges of the run, and how many were left out because they name no task.
fn edge_table(file: &CaptureFile, run: &CaptureRun<'_>) -> Result<(EdgeTable, u64), TraceError> {
    let pairs = items::<Edge>(file, run, BlockKind::Edges);
    let pairs = pairs.map(|edge| (edge.producer, edge.consumer));
    let ids = items::<u64>(file, run, BlockKind::TaskIds).copied();
    if ids.clone().next().is_some() {
        return EdgeTable::numbered(ids, pairs);
    }
    let (count, last) = pairs.clone().fold((0_u64, 0), |(count, last), (from, to)| {
        (count + 1, from.max(to).max(last))
    });
    // A table of all indices up to the last would be mostly empty: keep the ones in use.
    if u64::from(last) / 16 > count + 4096 {
        let named = pairs.map(|(from, to)| (u64::from(from), u64::from(to)));
        return Ok((EdgeTable::named(named)?, 0));
    }
    let node_count = if count == 0 {
        0
    } else {
        last.saturating_add(1)
    };
    EdgeTable::dense(node_count, pairs)
}

/// The items of all blocks of a kind, in one pass over the file.
fn items<'a, T>(
    file: &'a CaptureFile,
    run: &'a CaptureRun<'a>,
    kind: BlockKind,
) -> impl Iterator<Item = &'a T> + Clone
where
    T: FromBytes + Immutable + KnownLayout + 'a,
{
    let mut pass = file.pass();
    let blocks = run.blocks().iter();
    let blocks = blocks.filter(move |block| block.kind() == kind);
    blocks.flat_map(move |block| {
        pass.reach(block.offset);
        <[T]>::ref_from_bytes(block.payload)
            .expect("a checked block holds whole items of its kind at a multiple of 8")
    })
}
