//! The control region as an AICPU thread sees it: attached, its header checked.

use crate::region::{Region, are_apart, place};
use crate::{Failure, MAX_CORES};
use core::mem::offset_of;
use lanescope_abi::control::{
    AbiField, CONTROL_MAGIC, ControlHeader, CoreAnswer, CoreConfig, CoreOrder, DeviceError,
    GraphTask, HostLine, Payload, Phase, SchedulerWords, TaskTensor, ThreadStatus,
};
use lanescope_abi::{ABI_HASH, ABI_VERSION, Chip, ChipInfo, CoreType, Device, Token, is_mutant};
use zerocopy::{FromBytes, IntoBytes};

const HEADER_WORDS: usize = size_of::<ControlHeader>() / 8;

/// An attached control region; one per AICPU thread and run.
///
/// # Errors
///
/// Attaching compares magic, version, hash, chip and ring size with those of this program, and
/// proves that every section lies inside the region: [`DeviceError::AbiMismatch`] with the field,
/// else [`DeviceError::BadLayout`].
#[derive(Debug)]
pub struct Control<'d, D> {
    pub(crate) region: Region<'d, D>,
    pub(crate) header: ControlHeader,
    pub(crate) chip: &'static ChipInfo,
}

impl<'d, D: Device> Control<'d, D> {
    /// Attaches to the control region at `address`.
    ///
    /// # Errors
    ///
    /// See [`Control`].
    ///
    /// # Safety
    ///
    /// - `address` is a control region of this device that the host keeps for the whole run, and its
    ///   header's `control_bytes`, when magic, version and hash are ours, is its length.
    pub unsafe fn attach(
        device: &'d D,
        address: u64,
        chip: Chip,
        ring_size: u32,
    ) -> Result<Self, Failure> {
        // SAFETY: the caller gives the address of a control region that lives for 'd.
        let control = unsafe { Self::read(device, address, chip) }?;
        control.check_build(ring_size)?;
        control.check_layout()?;
        Ok(control)
    }

    /// The region with its header, once it is known to be a header of this very ABI.
    ///
    /// # Safety
    ///
    /// - As for [`Control::attach`].
    unsafe fn read(device: &'d D, address: u64, chip: Chip) -> Result<Self, Failure> {
        let header_bytes = size_of::<ControlHeader>() as u64;
        // SAFETY: a control region begins with its header.
        let front = unsafe { Region::attach(device, address, header_bytes) };
        let front = front.ok_or(DeviceError::BadLayout)?;
        if !is_mutant("header-not-invalidated") {
            front.invalidate_range(0, header_bytes);
        }
        let mut words = [0u64; HEADER_WORDS];
        for (offset, word) in (0u64..).step_by(8).zip(&mut words) {
            *word = front.load64(offset);
        }
        let header = ControlHeader::read_from_bytes(words.as_bytes())
            .expect("the words are as many bytes as the header");
        if header.magic != CONTROL_MAGIC {
            return Err(Failure::mismatch(AbiField::Magic, CONTROL_MAGIC));
        }
        if header.abi_version != ABI_VERSION {
            let version = u64::from(ABI_VERSION);
            return Err(Failure::mismatch(AbiField::Version, version));
        }
        if header.abi_hash != ABI_HASH {
            return Err(Failure::mismatch(AbiField::Hash, ABI_HASH));
        }
        if header.control_bytes < header_bytes {
            return Err(DeviceError::BadLayout.into());
        }
        // SAFETY: magic, version and hash are ours, so the host says `control_bytes` is the length.
        let region = unsafe { Region::attach(device, address, header.control_bytes) };
        Ok(Self {
            region: region.ok_or(DeviceError::BadLayout)?,
            header,
            chip: chip.info(),
        })
    }

    /// A control region that [`Control::attach`] refused, when its header is of this very ABI, so
    /// that a status line can say why.
    ///
    /// # Safety
    ///
    /// - As for [`Control::attach`].
    pub(crate) unsafe fn refused(device: &'d D, address: u64, chip: Chip) -> Option<Self> {
        // SAFETY: the caller gives the address of a control region that lives for 'd.
        unsafe { Self::read(device, address, chip) }.ok()
    }

