//! The task rows of a document.

use super::Dependencies;
use super::stretches::RowReaders;
use super::usual::UsualRow;
use crate::TraceError;
use crate::json::{Kind, Members, Number, Reader};
use lanescope_abi::CoreType;
use std::fmt;
use std::io::Read;
use std::ops::Range;

/// A task id as written: the negative numbers some writers print are ids of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The id modulo 2^64.
    pub bits: u64,
    /// Whether it was written as a negative number.
    pub is_negative: bool,
}

/// What an error says is expected.
const A_TASK_ID: &str = "a task id, an integer of 64 bits";

impl TaskId {
    /// No task, written -1.
    pub const NONE: Self = Self {
        bits: u64::MAX,
        is_negative: true,
    };

    /// Reads an id that may be written as text, as `0x1f` too.
    pub(super) fn read_any<R: Read>(reader: &mut Reader<R>) -> Result<Self, TraceError> {
        if reader.kind()? != Kind::Text {
            return Self::read(reader);
        }
        let text = reader.text(A_TASK_ID)?;
        let id = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok().map(i128::from),
            None => text.parse().ok(),
        };
        let id = id.and_then(Self::of);
        id.ok_or_else(|| reader.error(format!("`{text}`, expected {A_TASK_ID}")))
    }

    pub(super) fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, TraceError> {
        let value = reader.integer(A_TASK_ID)?;
        Self::of(value).ok_or_else(|| reader.error(format!("{value}, expected {A_TASK_ID}")))
    }

    fn of(value: i128) -> Option<Self> {
        let is_negative = value < 0;
        let bits = match is_negative {
            true => i64::try_from(value).ok().map(i64::cast_unsigned),
            false => u64::try_from(value).ok(),
        };
        bits.map(|bits| Self { bits, is_negative })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_negative {
            true => write!(out, "{}", self.bits.cast_signed()),
            false => write!(out, "{}", self.bits),
        }
    }
}

/// One row: a task, or one core's part of it. Times in microseconds since the file's base.
#[derive(Clone, Copy, Debug)]
pub struct TaskRow {
    /// Start, end, duration, dispatch, finish.
    times: [f64; 5],
    id_bits: u64,
    /// The function it ran.
    pub func_id: u32,
    first_successor: u32,
    successor_count: u32,
    /// The core's index.
    pub core: u16,
    /// Bit n: the time n was written without fraction.
    whole: u8,
    flags: u8,
}

const START: usize = 0;
const END: usize = 1;
const DURATION: usize = 2;
const DISPATCH: usize = 3;
const FINISH: usize = 4;
const HAS_DISPATCH: u8 = 1;
const HAS_FINISH: u8 = 2;
const IS_CUBE: u8 = 4;
const IS_NEGATIVE: u8 = 8;

impl TaskRow {
    /// The task.
    #[inline]
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId {
            bits: self.id_bits,
            is_negative: self.flags & IS_NEGATIVE != 0,
        }
    }

    /// The kind of the core.
    #[must_use]
    pub fn core_type(&self) -> CoreType {
        match self.flags & IS_CUBE {
            0 => CoreType::Aiv,
            _ => CoreType::Aic,
        }
    }

    /// When the kernel began.
    #[inline]
    #[must_use]
    pub fn start(&self) -> Number {
        self.time(START)
    }

    /// When the kernel ended.
    #[inline]
    #[must_use]
    pub fn end(&self) -> Number {
        self.time(END)
    }

    /// How long the kernel ran, as written.
    #[inline]
    #[must_use]
    pub fn duration(&self) -> Number {
        self.time(DURATION)
    }

    /// When it was dispatched, if the row says so; 0.0 also stands for an unknown time.
    #[inline]
    #[must_use]
    pub fn dispatch(&self) -> Option<Number> {
        (self.flags & HAS_DISPATCH != 0).then(|| self.time(DISPATCH))
    }

    /// When it was seen finished, if the row says so; 0.0 also stands for an unknown time.
    #[inline]
    #[must_use]
    pub fn finish(&self) -> Option<Number> {
        (self.flags & HAS_FINISH != 0).then(|| self.time(FINISH))
    }

    /// Dispatch and finish where both make a span for the reference's tools.
    #[inline]
    #[must_use]
    pub fn aicpu_span(&self) -> Option<(Number, Number)> {
        let span = self.dispatch().zip(self.finish());
        span.filter(|(dispatch, finish)| dispatch.value >= 0.0 && finish.value > 0.0)
    }

    #[inline]
    fn time(&self, which: usize) -> Number {
        Number {
            value: self.times[which],
            is_whole: self.whole & (1 << which) != 0,
        }
    }

    fn set_time(&mut self, which: usize, time: Number) {
        self.times[which] = time.value;
        self.whole &= !(1 << which);
        self.whole |= u8::from(time.is_whole) << which;
    }

    fn set_flag(&mut self, flag: u8, is_set: bool) {
        self.flags &= !flag;
        self.flags |= if is_set { flag } else { 0 };
    }
}

