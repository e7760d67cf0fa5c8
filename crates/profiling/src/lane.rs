//! One lane on the host: its two queues, its pool, and what it is believed.

mod payloads;

use crate::arena::PIECE_BYTES;
use crate::pool::{Pool, PoolError};
use crate::queues::{FreeQueue, ReadyQueue};
use crate::region::{Region, is_arena_position};
use crate::{BufferState, Findings};
use lanescope_abi::capture::NO_BUFFER;
use lanescope_abi::{Kind, LaneConfig, ReadyEntry, is_mutant};
use lanescope_capture::{FindingKind, PayloadHeader};
use lanescope_platform::{MappingExt, PlatformError};
use lanescope_ring::{Consumer, Producer, RingError};
use payloads::Unpacked;
use std::sync::Arc;

/// Passes after which a buffer that still does not fit into the free queue is corruption: on a
/// mapping that is not coherent one pass may see a ready tail and not yet the free head before it.
const RETURN_PASSES: u32 = 3;

/// The host's side of a lane.
///
/// Nothing it reads from the device is used before it is checked. What cannot be is a finding, and
/// retires the lane: its buffers are kept aside and its queues are not looked at again in that run.
/// Every run begins with all buffers in the free queue: where that is not so, [`Lane::reset`].
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) index: u32,
    pub(crate) kind: Kind,
    pub(crate) thread: u32,
    /// Index of its collector.
    pub(crate) collector: usize,
    region: Arc<Region>,
    config: LaneConfig,
    ready: Consumer<ReadyQueue>,
    free: Producer<FreeQueue>,
    pool: Pool,
    next_sequence: u64,
    /// A drained buffer that the free queue had no room for, and the passes since.
    unreturned: Option<(u32, u32)>,
    /// The device's free head when a buffer was taken back that it had not handed over.
    reclaimed_at: Option<u32>,
    is_retired: bool,
    /// A filled buffer whose payloads are being copied.
    unpacking: Option<Unpacked>,
}

/// A buffer and the records in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    pub(crate) buffer: u32,
    pub(crate) count: u32,
    pub(crate) sequence: u64,
}

const FRESH: &str = "the view holds the lane's first image";

/// What a lane's step came to, errors of the driver apart.
type Step<T> = std::result::Result<T, PlatformError>;

impl Lane {
    /// A lane whose buffers are all in its free queue, as the region's first image says.
    pub(crate) fn new(
        region: &Arc<Region>,
        index: u32,
        config: LaneConfig,
        kind: Kind,
        collector: usize,
    ) -> Self {
        let (ready, free) = queues(region, index, &config);
        Self {
            index,
            kind,
            thread: config.thread,
            collector,
            region: Arc::clone(region),
            config,
            ready: Consumer::attach(ready, config.capacity).expect(FRESH),
            free: Producer::attach(free, config.capacity).expect(FRESH),
            pool: Pool::new(config.capacity),
            next_sequence: 0,
            unreturned: None,
            reclaimed_at: None,
            is_retired: false,
            unpacking: None,
        }
    }

    /// Most passes that find something in the lane when the device hands over nothing more: one for
    /// each buffer, those that wait for room for it, and those that copy its payloads.
    pub(crate) fn last_passes(&self) -> u64 {
        let unpacking = match self.config.arena_bytes {
            0 => 0,
            // A pass copies whole pieces, and a piece ends where the next payload does not follow on.
            bytes => bytes / PIECE_BYTES + u64::from(self.config.records_per_buffer) + 2,
        };
        u64::from(self.config.capacity) * (u64::from(RETURN_PASSES + 2) + unpacking)
    }

    /// Believes the lane no more: it hands over buffers after everything has ended.
    pub(crate) fn retire_endless(&mut self, findings: &mut Findings) {
        let text = format!(
            "{}, ready queue: the device goes on filling it although the run was stopped",
            self.name()
        );
        self.retire(text, findings);
    }

