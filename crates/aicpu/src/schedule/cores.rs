//! The cores of one AICPU thread: handshake, registers, exit.

use super::shared::Shared;
use crate::record::Recorder;
use crate::{Control, Failure, MAX_CORES};
use core::mem::offset_of;
use lanescope_abi::chip::{FAST_PATH_CLOSE, FAST_PATH_OPEN};
use lanescope_abi::control::{AbiField, CoreAnswer, CoreOrder, DeviceError};
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::token::{COND_EXITED, COND_IDLE, DISPATCH_EXIT, DISPATCH_IDLE};
use lanescope_abi::{ABI_HASH, Awaited, AwaitedWord, Barrier, CoreType, Device, is_mutant};

/// The cores of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Cores {
    list: [OwnedCore; MAX_CORES],
    count: usize,
}

/// A core and its registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedCore {
    /// Core index of the launch.
    pub(crate) index: u32,
    pub(crate) core_type: CoreType,
    /// Address of its register window, 0 until it has answered.
    window: u64,
    pub(crate) data_main_base_address: u64,
    pub(crate) cond_address: u64,
    /// `DATA_MAIN_BASE` as last written.
    pub(crate) data_main_base: u32,
    /// `COND` as last read.
    pub(crate) cond: u32,
    /// Tasks whose tensors are to be copied: each has a place on the core.
    pub(crate) jobs: u32,
    /// One of them is the next to be dispatched.
    pub(crate) is_bound: bool,
}

impl Cores {
    pub(crate) fn new(owned: impl Iterator<Item = (u32, CoreType)>) -> Self {
        let mut cores = Self {
            list: [OwnedCore {
                index: 0,
                core_type: CoreType::Aic,
                window: 0,
                data_main_base_address: 0,
                cond_address: 0,
                data_main_base: 0,
                cond: 0,
                jobs: 0,
                is_bound: false,
            }; MAX_CORES],
            count: 0,
        };
        for (index, core_type) in owned.take(MAX_CORES) {
            cores.list[cores.count].index = index;
            cores.list[cores.count].core_type = core_type;
            cores.count += 1;
        }
        cores
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[OwnedCore] {
        &self.list[..self.count]
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [OwnedCore] {
        &mut self.list[..self.count]
    }

    /// Shakes hands with every core and opens its registers.
    ///
    /// Each core is opened as soon as it has answered, so that when another one does not, the exit
    /// of those that did needs no time-out of theirs.
    pub(crate) fn open<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
        shared: &Shared<'_>,
    ) -> Result<(), Failure> {
        let control = recorder.control();
        let (region, header) = (control.region, &control.header);
        let limit = header.handshake_limit_ticks;
        let deadline = control.device().ticks().saturating_add(limit);
        for core in self.as_slice() {
            let order = header.orders.at(core.index);
            let ready_run = order + offset_of!(CoreOrder, ready_run) as u64;
            region.store32(ready_run, header.run_id);
        }
        region.barrier(Barrier::Store);
        for core in self.as_mut_slice() {
            core.await_answer(control, shared, deadline)?;
            core.open(recorder)?;
        }
        for core in self.as_mut_slice() {
            core.await_idle(control, deadline, shared)?;
        }
        Ok(())
    }

    /// Makes every opened core leave, within one limit for all, and closes its registers. Tries all
    /// of them, and returns the first failure.
    pub(crate) fn close<D: Device>(&mut self, control: &Control<'_, D>) -> Result<(), Failure> {
        for core in self.as_mut_slice() {
            if core.window != 0 {
                core.write_data_main_base(control.device(), DISPATCH_EXIT);
            }
        }
        let limit = control.header.handshake_limit_ticks;
        let deadline = control.device().ticks().saturating_add(limit);
        let mut result = Ok(());
        for core in self.as_mut_slice() {
            if core.window != 0 {
                let closed = core.close(control, deadline);
                result = result.and(closed);
            }
        }
        result
    }
}

impl OwnedCore {
    #[inline]
    pub(crate) fn write_data_main_base<D: Device>(&mut self, device: &D, value: u32) {
        self.data_main_base = value;
        // SAFETY: the address is a window of the register table plus the chip's offset, and the
        // thread that owns a core writes its DATA_MAIN_BASE.
        unsafe { device.write_reg(self.data_main_base_address, value) };
    }

