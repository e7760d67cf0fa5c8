//! The device side of a tensor lane, written from the protocol alone, and what a capture has of it.

use super::{Bed, DeviceThread, Fate, core_type, pause};
use lanescope_abi::capture::LaneDevice;
use lanescope_abi::{ArenaMark, Checksum, Kind, LaneHost, TensorRecord, TensorShape, Token};
use lanescope_capture::{BlockKind, Capture, PayloadHeader};
use std::mem::offset_of;
use std::sync::atomic::Ordering;
use zerocopy::{FromBytes, IntoBytes};

/// One AICPU thread with its tensor lane.
pub struct TensorThread {
    pub thread: DeviceThread,
    run_id: u32,
    pub tail: u64,
    sequence: u64,
}

/// What is wrong with a payload that the device has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// The mark before it.
    Opening,
    /// The mark behind it.
    Closing,
    /// A byte of it.
    Byte,
    /// The tail says that the device has gone on over it.
    Lapped,
    /// The tail says that its room was never taken.
    Untaken,
}

/// Bytes that are like no others of another seed.
pub fn payload(seed: u64, bytes: u64) -> Vec<u8> {
    let mut word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()[3]
    };
    (0..bytes).map(|_| next()).collect()
}

impl TensorThread {
    /// The tensor lane of a thread, which is that of the profiler's last collector.
    pub fn attach(bed: &Bed, thread: u32) -> Self {
        let lanes = u32::try_from(bed.profiler.layout().lanes().len()).unwrap();
        Self::over(bed.thread(lanes - bed.threads + thread), bed.run_id)
    }

    /// A tensor lane in a run.
    pub fn over(thread: DeviceThread, run_id: u32) -> Self {
        let tail = thread.device64(offset_of!(LaneDevice, arena_tail));
        let tail = tail.load(Ordering::Acquire);
        assert_eq!(Kind::from_raw(thread.config.kind), Some(Kind::TENSOR));
        Self {
            thread,
            run_id,
            tail,
            // Any number that is another's in another run does.
            sequence: u64::from(run_id) << 32,
        }
    }

    /// The record of a tensor without its place.
    pub fn record(&self, core: u32, token: Token, stage: u8, arg_index: u16) -> TensorRecord {
        TensorRecord {
            task_id: u64::from(token.raw()),
            core: u16::try_from(core).unwrap(),
            core_type: core_type(core) as u8,
            token: token.raw(),
            run_id: self.run_id,
            stage,
            tensor: TensorShape {
                arg_index,
                ..TensorShape::default()
            },
            ..TensorRecord::default()
        }
    }

    fn head(&self) -> u64 {
        let head = self.thread.host + offset_of!(LaneHost, arena_head) as u64;
        self.thread.memory.word64(head).load(Ordering::Acquire)
    }

    /// Whether there is room for a payload, and for its record, without a wait.
    pub fn has_room(&self, bytes: u64) -> bool {
        let taken = self.tail.wrapping_sub(self.head());
        let end = taken.saturating_add(entry_bytes(bytes));
        self.thread.has_room() && end <= self.thread.config.arena_bytes
    }

    /// Commits a record with its payload; waits for room.
    pub fn commit(&mut self, record: TensorRecord, bytes: &[u8]) -> TensorRecord {
        self.commit_with(record, bytes, Lie::None)
    }

    /// Commits a record with a payload that is as the lie says.
    pub fn commit_with(&mut self, record: TensorRecord, bytes: &[u8], lie: Lie) -> TensorRecord {
        let length = bytes.len() as u64;
        if !self.has_room(length) {
            self.thread.flush();
        }
        while !self.has_room(length) {
            pause();
        }
        let mut record = self.enter(record, bytes);
        if record.tensor_bytes == 0 {
            record.tensor_bytes = length;
        }
        let closing = record.payload_begin + entry_bytes(length) - 64;
        match lie {
            Lie::None => {}
            Lie::Opening => self.flip(record.payload_begin),
            Lie::Closing => self.flip(closing + 24),
            Lie::Byte => self.flip(record.payload_begin + 64 + length / 2 / 8 * 8),
            Lie::Lapped => {
                let gone_on = record.payload_begin + self.thread.config.arena_bytes + 64;
                self.store_tail(gone_on);
            }
            Lie::Untaken => self.store_tail(record.payload_begin),
        }
        assert_eq!(self.thread.commit_of(record.core, &record), Fate::Placed);
        record
    }