    /// Bytes of a record.
    pub(crate) fn record_bytes(&self) -> u32 {
        self.config.record_bytes
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        format!("lane {} of thread {}", self.kind, self.thread)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// Sequence number of the next ready entry.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Most bytes a buffer holds.
    pub(crate) fn buffer_bytes(config: &LaneConfig) -> usize {
        let bytes = u64::from(config.records_per_buffer) * u64::from(config.record_bytes);
        usize::try_from(bytes).expect("the layout was checked")
    }

    /// Most bytes that travel at once: a buffer, or a piece of the arena.
    pub(crate) fn block_bytes(config: &LaneConfig) -> usize {
        let piece = match config.arena_bytes {
            0 => 0,
            bytes => bytes.min(PIECE_BYTES) + size_of::<PayloadHeader>() as u64,
        };
        let piece = usize::try_from(piece).expect("at most a piece");
        Self::buffer_bytes(config).max(piece)
    }

    /// Looks at the device's indices; the tick has pulled them. Says whether there is work.
    pub(crate) fn look(&mut self, findings: &mut Findings) -> Step<bool> {
        if self.is_retired {
            return Ok(false);
        }
        let available = match self.ready.refresh() {
            Ok(available) => available,
            Err(error) => {
                return self
                    .distrust_queue("ready", error, findings)
                    .map(|()| false);
            }
        };
        if available == 0 && self.unreturned.is_none() {
            return Ok(false);
        }
        self.look_at_free(findings)?;
        if let Some((buffer, passes)) = self.unreturned.take() {
            self.return_buffer(buffer, passes, findings)?;
        }
        Ok(!self.is_retired)
    }

    /// Learns which buffers the device has taken; the device lines have been pulled.
    pub(crate) fn look_at_free(&mut self, findings: &mut Findings) -> Step<()> {
        if self.is_retired {
            return Ok(());
        }
        match self.free.refresh() {
            Ok(room) => {
                if let Err(error) = self.pool.taken(self.config.capacity - room) {
                    self.distrust_pool(error, findings);
                }
                Ok(())
            }
            Err(error) => self.distrust_queue("free", error, findings),
        }
    }

    /// The next full buffer, checked. Nothing has changed yet: when it has been copied, its ready
    /// entry is taken with [`Lane::take`].
    pub(crate) fn next_filled(&mut self, findings: &mut Findings) -> Step<Option<Filled>> {
        if self.is_retired || self.unreturned.is_some() {
            return Ok(None);
        }
        let entry = match self.ready.peek(0) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(None),
            Err(error) => return self.distrust_queue("ready", error, findings).map(|()| None),
        };
        let ReadyEntry {
            buffer,
            count,
            sequence,
        } = entry;
        if let Err(error) = self.pool.expect(buffer) {
            self.distrust_pool(error, findings);
            return Ok(None);
        }
        let records = self.config.records_per_buffer;
        if count == 0 || count > records {
            let text = format!(
                "{}: {count} records in buffer {buffer}, expected 1..={records}",
                self.name()
            );
            self.retire(text, findings);
            return Ok(None);
        }
        Ok(Some(Filled {
            buffer,
            count,
            sequence,
        }))
    }

    /// Bytes of the records of a filled buffer.
    pub(crate) fn bytes_of(&self, filled: &Filled) -> usize {
        let bytes = u64::from(filled.count) * u64::from(self.config.record_bytes);
        usize::try_from(bytes).expect("at most a buffer")
    }

    /// Copies the records of a filled buffer to the host.
    pub(crate) fn copy(&self, filled: &Filled, to: &mut [u8]) -> Step<()> {
        let begin = Region::buffer_offset(&self.config, filled.buffer);
        let mapping = self.region.mapping();
        if !is_mutant("records-not-pulled") {
            mapping.invalidate(begin..begin + to.len() as u64)?;
        }
        mapping.read_bytes(begin, to);
        Ok(())
    }

    /// Takes the ready entry of a copied buffer. The device must see this before it gets the buffer
    /// back, or it could fill it and find no room in the ready queue: so the tick pushes the heads,
    /// and then calls [`Lane::give_back`].
    pub(crate) fn take(&mut self, filled: &Filled, findings: &mut Findings) -> Step<()> {
        let Filled {
            buffer, sequence, ..
        } = *filled;
        if let Err(error) = self.pool.ready(buffer) {
            self.distrust_pool(error, findings);
            return Ok(());
        }
        self.pool.drain(buffer);
        if sequence != self.next_sequence {
            let (name, expected) = (self.name(), self.next_sequence);
            findings.add(FindingKind::BufferGap, 1, || {
                format!("{name}: buffer with sequence number {sequence}, expected {expected}")
            });
        }
        self.next_sequence = sequence.wrapping_add(1);
        match self.ready.release(1) {
            Ok(()) => Ok(()),
            Err(error) => self.distrust_queue("ready", error, findings),
        }
    }

    /// Returns a copied buffer, whose ready entry was taken, to the device.
    pub(crate) fn give_back(&mut self, buffer: u32, findings: &mut Findings) -> Step<()> {
        if self.is_retired {
            return Ok(());
        }
        self.return_buffer(buffer, 0, findings)
    }

    /// Whether all buffers are in the free queue and the device's words say so too; the device lines
    /// have been pulled. What else the device says of itself is checked when it matters.
    pub(crate) fn is_at_rest(&self) -> bool {
        let device = self.region.lane_device(self.index);
        !self.is_retired
            && self.pool.given() == self.config.capacity
            && device.ready_tail == self.ready.head()
            && device.free_head == self.free.tail().wrapping_sub(self.config.capacity)
            && device.sequence == self.next_sequence
            && is_arena_position(device.arena_tail)
    }

