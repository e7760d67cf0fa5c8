//! The tensor lane: tensors of tasks, copied into the lane's arena piece by piece.
//!
//! # Ordering
//!
//! `arena_tail`, then mark, payload and mark, then the record, each visible before the next. One tensor at
//! a time; a record is committed when all of its payload stands. A tensor that is broken off leaves
//! nothing.
//!
//! # What can be lost
//!
//! A tensor for which there is no room within the lane's limit, or at once, by its policy; it is counted.
//! With `truncate`, or when it is longer than the arena, what fits is kept and flagged.

use super::arena::{Arena, MARK_BYTES};
use super::capture::Capture;
use super::lane::Lane;
use super::state::Task;
use super::view::View;
use crate::{Control, Failure};
use lanescope_abi::capture::{DropReason, Policy};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{
    ArenaMark, AwaitedWord, Barrier, Checksum, CoreType, Device, LINE_BYTES, Stage, TaskTensor,
    TensorRecord, Token, is_mutant,
};

/// What a tensor costs besides its bytes, as bytes: its marks and its record. One that is dropped is taken to cost
/// as much.
const FRAME_BYTES: u64 = MARK_BYTES + size_of::<TensorRecord>() as u64;

/// The tensor lane of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Tensors<'d, D> {
    lane: Lane<'d, D, TensorRecord>,
    arena: Arena<'d, D>,
    policy: Policy,
    block_limit_ticks: u64,
    run_id: u32,
    sequence: u64,
    /// A wait for room ran out: drop without waiting until there is room.
    is_dropping: bool,
    current: Option<Current>,
}

/// Whose tensor it is.
#[derive(Clone, Copy, Debug)]
pub struct TensorOwner {
    /// Core index in the launch.
    pub core: u32,
    /// The core's dispatch number of the task, also before it is dispatched.
    pub token: Token,
    /// The task.
    pub task: Task,
}

/// How far the copy of a tensor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Nothing was copied, for lack of room; to be tried again, until this time at the latest.
    Stands {
        /// When it is dropped.
        until_ticks: u64,
    },
    /// A piece.
    Piece,
    /// All of it, or it was dropped and counted.
    Whole,
}

#[derive(Debug)]
struct Current {
    record: TensorRecord,
    view: View,
    /// Since when it has waited for room.
    waits_since: Option<u64>,
    is_open: bool,
    done_bytes: u64,
    checksum: Checksum,
    summed_bytes: u64,
}

/// What there is for a tensor that is to be copied.
enum Room {
    Here,
    Later(u64),
    Never,
}

impl<'d, D: Device> Tensors<'d, D> {
    pub(crate) fn attach(
        control: &Control<'d, D>,
        capture: &Capture<'d, D>,
        thread: u32,
    ) -> Result<Self, Failure> {
        let found = capture.find::<TensorRecord>(thread)?;
        let found = found.ok_or(DeviceError::BadLayout)?;
        let header = &capture.header;
        let lane: Lane<'d, D, TensorRecord> = Lane::open(capture, &found)?;
        let (device_line, host_line) = (
            header.lane_devices.at(found.index),
            header.lane_hosts.at(found.index),
        );
        let arena = Arena::attach(capture.region, &found.config, device_line, host_line)?;
        let attempts = |core| lane.counters(core).total;
        Ok(Self {
            sequence: (0..header.core_count).map(attempts).sum(),
            lane,
            arena,
            policy: found.policy,
            block_limit_ticks: found.config.block_limit_ticks,
            run_id: control.header.run_id,
            is_dropping: false,
            current: None,
        })
    }

    /// Begins with a tensor; none is under way.
    pub(crate) fn begin(
        &mut self,
        owner: &TensorOwner,
        core_type: CoreType,
        tensor: &TaskTensor,
        stage: Stage,
    ) -> Result<(), DeviceError> {
        if self.current.is_some() {
            return Err(DeviceError::Internal);
        }
        let view = View::new(tensor).ok_or(DeviceError::BadGraph)?;
        let record = TensorRecord {
            task_id: owner.task.task_id,
            func_id: owner.task.func_id,
            core: u16::try_from(owner.core).map_err(|_| DeviceError::Internal)?,
            core_type: core_type as u8,
            token: owner.token.raw(),
            run_id: self.run_id,
            tensor: tensor.tensor,
            stage: stage as u8,
            tensor_bytes: view.bytes,
            payload_bytes: view.bytes.min(self.arena.longest_payload()),
            ..TensorRecord::default()
        };
        self.current = Some(Current {
            record,
            view,
            waits_since: None,
            is_open: false,
            done_bytes: 0,
            checksum: Checksum::new(),
            summed_bytes: 0,
        });
        Ok(())
    }

