//! Passing over a value that nobody asked for.

use super::Reader;
use crate::TraceError;
use std::io::Read;

/// Deeper nesting is refused; other readers of the same files refuse it too.
const DEEPEST: usize = 1000;
/// As in `\u00e4`.
const LONGEST_ESCAPE: usize = 6;

impl<R: Read> Reader<R> {
    /// Passes over the value that comes, however long it is.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or nests too deep.
    pub fn skip(&mut self) -> Result<(), TraceError> {
        // What closes each object and array that is open.
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                Some(b'{') => {
                    self.at += 1;
                    if !self.closes(b'}')? {
                        self.pass_name()?;
                        self.nest(&mut open, b'}')?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if !self.closes(b']')? {
                        self.nest(&mut open, b']')?;
                        continue;
                    }
                }
                Some(b'"') => self.pass_text()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                Some(b'-' | b'0'..=b'9') => self.pass_number()?,
                _ => return Err(self.unexpected("a value")),
            }
            // A value is done; so may be what holds it.
            loop {
                let Some(&close) = open.last() else {
                    return Ok(());
                };
                if self.closes(close)? {
                    open.pop();
                    continue;
                }
                self.expect(b',', "`,` or the end of what is open")?;
                if close == b'}' {
                    self.pass_name()?;
                }
                break;
            }
        }
    }

    fn nest(&self, open: &mut Vec<u8>, bracket: u8) -> Result<(), TraceError> {
        if open.len() == DEEPEST {
            return Err(self.error(format!("nesting deeper than {DEEPEST} levels")));
        }
        open.push(bracket);
        Ok(())
    }

    /// Takes the closing bracket if it comes.
    fn closes(&mut self, bracket: u8) -> Result<bool, TraceError> {
        let closes = self.peek()? == Some(bracket);
        self.at += usize::from(closes);
        Ok(closes)
    }

    fn pass_name(&mut self) -> Result<(), TraceError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a member's name"));
        }
        self.pass_text()?;
        self.expect(b':', "`:`")
    }

    fn pass_escape(&mut self) -> Result<(), TraceError> {
        // What is behind the backslash may be in the next piece.
        if self.end - self.at < LONGEST_ESCAPE {
            self.fill()?;
        }
        self.at += match &self.ahead()[1..] {
            [] => return Err(self.unexpected("the string's end")),
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                LONGEST_ESCAPE
            }
            _ => return Err(self.error("an escape that JSON does not have")),
        };
        Ok(())
    }

    fn pass_text(&mut self) -> Result<(), TraceError> {
        self.at += 1;
        loop {
            let ahead = self.ahead();
            let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
            let Some(place) = ahead.iter().position(special) else {
                self.at = self.end;
                if self.is_drained {
                    return Err(self.unexpected("the string's end"));
                }
                self.fill()?;
                continue;
            };
            let byte = ahead[place];
            self.at += place;
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.pass_escape()?,
                _ => return Err(self.unexpected("a string without control characters")),
            }
        }
    }
}
