//! The few protobuf encodings a Perfetto trace needs, written straight into one buffer.
//!
//! Field numbers are those of Perfetto's published `.proto` files.

/// Field keys of one wire type, each already shifted, at most two bytes long.
const fn key(field: u32, wire_type: u32) -> u32 {
    (field << 3) | wire_type
}

/// Key of a varint field.
pub(super) const fn varint_key(field: u32) -> u32 {
    key(field, 0)
}

/// Key of a field with a length: bytes, text, message.
pub(super) const fn length_key(field: u32) -> u32 {
    key(field, 2)
}

/// A growing buffer of protobuf fields.
#[derive(Debug, Default)]
pub(super) struct Wire {
    bytes: Vec<u8>,
}

impl Wire {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low seven bits are what is wanted"
    )]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    #[inline]
    pub(super) fn uint(&mut self, key: u32, value: u64) {
        self.varint(u64::from(key));
        self.varint(value);
    }

    pub(super) fn text(&mut self, key: u32, text: &str) {
        self.varint(u64::from(key));
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Fields encoded before.
    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Fields put together before.
    #[inline]
    pub(super) fn short<const BYTES: usize>(&mut self, short: &Short<BYTES>) {
        let length = self.bytes.len() + short.length;
        self.bytes.extend_from_slice(&short.bytes);
        self.bytes.truncate(length);
    }

    /// A message: its fields are what `fill` writes.
    ///
    /// Nearly all messages here are shorter than 128 bytes, so one byte is kept for the length and
    /// the fields are moved only when it needs more.
    #[inline]
    pub(super) fn message(&mut self, key: u32, fill: impl FnOnce(&mut Self)) {
        self.varint(u64::from(key));
        let length_at = self.bytes.len();
        self.bytes.push(0);
        fill(self);
        let length = self.bytes.len() - length_at - 1;
        match u8::try_from(length) {
            Ok(length) if length < 0x80 => self.bytes[length_at] = length,
            _ => self.widen_length(length_at, length),
        }
    }

    #[cold]
    fn widen_length(&mut self, length_at: usize, length: usize) {
        let mut encoded = Self::default();
        encoded.varint(length as u64);
        self.bytes
            .splice(length_at..=length_at, encoded.bytes.iter().copied());
    }
}

/// A few fields of bounded length, put together before they go into a [`Wire`].
///
/// The events of every task pass through here. An array of a fixed size is filled without asking whether it must
/// grow, and copied as a whole, with what is behind its fields: a copy of a length that the compiler knows is a few
/// moves, any other is a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
}

impl<const BYTES: usize> Short<BYTES> {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; BYTES],
            length: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low seven bits are what is wanted"
    )]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// A varint field whose key is one byte.
    #[inline]
    pub(super) fn uint(&mut self, key: u8, value: u64) {
        self.byte(key);
        self.varint(value);
    }

    #[inline]
    pub(super) fn raw<const COUNT: usize>(&mut self, bytes: [u8; COUNT]) {
        self.bytes[self.length..self.length + COUNT].copy_from_slice(&bytes);
        self.length += COUNT;
    }

    /// Fields that were put together before.
    #[inline]
    pub(super) fn short<const OTHER: usize>(&mut self, other: &Short<OTHER>) {
        self.bytes[self.length..self.length + OTHER].copy_from_slice(&other.bytes);
        self.length += other.length;
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

/// Bytes of a varint.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "1..=10")]
pub(super) const fn varint_bytes(value: u64) -> u8 {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_and_their_lengths_agree() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut wire = Wire::default();
            wire.varint(value);
            assert_eq!(wire.len(), usize::from(varint_bytes(value)), "{value}");
        }
    }

    #[test]
    fn a_long_message_gets_a_long_length() {
        for length in [0_usize, 127, 128, 20_000] {
            let mut wire = Wire::default();
            wire.message(length_key(1), |wire| wire.raw(&vec![7; length]));
            let mut expected = Wire::default();
            expected.varint(u64::from(length_key(1)));
            expected.varint(length as u64);
            expected.raw(&vec![7; length]);
            assert_eq!(wire.bytes(), expected.bytes());
        }
    }
}
