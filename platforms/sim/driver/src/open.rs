//! What exists between the first set of a device and its last reset.

use crate::allocation::Allocations;
use crate::codes::{DEVICE_SETUP, INVALID_HANDLE, Refusal, Result, STREAM_CONTEXT, refuse};
use crate::device::Device;
use crate::handle::{Handle, Kind};
use crate::leaks::{Leaks, say};
use crate::memory::Memory;
use crate::process::Process;
use crate::program::{Binary, Kernel};
use crate::registration::Registrations;
use crate::settings::Settings;
use crate::stream::Stream;
use crate::wait::listen;
use lanescope_abi::Chip;
use lanescope_abi::chip::CORES_PER_CLUSTER;
use lanescope_sim_wire::{DEVICE_MEMORY_ADDRESS, HostFrame};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The objects of an open device, by serial number or device address.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) memory: Arc<Memory>,
    pub(crate) allocations: Allocations,
    pub(crate) registrations: Registrations,
    pub(crate) streams: BTreeMap<u32, Stream>,
    pub(crate) kernels: BTreeMap<u32, Kernel>,
    pub(crate) binaries: BTreeMap<u32, Binary>,
    /// Register windows that are mapped (a5).
    pub(crate) resources: BTreeSet<u32>,
    /// Copies so far; on a5 each has an order of its own.
    pub(crate) copies: u64,
    /// What the device process said of the next failure.
    pub(crate) note: Option<String>,
    /// By how much a wait for the device is longer than asked: agents that are threads share too few
    /// CPUs.
    pub(crate) slowdown: u32,
    process: Arc<Process>,
    listener: JoinHandle<()>,
    next_stream: u32,
    /// Tasks of destroyed streams whose end had not come.
    orphans: BTreeSet<(u32, u64)>,
    death: Option<Refusal>,
}

impl Open {
    /// Makes device memory and starts the device process.
    pub(crate) fn new(
        device: &Arc<Device>,
        dir: &Path,
        settings: &Settings,
        generation: u64,
    ) -> Result<Self> {
        let setup = |error: std::io::Error| refuse(DEVICE_SETUP, error);
        let bytes = settings.memory_bytes();
        let first_byte = device.first_address() - DEVICE_MEMORY_ADDRESS;
        let memory = Memory::new(first_byte, bytes).map_err(setup)?;
        let hello = HostFrame::Hello {
            chip: device.chip(),
            memory_bytes: memory.file_bytes(),
            driver_id: device.driver_id(),
            settings: settings.for_the_device(),
        };
        let process = Arc::new(Process::start(dir, memory.file(), &hello)?);
        let listener = std::thread::Builder::new()
            .name(format!("sim-device-{}", device.logical()))
            .spawn({
                let (device, process) = (Arc::clone(device), Arc::clone(&process));
                move || listen(&device, &process, generation)
            })
            .map_err(setup)?;
        Ok(Self {
            memory: Arc::new(memory),
            allocations: Allocations::new(device.first_address(), bytes),
            registrations: Registrations::default(),
            streams: BTreeMap::new(),
            kernels: BTreeMap::new(),
            binaries: BTreeMap::new(),
            resources: BTreeSet::new(),
            copies: 0,
            note: None,
            slowdown: if settings.threads() {
                slowdown(device.chip())
            } else {
                1
            },
            process,
            listener,
            next_stream: 0,
            orphans: BTreeSet::new(),
            death: None,
        })
    }

    /// The device process.
    pub(crate) fn process(&self) -> Arc<Process> {
        Arc::clone(&self.process)
    }

    /// Why the device process ended by itself.
    pub(crate) fn death(&self) -> Option<&Refusal> {
        self.death.as_ref()
    }

    /// The device process has ended by itself.
    pub(crate) fn die(&mut self, why: Refusal) {
        self.death = Some(why);
    }

    /// Refuses what needs the device process when it has ended.
    pub(crate) fn check_alive(&self) -> Result<()> {
        self.death.clone().map_or(Ok(()), Err)
    }

    /// Adds a stream.
    pub(crate) fn add_stream(&mut self, handle: Handle) {
        self.streams
            .insert(handle.serial, Stream::new(self.next_stream));
        self.next_stream += 1;
    }

