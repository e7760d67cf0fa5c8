//! One pass over the records of a run: what can be believed, and what is missing.

use super::note;
use crate::payload::Payloads;
use crate::phase::{PhaseLoss, is_known};
use crate::rows::{Mapped, MappedBlock, Row, RowsOf};
use crate::task::{mapped_task, order_ticks};
use crate::trace::{Bounds, Collected, MAX_THREADS};
use crate::{Note, PmuRow, Session, TensorRow};
use lanescope_abi::record::Record;
use lanescope_abi::{Kind, PhaseRecord, PmuRecord, TaskRecord, TensorRecord};
use lanescope_capture::{Block, BlockHeader, BlockKind, CaptureFile, CaptureRun, PayloadHeader};
use std::collections::BTreeMap;
use std::sync::Arc;
use zerocopy::FromBytes;

/// What one pass over the task records of a run found.
pub(super) struct Checked {
    pub(super) blocks: Vec<MappedBlock>,
    pub(super) foreign: u64,
    /// Of another run.
    pub(super) strange: u64,
    pub(super) disordered: u64,
    /// Of the rows that can be placed.
    pub(super) bounds: Bounds,
}

impl Checked {
    pub(super) fn of(file: &CaptureFile, run: &CaptureRun<'_>, session: &Session) -> Self {
        let mut checked = Self {
            blocks: Vec::new(),
            foreign: 0,
            strange: 0,
            disordered: 0,
            bounds: Bounds::default(),
        };
        let mut pass = file.pass();
        let run_id = run.session().run_id;
        let mut latest = vec![0; session.cores.len()];
        let blocks = run.record_blocks(Kind::TASK);
        for (block, records) in blocks.zip(run.task_records()) {
            pass.reach(block.offset);
            checked.blocks.push(mapped_block(block, 0));
            for record in records {
                checked.row(record, run_id, &mut latest, session);
            }
        }
        checked
    }

    fn row(&mut self, record: &TaskRecord, run_id: u32, latest: &mut [u64], session: &Session) {
        let Some(task) = mapped_task(record, session) else {
            self.foreign += 1;
            return;
        };
        self.strange += u64::from(record.run_id != run_id);
        self.bounds.task(&task);
        let latest = &mut latest[usize::from(task.core)];
        match order_ticks(&task) {
            0 => {}
            ticks if ticks < *latest => self.disordered += 1,
            ticks => *latest = ticks,
        }
    }
}

fn mapped_block(block: &Block<'_>, thread: u32) -> MappedBlock {
    MappedBlock {
        offset: block.offset + size_of::<BlockHeader>() as u64,
        count: block.header.count,
        thread,
    }
}

/// The rows that are not tasks; what cannot be believed is noted, and left out when it is read.
pub(super) fn collected(
    file: &Arc<CaptureFile>,
    run: &CaptureRun<'_>,
    session: &Session,
    notes: &mut Vec<Note>,
) -> Collected {
    let mut lanes = Lanes {
        file,
        run,
        session,
        notes,
    };
    let phases = lanes.blocks::<PhaseRecord>();
    let phase_losses = lanes.phase_losses(&phases);
    let pmu = lanes.blocks::<PmuRecord>();
    lanes.check::<PmuRow>(&pmu, |record| record.run_id);
    let tensors = lanes.blocks::<TensorRecord>();
    lanes.check::<TensorRow>(&tensors, |record| record.run_id);
    Collected {
        scheduler: mapped(file, &phases),
        orchestrator: mapped(file, &phases),
        phase_losses,
        pmu: mapped(file, &pmu),
        tensors: mapped(file, &tensors),
        payloads: lanes.payloads(file),
    }
}

/// Blocks of one kind whose lane is known, with their records.
type LaneBlocks<'a, T> = Vec<(MappedBlock, &'a [T])>;

fn mapped<R: Row>(file: &Arc<CaptureFile>, blocks: &LaneBlocks<'_, R::Record>) -> RowsOf<R> {
    let blocks = blocks.iter().map(|(block, _)| *block).collect();
    RowsOf::Mapped(Mapped::new(file, blocks))
}