    #[inline]
    pub(crate) fn read_cond<D: Device>(&mut self, device: &D) -> u32 {
        // SAFETY: the address is a window of the register table plus the chip's offset.
        self.cond = unsafe { device.read_reg(self.cond_address) };
        self.cond
    }

    /// This failure with what is known of the core's registers.
    pub(crate) fn describe(&self, mut failure: Failure) -> Failure {
        failure.core = self.index;
        failure.data_main_base = self.data_main_base;
        failure.cond = self.cond;
        failure
    }

    /// A failed commit with the registers, and the core's own reason when it has left.
    #[cold]
    pub(crate) fn explain<D: Device>(&self, control: &Control<'_, D>, failure: Failure) -> Failure {
        control
            .region
            .invalidate(control.header.answers.at(self.index));
        let own = match self.cond {
            COND_EXITED => self.check_left(control).err(),
            _ => None,
        };
        let mut explained = self.describe(own.unwrap_or(failure));
        explained.token = failure.token;
        explained
    }

    fn await_answer<D: Device>(
        &mut self,
        control: &Control<'_, D>,
        shared: &Shared<'_>,
        deadline: u64,
    ) -> Result<(), Failure> {
        let (region, header) = (control.region, &control.header);
        let line = header.answers.at(self.index);
        let answer_run = line + offset_of!(CoreAnswer, answer_run) as u64;
        loop {
            if !is_mutant("answer-not-invalidated") {
                region.invalidate(line);
            }
            let seen = region.load32(answer_run);
            if !is_mutant("answer-unfenced") {
                region.barrier(Barrier::Load);
            }
            self.check_left(control)?;
            if seen == header.run_id {
                return Ok(());
            }
            self.check_peers(control, shared)?;
            if control.device().ticks() >= deadline && !is_mutant("handshake-unlimited") {
                let failure = Failure::new(DeviceError::HandshakeTimeout);
                return Err(self.describe(failure.after(header.handshake_limit_ticks)));
            }
            let words = [AwaitedWord {
                address: region.address(answer_run),
                seen,
                by: AwaitedBy::Device as u32,
                pair_address: 0,
            }];
            let awaited = Awaited::new("the handshake answer of a core", &[], &words, deadline);
            control.device().relax(&awaited);
        }
    }

    /// Checks the answer, finds the register window and opens it.
    fn open<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
    ) -> Result<(), Failure> {
        let control = recorder.control();
        let (region, header, chip) = (control.region, &control.header, control.chip);
        let device = control.device();
        let line = header.answers.at(self.index);
        let load32 = |field: usize| region.load32(line + field as u64);
        let ring_size = load32(offset_of!(CoreAnswer, ring_size));
        if ring_size != header.ring_size {
            let failure = Failure::mismatch(AbiField::RingSize, u64::from(ring_size));
            return Err(failure.on_core(self.index));
        }
        let abi_hash = region.load64(line + offset_of!(CoreAnswer, abi_hash) as u64);
        if abi_hash != ABI_HASH {
            return Err(Failure::mismatch(AbiField::Hash, abi_hash).on_core(self.index));
        }
        let physical_core = load32(offset_of!(CoreAnswer, physical_core));
        let core_type = load32(offset_of!(CoreAnswer, core_type));
        let bad_answer = Failure::new(DeviceError::BadAnswer).on_core(self.index);
        if physical_core >= header.registers.count || core_type != self.core_type as u32 {
            return Err(bad_answer.after(u64::from(physical_core)));
        }
        let window = region.load64(header.registers.at(physical_core));
        if window == 0 {
            return Err(bad_answer.after(u64::from(physical_core)));
        }
        self.window = window;
        self.data_main_base_address = window + u64::from(chip.registers.data_main_base);
        self.cond_address = window + u64::from(chip.registers.cond);
        self.write_fast_path(control, FAST_PATH_OPEN);
        self.write_data_main_base(device, DISPATCH_IDLE);
        recorder.open_counters(self.index, physical_core)?;
        region.barrier(Barrier::Store);
        let order = header.orders.at(self.index);
        let registers_run = order + offset_of!(CoreOrder, registers_run) as u64;
        region.store32(registers_run, header.run_id);
        region.barrier(Barrier::Store);
        Ok(())
    }