    /// Copies the next piece of the tensor that is under way, as long as `budget_bytes` allow, and takes off
    /// what that cost.
    pub(crate) fn step(&mut self, budget_bytes: &mut u64) -> Result<Copied, DeviceError> {
        let mut current = self.current.take().ok_or(DeviceError::Internal)?;
        if !current.is_open {
            match self.find_room(&mut current)? {
                Room::Here => self.open(&mut current),
                Room::Later(until_ticks) => {
                    self.current = Some(current);
                    return Ok(Copied::Stands { until_ticks });
                }
                Room::Never => {
                    let mut counters = self.lane.counters(current.record.core.into());
                    self.lane.attempt(&mut counters);
                    self.lane.drop_newest(&mut counters, DropReason::NoArena);
                    self.sequence += 1;
                    *budget_bytes = budget_bytes.saturating_sub(FRAME_BYTES);
                    return Ok(Copied::Whole);
                }
            }
        }
        self.copy_piece(&mut current, budget_bytes);
        if current.done_bytes < current.record.payload_bytes {
            self.current = Some(current);
            return Ok(Copied::Piece);
        }
        self.finish(&mut current)?;
        *budget_bytes = budget_bytes.saturating_sub(FRAME_BYTES);
        Ok(Copied::Whole)
    }

    /// The word that ends a wait for room, while the tensor under way stands.
    pub(crate) fn awaited(&self) -> Option<AwaitedWord> {
        let current = self.current.as_ref().filter(|current| !current.is_open)?;
        Some(self.arena.awaited(entry_bytes(current)))
    }

    /// The wait for a buffer that the last record took, if it took one.
    pub(crate) fn take_wait(&mut self) -> Option<(u64, u64)> {
        self.lane.buffers.take_wait()
    }

