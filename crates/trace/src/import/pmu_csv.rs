//! `pmu.csv`: hardware counters of tasks, in the order in which AICPU threads committed them.

use super::draft::Draft;
use super::input::Input;
use crate::TraceError;
use lanescope_abi::{Chip, CoreType, PmuEvent, PmuRecord};
use std::io::{BufRead, BufReader, Read};

/// The name the file has in an output folder.
pub(super) const FILE_NAME: &str = "pmu.csv";
/// How the file begins.
pub(super) const FIRST_COLUMNS: &str =
    "thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles";
/// No row is longer.
const MOST_LINE_BYTES: u64 = 4096;

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let path = input.path();
    let failed = |source| TraceError::Read {
        path: path.to_owned(),
        source,
    };
    let mut lines = BufReader::with_capacity(1 << 18, input.open()?);
    let mut line = Vec::new();
    let mut number = 0;
    let mut columns = None;
    loop {
        line.clear();
        let mut taken = lines.by_ref().take(MOST_LINE_BYTES);
        if taken.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        number += 1;
        let malformed = |(column, message)| TraceError::Malformed {
            path: path.to_owned(),
            line: number,
            column,
            message,
            // A line that has its end is whole.
            is_cut: column > line.len() && !line.ends_with(b"\n"),
        };
        let text = text_of(&line).map_err(malformed)?;
        match &columns {
            None => columns = Some(Columns::of(text, draft.chip).map_err(malformed)?),
            // What editors leave at the end.
            Some(_) if text.is_empty() => {}
            Some(columns) => {
                row(text, columns, draft).map_err(|fault| match draft.failed.take() {
                    Some(source) => failed(source),
                    None => malformed(fault),
                })?;
            }
        }
    }
    let Some(columns) = columns else {
        return Err(TraceError::Malformed {
            path: path.to_owned(),
            line: 1,
            column: 0,
            message: format!("the file is empty, expected a line {FIRST_COLUMNS}…"),
            is_cut: true,
        });
    };
    // Where both chips have these columns the other files of the run decide.
    if draft.chip.is_none()
        && let [chip] = columns.chips[..]
    {
        draft.chip = Some(chip);
    }
    if draft.platform.is_empty() {
        FILE_NAME.clone_into(&mut draft.platform);
    }
    Ok(())
}

/// Column from 1, and what is wrong there.
type Fault = (usize, String);

/// A line without its end; the last one of a file may have none.
fn text_of(line: &[u8]) -> Result<&str, Fault> {
    if !line.ends_with(b"\n") && line.len() as u64 == MOST_LINE_BYTES {
        let message = format!("a line of more than {MOST_LINE_BYTES} bytes");
        return Err((line.len(), message));
    }
    let text = std::str::from_utf8(line);
    let text = text.map_err(|error| (error.valid_up_to() + 1, "no text".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text))
}

/// What the header says.
struct Columns {
    /// The chips that have an event type with these counters.
    chips: Vec<Chip>,
    event: &'static PmuEvent,
}

impl Columns {
    fn of(text: &str, chip: Option<Chip>) -> Result<Self, Fault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let names = text
            .strip_prefix(FIRST_COLUMNS)
            .and_then(|rest| rest.strip_suffix(",event_type"));
        let names = names.ok_or_else(|| {
            let message = format!("expected {FIRST_COLUMNS}, the counters, event_type");
            (1, message)
        })?;
        let names: Vec<&str> = names.split(',').skip(1).collect();
        let has_columns = |event: &&PmuEvent| {
            let columns = event.columns().map(|(_, column)| column);
            columns.eq(names.iter().copied())
        };
        let of_chip = |chip: Chip| chip.info().pmu_events.iter().find(has_columns);
        let mut chips: Vec<Chip> = Chip::ALL.to_vec();
        chips.retain(|&known| of_chip(known).is_some() && chip.is_none_or(|chip| chip == known));
        let event = chips.first().and_then(|&chip| of_chip(chip));
        let event = event.ok_or_else(|| misfit(&names, chip))?;
        Ok(Self { chips, event })
    }
}

