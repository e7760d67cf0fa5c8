//! The end of an import: joins what belongs together, brings times on one clock, writes the capture.

use super::draft::{BASE_NS, Draft, RUN_ID, UNNAMED, Unit};
use super::edges::WriteError;
use super::rows::{ById, ByTime, Half};

use super::tensors;
use crate::import::settings;
use crate::sorter::{Rows, Sorter};
use lanescope_abi::record::Record;
use lanescope_abi::{Chip, CoreType, Kind, PhaseRecord, PmuRecord, TaskRecord, TensorRecord};
use lanescope_capture::{CaptureWriter, FunctionName, LaneInfo, RecordBlock, SessionInfo};
use std::io::Write;
use std::path::Path;
use zerocopy::IntoBytes;

/// As many as a record's core can number.
pub(super) const MOST_CORES: usize = 1 << 16;
/// Records of a block.
const RECORDS_PER_BLOCK: usize = 1024;

/// Writes the run as a capture.
pub(super) fn write(mut draft: Draft, folder: &Path, out: impl Write) -> Result<(), WriteError> {
    let first_unnamed = draft.admit_unnamed();
    if draft.dumped.count() > 0 {
        tensors::admit(&mut draft.cores);
    }
    if draft.cores.len() > MOST_CORES {
        return Err(WriteError::TooMany(
            "cores",
            draft.cores.len() as u64,
            MOST_CORES as u64,
        ));
    }
    draft.settle_cores();
    draft.settle_devices();
    join_halves(&mut draft)?;
    name_functions(&mut draft, folder)?;
    let scale = Scale::of(&draft);
    let lanes = lanes(&draft);
    let mut writer = CaptureWriter::new(out)?;
    writer.session(&session(&draft, &scale, &lanes))?;
    let functions = draft.functions.iter().map(|(&func_id, name)| FunctionName {
        func_id,
        name: name.clone(),
    });
    writer.functions(RUN_ID, &functions.collect::<Vec<_>>())?;
    let Draft {
        tasks,
        phases,
        counted,
        dumped,
        payload,
        edges,
        cores,
        ..
    } = draft;
    edges.write(RUN_ID, &mut writer)?;
    let mut rows = tasks.finish()?;
    let mut lane = Lane::<TaskRecord>::new(0);
    while let Some(ByTime(record)) = rows.next()? {
        lane.push(scale.task(in_place(record, first_unnamed)), &mut writer)?;
    }
    lane.flush(&mut writer)?;
    let mut rows = phases.finish()?;
    let mut lane = Lane::<PhaseRecord>::new(0);
    let mut sequence = 0;
    while let Some(row) = rows.next()? {
        let thread = u32::from(row.0.thread);
        if lane.enter(&lanes, thread, &mut writer)? {
            sequence = 0;
        }
        let mut record = scale.phase(row.0);
        record.sequence = sequence;
        sequence = sequence.saturating_add(1);
        lane.push(record, &mut writer)?;
    }
    lane.flush(&mut writer)?;
    let mut rows = counted.finish()?;
    let mut lane = Lane::<PmuRecord>::new(0);
    while let Some(row) = rows.next()? {
        let thread = u32::try_from(row.thread).expect("threads are few");
        lane.enter(&lanes, thread, &mut writer)?;
        let ticks = scale.at(row.record.ticks);
        lane.push(
            PmuRecord {
                ticks,
                ..row.record
            },
            &mut writer,
        )?;
    }
    lane.flush(&mut writer)?;
    if dumped.count() > 0 {
        let mut lane = Lane::<TensorRecord>::new(0);
        lane.enter(&lanes, 0, &mut writer)?;
        let mut rows = dumped.finish()?;
        tensors::write(&mut rows, payload.as_ref(), &cores, &mut lane, &mut writer)?;
        lane.flush(&mut writer)?;
    }
    writer.end_run(RUN_ID)?;
    writer.into_inner()?;
    Ok(())
}

/// The record with the number that its core has among all.
fn in_place(record: TaskRecord, first_unnamed: usize) -> TaskRecord {
    if record.reserved != UNNAMED {
        return record;
    }
    let core = usize::from(record.core) + first_unnamed;
    TaskRecord {
        core: u16::try_from(core).expect("cores were counted"),
        reserved: 0,
        ..record
    }
}

