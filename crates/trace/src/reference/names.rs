//! The name map: what functions and the orchestrator are called.

use crate::TraceError;
use crate::json::{Members, Reader};
use crate::{Functions, Trace};
use std::io::Read;
use std::path::Path;

/// What functions and the orchestrator are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By function id.
    pub functions: Functions,
    /// The orchestrator's own name.
    pub orchestrator: Option<String>,
}

impl Names {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`TraceError::Malformed`] with file, line, column and what was expected.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        Self::read(super::open(path)?, path)
    }

    /// Reads from any source; `path` is only what errors call it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn read(source: impl Read, path: &Path) -> Result<Self, TraceError> {
        let mut reader = Reader::new(source, path);
        let mut members = Members::default();
        let mut names = Self::default();
        reader.begin_object()?;
        while let Some(member) =
            reader.member(&["callable_id_to_name", "orchestrator_name"], &mut members)?
        {
            match member {
                0 => names.functions = functions(&mut reader)?,
                1 if reader.null()? => names.orchestrator = None,
                1 => names.orchestrator = Some(reader.text("the orchestrator's name, or null")?),
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        Ok(names)
    }

    /// The names a trace knows.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        Self {
            functions: trace.functions().clone(),
            orchestrator: None,
        }
    }

    /// A function's name, else `func_<n>_<letters>`, the letters counting a, b, … z, aa, ab, …
    #[must_use]
    pub fn function(&self, func_id: u32) -> String {
        match self.functions.name(func_id) {
            Some(name) => name.to_owned(),
            None => format!("func_{func_id}_{}", letters(func_id)),
        }
    }
}

fn letters(number: u32) -> String {
    let mut left = u64::from(number) + 1;
    let mut letters = Vec::new();
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).expect("below 26");
        letters.push(char::from(b'a' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

fn functions<R: Read>(reader: &mut Reader<R>) -> Result<Functions, TraceError> {
    let mut functions = Functions::default();
    if reader.null()? {
        return Ok(functions);
    }
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(id) = reader.any_member(&mut members)? {
        let func_id = id.parse().map_err(|_| {
            reader.error(format!(
                "function id {id:?}, expected an integer of 32 bits"
            ))
        })?;
        if !reader.null()? {
            functions.insert(func_id, reader.text("a function's name")?);
        }
    }
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_count_without_a_zero() {
        let cases = [(0, "a"), (25, "z"), (26, "aa"), (701, "zz"), (702, "aaa")];
        for (number, expected) in cases {
            assert_eq!(letters(number), expected);
        }
        assert_eq!(letters(u32::MAX), "mwlqkwv");
    }
}
