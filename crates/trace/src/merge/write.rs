//! The merged capture, block by block: memory does not grow with the runs.

use super::{Merge, MergeError, Merged, Source};
use crate::import::settings;
use crate::merge::align::Placed;
use crate::{OrchestratorPhase, SchedulerPhase, Trace, phase};
use lanescope_abi::record::Record;
use lanescope_abi::{Chip, Kind, PhaseRecord, PmuRecord, TaskRecord};
use lanescope_capture::{
    CaptureWriter, Clock, Edge, FunctionName, LaneInfo, RecordBlock, SessionInfo, Verdict,
};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write;
use zerocopy::{Immutable, IntoBytes};

const RUN_ID: u32 = 1;
const RECORDS_PER_BLOCK: usize = 1 << 14;
/// The bits of a task id that are its own; those above are the place of its device.
const ID_BITS: u32 = 48;
const MAX_THREADS: u64 = crate::trace::MAX_THREADS as u64;

pub(super) fn write(merge: &Merge<'_>, out: impl Write) -> Result<Merged, MergeError> {
    let parts = parts(merge)?;
    let functions = Functions::of(merge.sources);
    let lanes = lanes(&parts);
    let mut writer = CaptureWriter::new(out)?;
    writer.session(&session_info(merge, &parts, &lanes))?;
    writer.functions(RUN_ID, &functions.names)?;
    edges(&mut writer, &parts)?;
    writer.clocks(RUN_ID, &clocks(merge))?;
    let mut rows = Rows {
        writer,
        lanes: lanes.iter().map(|_| 0).collect(),
        numbers: lanes
            .iter()
            .map(|lane| (lane.kind, lane.thread))
            .zip(0..)
            .collect(),
        merged: Merged::default(),
        collected: 0,
    };
    let mut verdict = Verdict::new(RUN_ID);
    verdict.expected_tasks = Some(0);
    for part in &parts {
        let before = rows.collected;
        rows.tasks(part, &functions)?;
        rows.phases(part)?;
        rows.pmu(part, &functions)?;
        let trace = &part.source.trace;
        rows.merged.tensors += trace.tensors().count() as u64;
        rows.merged.orchestrators += u64::from(trace.orchestrator().is_some());
        add_verdict(&mut verdict, part, rows.collected - before);
    }
    let Rows {
        mut writer, merged, ..
    } = rows;
    if has_verdict(merge) {
        writer.verdict(&verdict)?;
    }
    writer.end_run(RUN_ID)?;
    Ok(merged)
}

/// Whether any source says what became of its records.
fn has_verdict(merge: &Merge<'_>) -> bool {
    let mut sources = merge.sources.iter();
    sources.any(|source| source.trace.verdict().is_some())
}

/// A source and where its numbers begin in the merged capture.
struct Part<'a> {
    source: &'a Source,
    clock: &'a Placed,
    /// Its place among the sources.
    number: u64,
    /// The place of its first device in the merged capture.
    first_device: u64,
    first_core: u16,
    first_thread: u32,
    threads: u32,
    /// Where its tasks with edges begin in the task ids.
    first_node: u32,
}

fn parts<'a>(merge: &'a Merge<'_>) -> Result<Vec<Part<'a>>, MergeError> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let (mut cores, mut threads, mut nodes, mut devices) = (0_u64, 0_u64, 0_u64, 0_u64);
    for ((source, clock), number) in merge.sources.iter().zip(&merge.clocks).zip(0..) {
        let too_large = |what, number: u64, limit: u64| MergeError::TooLarge {
            name: source.name.clone(),
            what,
            number,
            limit,
        };
        let trace = &source.trace;
        let of_source = trace.threads().end;
        let part = Part {
            source,
            clock,
            number,
            first_device: devices,
            first_core: u16::try_from(cores).unwrap_or(u16::MAX),
            first_thread: u32::try_from(threads).unwrap_or(u32::MAX),
            threads: of_source,
            first_node: u32::try_from(nodes).unwrap_or(u32::MAX),
        };
        devices += trace.session().devices.len().max(1) as u64;
        cores += trace.session().cores.len() as u64;
        threads += u64::from(of_source);
        nodes += u64::from(trace.edges().node_count());
        let sums = [
            ("cores, with those before it:", cores, u64::from(u16::MAX)),
            ("AICPU threads, with those before it:", threads, MAX_THREADS),
            ("devices, with those before it:", devices, 1 << 16),
            (
                "tasks with edges, with those before it:",
                nodes,
                u64::from(u32::MAX),
            ),
        ];
        for (what, sum, limit) in sums {
            if sum > limit {
                return Err(too_large(what, sum, limit));
            }
        }
        parts.push(part);
    }
    Ok(parts)
}

