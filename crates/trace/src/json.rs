//! A streaming reader of JSON that knows where it is: for files of any size and any origin.
//!
//! # Where it sits
//!
//! Under readers that keep a document's numbers as they were written. A reader asks for the value it
//! expects; the rest it [skips](Reader::skip). Memory is one buffer, whatever the file holds.
//!
//! # Errors
//!
//! [`TraceError::Malformed`] with file, line, column (in bytes) and what was expected; [`TraceError::Read`]
//! when the source fails. Nothing recurses; nesting deeper than 1000 levels is refused.
//!
//! ```
//! use lanescope_trace::json::{Members, Reader};
//! use std::path::Path;
//!
//! let mut reader = Reader::new(&br#"{"depth": [[1], {}], "size": 2.50}"#[..], Path::new("a.json"));
//! let mut members = Members::default();
//! let mut size = None;
//! reader.begin_object()?;
//! while let Some(member) = reader.member(&["size"], &mut members)? {
//!     match member {
//!         0 => size = Some(reader.number("a size")?.value),
//!         _ => reader.skip()?,
//!     }
//! }
//! reader.end()?;
//! assert_eq!(size, Some(2.5));
//! # Ok::<(), lanescope_trace::TraceError>(())
//! ```

pub(crate) mod number;
mod skip;
mod text;

use crate::TraceError;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

pub use number::{Fixed, Number};

const BUFFER_BYTES: usize = 256 << 10;
/// What a file may begin with to say that it is UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();
/// The longest number, and the longest string that is not skipped, that is read.
pub(super) const LONGEST_BYTES: usize = 16 << 10;

/// Reads a document from its begin to its end.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The next byte.
    at: usize,
    /// Behind the last byte that was read.
    end: usize,
    /// Bytes of the document before the buffer's first.
    passed: u64,
    /// Line ends before `at`.
    lines: usize,
    /// Where the line of `at` begins in the document.
    line_begin: u64,
    is_drained: bool,
    /// Before it, [`LONGEST_BYTES`] or all that is left are at hand.
    safe: usize,
}

/// What kind of value comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true`, `false`, `null`, or what is no value at all.
    Other,
}

/// How far the members of one object, or the elements of one array, have been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Members {
    is_begun: bool,
    /// The position of the name that comes next in a file that keeps the order.
    expected: usize,
    is_closed: bool,
}

impl Members {
    /// Whether the array of [`Reader::element_if_any`] has its end.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<R: Read> Reader<R> {
    /// Reads from any source; `path` is only what errors call it.
    pub fn new(source: R, path: &Path) -> Self {
        Self::with_buffer(source, path, BUFFER_BYTES)
    }

    /// The same with so many bytes at hand, more than twice the [longest](LONGEST_BYTES) number.
    pub(crate) fn with_buffer(source: R, path: &Path, bytes: usize) -> Self {
        Self {
            source,
            path: path.to_owned(),
            buffer: vec![0; bytes],
            at: 0,
            end: 0,
            passed: 0,
            lines: 0,
            line_begin: 0,
            is_drained: false,
            safe: 0,
        }
    }

    /// Enters an object.
    ///
    /// # Errors
    ///
    /// As in the module's text, like every other step.
    pub fn begin_object(&mut self) -> Result<(), TraceError> {
        self.expect(b'{', "an object")
    }

    /// Enters an array.
    ///
    /// # Errors
    ///
    /// When something else comes.
    pub fn begin_array(&mut self) -> Result<(), TraceError> {
        self.expect(b'[', "an array")
    }

    /// The next member's position in `names`, `names.len()` when it is not one of them; `None` behind
    /// the last. The member's value comes next.
    ///
    /// # Errors
    ///
    /// When no member and no end comes.
    #[inline(always)]
    pub fn member(
        &mut self,
        names: &[&str],
        members: &mut Members,
    ) -> Result<Option<usize>, TraceError> {
        if !self.next_member(members)? {
            return Ok(None);
        }
        let position = self.name(names, members.expected)?;
        members.expected = position + 1;
        self.expect(b':', "`:`")?;
        // One space is what writers put here.
        if self.at < self.safe && self.buffer[self.at] == b' ' {
            self.at += 1;
        }
        Ok(Some(position))
    }

