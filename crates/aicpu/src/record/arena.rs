//! The arena of a lane: room for payloads, taken by the device and given back by the host.
//!
//! # Who writes what
//!
//! The lane's AICPU thread takes room at `arena_tail`, which is visible before a byte of it is
//! overwritten; the host gives it back at `arena_head`. Both run free; a place is a position modulo the
//! bytes of the arena.

use crate::region::{Line, Region};
use core::mem::offset_of;
use lanescope_abi::capture::{LaneConfig, LaneDevice, LaneHost};
use lanescope_abi::control::DeviceError;
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{ArenaMark, Awaited, AwaitedWord, Barrier, Device, LINE_BYTES, is_mutant};

/// Bytes of the marks around a payload.
pub(crate) const MARK_BYTES: u64 = 2 * size_of::<ArenaMark>() as u64;

/// The arena of one lane.
#[derive(Debug)]
pub(crate) struct Arena<'d, D> {
    region: Region<'d, D>,
    offset: u64,
    bytes: u64,
    tail: u64,
    /// What the host is known to have given back: only what was asked for, so that its speed makes no
    /// difference beyond that.
    head: u64,
    /// Offsets of the lane's words.
    tail_word: u64,
    head_word: u64,
    ready_tail_word: u64,
}

impl<'d, D: Device> Arena<'d, D> {
    /// Takes up the arena where the lane's last run left it; `config` was checked against the region.
    pub(crate) fn attach(
        region: Region<'d, D>,
        config: &LaneConfig,
        device_line: u64,
        host_line: u64,
    ) -> Result<Self, DeviceError> {
        if config.arena_bytes < MARK_BYTES + LINE_BYTES {
            return Err(DeviceError::BadLayout);
        }
        let tail_word = device_line + offset_of!(LaneDevice, arena_tail) as u64;
        let head_word = host_line + offset_of!(LaneHost, arena_head) as u64;
        region.invalidate(device_line);
        region.invalidate(host_line);
        let (tail, head) = (region.load64(tail_word), region.load64(head_word));
        let is_sane = head <= tail
            && tail - head <= config.arena_bytes
            && tail.is_multiple_of(LINE_BYTES)
            && tail < 1 << 62;
        if !is_sane {
            return Err(DeviceError::CorruptQueue);
        }
        let arena = Self {
            region,
            offset: config.arena_offset_bytes,
            bytes: config.arena_bytes,
            tail,
            head,
            tail_word,
            head_word,
            ready_tail_word: device_line + offset_of!(LaneDevice, ready_tail) as u64,
        };
        // So it is known from where on the host gives back in this run.
        arena.ask(arena.room());
        Ok(arena)
    }

    /// The longest payload that fits an empty arena.
    pub(crate) fn longest_payload(&self) -> u64 {
        self.bytes - MARK_BYTES
    }

    /// Whether there is room for an entry, as far as is known.
    pub(crate) fn has_room(&self, entry_bytes: u64) -> bool {
        entry_bytes <= self.room()
    }

    /// Room that is known of.
    pub(crate) fn room(&self) -> u64 {
        self.bytes - (self.tail - self.head)
    }

    /// Looks whether the host has given back enough for an entry.
    pub(crate) fn refresh(&mut self, entry_bytes: u64) -> Result<bool, DeviceError> {
        let head = self.load_head()?;
        let target = self.target(entry_bytes);
        if head >= target {
            self.head = self.head.max(target);
        }
        Ok(head >= target)
    }

    /// Takes note of all that the host has given back.
    pub(crate) fn refresh_all(&mut self) -> Result<(), DeviceError> {
        self.head = self.load_head()?;
        Ok(())
    }

    /// The word that a wait for room for an entry watches.
    pub(crate) fn awaited(&self, entry_bytes: u64) -> AwaitedWord {
        AwaitedWord {
            address: self.region.address(self.head_word),
            seen: low(self.target(entry_bytes)),
            by: AwaitedBy::HostRoom as u32,
            pair_address: self.region.address(self.ready_tail_word),
        }
    }

    /// Asks the host for room, without waiting on a device of its own.
    pub(crate) fn ask(&self, entry_bytes: u64) {
        let device = self.region.device();
        let words = [self.awaited(entry_bytes)];
        let deadline = device.ticks();
        device.relax(&Awaited::new("room in an arena", &[], &words, deadline));
    }

    /// Takes room for an entry, of which there is enough; its position.
    pub(crate) fn take(&mut self, entry_bytes: u64) -> u64 {
        let begin = self.tail;
        self.tail += entry_bytes;
        if !is_mutant("arena-tail-late") {
            self.store_tail();
        }
        begin
    }

    /// Makes the tail visible, before anything is stored behind it.
    pub(crate) fn store_tail(&self) {
        self.region.store64(self.tail_word, self.tail);
        self.region.barrier(Barrier::Store);
    }

    /// Gives back the entry that was taken last: no record speaks of it.
    pub(crate) fn untake(&mut self, begin: u64) {
        self.tail = begin;
        self.store_tail();
    }

    /// The line at a position.
    pub(crate) fn line(&self, position: u64) -> Line<'d, D> {
        self.region.line(self.place(position))
    }

    /// Device address of a position, and how many bytes follow it before the arena begins again.
    pub(crate) fn span(&self, position: u64) -> (u64, u64) {
        let at = position % self.bytes;
        (self.region.address(self.offset + at), self.bytes - at)
    }

    fn place(&self, position: u64) -> u64 {
        self.offset + position % self.bytes
    }

    /// The head at which an entry fits.
    fn target(&self, entry_bytes: u64) -> u64 {
        (self.tail + entry_bytes).saturating_sub(self.bytes)
    }

    fn load_head(&self) -> Result<u64, DeviceError> {
        if !is_mutant("arena-head-not-invalidated") {
            self.region.invalidate(self.head_word);
        }
        let head = self.region.load64(self.head_word);
        if !is_mutant("arena-head-unfenced") {
            self.region.barrier(Barrier::Load);
        }
        if (self.head..=self.tail).contains(&head) {
            Ok(head)
        } else {
            Err(DeviceError::CorruptQueue)
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
const fn low(word: u64) -> u32 {
    word as u32
}
