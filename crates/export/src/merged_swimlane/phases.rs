//! What the scheduler and the orchestrator did.

use super::events::{Args, Place};
use super::{Maker, ORCHESTRATOR, SCHEDULER, Stopped, orchestrator_track, scheduler_track};
use lanescope_trace::json::Number;
use lanescope_trace::reference::Summary;
use std::ops::Range;

impl Maker<'_> {
    /// Name and slices of a thread; the first thread's are behind the name of all.
    pub(super) fn scheduler(&mut self, thread: usize, part: Range<usize>) -> Result<(), Stopped> {
        let steps = &self.swimlane.document.scheduler[thread];
        let tid = scheduler_track(thread as u64);
        if part.start == 0 {
            if thread == 0 {
                self.process(SCHEDULER, "AICPU Scheduler", 2)?;
            }
            self.thread_name(SCHEDULER, tid, &format!("Sched_{thread}"))?;
        }
        for step in &steps[part] {
            let place = Place {
                pid: SCHEDULER,
                tid,
                start: step.start,
                duration: step.duration(),
            };
            self.events.slice(
                "scheduler",
                Some(scheduler_colour(step.name())),
                None,
                &place,
                |args| {
                    args.key("phase");
                    args.text(step.name());
                    args.key("loop_iter").signed(step.loop_iter);
                    args.key("tasks_processed").signed(step.tasks_processed);
                },
                |text| {
                    text.escaped(step.name());
                    text.raw("(");
                    text.signed(step.tasks_processed);
                    text.raw(")");
                },
            )?;
        }
        Ok(())
    }

    /// The orchestrator's name and its threads', without threads its totals as one slice.
    pub(super) fn orchestrator(&mut self) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        let named = swimlane.names.orchestrator.as_deref();
        let name = named
            .filter(|name| !name.is_empty())
            .unwrap_or("Orchestrator");
        self.process(ORCHESTRATOR, &format!("AICPU {name}"), 1)?;
        for thread in 0..swimlane.document.orchestrator_phases.len() {
            let tid = orchestrator_track(thread as u64);
            self.thread_name(ORCHESTRATOR, tid, &format!("Orch_{thread}"))?;
        }
        match &swimlane.document.orchestrator {
            Some(summary) if swimlane.document.orchestrator_phases.is_empty() => {
                self.thread_name(ORCHESTRATOR, orchestrator_track(0), name)?;
                self.summary(summary)
            }
            _ => Ok(()),
        }
    }

    /// Slices of a thread.
    pub(super) fn orchestrator_steps(
        &mut self,
        thread: usize,
        part: Range<usize>,
    ) -> Result<(), Stopped> {
        let steps = &self.swimlane.document.orchestrator_phases[thread];
        for step in &steps[part] {
            let place = Place {
                pid: ORCHESTRATOR,
                tid: orchestrator_track(thread as u64),
                start: step.start,
                duration: step.end.minus(step.start),
            };
            let phase = step.name();
            self.events.slice(
                "orchestrator",
                Some(orchestrator_colour(phase)),
                None,
                &place,
                |args| {
                    args.key("phase");
                    args.text(phase);
                    args.key("submit_idx").signed(step.submit_index);
                    args.key("task_id").id(step.task_id);
                },
                |text| {
                    text.escaped(phase.strip_prefix("orch_").unwrap_or(phase));
                    text.raw("(");
                    match step.task_id.is_negative {
                        true => text.signed(step.submit_index),
                        false => text.display(step.task_id),
                    }
                    text.raw(")");
                },
            )?;
        }
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), Stopped> {
        let place = Place {
            pid: ORCHESTRATOR,
            tid: orchestrator_track(0),
            start: summary.start,
            duration: summary.end.minus(summary.start),
        };
        self.events.slice(
            "orchestrator",
            None,
            None,
            &place,
            |args| summary_args(args, summary),
            |text| {
                text.raw("Orchestrator(");
                text.signed(summary.submit_count);
                text.raw(" tasks)");
            },
        )
    }
}

/// The totals above 0, each in microseconds and as a share of their sum.
fn summary_args(args: &mut Args<'_>, summary: &Summary) {
    args.key("submit_count").signed(summary.submit_count);
    let total: f64 = summary.phases.iter().map(|(_, time)| time.value).sum();
    for (phase, time) in &summary.phases {
        if time.value > 0.0 {
            args.escaped_key(phase, "_us").number(rounded(*time, 3));
            let share = Number::double(time.value / total * 100.0);
            args.escaped_key(phase, "_%").number(rounded(share, 1));
        }
    }
}

/// The double next to the number's decimal text of so many digits; whole numbers stay.
fn rounded(number: Number, digits: usize) -> Number {
    if number.is_whole {
        return number;
    }
    let text = format!("{:.digits$}", number.value);
    Number::double(text.parse().unwrap_or(number.value))
}

fn scheduler_colour(phase: &str) -> &'static str {
    match phase {
        "complete" => "good",
        "dispatch" => "terrible",
        "scan" => "thread_state_running",
        "idle" => "yellow",
        _ => "generic_work",
    }
}

fn orchestrator_colour(phase: &str) -> &'static str {
    match phase {
        "orch_sync" => "thread_state_iowait",
        "orch_alloc" => "terrible",
        "orch_params" => "good",
        "orch_lookup" => "thread_state_running",
        "orch_heap" => "yellow",
        "orch_insert" => "olive",
        "orch_fanin" => "rail_animation",
        "orch_finalize" => "cq_build_passed",
        _ => "generic_work",
    }
}
