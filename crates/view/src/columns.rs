//! Columns of whole numbers as varints: what the page decodes into typed arrays.

use serde::Serialize;

/// Numbers of one column, seven bits a byte, low bits first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    rows: u64,
    /// The first number, and whether all others are the same.
    first: u64,
    varies: bool,
}

impl Values {
    #[inline]
    pub(crate) fn push(&mut self, value: u64) {
        if self.rows == 0 {
            self.first = value;
        }
        self.varies |= value != self.first;
        self.rows += 1;
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push(low_bits(rest) | 0x80);
            rest >>= 7;
        }
        self.bytes.push(low_bits(rest));
    }

    /// The way from one number to another; small ones take few bytes in either direction.
    #[inline]
    pub(crate) fn push_step(&mut self, from: u64, to: u64) {
        let step = to.wrapping_sub(from).cast_signed();
        self.push((step << 1 ^ step >> 63).cast_unsigned());
    }

    /// The same for halves of larger numbers, around the end of 32 bits.
    #[inline]
    pub(crate) fn push_step_32(&mut self, from: u32, to: u32) {
        let step = to.wrapping_sub(from).cast_signed();
        self.push(u64::from((step << 1 ^ step >> 31).cast_unsigned()));
    }
}

#[inline]
const fn low_bits(value: u64) -> u8 {
    (value & 0x7F) as u8
}

/// Every column of a page, in the order of the bytes.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    entries: Vec<ColumnEntry>,
    bytes: Vec<Vec<u8>>,
    length: u64,
}

/// What the page is told of a column.
#[derive(Debug, Serialize)]
pub(crate) struct ColumnEntry {
    name: String,
    rows: u64,
    /// Where its bytes begin.
    offset: u64,
    /// How many there are; 0 when every number is `value`.
    bytes: u64,
    /// The first number.
    value: u64,
}

impl Columns {
    /// Adds a column made of pieces, one behind the other.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        pieces: impl IntoIterator<Item = Values>,
    ) {
        let offset = self.length;
        let (mut rows, mut value, mut varies) = (0, 0, false);
        let first_piece = self.bytes.len();
        for piece in pieces {
            if piece.rows == 0 {
                continue;
            }
            if rows == 0 {
                value = piece.first;
            }
            varies |= piece.varies || piece.first != value;
            rows += piece.rows;
            self.length += piece.bytes.len() as u64;
            self.bytes.push(piece.bytes);
        }
        if !varies {
            self.bytes.truncate(first_piece);
            self.length = offset;
        }
        self.entries.push(ColumnEntry {
            name: name.into(),
            rows,
            offset,
            bytes: self.length - offset,
            value,
        });
    }

    pub(crate) fn entries(&self) -> &[ColumnEntry] {
        &self.entries
    }

    /// The bytes of all columns.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[u64]) -> Values {
        let mut column = Values::default();
        for &value in values {
            column.push(value);
        }
        column
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        let column = column(&[0, 127, 128, u64::MAX]);
        assert_eq!(column.bytes[..4], [0, 127, 0x80, 1]);
        assert_eq!(
            column.bytes[4..],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        );
    }

    #[test]
    fn steps_fold_both_directions() {
        let mut column = Values::default();
        column.push_step(5, 6);
        column.push_step(6, 5);
        column.push_step_32(u32::MAX, 0);
        column.push_step_32(0, u32::MAX);
        assert_eq!(column.bytes, [2, 1, 2, 1]);
    }

    #[test]
    fn a_column_of_one_number_has_no_bytes() {
        let mut columns = Columns::default();
        columns.add("same", [column(&[7, 7]), column(&[]), column(&[7])]);
        columns.add("other", [column(&[7]), column(&[8])]);
        let [same, other] = columns.entries() else {
            panic!("two columns");
        };
        assert_eq!((same.rows, same.bytes, same.value), (3, 0, 7));
        assert_eq!((other.rows, other.offset, other.bytes), (2, 0, 2));
        assert_eq!(columns.bytes().collect::<Vec<_>>(), [[7], [8]]);
    }
}
