//! What our own export says beside the events.

use super::super::cores;
use super::super::draft::{BASE_NS, Draft};
use super::super::json::{self, Source, Step};
use crate::json::{Kind, Members};
use crate::{Orchestrator, TraceError};
use lanescope_abi::Chip;

const NAMES: [&str; 10] = [
    "ticks_per_second",
    "origin_ticks",
    "chip",
    "platform",
    "workload",
    "level",
    "core_to_thread",
    "orchestrator",
    "tasks",
    "verdict",
];
const UNDRAWN: [&str; 5] = ["tasks", "edges", "counters", "stays", "phases"];
const TOTALS: [&str; 4] = ["start_us", "end_us", "submit_count", "phase_us"];

/// Takes the facts of the run; other programs have other data, of any kind.
pub(super) fn read(reader: &mut Source, draft: &mut Draft) -> Step {
    let (mut rate, mut origin) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&NAMES, &mut members)? {
        match member {
            0 => rate = json::maybe_uint(reader)?,
            1 => origin = json::maybe_uint(reader)?,
            2 => {
                let name = json::maybe_text(reader)?;
                let mut chips = Chip::ALL.into_iter();
                draft.chip = chips.find(|chip| Some(chip.info().name) == name.as_deref());
            }
            3 => draft.platform = json::maybe_text(reader)?.unwrap_or_default(),
            4 => draft.workload = json::maybe_text(reader)?.unwrap_or_default(),
            5 => {
                let level = json::maybe_uint(reader)?;
                draft.level = level.and_then(|level| u32::try_from(level).ok());
            }
            6 if reader.kind()? == Kind::Array => cores::core_to_thread(reader, draft)?,
            7 if reader.kind()? == Kind::Object => totals(reader, draft)?,
            9 => {
                let verdict = json::maybe_text(reader)?.filter(|verdict| verdict != "exact");
                if let Some(verdict) = verdict {
                    let verdict: String = verdict.chars().take(40).collect();
                    draft.note(1, &format!("run that its source calls {verdict}"));
                }
            }
            _ => reader.skip()?,
        }
    }
    if let Some((rate, origin)) = rate.zip(origin) {
        draft.counter = Some((rate.max(1), origin));
        if draft.chip.is_none() {
            let mut chips = Chip::ALL.into_iter();
            draft.chip = chips.find(|chip| chip.info().ticks_per_second == rate);
        }
    }
    Ok(())
}

/// Counts what the export could not draw.
pub(super) fn undrawn(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&UNDRAWN, &mut members)? {
        match UNDRAWN.get(member) {
            Some(what) => {
                let count = json::maybe_uint(reader)?.unwrap_or(0);
                draft.note(count, &format!("{what} that the trace does not draw"));
            }
            None => reader.skip()?,
        }
    }
    Ok(())
}

fn totals(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut totals = Orchestrator::default();
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&TOTALS, &mut members)? {
        match member {
            0 => totals.start_ticks = time(reader)?,
            1 => totals.end_ticks = time(reader)?,
            2 => totals.submit_count = reader.integer_of("an integer of 64 bits")?,
            3 => {
                let mut members = Members::default();
                reader.begin_object()?;
                while let Some(member) = reader.member(&Orchestrator::PHASES, &mut members)? {
                    match totals.phase_ticks.get_mut(member) {
                        Some(phase) => *phase = span(reader)?,
                        None => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    draft.orchestrator = Some(totals);
    Ok(())
}

fn span(reader: &mut Source) -> Result<u64, TraceError> {
    let ns = json::nanoseconds(reader, "microseconds")?.units;
    u64::try_from(ns).map_err(|_| reader.error(format!("{ns} ns, expected 0 or more")))
}

fn time(reader: &mut Source) -> Result<u64, TraceError> {
    Ok(span(reader)?.saturating_add(BASE_NS))
}
