//! What the AICPU threads did: slices on tracks of their own, waits inside the phase they lie in.

use super::Writer;
use super::event::{self, Annotations};
use super::tracks::Tracks;
use crate::ExportError;
use crate::flows::RowFlows;
use lanescope_trace::{Kind, SchedulerPhase};
use std::io::Write;

/// So many waits are kept until the phase they lie in comes; it comes right behind them.
const MAX_WAITS: usize = 4096;

/// Times and texts of one slice.
#[derive(Clone, Copy)]
struct Stretch {
    times: (u64, u64),
    name: &'static str,
    arguments: Annotations,
}

impl Stretch {
    fn of(phase: &SchedulerPhase) -> Self {
        Self {
            times: (phase.start_ticks, phase.end_ticks),
            name: phase.name(),
            arguments: Annotations::of_scheduler(phase),
        }
    }

    fn is_drawable(&self) -> bool {
        let (start, end) = self.times;
        start != 0 && end >= start
    }

    fn is_inside(&self, outer: &Self) -> bool {
        self.times.0 >= outer.times.0 && self.times.1 <= outer.times.1
    }
}

impl<W: Write> Writer<'_, W> {
    pub(super) fn phases(&mut self) -> Result<(), ExportError> {
        for thread in self.trace.threads() {
            self.scheduler(thread)?;
            self.orchestrator(thread)?;
        }
        Ok(())
    }

    fn scheduler(&mut self, thread: u32) -> Result<(), ExportError> {
        let trace = self.trace;
        let mut phases = trace.scheduler_phases(thread).peekable();
        if phases.peek().is_none() && self.missing_phases(thread) == 0 {
            return Ok(());
        }
        let place = self
            .tracks
            .thread(&mut self.wire, thread as usize, "scheduler");
        let mut waits = Vec::new();
        let mut latest = None;
        for phase in phases {
            latest = latest.max(Some(phase.end_ticks));
            let stretch = Stretch::of(&phase);
            if phase.phase == SchedulerPhase::BLOCKED && waits.len() < MAX_WAITS {
                waits.push(stretch);
                continue;
            }
            self.stretch(place, &stretch, &mut waits)?;
        }
        for wait in waits {
            self.stretch(place, &wait, &mut Vec::new())?;
        }
        self.phase_losses(thread, self.tracks.phases[place].track(), latest);
        Ok(())
    }

    fn orchestrator(&mut self, thread: u32) -> Result<(), ExportError> {
        let trace = self.trace;
        let mut phases = trace.orchestrator_phases(thread).peekable();
        if phases.peek().is_none() {
            return Ok(());
        }
        let place = self
            .tracks
            .thread(&mut self.wire, thread as usize, "orchestrator");
        for phase in phases {
            let stretch = Stretch {
                times: (phase.start_ticks, phase.end_ticks),
                name: phase.name(),
                arguments: Annotations::of_orchestrator(&phase),
            };
            self.stretch(place, &stretch, &mut Vec::new())?;
        }
        Ok(())
    }

    /// One phase and the waits that lie in it; other waits are drawn by themselves.
    fn stretch(
        &mut self,
        place: usize,
        outer: &Stretch,
        waits: &mut Vec<Stretch>,
    ) -> Result<(), ExportError> {
        let waits = std::mem::take(waits);
        let inner = |wait: &Stretch| outer.is_drawable() && wait.is_inside(outer);
        for wait in waits.iter().filter(|wait| !inner(wait)) {
            self.slice(place, wait, &[]);
        }
        let inner: Vec<Stretch> = waits.into_iter().filter(inner).collect();
        self.slice(place, outer, &inner);
        self.pass_on()?;
        Ok(())
    }

    fn slice(&mut self, place: usize, outer: &Stretch, inner: &[Stretch]) {
        if !outer.is_drawable() {
            return;
        }
        let start = self.clock.at(outer.times.0);
        let Tracks { phases, ids, .. } = &mut self.tracks;
        let lanes = &mut phases[place];
        let lane = lanes.free_at(start);
        let Some(lane) = lanes.lane(lane, &mut self.wire, ids, &self.clock) else {
            return;
        };
        let none = RowFlows::none();
        let name = self.names.fixed(outer.name);
        let arguments = &outer.arguments;
        lane.begin(&mut self.wire, start, name, &self.names, arguments, &none);
        for wait in inner.iter().filter(|wait| wait.is_drawable()) {
            let start = self.clock.at(wait.times.0);
            if start < lane.latest() {
                continue;
            }
            let name = self.names.fixed(wait.name);
            let arguments = &wait.arguments;
            lane.begin(&mut self.wire, start, name, &self.names, arguments, &none);
            lane.end(&mut self.wire, self.clock.at(wait.times.1));
        }
        lane.end(&mut self.wire, self.clock.at(outer.times.1));
    }

    /// Marks the gaps in the thread's sequence, and what the verdict knows to be missing beyond them.
    fn phase_losses(&mut self, thread: u32, track: u64, latest: Option<u64>) {
        let losses = self.trace.phase_losses().iter();
        let losses: Vec<_> = losses.filter(|loss| loss.thread == thread).collect();
        let mut told = 0;
        for loss in losses {
            told += loss.count;
            self.phase_loss(track, loss.count, Some(loss.at_ticks), "before this");
        }
        let rest = self.missing_phases(thread).saturating_sub(told);
        if rest > 0 {
            self.phase_loss(track, rest, latest, "after this");
        }
    }

    fn phase_loss(&mut self, track: u64, count: u64, at: Option<u64>, place: &str) {
        let Some(at) = self.clock.within(at.or(self.clock.origin())) else {
            return;
        };
        self.written.lost_phases = self.written.lost_phases.saturating_add(count);
        let at_ns = self.clock.nanoseconds(at);
        let name = format!("{count} phase records lost {place}");
        event::instant(&mut self.wire, at_ns, track, &name, |wire| {
            event::annotate_uint(wire, "records", count);
        });
    }

    /// Phase records of a thread that the device counted and the capture does not have.
    fn missing_phases(&self, thread: u32) -> u64 {
        let rows = self.trace.verdict().into_iter();
        let rows = rows.flat_map(|verdict| &verdict.cores);
        let rows = rows.filter(|row| row.kind == Kind::PHASE && row.thread == thread);
        let missing = rows.map(|row| row.counts.total.saturating_sub(row.counts.collected));
        missing.fold(0, u64::saturating_add)
    }
}
