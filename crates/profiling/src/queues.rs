//! The two queues of a lane as the host reaches them: through the mapping.
//!
//! # Ordering
//!
//! A load of the other side's index acquires, a store of our own releases; on a mapping that is not
//! coherent the words are copies. The tick pulls the device's index lines before it looks at them
//! and pushes the host's index lines after it has changed them, so nothing here copies an index.

use crate::layout::{FREE_ENTRY_BYTES, READY_ENTRY_BYTES};
use crate::region::Region;
use lanescope_abi::{LaneDevice, LaneHost, ReadyEntry, is_mutant};
use lanescope_platform::{MappingExt, PlatformError};
use lanescope_ring::RingMem;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The ready queue; the host consumes it.
#[derive(Debug)]
pub(crate) struct ReadyQueue {
    pub(crate) region: Arc<Region>,
    pub(crate) lane: u32,
    pub(crate) entries_offset: u64,
}

impl RingMem for ReadyQueue {
    type Entry = ReadyEntry;
    type Error = PlatformError;

    fn load_head(&self) -> Result<u32, PlatformError> {
        Ok(self
            .region
            .load_host32(self.lane, offset_of!(LaneHost, ready_head)))
    }

    fn load_tail(&self) -> Result<u32, PlatformError> {
        Ok(self
            .region
            .load_device32(self.lane, offset_of!(LaneDevice, ready_tail)))
    }

    fn store_head(&self, head: u32) -> Result<(), PlatformError> {
        self.region
            .store_host32(self.lane, offset_of!(LaneHost, ready_head), head);
        Ok(())
    }

    fn store_tail(&self, _tail: u32) -> Result<(), PlatformError> {
        unreachable!("the device produces the ready queue")
    }

    fn read(&self, slot: u32) -> Result<ReadyEntry, PlatformError> {
        let mapping = self.region.mapping();
        let entry = self.entries_offset + u64::from(slot) * READY_ENTRY_BYTES;
        let word32 = |field| mapping.load32(entry + field as u64, Ordering::Relaxed);
        Ok(ReadyEntry {
            buffer: word32(offset_of!(ReadyEntry, buffer)),
            count: word32(offset_of!(ReadyEntry, count)),
            sequence: mapping.load64(
                entry + offset_of!(ReadyEntry, sequence) as u64,
                Ordering::Relaxed,
            ),
        })
    }

    fn write(&self, _slot: u32, _entry: ReadyEntry) -> Result<(), PlatformError> {
        unreachable!("the device produces the ready queue")
    }

    fn fetch(&self, slot: u32, count: u32) -> Result<(), PlatformError> {
        let begin = self.entries_offset + u64::from(slot) * READY_ENTRY_BYTES;
        let bytes = u64::from(count) * READY_ENTRY_BYTES;
        if is_mutant("entries-not-pulled") {
            return Ok(());
        }
        self.region.mapping().invalidate(begin..begin + bytes)
    }
}

/// The free queue; the host produces it.
#[derive(Debug)]
pub(crate) struct FreeQueue {
    pub(crate) region: Arc<Region>,
    pub(crate) lane: u32,
    pub(crate) entries_offset: u64,
}

impl RingMem for FreeQueue {
    type Entry = u32;
    type Error = PlatformError;

    fn load_head(&self) -> Result<u32, PlatformError> {
        Ok(self
            .region
            .load_device32(self.lane, offset_of!(LaneDevice, free_head)))
    }

    fn load_tail(&self) -> Result<u32, PlatformError> {
        Ok(self
            .region
            .load_host32(self.lane, offset_of!(LaneHost, free_tail)))
    }

    fn store_head(&self, _head: u32) -> Result<(), PlatformError> {
        unreachable!("the device consumes the free queue")
    }

    fn store_tail(&self, tail: u32) -> Result<(), PlatformError> {
        self.region
            .store_host32(self.lane, offset_of!(LaneHost, free_tail), tail);
        Ok(())
    }

    fn read(&self, _slot: u32) -> Result<u32, PlatformError> {
        unreachable!("the device consumes the free queue")
    }

    fn write(&self, slot: u32, buffer: u32) -> Result<(), PlatformError> {
        let entry = self.entries_offset + u64::from(slot) * FREE_ENTRY_BYTES;
        self.region
            .mapping()
            .store32(entry, buffer, Ordering::Relaxed);
        Ok(())
    }

    fn publish(&self, slot: u32, count: u32) -> Result<(), PlatformError> {
        let begin = self.entries_offset + u64::from(slot) * FREE_ENTRY_BYTES;
        let bytes = u64::from(count) * FREE_ENTRY_BYTES;
        self.region.mapping().flush(begin..begin + bytes)
    }
}