/// The rows in file order, and the successors they name.
#[derive(Clone, Debug, Default)]
pub struct TaskTable {
    /// The rows.
    pub rows: Vec<TaskRow>,
    successors: Vec<u64>,
    /// Places in `successors` that were written as negative numbers, ascending.
    negative: Vec<u32>,
}

const NAMES: [&str; 12] = [
    "task_id",
    "func_id",
    "core_id",
    "core_type",
    "ring_id",
    "start_time_us",
    "end_time_us",
    "duration_us",
    "dispatch_time_us",
    "finish_time_us",
    "fanout",
    "fanout_count",
];
/// Members a row cannot be without, as bits by position in [`NAMES`].
const REQUIRED: u16 = 0b1110_1111;
const A_TIME: &str = "a time in microseconds";

impl TaskTable {
    /// The successors of a row's task, in the order given.
    pub fn successors(&self, row: &TaskRow) -> impl Iterator<Item = TaskId> {
        let places = self.places(row);
        let places = places.start as usize..places.end as usize;
        let ids = places.clone().zip(&self.successors[places]);
        ids.map(|(place, &bits)| TaskId {
            bits,
            is_negative: self.is_negative(place),
        })
    }

    /// Where a row's successors are among all of them, below [`Self::successor_count`].
    #[must_use]
    pub fn places(&self, row: &TaskRow) -> Range<u32> {
        row.first_successor..row.first_successor + row.successor_count
    }

    /// The successor at a place.
    #[must_use]
    pub fn successor(&self, place: u32) -> TaskId {
        TaskId {
            bits: self.successors[place as usize],
            is_negative: self.is_negative(place as usize),
        }
    }

    /// All successors of all rows; rows of one task may share theirs.
    #[must_use]
    pub fn successor_count(&self) -> usize {
        self.successors.len()
    }

    fn is_negative(&self, place: usize) -> bool {
        let is_place = |&negative: &u32| (negative as usize).cmp(&place);
        !self.negative.is_empty() && self.negative.binary_search_by(is_place).is_ok()
    }

    pub(super) fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, TraceError> {
        Self::read_with(reader, &mut RowReaders::new())
    }

    pub(super) fn read_with<R: Read>(
        reader: &mut Reader<R>,
        readers: &mut RowReaders,
    ) -> Result<Self, TraceError> {
        let mut table = Self::default();
        let mut members = Members::default();
        reader.begin_array()?;
        while reader.element(&mut members)? {
            if !readers.read(&mut table, reader)? {
                let row = table.row(reader)?;
                table.rows.push(row);
            }
        }
        if u32::try_from(table.rows.len()).is_err() {
            return Err(too_many("task rows", table.rows.len()));
        }
        Ok(table)
    }

    /// Adds the row at the begin of `text` and says how many bytes it has, when it is written as the
    /// reference does.
    pub(super) fn usual_row(&mut self, text: &[u8]) -> Result<Option<usize>, TraceError> {
        let first_successor = self.count()?;
        let Some(usual) = UsualRow::read(text, &mut self.successors) else {
            return Ok(None);
        };
        let kind = if usual.is_cube { IS_CUBE } else { 0 };
        self.rows.push(TaskRow {
            times: usual.times.map(|time| time.value),
            id_bits: usual.task_id,
            func_id: usual.func_id,
            first_successor,
            successor_count: self.count()? - first_successor,
            core: usual.core,
            whole: 0,
            flags: HAS_DISPATCH | HAS_FINISH | kind,
        });
        Ok(Some(usual.bytes))
    }