    /// The next member's name, whatever it is; `None` behind the last.
    ///
    /// # Errors
    ///
    /// When no member and no end comes.
    pub fn any_member(&mut self, members: &mut Members) -> Result<Option<String>, TraceError> {
        if !self.next_member(members)? {
            return Ok(None);
        }
        let name = self.text("a member's name")?;
        self.expect(b':', "`:`")?;
        Ok(Some(name))
    }

    /// Whether another member comes, and its name with it.
    #[inline(always)]
    fn next_member(&mut self, members: &mut Members) -> Result<bool, TraceError> {
        match (self.peek()?, members.is_begun) {
            (Some(b'}'), _) => {
                self.at += 1;
                return Ok(false);
            }
            (Some(b','), true) => self.at += 1,
            (Some(_), false) => members.is_begun = true,
            _ => return Err(self.unexpected("`,` or the object's end")),
        }
        match self.peek()? {
            Some(b'"') => Ok(true),
            _ => Err(self.unexpected("a member's name")),
        }
    }

    /// Whether another element comes; behind the last, the array is left.
    ///
    /// # Errors
    ///
    /// When no element and no end comes.
    #[inline(always)]
    pub fn element(&mut self, members: &mut Members) -> Result<bool, TraceError> {
        match (self.peek()?, members.is_begun) {
            (Some(b']'), _) => {
                self.at += 1;
                return Ok(false);
            }
            (Some(b','), true) => {
                self.at += 1;
                if self.peek()? == Some(b']') {
                    return Err(self.unexpected("an element"));
                }
            }
            (Some(_), false) => members.is_begun = true,
            _ => return Err(self.unexpected("`,` or the array's end")),
        }
        Ok(true)
    }

    /// Whether another element comes of an array whose end may be missing, or follow a `,`.
    ///
    /// # Errors
    ///
    /// When something else comes.
    pub(crate) fn element_if_any(&mut self, members: &mut Members) -> Result<bool, TraceError> {
        let has_comma = members.is_begun && self.peek()? == Some(b',');
        self.at += usize::from(has_comma);
        match self.peek()? {
            None => Ok(false),
            Some(b']') => {
                self.at += 1;
                members.is_closed = true;
                Ok(false)
            }
            Some(_) if has_comma || !members.is_begun => {
                members.is_begun = true;
                Ok(true)
            }
            Some(_) => Err(self.unexpected("`,` or the array's end")),
        }
    }

    /// What comes, by its first byte; nothing is taken.
    ///
    /// # Errors
    ///
    /// When the source fails.
    pub fn kind(&mut self) -> Result<Kind, TraceError> {
        Ok(match self.peek()? {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Other,
        })
    }

    /// Takes `null` if that is what comes.
    ///
    /// # Errors
    ///
    /// When the source fails.
    pub fn null(&mut self) -> Result<bool, TraceError> {
        let is_null = self.peek()? == Some(b'n');
        if is_null {
            self.literal(b"null")?;
        }
        Ok(is_null)
    }

    /// The `true` or `false` that comes.
    ///
    /// # Errors
    ///
    /// When something else comes.
    pub fn boolean(&mut self) -> Result<bool, TraceError> {
        match self.peek()? {
            Some(b't') => self.literal(b"true").map(|()| true),
            Some(b'f') => self.literal(b"false").map(|()| false),
            _ => Err(self.unexpected("`true` or `false`")),
        }
    }

