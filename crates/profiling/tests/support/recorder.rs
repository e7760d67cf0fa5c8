//! The device's own recorder on ordinary memory: AICPU threads that play their cores too.

use super::{Bed, DeviceMemoryView};
use lanescope_abi::control::{CONTROL_MAGIC, CoreConfig, SchedulerWords, ThreadStatus};
use lanescope_abi::token::COND_FIN;
use lanescope_abi::{
    ABI_HASH, ABI_VERSION, Awaited, Barrier, CaptureHeader, Chip, ControlHeader, CoreAnswer,
    CoreOrder, Device, HostLine, Section, TaskSlot, Token,
};
use lanescope_aicpu::record::{Phase, RecordState, Recorder, Task};
use lanescope_aicpu::{Control, Failure};
use lanescope_platform::Device as _;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use zerocopy::IntoBytes;

/// Slots of the staging rings.
pub const RING: usize = 2;
const RING_SIZE: u32 = 2;

/// The device interface on the host's own memory.
///
/// Loads acquire and stores release, which a chip's do not: ThreadSanitizer knows no fences, and would
/// take every record for a race. That the barriers alone are enough is loom's part.
#[derive(Debug)]
pub struct HostDevice;

impl Device for HostDevice {
    #[inline]
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the caller vouches for the word; everybody reaches it by atomics.
        unsafe { AtomicU32::from_ptr(pointer(address).cast()) }.load(Ordering::Acquire)
    }

    #[inline]
    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: the caller vouches for the aligned word; everybody reaches it by atomics.
        unsafe { AtomicU64::from_ptr(pointer(address).cast()) }.load(Ordering::Acquire)
    }

    #[inline]
    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: the caller vouches for the aligned word; everybody reaches it by atomics.
        unsafe { AtomicU32::from_ptr(pointer(address).cast()) }.store(value, Ordering::Release);
    }

    #[inline]
    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: the caller vouches for the aligned word; everybody reaches it by atomics.
        unsafe { AtomicU64::from_ptr(pointer(address).cast()) }.store(value, Ordering::Release);
    }

    #[inline]
    fn clean(&self, _address: u64) {}

    #[inline]
    fn invalidate(&self, _address: u64) {}

    #[inline]
    fn barrier(&self, barrier: Barrier) {
        fence(match barrier {
            Barrier::Load => Ordering::Acquire,
            Barrier::Store => Ordering::Release,
        });
    }

    unsafe fn read_reg(&self, _address: u64) -> u32 {
        unreachable!("the threads here play their cores themselves")
    }

    unsafe fn write_reg(&self, _address: u64, _value: u32) {
        unreachable!("the threads here play their cores themselves")
    }

    #[inline]
    fn ticks(&self) -> u64 {
        ticks()
    }

    fn relax(&self, _awaited: &Awaited<'_>) {
        super::pause();
    }
}

fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap())
}

/// A counter of roughly the rate of the chip's.
#[inline]
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it touches no memory.
    let ticks = unsafe { std::arch::x86_64::_rdtsc() } / 64;
    #[cfg(not(target_arch = "x86_64"))]
    let ticks = {
        static BEGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let begin = BEGIN.get_or_init(std::time::Instant::now);
        u64::try_from(begin.elapsed().as_nanos()).unwrap() / 20
    };
    ticks
}

/// The control region of one run: just what the recorder reads and writes.
#[derive(Clone, Debug)]
pub struct ControlRegion {
    memory: DeviceMemoryView,
}

impl ControlRegion {
    pub fn new(bed: &Bed) -> Self {
        Self::at_level(bed, 2)
    }