    /// Adds usual rows that were read apart.
    pub(super) fn append(&mut self, further: &Self) -> Result<(), TraceError> {
        let first = self.count()?;
        self.successors.extend_from_slice(&further.successors);
        self.count()?;
        self.rows.extend(further.rows.iter().map(|row| TaskRow {
            first_successor: first + row.first_successor,
            ..*row
        }));
        Ok(())
    }

    /// Takes all rows out; their room stays.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.successors.clear();
        self.negative.clear();
    }

    fn row<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<TaskRow, TraceError> {
        let mut row = TaskRow {
            times: [0.0; 5],
            id_bits: 0,
            func_id: 0,
            first_successor: 0,
            successor_count: 0,
            core: 0,
            whole: 0,
            flags: 0,
        };
        let mut seen = 0_u16;
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&NAMES, &mut members)? {
            match member {
                0 => {
                    let id = TaskId::read(reader)?;
                    row.id_bits = id.bits;
                    row.set_flag(IS_NEGATIVE, id.is_negative);
                }
                1 => row.func_id = reader.integer_of("a function id, an integer of 32 bits")?,
                2 => row.core = reader.integer_of("a core index, 0 to 65535")?,
                3 => {
                    let core_type = reader.one_of(&["aic", "aiv"], "`aic` or `aiv`")?;
                    if core_type > 1 {
                        return Err(reader.error("another core type, expected `aic` or `aiv`"));
                    }
                    row.set_flag(IS_CUBE, core_type == 0);
                }
                5 => row.set_time(START, reader.number(A_TIME)?),
                6 => row.set_time(END, reader.number(A_TIME)?),
                7 => row.set_time(DURATION, reader.number(A_TIME)?),
                8 => {
                    row.set_time(DISPATCH, reader.number(A_TIME)?);
                    row.set_flag(HAS_DISPATCH, true);
                }
                9 => {
                    row.set_time(FINISH, reader.number(A_TIME)?);
                    row.set_flag(HAS_FINISH, true);
                }
                10 => {
                    row.first_successor = self.count()?;
                    self.read_successors(reader)?;
                    row.successor_count = self.count()? - row.first_successor;
                }
                // What they say is said elsewhere: by the task id, and by the list's length.
                _ => {
                    reader.skip()?;
                    continue;
                }
            }
            seen |= 1 << member;
        }
        let missing = REQUIRED & !seen;
        if missing != 0 {
            let name = NAMES[missing.trailing_zeros() as usize];
            return Err(reader.error(format!("a task ends without `{name}`")));
        }
        Ok(row)
    }

    fn read_successors<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), TraceError> {
        let mut members = Members::default();
        reader.begin_array()?;
        while reader.element(&mut members)? {
            let id = TaskId::read(reader)?;
            if id.is_negative {
                self.negative.push(self.count()?);
            }
            self.successors.push(id.bits);
        }
        Ok(())
    }

    fn count(&self) -> Result<u32, TraceError> {
        let count = self.successors.len();
        u32::try_from(count).map_err(|_| too_many("successors", count))
    }

    /// Rows of one task share one list.
    pub(super) fn set_successors(&mut self, edges: &Dependencies) -> Result<(), TraceError> {
        self.negative.clear();
        self.successors.clear();
        for id in edges.successors() {
            if id.is_negative {
                self.negative.push(self.count()?);
            }
            self.successors.push(id.bits);
        }
        self.count()?;
        for row in &mut self.rows {
            let places = edges.places(row.id());
            row.first_successor = places.start;
            row.successor_count = places.end - places.start;
        }
        Ok(())
    }
}

pub(super) fn too_many(what: &'static str, count: usize) -> TraceError {
    TraceError::TooMany {
        what,
        count: count as u64,
        limit: u64::from(u32::MAX),
    }
}
