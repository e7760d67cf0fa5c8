//! Strings and names.

use super::{LONGEST_BYTES, Reader};
use crate::TraceError;
use std::io::Read;

impl<R: Read> Reader<R> {
    /// The string that comes; `what` names it in errors.
    ///
    /// # Errors
    ///
    /// When something else comes, or a string that is not UTF-8, has half of a surrogate pair, or is
    /// longer than 16 KiB.
    pub fn text(&mut self, what: &str) -> Result<String, TraceError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected(what));
        }
        let (length, has_escapes) = self.raw_text()?;
        let raw = &self.ahead()[1..=length];
        let Ok(raw) = std::str::from_utf8(raw) else {
            return Err(self.error(format!("bytes that are not UTF-8, expected {what}")));
        };
        let text = match has_escapes {
            false => Ok(raw.to_owned()),
            true => unescaped(raw, None),
        };
        let text = text.map_err(|escape| self.error(format!("{escape}, expected {what}")))?;
        self.at += length + 2;
        Ok(text)
    }

    /// The string that comes, passed over where it is longer than 16 KiB. What is not UTF-8 in it, or half of a
    /// surrogate pair, is replaced.
    ///
    /// # Errors
    ///
    /// When something else comes, or a string that JSON does not have.
    pub(crate) fn text_if_short(&mut self) -> Result<Option<String>, TraceError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a text"));
        }
        let Some((length, has_escapes)) = self.short_text()? else {
            return self.skip().map(|()| None);
        };
        let raw = String::from_utf8_lossy(&self.ahead()[1..=length]);
        let text = match has_escapes {
            false => Ok(raw.into_owned()),
            true => unescaped(&raw, Some(char::REPLACEMENT_CHARACTER)),
        };
        let text = text.map_err(|escape| self.error(format!("{escape}, expected a text")))?;
        self.at += length + 2;
        Ok(Some(text))
    }

    /// The position in `names` of the string that comes, `names.len()` when it is none of them.
    ///
    /// # Errors
    ///
    /// As [`Reader::text`].
    #[inline]
    pub fn one_of(&mut self, names: &[&str], what: &str) -> Result<usize, TraceError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected(what));
        }
        self.name(names, 0)
    }

    /// The position in `names` of the string that comes, else the string.
    ///
    /// # Errors
    ///
    /// As [`Reader::text`].
    pub fn known_text(
        &mut self,
        names: &[&str],
        what: &str,
    ) -> Result<Result<usize, String>, TraceError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected(what));
        }
        let (length, has_escapes) = self.raw_text()?;
        let known = place(names, &self.ahead()[1..=length]);
        if !has_escapes && known < names.len() {
            self.at += length + 2;
            return Ok(Ok(known));
        }
        let text = self.text(what)?;
        let known = place(names, text.as_bytes());
        Ok(if known < names.len() {
            Ok(known)
        } else {
            Err(text)
        })
    }

    /// The position of the string that comes, tried first at `expected`.
    #[inline]
    pub(super) fn name(&mut self, names: &[&str], expected: usize) -> Result<usize, TraceError> {
        if let Some(name) = names.get(expected) {
            let ahead = &self.ahead()[1..];
            if ahead.starts_with(name.as_bytes()) && ahead.get(name.len()) == Some(&b'"') {
                self.at += name.len() + 2;
                return Ok(expected);
            }
        }
        let (length, has_escapes) = self.raw_text()?;
        let position = if has_escapes {
            let text = self.text("a name")?;
            return Ok(place(names, text.as_bytes()));
        } else {
            place(names, &self.ahead()[1..=length])
        };
        self.at += length + 2;
        Ok(position)
    }

    /// Length of the text between the quotes, and whether it has escapes. Takes nothing.
    fn raw_text(&self) -> Result<(usize, bool), TraceError> {
        let longest = LONGEST_BYTES;
        let short = self.short_text()?;
        short.ok_or_else(|| self.error(format!("a string of more than {longest} bytes")))
    }

    /// The same, and nothing for a string that is too long.
    fn short_text(&self) -> Result<Option<(usize, bool)>, TraceError> {
        let ahead = &self.ahead()[1..];
        let (mut at, mut has_escapes) = (0, false);
        loop {
            match ahead.get(at) {
                Some(b'"') => return Ok(Some((at, has_escapes))),
                Some(b'\\') => {
                    has_escapes = true;
                    at += 2;
                }
                Some(0..0x20) => {
                    return Err(self.error("a control character in a string, expected an escape"));
                }
                Some(_) => at += 1,
                None if self.is_drained => {
                    return Err(self.cut("a string without end, expected a quote"));
                }
                None => at = usize::MAX,
            }
            if at > LONGEST_BYTES - 2 {
                return Ok(None);
            }
        }
    }
}

fn place(names: &[&str], name: &[u8]) -> usize {
    let position = names.iter().position(|known| known.as_bytes() == name);
    position.unwrap_or(names.len())
}

/// The text that escapes stand for, `half` of a surrogate pair for one of its own.
fn unescaped(raw: &str, half: Option<char>) -> Result<String, String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.find('\\') {
        text.push_str(&rest[..place]);
        let mut escape = rest[place + 1..].chars();
        let letter = escape.next();
        rest = escape.as_str();
        text.push(match letter {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, behind) = unicode(rest, half)?;
                rest = behind;
                character
            }
            _ => return Err("an escape that JSON does not have".to_owned()),
        });
    }
    text.push_str(rest);
    Ok(text)
}

/// The character behind `\u`, and what follows it.
fn unicode(text: &str, half: Option<char>) -> Result<(char, &str), String> {
    let (high, rest) = unit(text)?;
    if !(0xD800..0xE000).contains(&high) {
        let character = char::from_u32(high).expect("no surrogate");
        return Ok((character, rest));
    }
    let low = rest.strip_prefix("\\u").map(unit).transpose()?;
    let low = low.filter(|(low, _)| high < 0xDC00 && (0xDC00..0xE000).contains(low));
    let Some((low, behind)) = low else {
        let refused = || format!("half of a surrogate pair, \\u{high:04x}");
        return Ok((half.ok_or_else(refused)?, rest));
    };
    let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    Ok((char::from_u32(scalar).expect("a whole pair"), behind))
}

fn unit(text: &str) -> Result<(u32, &str), String> {
    let digits = text.get(..4).filter(|digits| {
        let mut digits = digits.bytes();
        digits.all(|digit| digit.is_ascii_hexdigit())
    });
    let digits = digits.ok_or_else(|| "\\u without four hexadecimal digits".to_owned())?;
    let unit = u32::from_str_radix(digits, 16).expect("checked above");
    Ok((unit, &text[4..]))
}
