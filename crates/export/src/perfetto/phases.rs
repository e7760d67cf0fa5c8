//! What the AICPU threads did: slices on tracks of their own, waits inside the phase they lie in.

use super::Writer;
use super::event::{self, Annotations};
use super::tracks::Tracks;
use crate::ExportError;
use crate::flows::RowFlows;
use crate::losses::missing_phases;
use crate::nests::{Nests, is_drawable};
use lanescope_trace::{Orchestrator, OrchestratorPhase, SchedulerPhase};
use std::io::Write;

/// Times and texts of one slice.
#[derive(Clone, Copy)]
struct Stretch {
    times: (u64, u64),
    name: &'static str,
    arguments: Annotations,
}

impl Stretch {
    fn of_scheduler(phase: &SchedulerPhase) -> Self {
        Self {
            times: (phase.start_ticks, phase.end_ticks),
            name: phase.name(),
            arguments: Annotations::of_scheduler(phase),
        }
    }

    fn of_orchestrator(phase: &OrchestratorPhase) -> Self {
        Self {
            times: (phase.start_ticks, phase.end_ticks),
            name: phase.name(),
            arguments: Annotations::of_orchestrator(phase),
        }
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
        let mut nests = Nests::of(trace.scheduler_phases(thread)).peekable();
        if nests.peek().is_none() && missing_phases(trace, thread) == 0 {
            return Ok(());
        }
        let place = self
            .tracks
            .thread(&mut self.wire, Some(thread as usize), "scheduler");
        let mut latest = None;
        for nest in nests {
            latest = latest.max(Some(nest.outer.end_ticks));
            let waits: Vec<Stretch> = nest.waits.iter().map(Stretch::of_scheduler).collect();
            self.slice(place, &Stretch::of_scheduler(&nest.outer), &waits);
            self.pass_on()?;
        }
        self.losses_of_phases(thread, self.tracks.phases[place].track(), latest);
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
            .thread(&mut self.wire, Some(thread as usize), "orchestrator");
        for phase in phases {
            self.slice(place, &Stretch::of_orchestrator(&phase), &[]);
            self.pass_on()?;
        }
        Ok(())
    }

    /// The orchestrator as one slice, where none of its steps is known.
    pub(super) fn orchestrator_totals(&mut self) {
        let trace = self.trace;
        let times = |totals: &Orchestrator| (totals.start_ticks, totals.end_ticks);
        let totals = trace.orchestrator();
        let Some(totals) = totals.filter(|totals| is_drawable(times(totals))) else {
            return;
        };
        let steps = |thread| trace.orchestrator_phases(thread).next();
        if trace.threads().find_map(steps).is_some() {
            return;
        }
        // Nothing says which thread it was.
        let place = self.tracks.thread(&mut self.wire, None, "orchestrator");
        let track = self.tracks.phases[place].track();
        let (start, end) = times(totals);
        let times_ns = (self.clock.nanoseconds(start), self.clock.nanoseconds(end));
        let clock = &self.clock;
        let name = format!("Orchestrator({} tasks)", totals.submit_count);
        event::slice(&mut self.wire, times_ns, track, &name, |wire| {
            event::annotate_totals(wire, totals, clock);
        });
    }

    /// A phase and the waits in it, on the first lane that is free.
    fn slice(&mut self, place: usize, outer: &Stretch, waits: &[Stretch]) {
        let times = Some(outer.times).filter(|&times| is_drawable(times));
        let times = times.map(|(start, end)| (self.clock.at(start), self.clock.at(end)));
        let Tracks { phases, ids, .. } = &mut self.tracks;
        let lanes = &mut phases[place];
        let free = times.and_then(|(start, _)| {
            lanes.lane(lanes.free_at(start), &mut self.wire, ids, &self.clock)
        });
        let Some((lane, (start, end))) = free.zip(times) else {
            self.written.undrawn_phases += 1 + waits.len() as u64;
            return;
        };
        let none = RowFlows::none();
        let name = self.names.fixed(outer.name);
        let arguments = &outer.arguments;
        lane.begin(&mut self.wire, start, name, &self.names, arguments, &none);
        for wait in waits {
            let start = self.clock.at(wait.times.0);
            let name = self.names.fixed(wait.name);
            let arguments = &wait.arguments;
            lane.begin(&mut self.wire, start, name, &self.names, arguments, &none);
            lane.end(&mut self.wire, self.clock.at(wait.times.1));
        }
        lane.end(&mut self.wire, end);
    }
}
