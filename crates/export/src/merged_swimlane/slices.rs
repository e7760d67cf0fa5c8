//! The slices of tasks: one on the core, one between dispatch and finish.

use super::events::{Place, Text};
use super::{AICORE, AICPU, Maker, Stopped, Swimlane, core_track};
use lanescope_trace::CoreType;
use lanescope_trace::json::Number;
use lanescope_trace::reference::{Names, TaskRow};
use std::collections::HashMap;
use std::ops::Range;

/// Function names, escaped, by function id.
#[derive(Default)]
pub(super) struct Labels {
    /// Of small ids, which is what runtimes give.
    small: Vec<Option<String>>,
    other: HashMap<u32, String>,
}

/// The first id that is not small.
const SMALL_IDS: usize = 1024;

impl Labels {
    #[inline]
    fn of(&mut self, func_id: u32, names: &Names) -> &str {
        let label = || {
            let mut text = Text::default();
            text.escaped(&names.function(func_id));
            text.into_string()
        };
        let place = func_id as usize;
        if place >= SMALL_IDS {
            return self.other.entry(func_id).or_insert_with(label);
        }
        if self.small.len() <= place {
            self.small.resize(place + 1, None);
        }
        self.small[place].get_or_insert_with(label)
    }
}

impl<'a> Swimlane<'a> {
    /// Rows of a part with their places.
    pub(super) fn rows(self, part: Range<usize>) -> impl Iterator<Item = (u32, &'a TaskRow)> {
        let first = u32::try_from(part.start).expect("rows are counted in 32 bits");
        (first..).zip(&self.document.tasks.rows[part])
    }

    /// Rows of a part that have a slice in the AICPU's view, with their places, dispatch and finish.
    pub(super) fn spans(
        self,
        part: Range<usize>,
    ) -> impl Iterator<Item = (u32, &'a TaskRow, Number, Number)> {
        self.rows(part).filter_map(|(place, row)| {
            let (dispatch, finish) = row.aicpu_span()?;
            Some((place, row, dispatch, finish))
        })
    }
}

impl Maker<'_> {
    /// Names of the cores, then one slice for each row.
    pub(super) fn aicore_view(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        if part.start == 0 {
            for &(core, core_type) in &swimlane.plan.cores.all {
                self.thread_name(AICORE, core_track(core), &core_name(core, core_type))?;
            }
        }
        let tasks = &swimlane.document.tasks;
        for row in &tasks.rows[part] {
            let place = Place {
                pid: AICORE,
                tid: core_track(row.core),
                start: row.start(),
                duration: row.duration(),
            };
            let name = self.labels.of(row.func_id, swimlane.names);
            self.events.slice(
                "event",
                None,
                Some(self.number),
                &place,
                |args| {
                    event_hint(args.key("event-hint"), row);
                    let hint = args.key("fanout-hint");
                    hint.raw("\"[");
                    for (count, successor) in tasks.successors(row).enumerate() {
                        hint.raw(if count == 0 { "" } else { ", " });
                        hint.display(successor);
                    }
                    hint.raw("]\"");
                    args.key("duration-us").number(row.duration());
                    args.key("taskId").id(row.id());
                },
                |text| task_name(text, name, row),
            )?;
            self.number += 1;
        }
        Ok(())
    }

    /// Names of the cores' first two lanes, then one slice for each row that has a span.
    pub(super) fn aicpu_view(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        if part.start == 0 {
            self.lane_names()?;
        }
        for (place, row, dispatch, finish) in swimlane.spans(part) {
            let duration = finish.minus(dispatch);
            let place = Place {
                pid: AICPU,
                tid: core_track(row.core) + u64::from(swimlane.plan.aicpu_slice(place).lane),
                start: dispatch,
                duration,
            };
            let name = self.labels.of(row.func_id, swimlane.names);
            self.events.slice(
                "event",
                None,
                Some(self.number),
                &place,
                |args| {
                    event_hint(args.key("event-hint"), row);
                    args.key("dispatch-time-us").number(dispatch);
                    args.key("finish-time-us").number(finish);
                    args.key("aicpu-duration-us").number(duration);
                    args.key("taskId").id(row.id());
                },
                |text| task_name(text, name, row),
            )?;
            self.number += 1;
        }
        Ok(())
    }

    fn lane_names(&mut self) -> Result<(), Stopped> {
        let plan = self.swimlane.plan;
        for (&(core, core_type), &lanes) in plan.cores.all.iter().zip(&plan.lane_counts) {
            let name = core_name(core, core_type);
            self.thread_name(AICPU, core_track(core), &name)?;
            if lanes > 1 {
                self.thread_name(AICPU, core_track(core) + 1, &name)?;
            }
        }
        Ok(())
    }
}

fn core_name(core: u16, core_type: CoreType) -> String {
    match core_type {
        CoreType::Aic => format!("AIC_{core}"),
        CoreType::Aiv => format!("AIV_{core}"),
    }
}

#[inline]
fn event_hint(text: &mut Text, row: &TaskRow) {
    text.raw("\"Task:");
    text.display(row.id());
    text.raw(", FuncId:");
    text.whole(u64::from(row.func_id));
    text.raw(", CoreId:");
    text.whole(u64::from(row.core));
    text.raw("\"");
}

#[inline]
fn task_name(text: &mut Text, name: &str, row: &TaskRow) {
    text.raw(name);
    text.raw("(");
    text.display(row.id());
    text.raw(")");
}
