//! The host's half of the lanes: takes full buffers, returns them.

use super::memory::Memory;
use lanescope_abi::{LaneConfig, LaneDevice, LaneHost, ReadyEntry, TaskRecord};
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
    pub records: Vec<TaskRecord>,
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
            let buffer_bytes = u64::from(self.config.records_per_buffer * 64);
            let buffer = self.capture
                + self.config.buffers_offset_bytes
                + u64::from(entry.buffer) * buffer_bytes;
            for record in 0..entry.count {
                self.records
                    .push(memory.read(buffer + u64::from(record) * 64));
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
