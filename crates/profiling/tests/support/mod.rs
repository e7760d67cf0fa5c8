//! A device of ordinary memory and the device side of its lanes, for tests and benches.

#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    reason = "support of tests and benches; each uses a part of it"
)]

mod heap_device;
mod outlet;
mod puppet;
mod recorder;
mod sync;
mod tensors;
mod thread;

pub use heap_device::HeapDevice;
pub use outlet::{Gate, Sink};
pub use puppet::{Moment, Puppet, Run};
pub use recorder::{ControlRegion, HostDevice, Played};
pub use sync::{pause, step};
pub use tensors::{Lie, Payloads, TensorThread, payload};
pub use thread::{DeviceMemoryView, DeviceThread, Fate};

use lanescope_abi::{Chip, CoreType, TaskRecord, Token};
use lanescope_capture::{CaptureWriter, SessionInfo};
use lanescope_profiling::{
    Collector, LaneSettings, Profiler, ProfilerOptions, Recording, RegionShape, RunEnd, Swimlane,
};
use std::io::Write;
use std::sync::Arc;

/// A profiler on a heap device, and the sides of a run.
pub struct Bed {
    pub device: Arc<HeapDevice>,
    pub profiler: Profiler,
    pub threads: u32,
    pub cores: u32,
    pub next_tokens: Vec<Token>,
    pub run_id: u32,
}

impl Bed {
    pub fn new(is_coherent: bool, threads: u32, cores: u32, settings: LaneSettings) -> Self {
        Self::with_blocks(is_coherent, threads, cores, settings, 64)
    }

    pub fn with_blocks(
        is_coherent: bool,
        threads: u32,
        cores: u32,
        settings: LaneSettings,
        host_blocks: u32,
    ) -> Self {
        let device = Arc::new(HeapDevice::new(is_coherent));
        Self::on(device, threads, cores, settings, host_blocks)
    }

    pub fn on(
        device: Arc<HeapDevice>,
        threads: u32,
        cores: u32,
        settings: LaneSettings,
        host_blocks: u32,
    ) -> Self {
        let shape = RegionShape {
            core_count: cores,
            thread_count: threads,
            ring_size: 2,
            ticks_per_second: 1_000_000_000,
        };
        let mut options = ProfilerOptions::new(shape);
        options.host_blocks = host_blocks;
        let collectors: Vec<Box<dyn Collector>> = vec![Box::new(Swimlane::new(settings))];
        Self::open(device, &options, collectors)
    }

    /// With any collectors.
    pub fn with_collectors(
        is_coherent: bool,
        threads: u32,
        cores: u32,
        collectors: Vec<Box<dyn Collector>>,
    ) -> Self {
        let device = Arc::new(HeapDevice::new(is_coherent));
        let options = ProfilerOptions::new(RegionShape {
            core_count: cores,
            thread_count: threads,
            ring_size: 2,
            ticks_per_second: 1_000_000_000,
        });
        Self::open(device, &options, collectors)
    }

    fn open(
        device: Arc<HeapDevice>,
        options: &ProfilerOptions,
        collectors: Vec<Box<dyn Collector>>,
    ) -> Self {
        let profiler = Profiler::open(device.clone(), options, collectors).unwrap();
        let (threads, cores) = (options.shape.thread_count, options.shape.core_count);
        Self {
            device,
            profiler,
            threads,
            cores,
            // Close enough to the end of the tokens that runs go across the wrap.
            next_tokens: vec![
                Token::new(lanescope_abi::token::TOKEN_LAST - 20).unwrap();
                cores as usize
            ],
            run_id: 0,
        }
    }

    /// The core belongs to thread `core % threads`.
    pub fn session(&self) -> SessionInfo {
        let mut session = SessionInfo {
            run_id: self.run_id,
            platform: "heap".to_owned(),
            chip: Chip::A2a3,
            core_types: (0..self.cores).map(core_type).collect(),
            core_to_thread: (0..self.cores).map(|core| core % self.threads).collect(),
            first_tokens: self.next_tokens.iter().map(|token| token.raw()).collect(),
            swimlane_level: 4,
            ..SessionInfo::default()
        };
        self.profiler.describe(&mut session);
        session
    }

    pub fn start<W: Write + Send + 'static>(&mut self, to: W) -> Recording<W> {
        self.run_id += 1;
        let session = self.session();
        let mut writer = CaptureWriter::new(to).unwrap();
        writer.session(&session).unwrap();
        self.profiler.start(&session, writer).unwrap()
    }

    /// The device side of one AICPU thread, attached anew as at every launch.
    pub fn thread(&self, thread: u32) -> DeviceThread {
        DeviceThread::attach(self.device.memory(), self.profiler.address().0, thread)
    }

    /// Every buffer of every lane is in its free queue, once. To be asked when no run goes on.
    pub fn assert_buffers_free(&self) {
        self.assert_buffers(|[free, _, ready]| {
            assert_eq!(ready, [0; 0], "ready entries that were not taken");
            free
        });
    }

    /// Every buffer of every lane is in one place, once: free, filling or ready.
    pub fn assert_buffers_conserved(&self) {
        self.assert_buffers(|places| places.concat());
    }

    fn assert_buffers(&self, gather: impl Fn([Vec<u32>; 3]) -> Vec<u32>) {
        for lane in self.profiler.layout().lanes() {
            let address = self.profiler.address().0;
            let thread = DeviceThread::observe(self.device.memory(), address, lane.thread);
            let census = thread.census();
            let mut buffers = gather(census.clone());
            buffers.sort_unstable();
            let all: Vec<u32> = (0..lane.capacity).collect();
            assert_eq!(
                buffers, all,
                "buffers of thread {}: {census:?}",
                lane.thread
            );
        }
    }

    /// The record of the next dispatch of a core.
    pub fn record(&mut self, core: u32) -> TaskRecord {
        let next = &mut self.next_tokens[core as usize];
        let token = *next;
        *next = token.next();
        record(self.run_id, core, token)
    }

    /// Commits `count` records on the cores of every thread, one after the other, from one thread.
    pub fn commit_round_robin(&mut self, threads: &mut [DeviceThread], count: u64) -> Vec<u64> {
        let mut dispatched = vec![0; self.cores as usize];
        for index in 0..count {
            let core = u32::try_from(index % u64::from(self.cores)).unwrap();
            let record = self.record(core);
            dispatched[core as usize] += 1;
            threads[(core % self.threads) as usize].commit(&record);
        }
        dispatched
    }
}

pub fn ended(dispatched: Vec<u64>) -> RunEnd {
    RunEnd {
        is_ended: true,
        expected_tasks: Some(dispatched.iter().sum()),
        expected_tensors: None,
        dispatched: Some(dispatched),
        ..RunEnd::default()
    }
}

pub fn core_type(core: u32) -> CoreType {
    if core.is_multiple_of(3) {
        CoreType::Aic
    } else {
        CoreType::Aiv
    }
}

pub fn record(run_id: u32, core: u32, token: Token) -> TaskRecord {
    let ticks = u64::from(token.raw());
    TaskRecord {
        task_id: u64::from(core) << 32 | u64::from(token.raw()),
        func_id: 7,
        core: u16::try_from(core).unwrap(),
        core_type: core_type(core) as u8,
        reserved: 0,
        token: token.raw(),
        run_id,
        dispatch_ticks: ticks,
        receive_ticks: ticks + 1,
        start_ticks: ticks + 2,
        end_ticks: ticks + 3,
        finish_ticks: ticks + 4,
    }
}