    /// Checks that nothing comes behind the document.
    ///
    /// # Errors
    ///
    /// When something does.
    pub fn end(&mut self) -> Result<(), TraceError> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the file")),
        }
    }

    /// An error at the place that was read last.
    pub fn error(&self, message: impl Into<String>) -> TraceError {
        self.malformed(message.into(), false)
    }

    /// The same where the file ended and more had to come.
    #[cold]
    pub(super) fn cut(&self, message: impl Into<String>) -> TraceError {
        self.malformed(message.into(), true)
    }

    fn malformed(&self, message: String, is_cut: bool) -> TraceError {
        let column = self.passed + self.at as u64 - self.line_begin;
        TraceError::Malformed {
            path: self.path.clone(),
            line: self.lines + 1,
            column: usize::try_from(column + 1).unwrap_or(usize::MAX),
            message,
            is_cut,
        }
    }

    /// The first byte behind white space, at least [`LONGEST_BYTES`] before the end of what is at
    /// hand unless the source has no more.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> Result<Option<u8>, TraceError> {
        if self.at < self.safe && self.buffer[self.at] > b' ' {
            return Ok(Some(self.buffer[self.at]));
        }
        self.peek_behind_space()
    }

    fn peek_behind_space(&mut self) -> Result<Option<u8>, TraceError> {
        loop {
            let ahead = &self.buffer[..self.end];
            let mut at = self.at;
            while let Some(&byte) = ahead.get(at) {
                match byte {
                    b' ' | b'\t' | b'\r' => at += 1,
                    b'\n' => {
                        at += 1;
                        self.lines += 1;
                        self.line_begin = self.passed + at as u64;
                        at += indentation(&ahead[at..]);
                    }
                    _ => break,
                }
            }
            self.at = at;
            if at < self.safe {
                return Ok(Some(self.buffer[at]));
            }
            if self.is_drained {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Moves what is left to the buffer's begin and reads on.
    pub(super) fn fill(&mut self) -> Result<(), TraceError> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.passed += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        while self.end < self.buffer.len() && !self.is_drained {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_drained = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    let path = self.path.clone();
                    return Err(TraceError::Read { path, source });
                }
            }
        }
        // Some editors mark a file as UTF-8.
        if self.passed == 0 && self.ahead().starts_with(MARK) {
            self.at = MARK.len();
            self.line_begin = MARK.len() as u64;
        }
        self.safe = match self.is_drained {
            true => self.end,
            false => self.end - LONGEST_BYTES,
        };
        Ok(())
    }

    /// What is at hand, when that is enough for any number or name, or all there is.
    #[inline]
    pub(crate) fn at_hand(&self) -> &[u8] {
        match self.at < self.safe {
            true => &self.buffer[self.at..self.end],
            false => &[],
        }
    }

    /// How many bytes of the document are before [`Self::at_hand`].
    pub(crate) fn position(&self) -> u64 {
        self.passed + self.at as u64
    }

    /// Takes bytes of [`Self::at_hand`] that hold so many line ends, and so many bytes behind the last.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize, lines: usize, last_line_bytes: usize) {
        self.at += bytes;
        self.lines += lines;
        self.line_begin = self.passed + (self.at - last_line_bytes) as u64;
    }

    /// What is at hand.
    #[inline]
    pub(super) fn ahead(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<(), TraceError> {
        if self.peek()? != Some(byte) {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn literal(&mut self, word: &[u8]) -> Result<(), TraceError> {
        if !self.ahead().starts_with(word) {
            let is_cut = self.is_drained && word.starts_with(self.ahead());
            return Err(match is_cut {
                true => self.cut("the end of the file, expected a value"),
                false => self.unexpected("a value"),
            });
        }
        self.at += word.len();
        Ok(())
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &str) -> TraceError {
        let found = match self.ahead().first() {
            None => return self.cut(format!("the end of the file, expected {expected}")),
            Some(byte) if byte.is_ascii_graphic() => format!("`{}`", char::from(*byte)),
            Some(byte) => format!("byte {byte:#04x}"),
        };
        self.error(format!("{found}, expected {expected}"))
    }
}

/// How many spaces a line begins with, as far as whole words of them go.
#[inline]
fn indentation(line: &[u8]) -> usize {
    let (words, _) = line.as_chunks();
    let mut count = 0;
    for word in words {
        let differs = u64::from_le_bytes(*word) ^ u64::from_le_bytes([b' '; 8]);
        if differs != 0 {
            return count + differs.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count
}

#[cfg(test)]
mod tests;