    /// For a run at this swimlane level.
    pub fn at_level(bed: &Bed, swimlane_level: u32) -> Self {
        let (cores, threads) = (bed.cores, bed.threads);
        let mut next = (size_of::<ControlHeader>() as u64).next_multiple_of(64);
        let mut section = |count: u32, stride_bytes: u32| {
            let section = Section {
                offset_bytes: next,
                count,
                stride_bytes,
            };
            next = section.end().unwrap().next_multiple_of(64);
            section
        };
        let mut header = ControlHeader {
            magic: CONTROL_MAGIC,
            abi_hash: ABI_HASH,
            abi_version: ABI_VERSION,
            chip: Chip::A2a3 as u32,
            ring_size: 2,
            issue_depth: 2,
            core_count: cores,
            thread_count: threads,
            run_id: bed.run_id,
            swimlane_level,
            capture_address: bed.profiler.address().0,
            capture_bytes: bed.profiler.bytes(),
            host: section(1, 64),
            cores: section(cores, 16),
            registers: section(75, 8),
            orders: section(cores, 64),
            answers: section(cores, 64),
            threads: section(threads, 64),
            payloads: section(cores * 2, 64),
            scheduler: section(1, u32::try_from(size_of::<SchedulerWords>()).unwrap()),
            tasks: section(0, 64),
            args: section(0, 8),
            successors: section(0, 4),
            fan_in: section(0, 4),
            ready: [section(0, 4), section(0, 4)],
            ..ControlHeader::default()
        };
        const { assert!(size_of::<HostLine>() == 64 && size_of::<CoreConfig>() == 16) };
        const { assert!(size_of::<CoreOrder>() == 64 && size_of::<CoreAnswer>() == 64) };
        const { assert!(size_of::<ThreadStatus>() == 64) };
        header.control_bytes = next;
        let memory = bed.device.allocate(next).unwrap();
        let pointer = pointer(memory.address().0);
        let memory = DeviceMemoryView::new(pointer, next, Arc::new(memory));
        memory.write(0, header.as_bytes());
        for core in 0..cores {
            let config = CoreConfig {
                first_token: bed.next_tokens[core as usize].raw(),
                core_type: super::core_type(core) as u32,
                thread: core % threads,
                reserved: 0,
            };
            memory.write(header.cores.at(core), config.as_bytes());
        }
        Self { memory }
    }

    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.memory.address()
    }

    /// Runs `count` tasks on the cores of one AICPU thread, as fast as they can be recorded; says
    /// how many were dispatched to each core. Flushes at the end if `is_orderly`.
    pub fn run_thread(&self, thread: u32, count: u64, is_orderly: bool) -> Vec<u64> {
        let device = HostDevice;
        let address = self.memory.address();
        // SAFETY: the region was laid out by `new` and lives as long as `self`.
        let control = unsafe { Control::attach(&device, address, Chip::A2a3, RING_SIZE) }.unwrap();
        let header = *control.header();
        let mut state = RecordState::<RING>::new();
        let mut recorder = Recorder::attach(&control, thread, &mut state).unwrap();
        let cores: Vec<u32> = recorder.cores().map(|(core, _)| core).collect();
        let mut dispatched = vec![0; header.core_count as usize];
        // SAFETY: the capture region begins with its header, a multiple of 8 bytes.
        let capture = unsafe {
            pointer(header.capture_address)
                .cast::<CaptureHeader>()
                .read()
        };
        for (index, &core) in (0..count).zip(cores.iter().cycle()) {
            let task = Task {
                task_id: index,
                func_id: 3,
                tag: 0,
            };
            let token = recorder.dispatched(core, task).unwrap();
            dispatched[core as usize] += 1;
            stage(
                &device,
                header.capture_address,
                &capture,
                core,
                token,
                header.run_id,
            );
            recorder.commit(core, token.raw() | COND_FIN).unwrap();
        }
        if is_orderly {
            recorder.flush().unwrap();
        }
        dispatched
    }
}

/// The recorder of one AICPU thread, whose cores it plays too, one task after the other.
#[derive(Debug)]
pub struct Played<'a> {
    recorder: Recorder<'a, HostDevice, RING>,
    pub cores: Vec<u32>,
    control: ControlHeader,
    capture: CaptureHeader,
}

impl ControlRegion {
    /// Attaches as AICPU thread `thread` for as long as `body` goes on.
    pub fn play<T>(&self, thread: u32, body: impl FnOnce(&mut Played<'_>) -> T) -> T {
        let device = HostDevice;
        let address = self.memory.address();
        // SAFETY: the region was laid out by `new` and lives as long as `self`.
        let control = unsafe { Control::attach(&device, address, Chip::A2a3, RING_SIZE) }.unwrap();
        let header = *control.header();
        let mut state = RecordState::<RING>::new();
        let recorder = Recorder::attach(&control, thread, &mut state).unwrap();
        let capture = pointer(header.capture_address).cast::<CaptureHeader>();
        body(&mut Played {
            cores: recorder.cores().map(|(core, _)| core).collect(),
            recorder,
            control: header,
            // SAFETY: the capture region begins with its header, a multiple of 8 bytes.
            capture: unsafe { capture.read() },
        })
    }
}

impl Played<'_> {
    /// Dispatches, runs and commits a task on a core.
    pub fn commit(&mut self, core: u32, task_id: u64) -> Result<Token, Failure> {
        let task = Task {
            task_id,
            func_id: 3,
            tag: 0,
        };
        let token = self.recorder.dispatched(core, task)?;
        let address = self.control.capture_address;
        stage(
            &HostDevice,
            address,
            &self.capture,
            core,
            token,
            self.control.run_id,
        );
        self.recorder.commit(core, token.raw() | COND_FIN)?;
        Ok(token)
    }

    /// Records what the thread did.
    pub fn phase(&mut self, phase: &Phase) -> Result<(), Failure> {
        self.recorder.phase(phase)
    }

    /// Whether phases are recorded: a scheduler's, an orchestrator's.
    pub fn records(&self) -> (bool, bool) {
        (
            self.recorder.records_phases(),
            self.recorder.records_orchestrator(),
        )
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        self.recorder.flush()
    }
}

/// What a core does: one slot of its staging ring.
#[inline]
fn stage(
    device: &HostDevice,
    region: u64,
    capture: &CaptureHeader,
    core: u32,
    token: Token,
    run_id: u32,
) {
    let line = region + capture.staging.at(core) + u64::from(token.slot(2)) * 64;
    // A core reads its own clock; that is no part of what an AICPU thread has to do.
    let now = u64::from(token.raw());
    let store = |field: usize, value: u64| {
        // SAFETY: the slot lies in the capture region and is a line.
        unsafe { device.store64(line + field as u64, value) };
    };
    let token_and_run = u64::from(run_id) << 32 | u64::from(token.raw());
    store(offset_of!(TaskSlot, token), token_and_run);
    store(offset_of!(TaskSlot, receive_ticks), now);
    store(offset_of!(TaskSlot, start_ticks), now);
    store(offset_of!(TaskSlot, end_ticks), now);
    store(offset_of!(TaskSlot, seal), u64::from(token.raw()));
}
