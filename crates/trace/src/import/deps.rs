//! `deps.json`: the edges of a task graph and the kernels of its tasks.

use super::draft::Draft;
use super::input::Input;
use super::json::{self, Seen, Source, Step, given};
use super::rows::Kernels;
use crate::TraceError;
use crate::json::Members;

/// The name the file has beside the records it belongs to.
pub(super) const FILE_NAME: &str = "deps.json";

const KEYS: [&str; 3] = ["version", "tasks", "edges"];
const A_TASK_ID: &str = "a task id, an integer of 64 bits as a number or as text";

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let mut reader = json::open(input)?;
    let mut seen = Seen::default();
    let mut members = Members::default();
    json::begin(&mut reader, "an object with the key `edges`")?;
    while let Some(member) = reader.member(&KEYS, &mut members)? {
        if member < KEYS.len() {
            seen.once(&reader, &KEYS, member)?;
        }
        match member {
            0 => of_version(&mut reader)?,
            1 => json::each(
                &mut reader,
                "an array of objects with `task_id`",
                |reader| task(reader, draft),
            )?,
            2 => {
                let expected = "an array of objects with `pred` and `succ`";
                json::each(&mut reader, expected, |reader| edge(reader, draft))?;
            }
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    seen.need(&reader, &KEYS, &[2])
}

fn of_version(reader: &mut Source) -> Step {
    match reader.integer("version 2")? {
        2 => Ok(()),
        other => Err(reader.error(format!("version {other}, expected 2"))),
    }
}

fn task(reader: &mut Source, draft: &mut Draft) -> Step {
    let (mut id, mut kernels) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&["task_id", "kernel_ids"], &mut members)? {
        match member {
            0 => id = Some(json::uint(reader, A_TASK_ID)?),
            1 if reader.null()? => kernels = None,
            1 => kernels = Some(kernel_ids(reader)?),
            _ => reader.skip()?,
        }
    }
    let task_id = given(reader, id, "task_id")?;
    let Some(ids) = kernels else { return Ok(()) };
    let pushed = draft.kernels.push(Kernels { task_id, ids });
    draft.kept(pushed).map_err(|text| reader.error(text))
}

fn kernel_ids(reader: &mut Source) -> Result<[i64; 3], TraceError> {
    let expected = "three kernel ids, -1 where the task has none";
    let (mut ids, mut count) = ([-1; 3], 0);
    json::each(reader, expected, |reader| {
        let id = reader.integer_of(expected)?;
        let place = ids.get_mut(count);
        *place.ok_or_else(|| reader.error(format!("a fourth one, expected {expected}")))? = id;
        count += 1;
        Ok(())
    })?;
    match count {
        3 => Ok(ids),
        _ => Err(reader.error(format!("{count} numbers, expected {expected}"))),
    }
}

fn edge(reader: &mut Source, draft: &mut Draft) -> Step {
    let (mut producer, mut consumer) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&["pred", "succ"], &mut members)? {
        match member {
            0 => producer = Some(json::uint(reader, A_TASK_ID)?),
            1 => consumer = Some(json::uint(reader, A_TASK_ID)?),
            _ => reader.skip()?,
        }
    }
    let producer = given(reader, producer, "pred")?;
    let consumer = given(reader, consumer, "succ")?;
    let taken = draft.edge(producer, consumer);
    taken.map_err(|text| reader.error(text))
}
