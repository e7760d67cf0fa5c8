//! Passes of the drain against a device that fills buffers, in every interleaving, by the model checker.
//!
//! The device's side is written from the protocol, over the ring that ships. Its index words and the
//! host's are atomics of the checker; entries and records are cells, and the checker ends the test when
//! two accesses to one of them are not ordered by an index. A mapping is the words themselves, or a
//! shadow that is copied word by word, the last one first.

use crate::drain::Drain;
use crate::region::Region;
use crate::sync::mpsc;
use crate::writer::{Outlet, Returned};
use crate::{CaptureLayout, Collector, LaneSettings, RegionShape, Swimlane};
use lanescope_abi::token::TOKEN_FIRST;
use lanescope_abi::{Chip, CoreType, LaneDevice, LaneHost, ReadyEntry, TaskRecord};
use lanescope_capture::SessionInfo;
use lanescope_platform::{DeviceAddress, DeviceMemory, Mapping, ModelWords, Range, Result};
use lanescope_ring::{Consumer, Producer, RingMem};
use lanescope_stress::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering, fence};
use loom::thread;
use std::collections::HashMap;
use std::convert::Infallible;
use std::mem::offset_of;
use zerocopy::{FromBytes, IntoBytes};

const RUN: u32 = 1;

/// A pass that finds nothing so often will never find anything.
const MOST_IDLE_PASSES: u32 = 100;

#[test]
fn a_coherent_lane_of_one_buffer_is_drained() {
    explore("a_coherent_lane_of_one_buffer_is_drained", Some(3), || {
        drain(true, 1, 2)
    });
}

#[test]
fn a_coherent_lane_of_two_buffers_is_drained() {
    explore("a_coherent_lane_of_two_buffers_is_drained", Some(2), || {
        drain(true, 2, 3)
    });
}

#[test]
fn a_copied_lane_of_one_buffer_is_drained() {
    explore("a_copied_lane_of_one_buffer_is_drained", Some(2), || {
        drain(false, 1, 2)
    });
}

#[test]
fn a_copied_lane_of_two_buffers_is_drained() {
    explore("a_copied_lane_of_two_buffers_is_drained", Some(1), || {
        drain(false, 2, 3)
    });
}

/// One lane of `buffers` buffers of one record, through which `count` records go.
fn drain(is_coherent: bool, buffers: u32, count: u32) {
    let collector = move || -> Vec<Box<dyn Collector>> {
        vec![Box::new(Swimlane::new(LaneSettings {
            buffers,
            records_per_buffer: 1,
            ..LaneSettings::default()
        }))]
    };
    let shape = RegionShape {
        core_count: 1,
        thread_count: 1,
        ring_size: 1,
        ticks_per_second: 1_000_000_000,
    };
    let layout = CaptureLayout::new(&shape, &collector()).unwrap();
    let words = Arc::new(Words::new(&layout));
    let mapping = ModelMapping::new(&words, is_coherent);
    let memory = std::sync::Arc::new(NoMemory(layout.bytes()));
    let region = std::sync::Arc::new(Region::over(Box::new(mapping), memory, layout));
    let device = Arc::clone(&words);
    let fills = spawn(move || fill(&device, count));
    let drains = spawn(move || {
        let mut drain = Drain::new(&region, collector(), 2);
        drain.begin(&session());
        let (full, blocks) = mpsc::channel();
        let (give_back, returned) = mpsc::channel();
        let outlet = Outlet {
            full,
            returned,
            write_limit: crate::writer::WRITE_LIMIT,
        };
        let (mut drained, mut idle) = (0, 0);
        while drained < count {
            if !drain.tick(0..1, &outlet).unwrap() {
                idle += 1;
                assert!(
                    idle < MOST_IDLE_PASSES,
                    "a lane that is not drained any more"
                );
                thread::yield_now();
            }
            while let Ok(block) = blocks.try_recv() {
                let records = <[TaskRecord]>::ref_from_bytes(block.contents()).unwrap();
                assert_eq!(records, [record(drained)], "a stale record");
                drained += 1;
                let is_written = true;
                give_back.send(Returned { block, is_written }).unwrap();
            }
        }
    });
    drains.join().unwrap();
    fills.join().unwrap();
}

