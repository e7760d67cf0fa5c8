//! Bytes of a frame: a length word, then the fields, all little-endian.

use crate::MAX_FRAME_BYTES;
use std::io::{ErrorKind, Read, Write};

/// What went wrong on the socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Reading or writing failed.
    #[error("socket of the device process: {0}")]
    Io(#[from] std::io::Error),
    /// A frame is longer than any may be.
    #[error("frame of {bytes} bytes, at most {MAX_FRAME_BYTES} expected")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// The bytes end inside a frame.
    #[error("frame ends inside its {field}")]
    Truncated {
        /// Where.
        field: &'static str,
    },
    /// A frame has bytes behind its last field.
    #[error("frame has {bytes} bytes behind its last field")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// No frame has this tag.
    #[error("unknown frame tag {tag}")]
    UnknownTag {
        /// The tag.
        tag: u8,
    },
    /// A field holds what it must not.
    #[error("{field} of a frame is {value}")]
    BadValue {
        /// Which.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A text is not UTF-8.
    #[error("{field} of a frame is not UTF-8")]
    NotUtf8 {
        /// Which.
        field: &'static str,
    },
}

/// A message of one direction.
pub trait Frame: Sized {
    /// Appends tag and fields.
    fn encode(&self, to: &mut Writer);

    /// Takes tag and fields.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the bytes are no frame of this direction.
    fn decode(from: &mut Reader<'_>) -> Result<Self, WireError>;

    /// The frame as it goes over the socket, length word included.
    ///
    /// # Errors
    ///
    /// [`WireError::TooLong`].
    fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer { bytes: vec![0; 4] };
        self.encode(&mut writer);
        let mut bytes = writer.bytes;
        let length = bytes.len() - 4;
        match u32::try_from(length) {
            Ok(word) if word <= MAX_FRAME_BYTES => bytes[..4].copy_from_slice(&word.to_le_bytes()),
            _ => {
                return Err(WireError::TooLong {
                    bytes: length as u64,
                });
            }
        }
        Ok(bytes)
    }

    /// The frame in `body`, the length word taken off; all of it must be used.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the bytes are no frame of this direction.
    fn from_body(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader { bytes: body };
        let frame = Self::decode(&mut reader)?;
        match reader.bytes.len() {
            0 => Ok(frame),
            bytes => Err(WireError::Trailing { bytes }),
        }
    }

    /// Sends the frame.
    ///
    /// # Errors
    ///
    /// [`WireError::TooLong`], before a byte is written, or [`WireError::Io`].
    fn send(&self, socket: &mut impl Write) -> Result<(), WireError> {
        socket.write_all(&self.to_bytes()?)?;
        Ok(())
    }

    /// Receives the next frame; `None` when the other side closed between two frames.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the other side closed inside a frame, or sent what is no frame.
    fn receive(socket: &mut impl Read) -> Result<Option<Self>, WireError> {
        let mut word = [0; 4];
        if !fill(socket, &mut word)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes(word);
        if length > MAX_FRAME_BYTES {
            return Err(WireError::TooLong {
                bytes: length.into(),
            });
        }
        // Grows as bytes arrive: a length word alone reserves nothing.
        let mut body = Vec::new();
        socket.by_ref().take(length.into()).read_to_end(&mut body)?;
        if body.len() as u64 != u64::from(length) {
            return Err(WireError::Truncated { field: "body" });
        }
        Self::from_body(&body).map(Some)
    }
}

/// Fills `word`; `false` when the other side closed before its first byte.
fn fill(socket: &mut impl Read, word: &mut [u8]) -> Result<bool, WireError> {
    let mut filled = 0;
    while filled < word.len() {
        match socket.read(&mut word[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(WireError::Truncated { field: "length" }),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Collects the fields of a frame.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A number of items; one that does not fit makes a frame that is too long anyway.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

/// Takes the fields of a frame.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, WireError> {
        Ok(i32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, WireError> {
        Ok(self.slice(field)?.to_vec())
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, WireError> {
        let bytes = self.slice(field)?;
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8 { field })?;
        Ok(text.to_owned())
    }

    fn slice(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let length = self.u32(field)?;
        let length = usize::try_from(length).map_err(|_| WireError::Truncated { field })?;
        let (slice, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(WireError::Truncated { field })?;
        self.bytes = rest;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (array, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated { field })?;
        self.bytes = rest;
        Ok(*array)
    }
}