    fn close<D: Device>(&mut self, control: &Control<'_, D>, deadline: u64) -> Result<(), Failure> {
        let exited = self.await_exit(control, deadline);
        if exited.is_ok() {
            self.write_data_main_base(control.device(), DISPATCH_IDLE);
            self.write_fast_path(control, FAST_PATH_CLOSE);
            self.window = 0;
        }
        exited
    }

    /// Waits until the core has answered the handshake with `COND`; watches the host and the other
    /// threads.
    fn await_idle<D: Device>(
        &mut self,
        control: &Control<'_, D>,
        deadline: u64,
        shared: &Shared<'_>,
    ) -> Result<(), Failure> {
        let device = control.device();
        while self.read_cond(device) != COND_IDLE {
            self.check_peers(control, shared)?;
            if device.ticks() >= deadline {
                return Err(self.late(control, DeviceError::HandshakeTimeout));
            }
            let registers = [self.cond_address];
            let name = "the first COND of a core";
            device.relax(&Awaited::new(name, &registers, &[], deadline));
        }
        Ok(())
    }

    /// Waits until the core has left this run. `COND` may still hold the EXITED of the run before, so
    /// the answer, which is visible before `COND`, must name this one. A core that gave up before it
    /// learnt of its registers leaves `COND` as it is, and says why in its answer.
    fn await_exit<D: Device>(
        &mut self,
        control: &Control<'_, D>,
        deadline: u64,
    ) -> Result<(), Failure> {
        let (region, header) = (control.region, &control.header);
        let device = control.device();
        let line = header.answers.at(self.index);
        let exited_run = line + offset_of!(CoreAnswer, exited_run) as u64;
        loop {
            let has_exited = self.read_cond(device) == COND_EXITED;
            if !is_mutant("exit-not-invalidated") {
                region.invalidate(line);
            }
            let seen = region.load32(exited_run);
            region.barrier(Barrier::Load);
            let has_left = seen == header.run_id;
            if has_left && (has_exited || self.check_left(control).is_err()) {
                return Ok(());
            }
            if device.ticks() >= deadline && !is_mutant("exit-unlimited") {
                return Err(self.late(control, DeviceError::ExitTimeout));
            }
            let registers = [self.cond_address];
            let words = [AwaitedWord {
                address: region.address(exited_run),
                seen,
                by: AwaitedBy::Device as u32,
                pair_address: 0,
            }];
            let name = "the exit of a core";
            device.relax(&Awaited::new(name, &registers, &words, deadline));
        }
    }

    fn late<D: Device>(&self, control: &Control<'_, D>, error: DeviceError) -> Failure {
        let limit = control.header.handshake_limit_ticks;
        self.describe(Failure::new(error).after(limit))
    }

    /// Whether the core has left this run with an error of its own; its line was just invalidated.
    fn check_left<D: Device>(&self, control: &Control<'_, D>) -> Result<(), Failure> {
        let (region, header) = (control.region, &control.header);
        let line = header.answers.at(self.index);
        let exited = region.load32(line + offset_of!(CoreAnswer, exited_run) as u64);
        if exited != header.run_id {
            return Ok(());
        }
        region.barrier(Barrier::Load);
        let error = region.load32(line + offset_of!(CoreAnswer, error) as u64);
        if error == DeviceError::None as u32 {
            return Ok(());
        }
        let failure = Failure::new(DeviceError::CoreFailed).after(u64::from(error));
        Err(self.describe(failure))
    }

    fn check_peers<D: Device>(
        &self,
        control: &Control<'_, D>,
        shared: &Shared<'_>,
    ) -> Result<(), Failure> {
        if shared.is_faulty() {
            return Err(self.describe(DeviceError::Sibling.into()));
        }
        if control.is_aborted() {
            return Err(self.describe(DeviceError::Aborted.into()));
        }
        Ok(())
    }

    fn write_fast_path<D: Device>(&self, control: &Control<'_, D>, value: u32) {
        if let Some(offset) = control.chip.registers.fast_path_enable {
            let (device, address) = (control.device(), self.window + u64::from(offset));
            // SAFETY: the address is a window of the register table plus the chip's offset, and the
            // thread that owns a core is the register's writer.
            unsafe { device.write_reg(address, value) };
        }
    }
}