    /// Takes room and writes a payload with its marks; commits nothing.
    pub fn enter(&mut self, mut record: TensorRecord, bytes: &[u8]) -> TensorRecord {
        record.payload_begin = self.tail;
        record.payload_bytes = bytes.len() as u64;
        record.sequence = self.sequence;
        record.checksum = Checksum::of(bytes);
        self.sequence += 1;
        self.tail = self.tail.wrapping_add(entry_bytes(record.payload_bytes));
        self.store_tail(self.tail);
        let mut mark = ArenaMark {
            sequence: record.sequence,
            payload_begin: record.payload_begin,
            payload_bytes: record.payload_bytes,
            ..ArenaMark::default()
        };
        self.store(record.payload_begin, mark.as_bytes());
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(64), 0);
        self.store(record.payload_begin + 64, &padded);
        mark.checksum = record.checksum;
        self.store(self.tail - 64, mark.as_bytes());
        record
    }

    pub fn store_tail(&self, tail: u64) {
        let word = self.thread.device64(offset_of!(LaneDevice, arena_tail));
        word.store(tail, Ordering::Release);
    }

    fn store(&self, position: u64, bytes: &[u8]) {
        for (word, bytes) in (position..).step_by(8).zip(bytes.chunks_exact(8)) {
            let value = u64::from_le_bytes(bytes.try_into().unwrap());
            let word = self.thread.memory.word64(self.place(word));
            word.store(value, Ordering::Relaxed);
        }
    }

    fn flip(&self, position: u64) {
        let word = self.thread.memory.word64(self.place(position));
        word.fetch_xor(1 << 17, Ordering::Relaxed);
    }

    fn place(&self, position: u64) -> u64 {
        let config = &self.thread.config;
        config.arena_offset_bytes + position % config.arena_bytes
    }
}

/// Bytes that an entry takes in the arena.
pub fn entry_bytes(payload_bytes: u64) -> u64 {
    payload_bytes.next_multiple_of(64) + 128
}

/// What a run of a capture has of its tensor lanes.
pub struct Payloads {
    /// The records, with the lane they came through, in file order.
    pub records: Vec<(u32, TensorRecord)>,
    /// Lane, position and bytes of each piece.
    pieces: Vec<(u32, u64, Vec<u8>)>,
}

impl Payloads {
    pub fn of(file: &[u8], run_id: u32) -> Self {
        let capture = Capture::from_bytes(file).unwrap();
        assert_eq!(capture.damage(), []);
        let run = capture.run(run_id).unwrap().unwrap();
        let mut found = Self {
            records: Vec::new(),
            pieces: Vec::new(),
        };
        for block in run.blocks() {
            let lane = block.header.lane;
            match block.kind() {
                BlockKind::Payload => {
                    let (header, bytes) = PayloadHeader::read_from_prefix(block.payload).unwrap();
                    let of_lane = found.pieces.iter().filter(|(of, ..)| *of == lane);
                    assert_eq!(block.header.sequence, of_lane.count() as u64);
                    found.pieces.push((lane, header.position, bytes.to_vec()));
                }
                BlockKind::Records(Kind::TENSOR) => {
                    let records = <[TensorRecord]>::ref_from_bytes(block.payload).unwrap();
                    found
                        .records
                        .extend(records.iter().map(|record| (lane, *record)));
                }
                _ => {}
            }
        }
        found
    }

    /// The payload of a record between its marks; `None` when any of it is not there.
    pub fn bytes_of(&self, lane: u32, record: &TensorRecord) -> Option<Vec<u8>> {
        let mut next = record.payload_begin.checked_add(64)?;
        let end = next.checked_add(record.payload_bytes)?;
        let mut bytes = Vec::new();
        for (of, position, piece) in &self.pieces {
            let behind = position + piece.len() as u64;
            if *of == lane && next < end && (*position..behind).contains(&next) {
                let from = usize::try_from(next - position).unwrap();
                let to = usize::try_from(end.min(behind) - position).unwrap();
                bytes.extend_from_slice(&piece[from..to]);
                next = end.min(behind);
            }
        }
        (next == end).then_some(bytes)
    }
}