    /// The stream behind a handle.
    pub(crate) fn stream(&mut self, handle: Handle) -> Result<&mut Stream> {
        self.streams
            .get_mut(&handle.serial)
            .ok_or_else(|| refuse(STREAM_CONTEXT, "no such stream on this device"))
    }

    /// The registered program behind a handle.
    pub(crate) fn kernel(&mut self, handle: Handle) -> Result<&mut Kernel> {
        self.kernels.get_mut(&handle.serial).ok_or_else(|| {
            refuse(
                INVALID_HANDLE,
                "no such binary is registered on this device",
            )
        })
    }

    /// How much of something is alive; 0 for a name that is not known.
    pub(crate) fn held(&self, what: &str) -> u64 {
        let count = match what {
            "bytes" => return self.allocations.live().map(|(_, bytes)| bytes).sum(),
            "allocations" => self.allocations.live().count(),
            "registrations" => self.registrations.live().count() + self.resources.len(),
            "streams" => self.streams.len(),
            "programs" => self.kernels.len() + self.binaries.len(),
            _ => 0,
        };
        count as u64
    }

    /// Takes a stream away; the tasks of it that have not ended go on.
    pub(crate) fn remove_stream(&mut self, handle: Handle) -> Result<()> {
        self.stream(handle)?;
        if let Some(stream) = self.streams.remove(&handle.serial) {
            self.orphans
                .extend(stream.pending_tasks().map(|task| (stream.id, task)));
        }
        Ok(())
    }

    /// Hears of the end of a task whose stream was destroyed.
    pub(crate) fn end_orphan(&mut self, stream: u32, task: u64) {
        self.orphans.remove(&(stream, task));
    }

    /// Whether a task still runs; whoever leaves such a device may not free what it uses.
    fn is_busy(&self) -> bool {
        let is_waited_for = self.streams.values().any(|stream| stream.pending() > 0);
        self.death.is_none() && (is_waited_for || !self.orphans.is_empty())
    }

    /// Counts everything that is still alive, unless the reset is by force and ends what uses it.
    pub(crate) fn report_leaks(&self, device: usize, force: bool, leaks: &mut Leaks) {
        if force && self.is_busy() {
            say(format_args!("device {device} is reset while its tasks run"));
            return;
        }
        for (address, bytes) in self.registrations.live() {
            leaks.report(format_args!(
                "registration: device {device}, {bytes} bytes at {address:#x}"
            ));
        }
        for (address, bytes) in self.allocations.live() {
            leaks.report(format_args!(
                "allocation: device {device}, {bytes} bytes at {address:#x}"
            ));
        }
        for stream in self.streams.values() {
            leaks.report(format_args!(
                "stream: device {device}, stream {}",
                stream.id
            ));
        }
        for kernel in self.kernels.values() {
            let bytes = kernel.image.len();
            leaks.report(format_args!(
                "kernel handle: device {device}, binary of {bytes} bytes"
            ));
        }
        for _ in self.binaries.values() {
            leaks.report(format_args!("kernel handle: device {device}, loaded file"));
        }
    }

    /// Ends the device process and whatever is still alive.
    pub(crate) fn end(self) {
        self.process.stop();
        // The listener returns at the end of the socket; it cannot panic on what it read.
        let _ = self.listener.join();
    }
}

/// All agents of a chip, for each CPU of this machine.
fn slowdown(chip: Chip) -> u32 {
    let chip = chip.info();
    let agents = chip.max_clusters * CORES_PER_CLUSTER + chip.max_threads;
    let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    agents
        .div_ceil(u32::try_from(cpus).unwrap_or(u32::MAX))
        .max(1)
}

/// The handle of a kind behind a pointer the caller gave.
pub(crate) fn handle(kind: Kind, pointer: *const std::ffi::c_void) -> Result<Handle> {
    let code = match kind {
        Kind::Stream => STREAM_CONTEXT,
        Kind::Kernel | Kind::Binary | Kind::Function => INVALID_HANDLE,
    };
    Handle::from_pointer(kind, pointer)
        .ok_or_else(|| refuse(code, format_args!("{pointer:?} is no {kind:?} handle")))
}