/// A thread of a model; the drain needs more stack than the checker gives.
fn spawn(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    const STACK_WORDS: usize = 1 << 15;
    let builder = thread::Builder::new().stack_size(STACK_WORDS);
    builder.spawn(body).expect("a model has few threads")
}

fn session() -> SessionInfo {
    SessionInfo {
        run_id: RUN,
        chip: Chip::A2a3,
        core_types: vec![CoreType::Aic],
        core_to_thread: vec![0],
        first_tokens: vec![TOKEN_FIRST],
        ..SessionInfo::default()
    }
}

fn record(number: u32) -> TaskRecord {
    TaskRecord {
        task_id: u64::from(number) + 1,
        token: TOKEN_FIRST + number,
        run_id: RUN,
        finish_ticks: u64::from(number) + 2,
        ..TaskRecord::default()
    }
}

/// What an AICPU thread does: a free buffer, a record, a ready entry.
fn fill(words: &Words, count: u32) {
    let mut ready = Producer::attach(ReadyQueue(words), words.buffers).unwrap();
    let mut free = Consumer::attach(FreeQueue(words), words.buffers).unwrap();
    for number in 0..count {
        let buffer = loop {
            match free.pop().expect("the host's index is sound") {
                Some(buffer) => break buffer,
                None => thread::yield_now(),
            }
        };
        let offset = words.records + u64::from(buffer) * 64;
        for (offset, word) in (offset..)
            .step_by(4)
            .zip(record(number).as_bytes().chunks(4))
        {
            words.store(offset, u32::from_le_bytes(word.try_into().unwrap()));
        }
        ready.refresh().unwrap();
        let entry = ReadyEntry {
            buffer,
            count: 1,
            sequence: u64::from(number),
        };
        ready
            .push(entry)
            .expect("the host took it before it gave the buffer back");
    }
}

/// The capture region, word by word.
#[derive(Debug)]
struct Words {
    /// What neither side writes while the other runs.
    image: Vec<u8>,
    indices: HashMap<u64, AtomicU32>,
    data: HashMap<u64, UnsafeCell<u32>>,
    bytes: u64,
    buffers: u32,
    device: u64,
    host: u64,
    ready: u64,
    free: u64,
    records: u64,
}

// SAFETY: the checker runs one thread at a time, and watches every access to a cell.
unsafe impl Send for Words {}
// SAFETY: the checker runs one thread at a time, and watches every access to a cell.
unsafe impl Sync for Words {}

impl Words {
    fn new(layout: &CaptureLayout) -> Self {
        let (header, lane) = (layout.header(), layout.lanes()[0]);
        let mut words = Self {
            image: layout.initial_image(),
            indices: HashMap::new(),
            data: HashMap::new(),
            bytes: layout.bytes(),
            buffers: lane.capacity,
            device: header.lane_devices.at(0),
            host: header.lane_hosts.at(0),
            ready: lane.ready_offset_bytes,
            free: lane.free_offset_bytes,
            records: lane.buffers_offset_bytes,
        };
        let buffers = u64::from(lane.capacity);
        for index in [
            words.device + offset_of!(LaneDevice, ready_tail) as u64,
            words.device + offset_of!(LaneDevice, free_head) as u64,
            words.host + offset_of!(LaneHost, ready_head) as u64,
            words.host + offset_of!(LaneHost, free_tail) as u64,
        ] {
            let value = AtomicU32::new(words.initial(index));
            words.indices.insert(index, value);
        }
        for (begin, bytes) in [
            (words.ready, buffers * 16),
            (words.free, buffers * 4),
            (words.records, buffers * 64),
        ] {
            for offset in (begin..begin + bytes).step_by(4) {
                let value = UnsafeCell::new(words.initial(offset));
                words.data.insert(offset, value);
            }
        }
        words
    }