struct Lanes<'a, 'run> {
    file: &'a CaptureFile,
    run: &'a CaptureRun<'run>,
    session: &'a Session,
    notes: &'a mut Vec<Note>,
}

impl<'run> Lanes<'_, 'run> {
    /// The blocks of a kind; those of a lane that the session does not have are left out and noted.
    fn blocks<T: Record>(&mut self) -> LaneBlocks<'run, T> {
        let mut found = Vec::new();
        let mut strays = 0;
        for block in self.run.record_blocks(T::KIND) {
            let Some(thread) = self.thread_of(block, T::KIND) else {
                strays += u64::from(block.header.count);
                continue;
            };
            let records = <[T]>::ref_from_bytes(block.payload)
                .expect("a checked block holds whole items of its kind at a multiple of 8");
            found.push((mapped_block(block, thread), records));
        }
        let what = format!("{} records of a lane the session does not have", T::KIND);
        note(self.notes, strays, &what);
        found
    }

    fn thread_of(&self, block: &Block<'_>, kind: Kind) -> Option<u32> {
        let lane = usize::try_from(block.header.lane).ok()?;
        let lane = self.run.session().lanes.get(lane)?;
        (lane.kind == kind && lane.thread < MAX_THREADS).then_some(lane.thread)
    }

    fn check<R: Row>(&mut self, blocks: &LaneBlocks<'_, R::Record>, run_id: fn(&R::Record) -> u32) {
        let (mut senseless, mut strange) = (0, 0);
        let mut pass = self.file.pass();
        for (block, records) in blocks {
            pass.reach(block.offset);
            for record in *records {
                senseless += u64::from(R::of(record, block.thread, self.session).is_none());
                strange += u64::from(run_id(record) != self.run.session().run_id);
            }
        }
        let kind = R::Record::KIND;
        let what = format!("{kind} records with numbers that cannot be");
        note(self.notes, senseless, &what);
        note(
            self.notes,
            strange,
            &format!("{kind} records of another run"),
        );
    }

    /// Checks the phase records and finds the gaps in the sequence of each thread.
    fn phase_losses(&mut self, blocks: &LaneBlocks<'_, PhaseRecord>) -> Vec<PhaseLoss> {
        let mut losses = Vec::new();
        let (mut unknown, mut strange, mut disordered) = (0, 0, 0);
        let mut next: BTreeMap<u32, u32> = BTreeMap::new();
        let mut pass = self.file.pass();
        for (block, records) in blocks {
            pass.reach(block.offset);
            let next = next.entry(block.thread).or_default();
            for record in *records {
                unknown += u64::from(!is_known(record.phase));
                strange += u64::from(record.run_id != self.run.session().run_id);
                match record.sequence.checked_sub(*next) {
                    Some(0) => {}
                    Some(missing) => losses.push(PhaseLoss {
                        thread: block.thread,
                        at_ticks: record.begin_ticks,
                        count: u64::from(missing),
                    }),
                    None => disordered += 1,
                }
                *next = record.sequence.saturating_add(1).max(*next);
            }
        }
        note(self.notes, unknown, "phase records of an unknown phase");
        note(self.notes, strange, "phase records of another run");
        let what = "phase records that came after a later one of their thread";
        note(self.notes, disordered, what);
        losses
    }

    /// Where the payloads are: a line that says the position, then lines of the arena.
    fn payloads(&mut self, file: &Arc<CaptureFile>) -> Payloads {
        let mut payloads = Payloads::mapped(file);
        let blocks = self.run.blocks().iter();
        for block in blocks.filter(|block| block.kind() == BlockKind::Payload) {
            let Ok((header, bytes)) = PayloadHeader::read_from_prefix(block.payload) else {
                continue;
            };
            let Some(thread) = self.thread_of(block, Kind::TENSOR) else {
                continue;
            };
            let begin = usize::try_from(block.offset).expect("a mapped file fits memory");
            let offset = begin + size_of::<BlockHeader>() + size_of::<PayloadHeader>();
            payloads.add(thread, header.position, offset, bytes.len());
        }
        payloads
    }
}
