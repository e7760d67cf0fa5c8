//! The name map: what functions and the orchestrator are called.

use crate::TraceError;
use crate::json::{Kind, Members, Reader};
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
    /// Entries passed over: their key is no function id as a records file writes it.
    pub passed_over: u64,
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
                0 => names.read_functions(&mut reader)?,
                1 if reader.kind()? == Kind::Text => {
                    names.orchestrator = Some(reader.text("the orchestrator's name")?);
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        Ok(names)
    }

    /// The names a trace knows.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let session = trace.session();
        // An import keeps the orchestrator's name of a name map as the workload; a run of ours, of which the ring is
        // known, has a workload and no such name.
        let is_imported = session.ring_size.is_none() && !session.workload.is_empty();
        Self {
            functions: trace.functions().clone(),
            orchestrator: is_imported.then(|| session.workload.clone()),
            ..Self::default()
        }
    }

    fn read_functions<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), TraceError> {
        if reader.null()? {
            return Ok(());
        }
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(key) = reader.any_member(&mut members)? {
            let func_id: Option<u32> = key.parse().ok();
            let func_id = func_id.filter(|id| id.to_string() == key);
            match (func_id, reader.kind()?) {
                (None, _) => {
                    self.passed_over += 1;
                    reader.skip()?;
                }
                (Some(_), _) if reader.null()? => {}
                (Some(id), Kind::Number) => {
                    let name = reader.number_text("a function's name")?;
                    self.functions.insert(id, name);
                }
                (Some(id), _) => {
                    let name = reader.text("a function's name")?;
                    self.functions.insert(id, name);
                }
            }
        }
        Ok(())
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