/// What is wrong with counters that no event type of the chips has, and at the first of which column.
fn misfit(names: &[&str], chip: Option<Chip>) -> Fault {
    let chips = Chip::ALL.into_iter();
    let chips = chips.filter(|&known| chip.is_none_or(|chip| chip == known));
    let events = chips.flat_map(|chip| chip.info().pmu_events.iter());
    let columns = |event: &PmuEvent| event.columns().map(|(_, column)| column).collect();
    let sets: Vec<(u32, Vec<&str>)> = events.map(|event| (event.number, columns(event))).collect();
    let is_known = |name: &&str| sets.iter().any(|(_, set)| set.contains(name));
    let place_of = |index: usize| {
        let before = names.iter().take(index).map(|name| name.len() + 1);
        FIRST_COLUMNS.len() + 2 + before.sum::<usize>()
    };
    if let Some(first) = names.iter().position(|name| !is_known(name)) {
        let unknown = names.iter().filter(|name| !is_known(name));
        let unknown: Vec<String> = unknown.map(|name| format!("`{name}`")).collect();
        let unknown = unknown.join(", ");
        let message = format!("{unknown}, expected counters that an event type of the chip has");
        return (place_of(first), message);
    }
    let shared = |set: &[&str]| names.iter().filter(|name| set.contains(name)).count();
    // Of those that have as many the first.
    let nearest = sets.iter().rev().max_by_key(|(_, set)| shared(set));
    let (number, set) = nearest.expect("every chip has event types");
    let differs = names
        .iter()
        .zip(set)
        .position(|(name, known)| name != known);
    let differs = differs.unwrap_or(names.len().min(set.len()));
    let set = set.join(",");
    let message = format!("no event type has these counters; {number}, the nearest, has {set}");
    (place_of(differs), message)
}

fn row(text: &str, columns: &Columns, draft: &mut Draft) -> Result<(), Fault> {
    let mut fields = Fields { text, at: 0 };
    let thread = fields.number("an AICPU thread")?;
    let core = fields.number("a core")?;
    let mut record = PmuRecord {
        core,
        task_id: fields.task_id()?,
        func_id: fields.number("a function id")?,
        core_type: fields.core_type(draft.core(core).core_type)? as u8,
        total_cycles: fields.number("cycles")?,
        run_id: super::draft::RUN_ID,
        ..PmuRecord::default()
    };
    for (slot, _) in columns.event.columns() {
        record.counters[slot] = fields.number("a count of 32 bits")?;
    }
    record.event = fields.event(columns.event)?;
    if fields.at <= text.len() {
        return Err((fields.at + 1, "more fields than columns".to_owned()));
    }
    draft.pmu_event = draft.pmu_event.or(Some(record.event));
    draft
        .counters(thread, record)
        .map_err(|message| (1, message))
}

/// The fields of a line, one by one.
struct Fields<'a> {
    text: &'a str,
    /// Where the next one begins; behind the end when there is none.
    at: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self, expected: &str) -> Result<(usize, &'a str), Fault> {
        let begin = self.at;
        let rest = self
            .text
            .get(begin..)
            .ok_or_else(|| (begin, format!("the line ends, expected {expected}")))?;
        let field = rest.split(',').next().unwrap_or_default();
        self.at = begin + field.len() + 1;
        Ok((begin + 1, field))
    }

    fn number<N: std::str::FromStr>(&mut self, expected: &str) -> Result<N, Fault> {
        let (column, field) = self.next(expected)?;
        let number = field.parse();
        number.map_err(|_| (column, format!("`{field}`, expected {expected}")))
    }

    /// The row's core type, which is the core's in other rows.
    fn core_type(&mut self, known: Option<CoreType>) -> Result<CoreType, Fault> {
        let column = self.at + 1;
        let number: u32 = self.number("a core type, 0 or 1")?;
        let refused = |expected: &str| (column, format!("`{number}`, expected {expected}"));
        let core_type = CoreType::from_raw(number);
        let core_type = core_type.ok_or_else(|| refused("a core type, 0 or 1"))?;
        match known.is_none_or(|known| known == core_type) {
            true => Ok(core_type),
            false => Err(refused("the core type that other rows say of this core")),
        }
    }

    /// The row's event type, which names the columns.
    fn event(&mut self, expected: &PmuEvent) -> Result<u32, Fault> {
        let column = self.at + 1;
        let number: u32 = self.number("an event type")?;
        match number == expected.number {
            true => Ok(number),
            false => {
                let expected = expected.number;
                let message = format!("`{number}`, expected {expected}, whose counters these are");
                Err((column, message))
            }
        }
    }

    fn task_id(&mut self) -> Result<u64, Fault> {
        let (column, field) = self.next("a task id")?;
        let digits = field.strip_prefix("0x");
        let id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        id.ok_or_else(|| {
            (
                column,
                format!("`{field}`, expected a task id as 0x and digits"),
            )
        })
    }
}
