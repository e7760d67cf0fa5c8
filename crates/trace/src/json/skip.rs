//! Passing over a value that nobody asked for.

use super::Reader;
use crate::TraceError;
use std::io::Read;

/// Deeper nesting is refused; other readers of the same files refuse it too.
const DEEPEST: usize = 1000;

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
                        open.push(b'}');
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if !self.closes(b']')? {
                        open.push(b']');
                        if open.len() > DEEPEST {
                            return Err(self.error(format!("nesting deeper than {DEEPEST} levels")));
                        }
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

    /// The number is not used, so only its bytes are looked at.
    fn pass_number(&mut self) -> Result<(), TraceError> {
        let is_part =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let count = self.ahead().iter().take_while(|byte| is_part(byte)).count();
        if count >= super::LONGEST_BYTES {
            return Err(self.error(format!(
                "a number of more than {} digits",
                super::LONGEST_BYTES
            )));
        }
        self.at += count;
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
                b'\\' => {
                    // The byte behind it may be a quote; it may also be in the next piece.
                    if self.end - self.at < 2 {
                        self.fill()?;
                    }
                    if self.end - self.at < 2 {
                        return Err(self.unexpected("the string's end"));
                    }
                    self.at += 2;
                }
                _ => return Err(self.unexpected("a string without control characters")),
            }
        }
    }
}