/// Puts the halves of tasks together.
fn join_halves(draft: &mut Draft) -> Result<(), WriteError> {
    let (ran, dispatched) = &mut draft.halves;
    if ran.count() + dispatched.count() == 0 {
        return Ok(());
    }
    let take =
        |halves: &mut Sorter<Half>| std::mem::replace(halves, Sorter::new(Path::new(""))).finish();
    let (mut ran, mut dispatched) = (take(ran)?, take(dispatched)?);
    let (mut undispatched, mut unrun) = (0, 0);
    let mut next = dispatched.next()?;
    while let Some(Half { join, record: core }) = ran.next()? {
        while next.is_some_and(|dispatch| dispatch.join < join) {
            unrun += 1;
            next = dispatched.next()?;
        }
        // Of those that share a number the first goes with the first.
        let dispatch = next.filter(|dispatch| dispatch.join == join);
        if dispatch.is_some() {
            next = dispatched.next()?;
        }
        let is_dispatched = dispatch.is_some() || core.dispatch_ticks != 0;
        undispatched += u64::from(!is_dispatched);
        let dispatch = dispatch.map(|half| half.record).unwrap_or_default();
        // What the core's half says of them it says more exactly.
        let or = |known: u64, other: u64| if known == 0 { other } else { known };
        draft.tasks.push(ByTime(TaskRecord {
            dispatch_ticks: or(core.dispatch_ticks, dispatch.dispatch_ticks),
            finish_ticks: or(core.finish_ticks, dispatch.finish_ticks),
            ..core
        }))?;
    }
    while next.is_some() {
        unrun += 1;
        next = dispatched.next()?;
    }
    if unrun > 0 || undispatched < draft.tasks.count() {
        draft.note(
            undispatched,
            "[task without the scheduler's half of its|tasks without the scheduler's half of their] record",
        );
    }
    draft.note(unrun, "[dispatch without the core's half of its|dispatches without the core's half of their] record");
    Ok(())
}

/// Gives every task the kernel that its graph says.
fn name_functions(draft: &mut Draft, folder: &Path) -> Result<(), WriteError> {
    if draft.kernels.count() == 0 {
        return Ok(());
    }
    let mut by_id = Sorter::new(folder);
    let empty = || Sorter::new(folder);
    let mut rows = std::mem::replace(&mut draft.tasks, empty()).finish()?;
    while let Some(ByTime(record)) = rows.next()? {
        by_id.push(ById(record))?;
    }
    let kernels = std::mem::replace(&mut draft.kernels, Sorter::new(folder));
    let mut kernels = kernels.finish()?;
    let mut kernel = kernels.next()?;
    let mut rows: Rows<ById> = by_id.finish()?;
    let (mut unknown, mut unclear) = (0, 0);
    while let Some(ById(mut record)) = rows.next()? {
        while kernel.is_some_and(|kernel| kernel.task_id < record.task_id) {
            kernel = kernels.next()?;
        }
        let ids = kernel.filter(|kernel| kernel.task_id == record.task_id);
        let [cube, first, second] = ids.map_or([-1; 3], |kernel| kernel.ids);
        let is_named = record.reserved != UNNAMED;
        let core = draft.cores.get(usize::from(record.core));
        let core = core.filter(|_| is_named);
        let core_type = core.and_then(|core| core.core_type);
        let found = match core_type == Some(CoreType::Aic) {
            true => cube,
            false if first >= 0 => {
                unclear += u64::from(second >= 0 && second != first);
                first
            }
            false => second,
        };
        match u32::try_from(found) {
            Ok(func_id) => record.func_id = func_id,
            Err(_) => unknown += 1,
        }
        draft.tasks.push(ByTime(record))?;
    }
    draft.note(
        unknown,
        "[task|tasks] whose function the graph does not say",
    );
    draft.note(
        unclear,
        "[task|tasks] of a graph node with two vector kernels, taken for the first",
    );
    Ok(())
}

/// How the draft's times become ticks.
struct Scale {
    rate: u64,
    origin_ticks: u64,
    is_ticks: bool,
}

impl Scale {
    fn of(draft: &Draft) -> Self {
        let chip = draft.chip.map(Chip::info);
        if let Some(Unit::Ticks(rate)) = draft.unit {
            return Self {
                rate,
                origin_ticks: 0,
                is_ticks: true,
            };
        }
        let slow = Chip::A2a3.info().ticks_per_second;
        let fast = Chip::A5.info().ticks_per_second;
        let fits = draft.chip != Some(Chip::A5) && draft.fits_slow_counter;
        let (rate, origin_ticks) = match (draft.counter, draft.unit) {
            (Some(counter), _) => counter,
            // Nothing has a time: the counter's own rate, where the chip is known.
            (None, None) => (chip.map_or(fast, |chip| chip.ticks_per_second), 0),
            (None, _) if fits => (slow, slow),
            (None, _) => (fast, fast),
        };
        Self {
            rate,
            origin_ticks,
            is_ticks: false,
        }
    }

    /// The tick of a draft's time; 0 where it is not known, or before the counter's first.
    fn at(&self, time: u64) -> u64 {
        if time == 0 || self.is_ticks {
            return time;
        }
        match time.checked_sub(BASE_NS) {
            Some(behind) => self.origin_ticks.saturating_add(self.span(behind)),
            None => self.origin_ticks.saturating_sub(self.span(BASE_NS - time)),
        }
    }

