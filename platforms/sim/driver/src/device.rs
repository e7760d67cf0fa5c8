//! A device: how often it is set, what it runs, and whether it is still usable.
//!
//! # Who writes what
//!
//! One lock per device guards its state; it is not held while bytes are copied, a frame is sent or
//! a process ends. A listener thread per device process enters what the process reports.

use crate::codes::{CHANNEL_CLOSED, CONTEXT_NULL, CONTEXT_RELEASED, DRIVER_INTERNAL};
use crate::codes::{Refusal, Result, refuse};
use crate::current::Current;
use crate::driver::Driver;
use crate::handle::Handle;
use crate::open::Open;
use crate::settings::{MAX_MEMORY_BYTES, Settings};
use lanescope_abi::Chip;
use lanescope_sim_wire::{DEVICE_MEMORY_ADDRESS, HostFrame};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A device this process can see.
#[derive(Debug)]
pub(crate) struct Device {
    logical: usize,
    driver_id: u32,
    chip: Chip,
    state: Mutex<State>,
    /// Notified when a task ends, a process ends, or the device is closed.
    changed: Condvar,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    references: u32,
    generation: u64,
    /// The first failure of a task, or the end of the process; stays until a forced reset.
    pub(crate) poison: Option<Refusal>,
    /// The poison came from the setting, and from nothing that happened.
    is_poison_injected: bool,
    open: Option<Open>,
}

impl State {
    /// What is open, when it is this opening.
    pub(crate) fn opening(&mut self, generation: u64) -> Result<&mut Open> {
        match &mut self.open {
            Some(open) if self.generation == generation => Ok(open),
            _ => Err(refuse(
                CONTEXT_NULL,
                "the device of this thread has been reset",
            )),
        }
    }

    /// The device is as if a task had failed with `code` before; `None` takes that back.
    pub(crate) fn inject_poison(&mut self, code: Option<i32>) {
        if self.poison.is_some() && !self.is_poison_injected {
            return;
        }
        self.poison = code.map(|code| refuse(code, "the setting poison asks for it"));
        self.is_poison_injected = code.is_some();
    }

    /// What is open, whichever opening it is.
    pub(crate) fn any_opening(&mut self) -> Option<&mut Open> {
        self.open.as_mut()
    }
}

