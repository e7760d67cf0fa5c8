//! What importers read of JSON beyond plain values: files, lists element by element, numbers given as text.

use super::input::Input;
use crate::TraceError;
use crate::json::{Fixed, Kind, Members, Reader};
use std::fs::File;

/// A file that is read.
pub(super) type Source = Reader<File>;
/// What a row is read with: `Err` is refused with the row's place.
pub(super) type Step = Result<(), TraceError>;

/// Opens a file for reading from its begin.
pub(super) fn open(input: &Input) -> Result<Source, TraceError> {
    Ok(Reader::new(input.open()?, input.path()))
}

/// Hands over each element of the array that comes.
pub(super) fn each(
    reader: &mut Source,
    expected: &str,
    mut element: impl FnMut(&mut Source) -> Step,
) -> Step {
    if reader.kind()? != Kind::Array {
        return Err(reader.unexpected(expected));
    }
    let mut members = Members::default();
    reader.begin_array()?;
    while reader.element(&mut members)? {
        element(reader)?;
    }
    Ok(())
}

/// Hands over each element of an array of arrays, one for each AICPU thread; how many those are.
pub(super) fn by_thread(
    reader: &mut Source,
    expected: &str,
    mut row: impl FnMut(&mut Source, u32) -> Step,
) -> Result<u32, TraceError> {
    let mut thread = 0_u32;
    if reader.null()? {
        return Ok(thread);
    }
    each(reader, expected, |reader| {
        each(reader, expected, |reader| row(reader, thread))?;
        thread = thread.saturating_add(1);
        Ok(())
    })?;
    Ok(thread)
}

/// Enters the object that comes.
pub(super) fn begin(reader: &mut Source, expected: &str) -> Step {
    match reader.kind()? {
        Kind::Object => reader.begin_object(),
        _ => Err(reader.unexpected(expected)),
    }
}

/// Keys of a document that have been read: a later list must not take an earlier one's place in silence.
#[derive(Debug, Default)]
pub(super) struct Seen(u64);

impl Seen {
    /// Notes the key at this position, once.
    pub(super) fn once(&mut self, reader: &Source, names: &[&str], member: usize) -> Step {
        let bit = 1 << member;
        if self.0 & bit != 0 {
            return Err(reader.error(format!("`{}` for the second time", names[member])));
        }
        self.0 |= bit;
        Ok(())
    }

    /// Refuses an object that ended without one of these.
    pub(super) fn need(&self, reader: &Source, names: &[&str], members: &[usize]) -> Step {
        match members.iter().find(|&&member| self.0 & (1 << member) == 0) {
            Some(&member) => {
                let name = names[member];
                Err(reader.error(format!("the object ends without `{name}`")))
            }
            None => Ok(()),
        }
    }
}

/// A value that a row cannot be without.
pub(super) fn given<T>(reader: &Source, value: Option<T>, name: &str) -> Result<T, TraceError> {
    value.ok_or_else(|| reader.error(format!("the object ends without `{name}`")))
}

/// The whole number of 64 bits that comes, written as a number or as text; negative ones modulo 2^64.
pub(super) fn uint(reader: &mut Source, what: &str) -> Result<u64, TraceError> {
    let value = match reader.kind()? {
        Kind::Text => {
            let text = reader.text(what)?;
            let refused = || reader.error(format!("`{text}`, expected {what}"));
            uint_of(&text).ok_or_else(refused)?
        }
        _ => {
            let value = reader.integer(what)?;
            let refused = || reader.error(format!("{value}, expected {what}"));
            u64_of(value).ok_or_else(refused)?
        }
    };
    Ok(value)
}

/// As [`uint`], and nothing where something else comes.
pub(super) fn maybe_uint(reader: &mut Source) -> Result<Option<u64>, TraceError> {
    match reader.kind()? {
        Kind::Text => Ok(maybe_text(reader)?.as_deref().and_then(uint_of)),
        Kind::Number => {
            let fixed = reader.fixed_if_any(0)?;
            let whole = fixed.filter(|fixed| !fixed.is_rounded);
            Ok(whole.and_then(|fixed| u64_of(fixed.units)))
        }
        _ => reader.skip().map(|()| None),
    }
}

/// The text that comes, nothing where something else does or one that is too long.
pub(super) fn maybe_text(reader: &mut Source) -> Result<Option<String>, TraceError> {
    match reader.kind()? {
        Kind::Text => reader.text_if_short(),
        _ => reader.skip().map(|()| None),
    }
}

fn uint_of(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok().and_then(u64_of),
    }
}

/// The whole number as 64 bits; negative ones modulo 2^64.
pub(super) fn u64_of(value: i128) -> Option<u64> {
    let signed = || i64::try_from(value).map(i64::cast_unsigned);
    u64::try_from(value).or_else(|_| signed()).ok()
}

/// Microseconds in nanoseconds, from a number or a text.
pub(super) fn nanoseconds(reader: &mut Source, what: &str) -> Result<Fixed, TraceError> {
    if reader.kind()? != Kind::Text {
        return reader.fixed(3, what);
    }
    let text = reader.text(what)?;
    let fixed = Fixed::of_text(text.trim(), 3);
    fixed.ok_or_else(|| {
        let is_number = text
            .trim()
            .parse::<f64>()
            .is_ok_and(|value| !value.is_nan());
        let large = if is_number { " is too large" } else { "" };
        reader.error(format!("`{text}`{large}, expected {what}"))
    })
}