    fn span(&self, ns: u64) -> u64 {
        let ticks = (u128::from(ns) * u128::from(self.rate) + 500_000_000) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn task(&self, record: TaskRecord) -> TaskRecord {
        TaskRecord {
            dispatch_ticks: self.at(record.dispatch_ticks),
            receive_ticks: self.at(record.receive_ticks),
            start_ticks: self.at(record.start_ticks),
            end_ticks: self.at(record.end_ticks),
            finish_ticks: self.at(record.finish_ticks),
            run_id: RUN_ID,
            ..record
        }
    }

    fn phase(&self, record: PhaseRecord) -> PhaseRecord {
        PhaseRecord {
            begin_ticks: self.at(record.begin_ticks),
            end_ticks: self.at(record.end_ticks),
            ..record
        }
    }
}

fn lanes(draft: &Draft) -> Vec<(Kind, u32)> {
    let mut lanes = vec![(Kind::TASK, 0)];
    lanes.extend(
        draft
            .phase_threads
            .iter()
            .map(|&thread| (Kind::PHASE, thread)),
    );
    lanes.extend(draft.pmu_threads.iter().map(|&thread| (Kind::PMU, thread)));
    lanes.extend((draft.dumped.count() > 0).then_some((Kind::TENSOR, 0)));
    lanes
}

fn session(draft: &Draft, scale: &Scale, lanes: &[(Kind, u32)]) -> SessionInfo {
    let cores = draft.cores.iter();
    let threads = cores.clone().filter_map(|core| core.thread).max();
    let threads = threads.map_or(0, |last| last.saturating_add(1));
    // Of a device's threads some may own no core.
    let told = draft.devices.iter().map(|device| device.threads);
    let mut settings = vec![(settings::SOURCE.to_owned(), draft.platform.clone())];
    let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
    set(settings::ORIGIN_TICKS, scale.origin_ticks.to_string());
    if draft.chip.is_none() {
        set(settings::CHIP, settings::UNKNOWN.to_owned());
    }
    if let Some(totals) = &draft.orchestrator {
        let mut totals = *totals;
        totals.start_ticks = scale.at(totals.start_ticks);
        totals.end_ticks = scale.at(totals.end_ticks);
        totals.phase_ticks = totals.phase_ticks.map(|span| scale.span(span));
        set(settings::ORCHESTRATOR, settings::of_totals(&totals));
    }
    if draft.dropped_tensors > 0 {
        set(settings::DROPPED_TENSORS, draft.dropped_tensors.to_string());
    }
    for (text, count) in draft.notes() {
        set(settings::NOTE, format!("{count} {text}"));
    }
    SessionInfo {
        run_id: RUN_ID,
        platform: draft.platform.clone(),
        chip: draft.chip.unwrap_or(match scale.rate {
            50_000_000 => Chip::A2a3,
            _ => Chip::A5,
        }),
        core_types: cores
            .clone()
            .map(|core| core.core_type.expect("every core was given one"))
            .collect(),
        thread_count: threads.max(told.sum()),
        core_to_thread: cores
            .map(|core| core.thread.unwrap_or(settings::NO_THREAD))
            .collect(),
        swimlane_level: draft.level.unwrap_or(settings::NO_LEVEL),
        pmu_event: draft.pmu_event.unwrap_or(0),
        ticks_per_second: scale.rate,
        lanes: lanes
            .iter()
            .map(|&(kind, thread)| LaneInfo {
                kind,
                thread,
                buffers: 0,
                records_per_buffer: 0,
                record_bytes: kind.record_bytes().unwrap_or(0),
                arena_bytes: 0,
                policy: lanescope_abi::capture::Policy::default(),
            })
            .collect(),
        workload: draft.workload.clone(),
        devices: draft.devices.clone(),
        settings,
        ..SessionInfo::default()
    }
}

/// The records of one lane on their way into the capture.
pub(super) struct Lane<R> {
    number: u32,
    sequence: u64,
    records: Vec<R>,
}

impl<R: Record> Lane<R> {
    fn new(number: u32) -> Self {
        Self {
            number,
            sequence: 0,
            records: Vec::with_capacity(RECORDS_PER_BLOCK),
        }
    }

    /// Goes on with the lane of a thread; whether it is another one.
    fn enter(
        &mut self,
        lanes: &[(Kind, u32)],
        thread: u32,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<bool, WriteError> {
        let place = lanes.iter().position(|&lane| lane == (R::KIND, thread));
        let number = place.expect("every thread with rows has a lane");
        let number = u32::try_from(number).expect("lanes are few");
        if number == self.number {
            return Ok(false);
        }
        self.flush(writer)?;
        self.number = number;
        self.sequence = 0;
        Ok(true)
    }

    /// The lane's number.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn push(
        &mut self,
        record: R,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), WriteError> {
        self.records.push(record);
        if self.records.len() == RECORDS_PER_BLOCK {
            self.flush(writer)?;
        }
        Ok(())
    }

    pub(super) fn flush(
        &mut self,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), WriteError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let bytes = self.records.as_bytes();
        writer.records(&RecordBlock {
            kind: R::KIND,
            lane: self.number,
            run_id: RUN_ID,
            sequence: self.sequence,
            record_bytes: R::BYTES,
            checksum: RecordBlock::checksum(bytes),
            bytes,
        })?;
        self.sequence += 1;
        self.records.clear();
        Ok(())
    }
}
