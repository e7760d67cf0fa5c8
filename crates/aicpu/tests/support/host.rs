//! The host's half of the lanes: takes full buffers, returns them.

use super::memory::Memory;
use lanescope_abi::{
    ArenaMark, Checksum, LaneConfig, LaneDevice, LaneHost, ReadyEntry, Record, TensorRecord,
};
use std::mem::offset_of;

/// When the host returns buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMode {
    /// Whenever it looks.
    Prompt,
    /// Never.
    Absent,
    /// Never before this many looks, then promptly.
    After(u32),
}

/// The host's side of every lane.
#[derive(Debug)]
pub struct Host {
    pub mode: HostMode,
    /// After so many looks it writes this word: the end of a run.
    pub word_at: Option<(u32, u64, u32)>,
    pub lanes: Vec<HostLane>,
    looks: u32,
}

#[derive(Debug)]
pub struct HostLane {
    pub config: LaneConfig,
    pub device: u64,
    pub host: u64,
    /// Base address that the offsets of `config` count from.
    pub capture: u64,
    pub ready_head: u32,
    pub free_tail: u32,
    pub entries: Vec<ReadyEntry>,
    /// All records so far, side by side.
    pub bytes: Vec<u8>,
    /// Payloads of tensors, one for each record.
    pub payloads: Vec<Vec<u8>>,
}

impl Host {
    pub fn new(mode: HostMode, lanes: Vec<HostLane>) -> Self {
        Self {
            mode,
            word_at: None,
            lanes,
            looks: 0,
        }
    }

    pub fn look(&mut self, memory: &Memory) {
        self.looks += 1;
        if let Some((looks, address, value)) = self.word_at
            && looks == self.looks
        {
            memory.store32(address, value);
        }
        let is_prompt = match self.mode {
            HostMode::Prompt => true,
            HostMode::Absent => false,
            HostMode::After(looks) => self.looks > looks,
        };
        if is_prompt {
            self.drain(memory);
        }
    }

    /// Takes everything that is ready and returns the buffers.
    pub fn drain(&mut self, memory: &Memory) {
        for lane in &mut self.lanes {
            lane.drain(memory);
        }
    }
}

impl HostLane {
    /// The records so far.
    pub fn records<R: Record>(&self) -> Vec<R> {
        let records = self.bytes.chunks(self.config.record_bytes as usize);
        let read = |bytes| R::read_from_bytes(bytes).expect("a record of this lane");
        records.map(read).collect()
    }

    /// Checks a payload, takes it and gives its room back.
    fn take_payload(&mut self, memory: &Memory, record: &TensorRecord) {
        let (begin, bytes) = (record.payload_begin, record.payload_bytes);
        let end = begin + 64 + bytes.next_multiple_of(64);
        let taken: u64 = memory.read(self.device + offset_of!(LaneDevice, arena_tail) as u64);
        assert!(taken >= end + 64, "an entry that was not taken");
        assert!(taken - begin <= self.config.arena_bytes, "overwritten");
        let arena = self.capture + self.config.arena_offset_bytes;
        let address = |position: u64| arena + position % self.config.arena_bytes;
        let mark = ArenaMark {
            sequence: record.sequence,
            payload_begin: begin,
            payload_bytes: bytes,
            ..ArenaMark::default()
        };
        assert_eq!(memory.read::<ArenaMark>(address(begin)), mark);
        let checksum = record.checksum;
        let mark = ArenaMark { checksum, ..mark };
        assert_eq!(memory.read::<ArenaMark>(address(end)), mark);
        let read = |position| memory.read::<u8>(address(position));
        let mut payload: Vec<u8> = (begin + 64..end).map(read).collect();
        assert_eq!(Checksum::of(&payload), checksum);
        let padding = payload.split_off(usize::try_from(bytes).unwrap());
        assert!(
            padding.iter().all(|byte| *byte == 0),
            "zeros to a whole line"
        );
        assert_eq!(Checksum::of(&payload), checksum);
        self.payloads.push(payload);
        memory.store64(
            self.host + offset_of!(LaneHost, arena_head) as u64,
            end + 64,
        );
    }

    fn drain(&mut self, memory: &Memory) {
        let capacity = self.config.capacity;
        let word = |line: u64, field: usize| line + field as u64;
        let tail = memory.load32(word(self.device, offset_of!(LaneDevice, ready_tail)));
        assert!(tail.wrapping_sub(self.ready_head) <= capacity);
        while self.ready_head != tail {
            let slot = u64::from(self.ready_head % capacity);
            let ready = self.capture + self.config.ready_offset_bytes + slot * 16;
            let entry: ReadyEntry = memory.read(ready);
            assert!(entry.buffer < capacity);
            assert!((1..=self.config.records_per_buffer).contains(&entry.count));
            assert_eq!(entry.sequence, self.entries.len() as u64, "a lost buffer");
            let record_bytes = u64::from(self.config.record_bytes);
            let buffer_bytes = u64::from(self.config.records_per_buffer) * record_bytes;
            let buffer = self.capture
                + self.config.buffers_offset_bytes
                + u64::from(entry.buffer) * buffer_bytes;
            for record in 0..entry.count {
                let record = buffer + u64::from(record) * record_bytes;
                let bytes = record..record + record_bytes;
                self.bytes
                    .extend(bytes.map(|address| memory.read::<u8>(address)));
                if self.config.kind == TensorRecord::KIND.raw() {
                    self.take_payload(memory, &memory.read(record));
                }
            }
            self.entries.push(entry);
            self.ready_head = self.ready_head.wrapping_add(1);
            memory.store32(
                word(self.host, offset_of!(LaneHost, ready_head)),
                self.ready_head,
            );
            let slot = u64::from(self.free_tail % capacity);
            let free = self.capture + self.config.free_offset_bytes + slot * 4;
            memory.store32(free, entry.buffer);
            self.free_tail = self.free_tail.wrapping_add(1);
            memory.store32(
                word(self.host, offset_of!(LaneHost, free_tail)),
                self.free_tail,
            );
        }
    }
}
