//! The bytes of all columns in the page: compressed, in base64, in comments.
//!
//! A browser's parser goes through a comment faster than through any other text, and base64 has nothing
//! that ends one.

use crate::columns::Columns;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::{self, Write};

/// The most letters in one comment: whole groups of four, far below the longest text of a browser.
const LETTERS_PER_COMMENT: usize = 1 << 24;

/// Writes the element that holds the data.
pub(crate) fn write_data(columns: &Columns, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"<div id=\"data\" hidden>")?;
    let comments = Comments { out, room: 0 };
    let encoder = EncoderWriter::new(comments, &STANDARD);
    // More effort takes three times as long for a tenth less.
    let mut compressor = ZlibEncoder::new(encoder, Compression::new(4));
    for bytes in columns.bytes() {
        compressor.write_all(bytes)?;
    }
    let comments = compressor.finish()?.finish()?;
    comments.finish()?;
    out.write_all(b"</div>\n")
}

/// Letters on their way into comments.
struct Comments<'a, W> {
    out: &'a mut W,
    /// How many more letters the open comment takes; 0 when none is open.
    room: usize,
}

impl<W: Write> Comments<'_, W> {
    fn finish(self) -> io::Result<()> {
        match self.room {
            0 => Ok(()),
            _ => self.out.write_all(b"-->"),
        }
    }
}

impl<W: Write> Write for Comments<'_, W> {
    /// Takes all letters: the encoder before it cannot say that only some were taken.
    fn write(&mut self, letters: &[u8]) -> io::Result<usize> {
        let mut rest = letters;
        while !rest.is_empty() {
            if self.room == 0 {
                self.out.write_all(b"<!--")?;
                self.room = LETTERS_PER_COMMENT;
            }
            let (now, later) = rest.split_at(rest.len().min(self.room));
            self.out.write_all(now)?;
            self.room -= now.len();
            if self.room == 0 {
                self.out.write_all(b"-->")?;
            }
            rest = later;
        }
        Ok(letters.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_ends_when_it_is_full() {
        let mut out = Vec::new();
        let mut comments = Comments {
            out: &mut out,
            room: 0,
        };
        let letters = [vec![b'A'; LETTERS_PER_COMMENT], b"BBBB".to_vec()].concat();
        assert_eq!(comments.write(&letters).ok(), Some(letters.len()));
        comments.finish().expect("memory takes all");
        let text = String::from_utf8(out).expect("letters");
        assert_eq!(text.len(), letters.len() + 2 * "<!---->".len());
        assert!(text.starts_with("<!--A") && text.ends_with("A--><!--BBBB-->"));
    }
}
