//! Waiting for tasks, and the thread that hears of their ends.

use crate::codes::{CHANNEL_CLOSED, Result, STREAM_NOT_COMPLETE, STREAM_SYNC_TIMEOUT, refuse};
use crate::device::{Device, State};
use crate::handle::Handle;
use crate::leaks::say;
use crate::process::Process;
use crate::stream::Stream;
use lanescope_sim_wire::DeviceFrame;
use std::time::{Duration, Instant};

/// How long a process that has closed its socket may take to end before that is reported.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Which tasks are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tasks {
    /// Those of one stream.
    Of(Handle),
    /// Those of every stream.
    All,
}

impl Device {
    /// Waits until all tasks sent so far have ended. Returns the first failure when there was one,
    /// at every call.
    pub(crate) fn synchronize(
        &self,
        generation: u64,
        tasks: Tasks,
        limit: Option<Duration>,
    ) -> Result<()> {
        let mut state = self.lock();
        let slowdown = state.opening(generation)?.slowdown;
        let wall = limit.map(|limit| limit.saturating_mul(slowdown));
        let deadline = wall.and_then(|wall| Instant::now().checked_add(wall));
        loop {
            let pending = state.pending(generation, tasks)?;
            if pending == 0 {
                return state.outcome(generation, tasks);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                let limit = limit.unwrap_or_default();
                return Err(refuse(
                    STREAM_SYNC_TIMEOUT,
                    format_args!("{pending} tasks have not ended after {limit:?}"),
                ));
            }
            state = self.sleep(state, left);
        }
    }

    /// Whether all tasks have ended, without waiting.
    pub(crate) fn query(&self, generation: u64, stream: Handle) -> Result<()> {
        let mut state = self.lock();
        match state.pending(generation, Tasks::Of(stream))? {
            0 => state.outcome(generation, Tasks::Of(stream)),
            pending => Err(refuse(
                STREAM_NOT_COMPLETE,
                format_args!("{pending} tasks have not ended"),
            )),
        }
    }
}

impl State {
    fn pending(&mut self, generation: u64, tasks: Tasks) -> Result<u64> {
        let open = self.opening(generation)?;
        open.check_alive()?;
        match tasks {
            Tasks::Of(handle) => Ok(open.stream(handle)?.pending()),
            Tasks::All => Ok(open.streams.values().map(Stream::pending).sum()),
        }
    }

    fn outcome(&mut self, generation: u64, tasks: Tasks) -> Result<()> {
        if let Tasks::Of(handle) = tasks {
            let stream = self.opening(generation)?.stream(handle)?;
            if let Some(failure) = stream.failure() {
                return Err(failure.clone());
            }
        }
        self.poison.clone().map_or(Ok(()), Err)
    }

    fn hear(&mut self, generation: u64, frame: DeviceFrame) {
        let Ok(open) = self.opening(generation) else {
            return;
        };
        match frame {
            DeviceFrame::Note { text } => open.note = Some(text),
            DeviceFrame::Done { stream, task, code } => {
                let note = if code == 0 { None } else { open.note.take() };
                // A stream that was destroyed with tasks in flight is not there any more.
                open.end_orphan(stream, task);
                let stream = open.streams.values_mut().find(|entry| entry.id == stream);
                let failure = stream.and_then(|stream| stream.end_task(task, code, note));
                self.poison = self.poison.take().or(failure);
            }
            _ => {}
        }
    }
}

/// Enters what the device process reports, until it ends or is ended.
pub(crate) fn listen(device: &Device, process: &Process, generation: u64) {
    let why = loop {
        match process.receive() {
            Ok(Some(frame)) => {
                // Until `Open` is in place nothing has been launched, so nothing is missed.
                device.lock().hear(generation, frame);
                device.wake();
            }
            Ok(None) => break String::new(),
            Err(error) => break format!(" ({error})"),
        }
    };
    if device.lock().opening(generation).is_err() {
        return;
    }
    let end = process.end(END_LIMIT);
    let text = format!(
        "the process of device {} has ended: {end}{why}",
        device.logical()
    );
    let mut state = device.lock();
    // A reset may have come in between; then nobody needs to know.
    if let Ok(open) = state.opening(generation) {
        say(&text);
        let death = refuse(CHANNEL_CLOSED, text);
        open.die(death.clone());
        state.poison.get_or_insert(death);
    }
    drop(state);
    device.wake();
}
