//! The two queues of a lane as the device reaches them.

use crate::region::Region;
use core::convert::Infallible;
use core::mem::offset_of;
use lanescope_abi::{Barrier, Device, LaneDevice, LaneHost, ReadyEntry, is_mutant};
use lanescope_ring::RingMem;

/// Full buffers, device to host. This side produces.
#[derive(Debug)]
pub(crate) struct ReadyQueue<'d, D> {
    pub(crate) region: Region<'d, D>,
    /// Offset of the lane's [`LaneDevice`].
    pub(crate) device_line: u64,
    /// Offset of the lane's [`LaneHost`].
    pub(crate) host_line: u64,
    /// Offset of the entries.
    pub(crate) entries: u64,
}

impl<D: Device> RingMem for ReadyQueue<'_, D> {
    type Entry = ReadyEntry;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        let offset = offset_of!(LaneHost, ready_head) as u64;
        Ok(load_host(&self.region, self.host_line, offset))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        let offset = offset_of!(LaneDevice, ready_tail) as u64;
        Ok(self.region.load32(self.device_line + offset))
    }

    fn store_head(&self, _: u32) -> Result<(), Infallible> {
        unreachable!("the host consumes ready entries")
    }

    fn store_tail(&self, tail: u32) -> Result<(), Infallible> {
        if !is_mutant("tail-unfenced") {
            self.region.barrier(Barrier::Store);
        }
        let offset = offset_of!(LaneDevice, ready_tail) as u64;
        self.region.store32(self.device_line + offset, tail);
        if !is_mutant("tail-unsettled") {
            self.region.barrier(Barrier::Store);
        }
        Ok(())
    }

    fn read(&self, _: u32) -> Result<ReadyEntry, Infallible> {
        unreachable!("the host consumes ready entries")
    }

    fn write(&self, slot: u32, entry: ReadyEntry) -> Result<(), Infallible> {
        let offset = self.entries + u64::from(slot) * size_of::<ReadyEntry>() as u64;
        let buffer_and_count = u64::from(entry.count) << 32 | u64::from(entry.buffer);
        self.region.store64(offset, buffer_and_count);
        self.region.store64(offset + 8, entry.sequence);
        Ok(())
    }
}

/// Empty buffers, host to device. This side consumes.
#[derive(Debug)]
pub(crate) struct FreeQueue<'d, D> {
    pub(crate) region: Region<'d, D>,
    /// Offset of the lane's [`LaneDevice`].
    pub(crate) device_line: u64,
    /// Offset of the lane's [`LaneHost`].
    pub(crate) host_line: u64,
    /// Offset of the entries.
    pub(crate) entries: u64,
}

impl<D> FreeQueue<'_, D> {
    /// Offset of the word that a wait for a buffer watches.
    pub(crate) fn tail(&self) -> u64 {
        self.host_line + offset_of!(LaneHost, free_tail) as u64
    }
}

impl<D: Device> RingMem for FreeQueue<'_, D> {
    type Entry = u32;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        let offset = offset_of!(LaneDevice, free_head) as u64;
        Ok(self.region.load32(self.device_line + offset))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        let offset = offset_of!(LaneHost, free_tail) as u64;
        Ok(load_host(&self.region, self.host_line, offset))
    }

    fn store_head(&self, head: u32) -> Result<(), Infallible> {
        self.region.barrier(Barrier::Store);
        let offset = offset_of!(LaneDevice, free_head) as u64;
        self.region.store32(self.device_line + offset, head);
        Ok(())
    }

    fn store_tail(&self, _: u32) -> Result<(), Infallible> {
        unreachable!("the host produces free buffers")
    }

    /// Reads an entry, whose line the host may have written since this agent last saw it. How many
    /// entries are new depends on the host's speed; one invalidation for each that is taken does not.
    fn read(&self, slot: u32) -> Result<u32, Infallible> {
        let offset = self.entries + u64::from(slot) * 4;
        if !is_mutant("free-entry-not-invalidated") {
            self.region.invalidate(offset);
        }
        Ok(self.region.load32(offset))
    }

    fn write(&self, _: u32, _: u32) -> Result<(), Infallible> {
        unreachable!("the host produces free buffers")
    }
}

/// Reads a word of the host's line; every later access happens after it.
fn load_host<D: Device>(region: &Region<'_, D>, line: u64, offset: u64) -> u32 {
    if !is_mutant("host-line-not-invalidated") {
        region.invalidate(line);
    }
    let value = region.load32(line + offset);
    if !is_mutant("host-line-unfenced") {
        region.barrier(Barrier::Load);
    }
    value
}