    /// Hands over what is left in the buffer; a tensor that is under way is broken off.
    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        if let Some(current) = self.current.take()
            && current.is_open
        {
            self.arena.untake(current.record.payload_begin);
        }
        self.lane.flush()
    }

    fn find_room(&mut self, current: &mut Current) -> Result<Room, DeviceError> {
        let wanted = entry_bytes(current);
        if self.arena.has_room(wanted) {
            return Ok(Room::Here);
        }
        let device = self.lane.region.device();
        let since = if let Some(since) = current.waits_since {
            since
        } else {
            // The host gives room back for records that it has seen.
            self.lane.buffers.publish()?;
            let now = device.ticks();
            self.arena.ask(wanted);
            now
        };
        let is_here = self.arena.refresh(wanted)?;
        let now = device.ticks();
        let until = since.saturating_add(self.block_limit_ticks);
        let may_wait = self.policy == Policy::Block && !self.is_dropping;
        if !is_here && may_wait && now < until {
            current.waits_since = Some(since);
            return Ok(Room::Later(until));
        }
        if current.waits_since.is_some() {
            self.lane.buffers.note_wait(since, now);
        }
        if is_here {
            self.is_dropping = false;
            return Ok(Room::Here);
        }
        if self.policy == Policy::Truncate {
            self.arena.refresh_all()?;
            let room = self.arena.room() & !(LINE_BYTES - 1);
            if room > MARK_BYTES {
                let fits = room - MARK_BYTES;
                current.record.payload_bytes = current.record.payload_bytes.min(fits);
                return Ok(Room::Here);
            }
        }
        self.is_dropping = true;
        Ok(Room::Never)
    }

    /// Takes room and writes what stands before the payload, and the zeros behind it.
    fn open(&mut self, current: &mut Current) {
        let begin = self.arena.take(entry_bytes(current));
        let record = &mut current.record;
        record.payload_begin = begin;
        record.is_truncated = u8::from(record.payload_bytes < record.tensor_bytes);
        record.sequence = self.sequence;
        record.ticks = self.lane.region.device().ticks();
        self.sequence += 1;
        self.store_mark(begin, record, 0);
        if !record.payload_bytes.is_multiple_of(LINE_BYTES) {
            let last = record.payload_bytes & !(LINE_BYTES - 1);
            self.arena.line(begin + LINE_BYTES + last).store([0; 8]);
        }
        current.is_open = true;
    }

    fn copy_piece(&self, current: &mut Current, budget_bytes: &mut u64) {
        let device = self.lane.region.device();
        let payload = current.record.payload_begin + LINE_BYTES;
        // Lines before it, and this one, were invalidated for this piece.
        let mut fresh_line = u64::MAX;
        while *budget_bytes != 0 && current.done_bytes < current.record.payload_bytes {
            let (to, span) = self.arena.span(payload + current.done_bytes);
            let left = current.record.payload_bytes - current.done_bytes;
            let (from, bytes) = current.view.next(left.min(span).min(*budget_bytes));
            let first = from & !(LINE_BYTES - 1);
            let last = (from + bytes - 1) & !(LINE_BYTES - 1);
            if first != fresh_line || last != fresh_line {
                device.invalidate_range(from, bytes);
                fresh_line = last;
            }
            // A run that begins with a line is summed as far as it has whole ones; the rest is loaded again.
            let is_summed = current.summed_bytes == current.done_bytes;
            let whole = if is_summed {
                bytes & !(LINE_BYTES - 1)
            } else {
                0
            };
            if whole != 0 {
                // SAFETY:
                // - The host says that the tensor's memory is device memory, and the view lies inside it.
                // - The arena lies in the attached region, the entry's room was taken, and this thread is
                //   its writer.
                // - Sums are of whole lines of a payload, which begins with one.
                unsafe { device.copy_summed(to, from, whole, &mut current.checksum) };
                current.summed_bytes += whole;
            }
            if whole < bytes {
                // SAFETY:
                // - The host says that the tensor's memory is device memory, and the view lies inside it.
                // - The arena lies in the attached region, the entry's room was taken, and this thread is
                //   its writer.
                unsafe { device.copy(to + whole, from + whole, bytes - whole) };
            }
            current.done_bytes += bytes;
            // A short run costs as much as a line does.
            *budget_bytes = budget_bytes.saturating_sub(bytes.max(LINE_BYTES));
        }
        let is_whole = current.done_bytes == current.record.payload_bytes;
        while current.summed_bytes + LINE_BYTES <= current.done_bytes
            || is_whole && current.summed_bytes < current.done_bytes
        {
            let line = self.arena.line(payload + current.summed_bytes);
            current.checksum.line(&line.load());
            current.summed_bytes += LINE_BYTES;
        }
    }

    /// Writes what stands behind the payload, and commits the record.
    fn finish(&mut self, current: &mut Current) -> Result<(), DeviceError> {
        let begin = current.record.payload_begin;
        current.record.checksum = current.checksum.finish();
        let record = current.record;
        let end = begin + LINE_BYTES + record.payload_bytes.next_multiple_of(LINE_BYTES);
        let is_late = is_mutant("payload-after-record");
        if !is_late {
            self.store_mark(end, &record, record.checksum);
            self.lane.region.barrier(Barrier::Store);
        }
        let mut counters = self.lane.counters(record.core.into());
        let is_placed = self.lane.commit(&mut counters, &record)?;
        if is_late {
            self.store_mark(end, &record, record.checksum);
        }
        if is_mutant("arena-tail-late") {
            self.arena.store_tail();
        }
        if !is_placed {
            self.arena.untake(begin);
        }
        Ok(())
    }

    fn store_mark(&self, position: u64, record: &TensorRecord, checksum: u64) {
        let mark = ArenaMark {
            sequence: record.sequence,
            payload_begin: record.payload_begin,
            payload_bytes: record.payload_bytes,
            checksum,
            reserved: [0; 4],
        };
        self.arena.line(position).store(zerocopy::transmute!(mark));
    }
}

/// Bytes of an entry: payload in whole lines, and its marks.
fn entry_bytes(current: &Current) -> u64 {
    MARK_BYTES + current.record.payload_bytes.next_multiple_of(LINE_BYTES)
}
