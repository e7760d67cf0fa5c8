//! What the format has no events for: facts of the run before them, what was not drawn behind them.

use super::Writer;
use crate::losses::missing_by_kind;
use lanescope_trace::{DeviceInfo, Orchestrator, Session};
use std::io::Write;

impl<W: Write> Writer<'_, W> {
    pub(super) fn other_data(&mut self) {
        let trace = self.trace;
        let session: &Session = trace.session();
        self.text.raw("\"otherData\":{");
        self.argument("ticks_per_second", session.ticks_per_second, true);
        self.text.raw(",\"origin_ticks\":\"");
        self.text.uint(self.origin_ticks);
        self.text.raw("\"");
        if let Some(chip) = session.chip {
            self.text.raw(",\"chip\":");
            self.text.json_string(chip.name());
        }
        self.text.raw(",\"platform\":");
        self.text.json_string(&session.platform);
        self.text.raw(",\"workload\":");
        self.text.json_string(&session.workload);
        if let Some(level) = session.level {
            self.argument("level", u64::from(level), false);
        }
        self.core_types();
        self.text.raw(",\"core_to_thread\":[");
        for (place, core) in session.cores.iter().enumerate() {
            self.text.raw(if place == 0 { "" } else { "," });
            match core.thread {
                Some(thread) => self.text.uint(u64::from(thread)),
                None => self.text.raw("null"),
            }
        }
        self.text.raw("]");
        if !session.devices.is_empty() {
            self.devices(&session.devices);
        }
        if let Some(totals) = trace.orchestrator() {
            self.orchestrator(totals);
        }
        self.argument("tasks", trace.task_count(), false);
        self.text.raw(",\"verdict\":");
        match trace.verdict() {
            Some(verdict) => self.text.json_string(verdict.outcome.name()),
            None => self.text.raw("null"),
        }
        if let Some(verdict) = trace.verdict() {
            self.text.raw(",\"lost\":{");
            for (place, (kind, missing)) in missing_by_kind(verdict).into_iter().enumerate() {
                self.argument(&kind.to_string(), missing, place == 0);
            }
            self.text.raw("}");
        }
        self.text.raw("}");
    }

    /// Runs of cores of one kind: an idle core has no thread whose name would tell it.
    fn core_types(&mut self) {
        self.text.raw(",\"core_types\":[");
        let cores = &self.trace.session().cores;
        let runs = cores.chunk_by(|one, next| one.core_type == next.core_type);
        for (place, run) in runs.enumerate() {
            self.text.raw(if place == 0 { "[\"" } else { ",[\"" });
            self.text.raw(run[0].core_type.name());
            self.text.raw("\",");
            self.text.uint(run.len() as u64);
            self.text.raw("]");
        }
        self.text.raw("]");
    }

    /// Whose the cores and threads are that follow each other.
    fn devices(&mut self, devices: &[DeviceInfo]) {
        self.text.raw(",\"devices\":[");
        for (place, device) in devices.iter().enumerate() {
            self.text.raw(if place == 0 { "{" } else { ",{" });
            self.text.raw("\"name\":");
            self.text.json_string(&device.name);
            self.text.raw(",\"host\":");
            self.text.json_string(&device.host);
            if let Some(number) = device.device {
                self.argument("device", u64::from(number), false);
            }
            self.text.raw(",\"platform\":");
            self.text.json_string(&device.platform);
            self.argument("cores", u64::from(device.cores), false);
            self.argument("threads", u64::from(device.threads), false);
            self.text.raw(",\"offset_ns\":\"");
            self.text.int(device.offset_ns);
            self.text.raw("\"");
            self.argument("uncertainty_ns", device.uncertainty_ns, false);
            self.text.raw("}");
        }
        self.text.raw("]");
    }

    fn orchestrator(&mut self, totals: &Orchestrator) {
        self.text.raw(",\"orchestrator\":{\"submit_count\":");
        self.text.raw(&totals.submit_count.to_string());
        self.known("start_us", totals.start_ticks);
        self.known("end_us", totals.end_ticks);
        self.text.raw(",\"phase_us\":{");
        for (place, (phase, ticks)) in Orchestrator::PHASES
            .iter()
            .zip(totals.phase_ticks)
            .enumerate()
        {
            self.text.raw(if place == 0 { "\"" } else { ",\"" });
            self.text.raw(phase);
            self.text.raw("\":");
            self.text.microseconds(&self.clock, ticks);
        }
        self.text.raw("}}");
    }

    pub(super) fn undrawn(&mut self) {
        let written = self.written;
        self.text.raw("\n],\"undrawn\":{");
        self.argument("tasks", written.undrawn_tasks, true);
        self.argument("edges", written.undrawn_flows, false);
        self.argument("counters", written.undrawn_counters, false);
        self.argument("stays", written.undrawn_stays, false);
        self.argument("phases", written.undrawn_phases, false);
        self.text.raw("}}\n");
    }
}