    /// Puts every buffer into the free queue, as before the first launch; what is in them is lost.
    /// For an idle device alone: the words of its line are written here.
    pub(crate) fn reset(&mut self) -> Step<()> {
        // Until all of it has arrived.
        self.is_retired = true;
        self.region
            .reset_lane(self.index, &self.config, self.next_sequence)?;
        let (ready, free) = queues(&self.region, self.index, &self.config);
        let capacity = self.config.capacity;
        self.ready = Consumer::attach(ready, capacity).expect(FRESH);
        self.free = Producer::attach(free, capacity).expect(FRESH);
        self.pool = Pool::new(capacity);
        self.unreturned = None;
        self.reclaimed_at = None;
        self.unpacking = None;
        self.is_retired = false;
        Ok(())
    }

    /// The buffer that the device was filling when its streams ended, with what is in it; an
    /// orderly run leaves none. Behind [`Lane::look_at_free`]. The device begins every run without a
    /// buffer, so this one is the host's; it is returned with [`Lane::give_back_filling`].
    ///
    /// Nothing is behind full buffers that still wait to be copied: the capture of a lane has no hole.
    /// The words of a device that goes on may be of several moments; where they do not fit together, it
    /// keeps its buffer.
    pub(crate) fn filling(
        &mut self,
        device_goes_on: bool,
        findings: &mut Findings,
    ) -> Option<Filled> {
        let device = self.region.lane_device(self.index);
        let (buffer, count) = (device.filling_buffer, device.filling_count);
        // An unchanged free head means that the line speaks of the buffer that was taken back before.
        let is_known = self.reclaimed_at == Some(device.free_head);
        let is_behind = device.ready_tail != self.ready.head();
        if self.is_retired || buffer == NO_BUFFER || is_known || is_behind {
            return None;
        }
        let records = self.config.records_per_buffer;
        let expected = self.pool.filling();
        let is_other = expected != Some(buffer) && buffer < self.config.capacity;
        if device_goes_on && is_other {
            return None;
        }
        if expected != Some(buffer) || count > records {
            let name = self.name();
            findings.add(FindingKind::Corruption, 1, || {
                format!(
                    "{name}: says that it fills buffer {buffer} and has {count} records in it, \
                     expected buffer {expected:?} and at most {records}"
                )
            });
            return None;
        }
        self.reclaimed_at = Some(device.free_head);
        Some(Filled {
            buffer,
            count,
            sequence: self.next_sequence,
        })
    }

    /// Returns a buffer that was never handed over.
    pub(crate) fn give_back_filling(&mut self, buffer: u32, findings: &mut Findings) -> Step<()> {
        if let Err(error) = self.pool.ready(buffer) {
            self.distrust_pool(error, findings);
            return Ok(());
        }
        self.pool.drain(buffer);
        self.return_buffer(buffer, 0, findings)
    }

    fn return_buffer(&mut self, buffer: u32, passes: u32, findings: &mut Findings) -> Step<()> {
        match self.free.push(buffer) {
            Ok(()) => {
                self.pool.recycle(buffer);
                Ok(())
            }
            Err(RingError::Full { .. }) if passes < RETURN_PASSES => {
                self.unreturned = Some((buffer, passes + 1));
                Ok(())
            }
            Err(error) => self.distrust_queue("free", error, findings),
        }
    }

    fn distrust_queue(
        &mut self,
        queue: &str,
        error: RingError<PlatformError>,
        findings: &mut Findings,
    ) -> Step<()> {
        if let RingError::Memory(error) = error {
            return Err(error);
        }
        let text = format!("{}, {queue} queue: {error}", self.name());
        self.retire(text, findings);
        Ok(())
    }

    fn distrust_pool(&mut self, error: PoolError, findings: &mut Findings) {
        let text = format!("{}: {error}", self.name());
        self.retire(text, findings);
    }

    fn retire(&mut self, text: String, findings: &mut Findings) {
        self.is_retired = true;
        self.unreturned = None;
        self.pool.retire_all();
        debug_assert_eq!(self.pool.count(BufferState::Retired), self.config.capacity);
        findings.add(FindingKind::Corruption, 1, || text);
    }
}

fn queues(region: &Arc<Region>, lane: u32, config: &LaneConfig) -> (ReadyQueue, FreeQueue) {
    let ready = ReadyQueue {
        region: Arc::clone(region),
        lane,
        entries_offset: config.ready_offset_bytes,
    };
    let free = FreeQueue {
        region: Arc::clone(region),
        lane,
        entries_offset: config.free_offset_bytes,
    };
    (ready, free)
}