impl Device {
    pub(crate) fn new(logical: usize, driver_id: u32, chip: Chip) -> Self {
        Self {
            logical,
            driver_id,
            chip,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Its logical id.
    pub(crate) fn logical(&self) -> usize {
        self.logical
    }

    /// Its driver-visible id.
    pub(crate) fn driver_id(&self) -> u32 {
        self.driver_id
    }

    /// The chip.
    pub(crate) fn chip(&self) -> Chip {
        self.chip
    }

    /// Its first device address. Devices share no address, as in the vendor's one address space.
    pub(crate) fn first_address(&self) -> u64 {
        DEVICE_MEMORY_ADDRESS + self.logical as u64 * MAX_MEMORY_BYTES
    }

    /// Adds one to the count; the first starts the device process.
    pub(crate) fn set(self: &Arc<Self>, dir: &Path, settings: &Settings) -> Result<Current> {
        let mut state = self.lock();
        if state.open.is_none() {
            let generation = state.generation + 1;
            state.open = Some(Open::new(self, dir, settings, generation)?);
            state.generation = generation;
        }
        state.references += 1;
        Ok(Current {
            device: self.logical,
            generation: state.generation,
        })
    }

    /// Takes one from the count, or all; the last ends the device process. Only a forced reset
    /// heals a device on which a task has failed.
    pub(crate) fn reset(&self, force: bool, driver: &Driver) -> Result<()> {
        let mut state = self.lock();
        if state.references == 0 {
            return Err(refuse(
                CONTEXT_RELEASED,
                format_args!("device {} is not set", self.logical),
            ));
        }
        state.references = if force { 0 } else { state.references - 1 };
        if force {
            state.poison = None;
            state.is_poison_injected = false;
        }
        if state.references > 0 {
            return Ok(());
        }
        let open = state.open.take();
        drop(state);
        self.changed.notify_all();
        if let Some(open) = open {
            open.report_leaks(self.logical, force, &mut driver.leaks());
            open.end();
        }
        Ok(())
    }

    /// Which opening is the latest.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Whether the device is set in this process.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().open.is_some()
    }

    /// Whether the device is open in this process and its own process is alive.
    pub(crate) fn is_alive(&self) -> bool {
        let state = self.lock();
        state
            .open
            .as_ref()
            .is_some_and(|open| open.death().is_none())
    }

    /// Process id of the device process.
    pub(crate) fn process_id(&self) -> Option<i32> {
        let state = self.lock();
        Some(state.open.as_ref()?.process().pid())
    }

    /// How much of something the open device holds; see `lanescope_sim_held`.
    pub(crate) fn held(&self, what: &str) -> u64 {
        self.lock().open.as_ref().map_or(0, |open| open.held(what))
    }

    /// Why the device is unusable until a forced reset.
    pub(crate) fn poison(&self) -> Option<Refusal> {
        self.lock().poison.clone()
    }

    /// Does something to the open device.
    pub(crate) fn with<T>(
        &self,
        generation: u64,
        action: impl FnOnce(&mut Open) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        let open = state.opening(generation)?;
        open.check_alive()?;
        action(open)
    }

    /// As [`Self::with`], for what a device refuses once a task has failed on it.
    pub(crate) fn with_healthy<T>(
        &self,
        generation: u64,
        action: impl FnOnce(&mut Open) -> Result<T>,
    ) -> Result<T> {
        let poison = self.poison();
        self.with(generation, |open| match poison {
            None => action(open),
            Some(first) => Err(refuse(
                DRIVER_INTERNAL,
                format_args!(
                    "the device is unusable since a failure: {first} ({})",
                    first.code
                ),
            )),
        })
    }

    /// As [`Self::with`], for what gives something back: it is done whichever thread asks, and
    /// also when the device process has ended.
    pub(crate) fn give_back<T>(&self, action: impl FnOnce(&mut Open) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        let generation = state.generation;
        let open = state.opening(generation)?;
        let result = action(open)?;
        open.check_alive()?;
        Ok(result)
    }

    /// Sends a task to a stream. `frames` makes the task's frame, and those that go before it, from
    /// the stream's number and the task's.
    pub(crate) fn launch(
        &self,
        generation: u64,
        stream: Handle,
        frames: impl FnOnce(&mut Open, u32, u64) -> Result<Vec<HostFrame>>,
    ) -> Result<()> {
        let process = self.with_healthy(generation, |open| Ok(open.process()))?;
        // Taken before the task is numbered, so that numbers arrive in order.
        let turn = process.turn();
        let frames = self.with_healthy(generation, |open| {
            let entry = open.stream(stream)?;
            let (id, task) = (entry.id, entry.next_task());
            let frames = frames(open, id, task)?;
            open.stream(stream)?.begin_task();
            Ok(frames)
        })?;
        for frame in &frames {
            turn.send(frame).map_err(|error| {
                refuse(
                    CHANNEL_CLOSED,
                    format_args!("device process {}: {error}", process.pid()),
                )
            })?;
        }
        Ok(())
    }

    /// Sends a frame that is not a task. The listener finds out when the process has ended.
    pub(crate) fn tell(&self, frame: &HostFrame) {
        let process = self.lock().open.as_ref().map(Open::process);
        if let Some(process) = process {
            let _ = process.turn().send(frame);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everyone in [`Self::sleep`].
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Gives up the lock until something changes or `limit` passes.
    pub(crate) fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match limit {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let woken = self.changed.wait_timeout(state, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}