impl Part<'_> {
    /// The ids of a merged source hold the numbers of its devices already.
    fn task_id(&self, task_id: u64) -> Result<u64, MergeError> {
        let devices = self.source.trace.session().devices.len().max(1) as u64;
        if task_id >> ID_BITS >= devices {
            return Err(MergeError::TooLarge {
                name: self.source.name.clone(),
                what: "it has the task id",
                number: task_id,
                limit: (devices << ID_BITS) - 1,
            });
        }
        Ok(task_id + (self.first_device << ID_BITS))
    }
}

/// Functions of all sources: a number stays what it is unless it means two things, and a name has one
/// number.
struct Functions {
    names: Vec<FunctionName>,
    /// By source and number there, where it differs.
    renumbered: HashMap<(u64, u32), u32>,
}

impl Functions {
    fn of(sources: &[Source]) -> Self {
        let used: Vec<BTreeSet<u32>> = sources.iter().map(|source| used(&source.trace)).collect();
        let all: BTreeSet<u32> = used.iter().flatten().copied().collect();
        let behind = all.last().map_or(0, |most| most.saturating_add(1));
        let mut free = (behind..=u32::MAX)
            .chain(0..behind)
            .filter(|func_id| !all.contains(func_id));
        let mut taken: HashSet<u32> = HashSet::new();
        // Functions of one name within a source stay apart: the second is that of another source.
        let mut known: HashMap<(Cow<'_, str>, usize), u32> = HashMap::new();
        let mut functions = Self {
            names: Vec::new(),
            renumbered: HashMap::new(),
        };
        for ((number, source), used) in (0..).zip(sources).zip(&used) {
            let mut namesakes: HashMap<Cow<'_, str>, usize> = HashMap::new();
            for &func_id in used {
                let label = source.trace.functions().label(func_id);
                let place = namesakes.entry(label.clone()).or_default();
                let merged = *known.entry((label.clone(), *place)).or_insert_with(|| {
                    let merged = match taken.insert(func_id) {
                        true => func_id,
                        false => free.next().unwrap_or(func_id),
                    };
                    let is_named = source.trace.functions().name(func_id).is_some();
                    if is_named || merged != func_id {
                        functions.names.push(FunctionName {
                            func_id: merged,
                            name: label.into_owned(),
                        });
                    }
                    merged
                });
                *place += 1;
                if merged != func_id {
                    functions.renumbered.insert((number, func_id), merged);
                }
            }
        }
        functions.names.sort_by_key(|function| function.func_id);
        functions
    }

    fn number(&self, part: &Part<'_>, func_id: u32) -> u32 {
        if self.renumbered.is_empty() {
            return func_id;
        }
        let renumbered = self.renumbered.get(&(part.number, func_id));
        renumbered.copied().unwrap_or(func_id)
    }
}

/// The functions a run names, and those it ran without a name.
fn used(trace: &Trace) -> BTreeSet<u32> {
    let mut used: BTreeSet<u32> = trace
        .functions()
        .iter()
        .map(|(func_id, _)| func_id)
        .collect();
    let tasks = trace.tasks().map(|task| task.func_id);
    let mut last = None;
    for func_id in tasks.chain(trace.pmu_rows().map(|row| row.func_id)) {
        // Most rows are of the function of the row before.
        if last != Some(func_id) {
            used.insert(func_id);
            last = Some(func_id);
        }
    }
    used
}

/// One lane of each kind for each thread; a source without threads takes those of the next number.
fn lanes(parts: &[Part<'_>]) -> Vec<LaneInfo> {
    let threads = parts.iter().flat_map(|part| {
        let threads = part.threads.max(1);
        part.first_thread..part.first_thread + threads
    });
    let mut lanes = Vec::new();
    let mut seen = HashSet::new();
    for thread in threads {
        for kind in [Kind::TASK, Kind::PHASE, Kind::PMU] {
            if seen.insert((kind, thread)) {
                lanes.push(LaneInfo {
                    kind,
                    thread,
                    buffers: 1,
                    records_per_buffer: u32::try_from(RECORDS_PER_BLOCK).unwrap_or(u32::MAX),
                    record_bytes: kind.record_bytes().unwrap_or(0),
                    arena_bytes: 0,
                    policy: lanescope_abi::capture::Policy::Block,
                });
            }
        }
    }
    lanes
}

fn session_info(merge: &Merge<'_>, parts: &[Part<'_>], lanes: &[LaneInfo]) -> SessionInfo {
    let sessions = || merge.sources.iter().map(|source| source.trace.session());
    let cores = || {
        let cores = parts
            .iter()
            .map(|part| (part, &part.source.trace.session().cores));
        cores.flat_map(|(part, cores)| cores.iter().map(move |core| (part, core)))
    };
    let first = sessions().next();
    let mut workloads: Vec<&str> = sessions()
        .map(|session| session.workload.as_str())
        .collect();
    workloads.retain(|workload| !workload.is_empty());
    workloads.dedup();
    let mut platforms: Vec<&str> = sessions()
        .map(|session| session.platform.as_str())
        .collect();
    platforms.dedup();
    let common = |pick: fn(&crate::Session) -> Option<u32>| {
        let mut values = sessions().map(pick);
        let first = values.next().flatten().unwrap_or(0);
        if values.all(|value| value == Some(first)) {
            first
        } else {
            0
        }
    };
    let thread_count = parts
        .last()
        .map_or(0, |part| part.first_thread + part.threads);
    SessionInfo {
        run_id: RUN_ID,
        platform: platforms.join(" + "),
        chip: first.and_then(|first| first.chip).unwrap_or(Chip::A2a3),
        core_types: cores().map(|(_, core)| core.core_type).collect(),
        thread_count,
        core_to_thread: cores()
            .map(|(part, core)| {
                core.thread
                    .map_or(settings::NO_THREAD, |thread| part.first_thread + thread)
            })
            .collect(),
        first_tokens: cores()
            .map(|(_, core)| core.first_token.unwrap_or(0))
            .collect(),
        ring_size: common(|session| session.ring_size),
        issue_depth: common(|session| session.issue_depth),
        swimlane_level: sessions()
            .filter_map(|session| session.level)
            .max()
            .unwrap_or(settings::NO_LEVEL),
        pmu_event: sessions()
            .find_map(|session| session.pmu_event)
            .unwrap_or(0),
        ticks_per_second: 1_000_000_000,
        lanes: lanes.to_vec(),
        workload: workloads.join(" + "),
        host: first.map_or_else(String::new, |first| first.host.clone()),
        boot: first.map_or_else(String::new, |first| first.boot.clone()),
        devices: merge.devices.clone(),
        settings: match has_verdict(merge) {
            true => Vec::new(),
            false => vec![(settings::SOURCE.to_owned(), "merge".to_owned())],
        },
        ..SessionInfo::default()
    }
}

/// The merged clock is the first host's: a pair that says so, where that host has a clock.
fn clocks(merge: &Merge<'_>) -> Vec<Clock> {
    let first = merge.sources.first().zip(merge.clocks.first());
    let pair = first.filter(|(first, _)| !first.trace.clocks().is_empty());
    let at = pair.and_then(|(first, clock)| {
        let (begin, _) = first.trace.bounds_ticks()?;
        Some((clock.ns(begin), clock))
    });
    let pair = at.and_then(|(ns, clock)| {
        Some(Clock {
            host_ns: ns.checked_add_signed(-clock.lift_ns())?,
            device_ticks: ns,
            uncertainty_ns: clock.host_uncertainty_ns,
            reserved: 0,
        })
    });
    pair.into_iter().collect()
}

fn edges<W: Write>(writer: &mut CaptureWriter<W>, parts: &[Part<'_>]) -> Result<(), MergeError> {
    for part in parts {
        let table = part.source.trace.edges();
        let mut ids = Vec::with_capacity(RECORDS_PER_BLOCK);
        for node in 0..table.node_count() {
            ids.push(part.task_id(table.task_id(node))?);
            if ids.len() == RECORDS_PER_BLOCK {
                writer.task_ids(RUN_ID, &ids)?;
                ids.clear();
            }
        }
        writer.task_ids(RUN_ID, &ids)?;
    }
    for part in parts {
        let table = part.source.trace.edges();
        let mut edges = Vec::with_capacity(RECORDS_PER_BLOCK);
        for node in 0..table.node_count() {
            for &successor in table.successors(node) {
                edges.push(Edge {
                    producer: part.first_node + node,
                    consumer: part.first_node + successor,
                });
                if edges.len() == RECORDS_PER_BLOCK {
                    writer.edges(RUN_ID, &edges)?;
                    edges.clear();
                }
            }
        }
        writer.edges(RUN_ID, &edges)?;
    }
    Ok(())
}

/// The rows of all sources, through lanes of their own.
struct Rows<W> {
    writer: CaptureWriter<W>,
    /// The next sequence number of each lane.
    lanes: Vec<u64>,
    numbers: HashMap<(Kind, u32), usize>,
    merged: Merged,
    collected: u64,
}

impl<W: Write> Rows<W> {
    fn tasks(&mut self, part: &Part<'_>, functions: &Functions) -> Result<(), MergeError> {
        let clock = part.clock;
        let mut records: Vec<TaskRecord> = Vec::with_capacity(RECORDS_PER_BLOCK);
        for task in part.source.trace.tasks() {
            records.push(TaskRecord {
                task_id: part.task_id(task.task_id)?,
                func_id: functions.number(part, task.func_id),
                core: part.first_core + task.core,
                run_id: RUN_ID,
                dispatch_ticks: clock.ns(task.dispatch_ticks),
                receive_ticks: clock.ns(task.receive_ticks),
                start_ticks: clock.ns(task.start_ticks),
                end_ticks: clock.ns(task.end_ticks),
                finish_ticks: clock.ns(task.finish_ticks),
                ..task.record()
            });
            self.flush_if(RECORDS_PER_BLOCK, part.first_thread, &mut records)?;
        }
        self.flush_if(1, part.first_thread, &mut records)
    }

    fn phases(&mut self, part: &Part<'_>) -> Result<(), MergeError> {
        let trace = &part.source.trace;
        for thread in trace.threads() {
            let merged_thread = part.first_thread + thread;
            let mut losses = losses(trace, thread);
            let mut sequence = 0_u32;
            let mut records: Vec<PhaseRecord> = Vec::with_capacity(RECORDS_PER_BLOCK);
            let scheduler = trace
                .scheduler_phases(thread)
                .map(|phase| scheduler_record(&phase));
            let orchestrator = trace.orchestrator_phases(thread);
            let orchestrator = orchestrator.map(|phase| orchestrator_record(&phase));
            for mut record in scheduler.chain(orchestrator) {
                let lost: u32 = losses.remove(&record.begin_ticks).unwrap_or(0);
                sequence = lost.saturating_add(sequence);
                record.sequence = sequence;
                record.run_id = RUN_ID;
                record.thread = u16::try_from(merged_thread).unwrap_or(u16::MAX);
                record.begin_ticks = part.clock.ns(record.begin_ticks);
                record.end_ticks = part.clock.ns(record.end_ticks);
                if record.task_id != u64::MAX {
                    record.task_id = part.task_id(record.task_id)?;
                }
                sequence = sequence.saturating_add(1);
                records.push(record);
                self.flush_if(RECORDS_PER_BLOCK, merged_thread, &mut records)?;
            }
            self.flush_if(1, merged_thread, &mut records)?;
        }
        Ok(())
    }

    fn pmu(&mut self, part: &Part<'_>, functions: &Functions) -> Result<(), MergeError> {
        let trace = &part.source.trace;
        for thread in trace.threads() {
            let merged_thread = part.first_thread + thread;
            let mut records: Vec<PmuRecord> = Vec::with_capacity(RECORDS_PER_BLOCK);
            for row in trace.pmu_rows_of(thread) {
                records.push(PmuRecord {
                    task_id: part.task_id(row.task_id)?,
                    func_id: functions.number(part, row.func_id),
                    core: part.first_core + row.core,
                    core_type: row.core_type as u8,
                    token: row.token,
                    run_id: RUN_ID,
                    total_cycles: row.total_cycles,
                    counters: row.counters,
                    event: row.event,
                    ticks: part.clock.ns(row.ticks),
                    ..PmuRecord::default()
                });
                self.flush_if(RECORDS_PER_BLOCK, merged_thread, &mut records)?;
            }
            self.flush_if(1, merged_thread, &mut records)?;
        }
        Ok(())
    }

    /// Writes a block when there are at least so many records.
    fn flush_if<R: Record + IntoBytes + Immutable>(
        &mut self,
        count: usize,
        thread: u32,
        records: &mut Vec<R>,
    ) -> Result<(), MergeError> {
        if records.len() < count {
            return Ok(());
        }
        let lane = self.numbers[&(R::KIND, thread)];
        let bytes = records.as_bytes();
        self.writer.records(&RecordBlock {
            kind: R::KIND,
            lane: u32::try_from(lane).unwrap_or(u32::MAX),
            run_id: RUN_ID,
            sequence: self.lanes[lane],
            record_bytes: R::BYTES,
            checksum: RecordBlock::checksum(bytes),
            bytes,
        })?;
        self.lanes[lane] += 1;
        self.collected += records.len() as u64;
        records.clear();
        Ok(())
    }
}

/// How many phases of a thread are missing before those that begin then.
fn losses(trace: &Trace, thread: u32) -> HashMap<u64, u32> {
    let losses = trace.phase_losses().iter();
    let losses = losses.filter(|loss| loss.thread == thread);
    let losses = losses.map(|loss| (loss.at_ticks, u32::try_from(loss.count).unwrap_or(u32::MAX)));
    losses.collect()
}

/// The record of a phase, with the rounds that a device counted or the tasks that an import tells.
fn scheduler_record(phase: &SchedulerPhase) -> PhaseRecord {
    let is_own = phase.rounds > 0;
    let is_of_tasks = matches!(
        phase.phase,
        SchedulerPhase::COMPLETE | SchedulerPhase::DISPATCH
    );
    let count = match is_own && !is_of_tasks {
        true => phase.rounds,
        false => phase.tasks_processed,
    };
    let times = (phase.start_ticks, phase.end_ticks);
    let record = phase::scheduler_record(phase.phase, times, phase.loop_iter, count, phase.pops);
    PhaseRecord {
        reserved: if is_own { 0 } else { record.reserved },
        ..record
    }
}

fn orchestrator_record(phase: &OrchestratorPhase) -> PhaseRecord {
    let times = (phase.start_ticks, phase.end_ticks);
    phase::orchestrator_record(phase.phase, times, phase.submit_index, phase.task_id)
}

/// Adds what became of a source's records; where nothing says, all that are here were collected.
fn add_verdict(merged: &mut Verdict, part: &Part<'_>, written: u64) {
    let name = &part.source.name;
    let Some(verdict) = part.source.trace.verdict() else {
        merged.expected_tasks = None;
        merged.totals.total += written;
        merged.totals.collected += written;
        return;
    };
    let tasks = merged.expected_tasks.zip(verdict.expected_tasks);
    merged.expected_tasks = tasks.map(|(sum, tasks)| sum.saturating_add(tasks));
    merged.dispatched = merged.dispatched.saturating_add(verdict.dispatched);
    let kept = |kind: Kind| kind != Kind::TENSOR;
    let kinds = verdict.kinds.iter().filter(|counts| kept(counts.kind));
    for counts in kinds {
        merged.totals.add(&counts.counts);
        match merged
            .kinds
            .iter_mut()
            .find(|known| known.kind == counts.kind)
        {
            Some(known) => {
                known.counts.add(&counts.counts);
                let expected = known.expected.zip(counts.expected);
                known.expected = expected.map(|(sum, count)| sum.saturating_add(count));
            }
            None => merged.kinds.push(*counts),
        }
    }
    if verdict.kinds.is_empty() {
        merged.totals.add(&verdict.totals);
    }
    let cores = verdict.cores.iter().filter(|counts| kept(counts.kind));
    merged.cores.extend(cores.map(|counts| {
        let mut counts = *counts;
        counts.thread += part.first_thread;
        counts.core = counts.core.map(|core| core + u32::from(part.first_core));
        counts
    }));
    let lanes = verdict.lanes.iter().filter(|lane| kept(lane.kind));
    merged.lanes.extend(lanes.map(|lane| {
        let mut lane = *lane;
        lane.thread += part.first_thread;
        lane.blocked_ticks = part.clock.duration_ns(lane.blocked_ticks);
        lane
    }));
    for finding in &verdict.findings {
        merged.find(
            finding.kind,
            finding.count,
            format!("{name}: {}", finding.text),
        );
    }
    merged.outcome = merged.outcome.max(verdict.outcome);
    merged
        .abandoned
        .extend(verdict.abandoned.iter().map(|abandoned| {
            let mut abandoned = abandoned.clone();
            abandoned.core += u32::from(part.first_core);
            abandoned
        }));
}
