//! `l2_perf_records.json`, versions 1 and 2, row by row.
//!
//! The file holds microseconds since its own base, with three digits, and not the counter's rate.
//! Where every time is a multiple of 20 ns the ticks are those of the a2a3 counter (50 MHz), else
//! those of the a5 one (1 GHz): either way the conversion is exact. The base becomes the tick of one
//! second, so that no known time is 0, and times before the base have their place too.
//!
//! A `dispatch_time_us` of 0 stands for an unknown time as well as for the base; it is taken as
//! unknown only when `finish_time_us` is 0 too.

mod rows;

use super::cores;
use super::draft::{Draft, Unit};
use super::input::Input;
use super::json::{self, Seen, Source};
use crate::TraceError;
use lanescope_abi::Chip;
use rows::Rows;

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "l2_perf_records.json";

const KEYS: [&str; 6] = [
    "version",
    "tasks",
    "aicpu_scheduler_phases",
    "aicpu_orchestrator",
    "aicpu_orchestrator_phases",
    "core_to_thread",
];

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let mut reader = json::open(input)?;
    let mut rows = Rows::default();
    let mut seen = Seen::default();
    let (mut version, mut threads) = (0, 0);
    let mut members = crate::json::Members::default();
    json::begin(&mut reader, "an object with the keys `version` and `tasks`")?;
    while let Some(member) = reader.member(&KEYS, &mut members)? {
        if member < KEYS.len() {
            seen.once(&reader, &KEYS, member)?;
        }
        match member {
            0 => version = of_version(&mut reader)?,
            1 => json::each(&mut reader, "an array of task objects", |reader| {
                rows.task(reader, draft)
            })?,
            2 => {
                let expected = "an array of arrays of scheduler phases";
                threads = json::by_thread(&mut reader, expected, |reader, thread| {
                    rows.scheduler(reader, thread, draft)
                })?;
            }
            3 => draft.orchestrator = rows.orchestrator(&mut reader, draft)?,
            4 => {
                let expected = "an array of arrays of orchestrator phases";
                json::by_thread(&mut reader, expected, |reader, thread| {
                    rows.orchestrator_phase(reader, thread, draft)
                })?;
            }
            5 => cores::core_to_thread(&mut reader, draft)?,
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    seen.need(&reader, &KEYS, &[0, 1])?;
    rows.tell(draft);
    draft.platform = format!("l2_perf_records version {version}");
    // The reference writes one list for each AICPU thread the chip can have.
    let mut chips = Chip::ALL.into_iter();
    draft.chip = chips.find(|chip| chip.info().max_threads == threads);
    draft.unit = Some(Unit::Nanoseconds);
    Ok(())
}

fn of_version(reader: &mut Source) -> Result<u32, TraceError> {
    match reader.integer("version 1 or 2")? {
        1 => Ok(1),
        2 => Ok(2),
        other => Err(reader.error(format!("version {other}, expected 1 or 2"))),
    }
}