    fn initial(&self, offset: u64) -> u32 {
        let offset = usize::try_from(offset).unwrap();
        let bytes = self.image.get(offset..offset + 4);
        bytes.map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()))
    }

    fn load(&self, offset: u64) -> u32 {
        self.load32(offset, Ordering::Relaxed)
    }

    fn store(&self, offset: u64, value: u32) {
        self.store32(offset, value, Ordering::Relaxed);
    }
}

impl ModelWords for Words {
    fn load32(&self, offset: u64, ordering: Ordering) -> u32 {
        if let Some(index) = self.indices.get(&offset) {
            return index.load(ordering);
        }
        match self.data.get(&offset) {
            // SAFETY: the pointer is the cell's own, and the checker allows the access.
            Some(cell) => cell.with(|word| unsafe { *word }),
            None => self.initial(offset),
        }
    }

    fn store32(&self, offset: u64, value: u32, ordering: Ordering) {
        if let Some(index) = self.indices.get(&offset) {
            return index.store(value, ordering);
        }
        match self.data.get(&offset) {
            // SAFETY: the pointer is the cell's own, and the checker allows the access.
            Some(cell) => cell.with_mut(|word| unsafe { *word = value }),
            None => assert_eq!(self.initial(offset), value, "a word that nobody may write"),
        }
    }
}

/// The host's view of the words.
#[derive(Debug)]
struct ModelMapping {
    words: Arc<Words>,
    /// The copies, when it is not the words themselves; the host's thread alone has it.
    shadow: Option<Box<[std::sync::atomic::AtomicU64]>>,
}

impl ModelMapping {
    fn new(words: &Arc<Words>, is_coherent: bool) -> Self {
        let shadow = (!is_coherent).then(|| {
            let end = words.records + u64::from(words.buffers) * 64;
            let word = |offset: u64| {
                let (low, high) = (words.initial(offset), words.initial(offset + 4));
                std::sync::atomic::AtomicU64::new(u64::from(high) << 32 | u64::from(low))
            };
            (0..end).step_by(8).map(word).collect()
        });
        Self {
            words: Arc::clone(words),
            shadow,
        }
    }

    fn shadow_word(&self, offset: u64) -> Option<&std::sync::atomic::AtomicU32> {
        let shadow = self.shadow.as_ref()?;
        let first = shadow.as_ptr().cast::<std::sync::atomic::AtomicU32>();
        let index = usize::try_from(offset / 4).unwrap();
        assert!(index < shadow.len() * 2);
        // SAFETY: half of a word of the shadow, which was just checked to be inside.
        Some(unsafe { &*first.add(index) })
    }
}

impl Mapping for ModelMapping {
    fn is_coherent(&self) -> bool {
        self.shadow.is_none()
    }

    fn device_address(&self) -> DeviceAddress {
        DeviceAddress(0)
    }

    fn bytes(&self) -> u64 {
        self.words.bytes
    }

    fn pointer(&self) -> *mut u8 {
        let shadow = self.shadow.as_ref();
        shadow.map_or(std::ptr::null_mut(), |shadow| {
            shadow.as_ptr().cast_mut().cast()
        })
    }

    fn invalidate(&self, range: Range) -> Result<()> {
        if self.is_coherent() {
            return Ok(());
        }
        for offset in range.step_by(4).collect::<Vec<_>>().into_iter().rev() {
            if let Some(word) = self.shadow_word(offset) {
                word.store(
                    self.words.load(offset),
                    std::sync::atomic::Ordering::Relaxed,
                );
            }
        }
        fence(Ordering::Acquire);
        Ok(())
    }