    /// Writes why the region was refused into the status line of `thread`, if there is one.
    pub(crate) fn refuse(&self, thread: u32, failure: &Failure) {
        let threads = &self.header.threads;
        if thread < threads.count && self.region.holds::<ThreadStatus>(threads, 1) {
            let mut status = crate::record::Status::new(self, thread);
            status.enter(Phase::Attach);
            status.fail(failure);
        }
    }

    /// Adds to the status line of a thread that it has died of a bug of its own.
    pub(crate) fn break_off(&self, thread: u32) {
        let threads = &self.header.threads;
        if thread < threads.count && self.region.holds::<ThreadStatus>(threads, 1) {
            let mut status = crate::record::Status::found(self, thread);
            status.fail(&DeviceError::Internal.into());
        }
    }

    /// What the host wrote before launch.
    #[must_use]
    pub fn header(&self) -> &ControlHeader {
        &self.header
    }

    /// Most tokens in flight on a core.
    #[inline]
    pub(crate) fn issue_depth(&self) -> u32 {
        let reads_late = is_mutant("pmu-read-after-token") && self.header.pmu_event != 0;
        self.header.issue_depth + u32::from(is_mutant("depth-overrun") || reads_late)
    }

    /// What is known of the chip.
    #[must_use]
    pub fn chip(&self) -> &'static ChipInfo {
        self.chip
    }

    /// The device interface.
    #[must_use]
    pub fn device(&self) -> &'d D {
        self.region.device()
    }

    /// What the host decided for a core.
    pub(crate) fn core_config(&self, core: u32) -> Result<Assigned, Failure> {
        let offset = self.header.cores.at(core);
        let load = |field: usize| self.region.load32(offset + field as u64);
        let assigned = Assigned {
            thread: load(offset_of!(CoreConfig, thread)),
            core_type: CoreType::from_raw(load(offset_of!(CoreConfig, core_type)))
                .ok_or(Failure::new(DeviceError::BadLayout).on_core(core))?,
            first_token: Token::new(load(offset_of!(CoreConfig, first_token)))
                .ok_or(Failure::new(DeviceError::BadLayout).on_core(core))?,
        };
        if assigned.thread >= self.header.thread_count {
            return Err(Failure::new(DeviceError::BadLayout).on_core(core));
        }
        Ok(assigned)
    }

    /// Whether the host has asked for this run to end.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        let line = self.header.host.offset_bytes;
        if !is_mutant("abort-not-invalidated") {
            self.region.invalidate(line);
        }
        let offset = line + offset_of!(HostLine, abort_run) as u64;
        self.region.load32(offset) == self.header.run_id
    }

    fn check_build(&self, ring_size: u32) -> Result<(), Failure> {
        let (header, chip) = (&self.header, self.chip);
        let check = |is_right: bool, field: AbiField, device: u32| {
            if is_right {
                Ok(())
            } else {
                Err(Failure::mismatch(field, u64::from(device)))
            }
        };
        let id = chip.chip as u32;
        check(header.chip == id, AbiField::Chip, id)?;
        check(header.ring_size == ring_size, AbiField::RingSize, ring_size)?;
        check(
            (1..=ring_size).contains(&header.issue_depth),
            AbiField::IssueDepth,
            ring_size,
        )?;
        check(
            (1..=chip.max_cores).contains(&header.core_count),
            AbiField::CoreCount,
            chip.max_cores,
        )?;
        check(
            (1..=chip.max_threads).contains(&header.thread_count),
            AbiField::ThreadCount,
            chip.max_threads,
        )
    }

    fn check_layout(&self) -> Result<(), Failure> {
        let (header, region) = (&self.header, &self.region);
        let (cores, threads, tasks) = (header.core_count, header.thread_count, header.task_count);
        let physical_cores = self.chip.physical_cores;
        let holds = region.holds::<HostLine>(&header.host, 1)
            && region.holds::<CoreConfig>(&header.cores, cores)
            && region.holds::<u64>(&header.registers, physical_cores)
            && region.holds::<CoreOrder>(&header.orders, cores)
            && region.holds::<CoreAnswer>(&header.answers, cores)
            && region.holds::<ThreadStatus>(&header.threads, threads)
            && region.holds::<Payload>(&header.payloads, cores * header.ring_size)
            && region.holds::<SchedulerWords>(&header.scheduler, 1)
            && region.holds::<GraphTask>(&header.tasks, tasks)
            && region.holds::<u64>(&header.args, 0)
            && region.holds::<u32>(&header.successors, 0)
            && region.holds::<u32>(&header.fan_in, tasks)
            && header
                .ready
                .iter()
                .all(|ready| region.holds::<u32>(ready, 0));
        let is_sane = holds
            && cores as usize <= MAX_CORES
            && header.payloads.stride_bytes as usize == size_of::<Payload>()
            && header.run_id != 0
            && self.are_collectors_sane();
        if !is_sane || !self.are_sections_apart() {
            return Err(DeviceError::BadLayout.into());
        }
        let counters = self.has_counter_pages().then_some(&header.pmu_registers);
        for section in [&header.cores, &header.registers]
            .into_iter()
            .chain(counters)
        {
            if is_mutant("core-configs-not-invalidated") {
                continue;
            }
            let end = section.end().expect("checked above");
            let bytes = end - section.offset_bytes;
            self.region.invalidate_range(section.offset_bytes, bytes);
        }
        Ok(())
    }

    /// Whether what is on is known, and has a capture region.
    fn are_collectors_sane(&self) -> bool {
        let (header, chip) = (&self.header, self.chip);
        let is_on =
            header.swimlane_level != 0 || header.pmu_event != 0 || header.tensors.count != 0;
        let is_pmu_sane = match header.pmu_event {
            0 => true,
            // Who reads the counters after FIN must not find the next task's in them.
            _ if !chip.registers.pmu.is_read_by_core && header.issue_depth != 1 => false,
            event => {
                let pages = &header.pmu_registers;
                let has_pages = self.region.holds::<u64>(pages, chip.physical_cores);
                chip.pmu_event(event).is_some() && (!self.has_counter_pages() || has_pages)
            }
        };
        let are_tensors_sane = header.tensors.count == 0
            || header.tensors.stride_bytes as usize == size_of::<TaskTensor>()
                && self.region.holds::<TaskTensor>(&header.tensors, 1)
                && header.tensor_piece_bytes != 0;
        header.swimlane_level <= 4
            && (!is_on || header.capture_address != 0)
            && is_pmu_sane
            && are_tensors_sane
    }

    /// Whether this run needs the table of counter pages.
    fn has_counter_pages(&self) -> bool {
        self.header.pmu_event != 0 && self.chip.registers.pmu.has_page
    }

    /// Where the hardware counters of a physical core are; `None` when there is no such core.
    pub(crate) fn counters_of(&self, physical_core: u32) -> Option<u64> {
        let table = match self.chip.registers.pmu.has_page {
            true => &self.header.pmu_registers,
            false => &self.header.registers,
        };
        if physical_core >= table.count {
            return None;
        }
        let address = self.region.load64(table.at(physical_core));
        (address != 0).then_some(address)
    }

    /// Whether no section, each of which is known to lie inside, lies over another.
    fn are_sections_apart(&self) -> bool {
        let header = &self.header;
        let [cube, vector] = &header.ready;
        let places = [
            &header.host,
            &header.cores,
            &header.registers,
            &header.orders,
            &header.answers,
            &header.threads,
            &header.payloads,
            &header.scheduler,
            &header.tasks,
            &header.args,
            &header.successors,
            &header.fan_in,
            cube,
            vector,
        ]
        .map(place);
        let tensors = match header.tensors.count {
            0 => (0, 0),
            _ => place(&header.tensors),
        };
        let pages = match self.has_counter_pages() {
            false => (0, 0),
            true => place(&header.pmu_registers),
        };
        let mut all = [(0, 0); 16];
        all[..14].copy_from_slice(&places);
        all[14..].copy_from_slice(&[tensors, pages]);
        are_apart(size_of::<ControlHeader>() as u64, &all)
    }
}

/// [`CoreConfig`], checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigned {
    pub(crate) thread: u32,
    pub(crate) core_type: CoreType,
    pub(crate) first_token: Token,
}