    fn flush(&self, range: Range) -> Result<()> {
        if self.is_coherent() {
            return Ok(());
        }
        fence(Ordering::Release);
        for offset in range.step_by(4).collect::<Vec<_>>().into_iter().rev() {
            if let Some(word) = self.shadow_word(offset) {
                self.words
                    .store(offset, word.load(std::sync::atomic::Ordering::Relaxed));
            }
        }
        // The call returns when the copy has arrived.
        fence(Ordering::Release);
        Ok(())
    }

    fn copied_bytes(&self) -> u64 {
        0
    }

    fn model(&self) -> Option<&dyn ModelWords> {
        let words: &dyn ModelWords = &*self.words;
        self.is_coherent().then_some(words)
    }
}

/// Memory that is nowhere: its words are the checker's.
#[derive(Debug)]
struct NoMemory(u64);

impl DeviceMemory for NoMemory {
    fn address(&self) -> DeviceAddress {
        DeviceAddress(0)
    }

    fn bytes(&self) -> u64 {
        self.0
    }
}

/// The ready queue as the device reaches it.
struct ReadyQueue<'a>(&'a Words);

/// The free queue as the device reaches it.
struct FreeQueue<'a>(&'a Words);

impl RingMem for ReadyQueue<'_> {
    type Entry = ReadyEntry;
    type Error = Infallible;

    fn load_head(&self) -> std::result::Result<u32, Infallible> {
        let head = self
            .0
            .load(self.0.host + offset_of!(LaneHost, ready_head) as u64);
        fence(Ordering::Acquire);
        Ok(head)
    }

    fn load_tail(&self) -> std::result::Result<u32, Infallible> {
        Ok(self
            .0
            .load(self.0.device + offset_of!(LaneDevice, ready_tail) as u64))
    }

    fn store_head(&self, _: u32) -> std::result::Result<(), Infallible> {
        unreachable!("the host consumes ready entries")
    }

    fn store_tail(&self, tail: u32) -> std::result::Result<(), Infallible> {
        fence(Ordering::Release);
        self.0.store(
            self.0.device + offset_of!(LaneDevice, ready_tail) as u64,
            tail,
        );
        Ok(())
    }

    fn read(&self, _: u32) -> std::result::Result<ReadyEntry, Infallible> {
        unreachable!("the host consumes ready entries")
    }

    fn write(&self, slot: u32, entry: ReadyEntry) -> std::result::Result<(), Infallible> {
        let offset = self.0.ready + u64::from(slot) * 16;
        for (offset, word) in (offset..).step_by(4).zip(entry.as_bytes().chunks(4)) {
            self.0
                .store(offset, u32::from_le_bytes(word.try_into().unwrap()));
        }
        Ok(())
    }
}

impl RingMem for FreeQueue<'_> {
    type Entry = u32;
    type Error = Infallible;

    fn load_head(&self) -> std::result::Result<u32, Infallible> {
        Ok(self
            .0
            .load(self.0.device + offset_of!(LaneDevice, free_head) as u64))
    }

    fn load_tail(&self) -> std::result::Result<u32, Infallible> {
        let tail = self
            .0
            .load(self.0.host + offset_of!(LaneHost, free_tail) as u64);
        fence(Ordering::Acquire);
        Ok(tail)
    }

    fn store_head(&self, head: u32) -> std::result::Result<(), Infallible> {
        fence(Ordering::Release);
        self.0.store(
            self.0.device + offset_of!(LaneDevice, free_head) as u64,
            head,
        );
        Ok(())
    }

    fn store_tail(&self, _: u32) -> std::result::Result<(), Infallible> {
        unreachable!("the host produces free buffers")
    }

    fn read(&self, slot: u32) -> std::result::Result<u32, Infallible> {
        Ok(self.0.load(self.0.free + u64::from(slot) * 4))
    }

    fn write(&self, _: u32, _: u32) -> std::result::Result<(), Infallible> {
        unreachable!("the host produces free buffers")
    }
}
