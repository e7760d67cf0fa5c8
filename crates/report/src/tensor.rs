//! What is in a tensor: its elements as numbers, statistics, and how two of them differ.

use lanescope_trace::{Dtype, Payload};

/// One element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of an integer type.
    Integer(i128),
    /// Of a type with a fraction; those have 32 bits or fewer.
    Float(f64),
}

impl Number {
    /// The element at a position of a contiguous tensor; `None` behind its last whole one.
    #[must_use]
    pub fn at(dtype: Dtype, tensor: &[u8], position: u64) -> Option<Self> {
        let size = dtype.bytes() as usize;
        let begin = usize::try_from(position).ok()?.checked_mul(size)?;
        let element = tensor.get(begin..)?.get(..size)?;
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(element);
        Some(Self::of(dtype, bytes))
    }

    /// The element in these bytes, as many as one of the type has.
    fn of(dtype: Dtype, bytes: [u8; 8]) -> Self {
        let [b0, b1, b2, b3, ..] = bytes;
        let (two, four) = ([b0, b1], [b0, b1, b2, b3]);
        match dtype {
            Dtype::Float32 => Self::Float(f32::from_le_bytes(four).into()),
            Dtype::Float16 => Self::Float(half(u16::from_le_bytes(two))),
            Dtype::Bfloat16 => {
                let bits = u32::from(u16::from_le_bytes(two)) << 16;
                Self::Float(f32::from_bits(bits).into())
            }
            Dtype::Int8 => Self::Integer(i8::from_le_bytes([b0]).into()),
            Dtype::Uint8 => Self::Integer(b0.into()),
            Dtype::Int16 => Self::Integer(i16::from_le_bytes(two).into()),
            Dtype::Uint16 => Self::Integer(u16::from_le_bytes(two).into()),
            Dtype::Int32 => Self::Integer(i32::from_le_bytes(four).into()),
            Dtype::Uint32 => Self::Integer(u32::from_le_bytes(four).into()),
            Dtype::Int64 => Self::Integer(i64::from_le_bytes(bytes).into()),
            Dtype::Uint64 => Self::Integer(u64::from_le_bytes(bytes).into()),
        }
    }

    /// The number as a float, the nearest where it has none of its own.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest is what is wanted")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn is_less(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => one < two,
            _ => self.to_f64() < other.to_f64(),
        }
    }

    /// How far apart two numbers are: 0 for equal ones and for two NaN, else NaN where either is one.
    fn distance(self, other: Self) -> f64 {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => Self::Integer((one - two).abs()).to_f64(),
            _ => {
                let (one, two) = (self.to_f64(), other.to_f64());
                let is_same = one == two || one.is_nan() && two.is_nan();
                if is_same { 0.0 } else { (one - two).abs() }
            }
        }
    }
}

/// As few digits as tell the number from its neighbours among those of 32 bits.
impl std::fmt::Display for Number {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it came from 32 bits or fewer"
    )]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => f.pad(&value.to_string()),
            Self::Float(value) => f.pad(&format!("{:?}", *value as f32)),
        }
    }
}

/// A binary16 by its bits.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1F);
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    let magnitude = match (exponent, bits & 0x3FF) {
        (0, _) => fraction * 2f64.powi(-14),
        (31, 0) => f64::INFINITY,
        (31, _) => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    };
    sign * magnitude
}

/// The elements of a payload, in order; a last one that is cut off is left out.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    pieces: std::slice::Iter<'a, &'a [u8]>,
    piece: &'a [u8],
    dtype: Dtype,
}

impl<'a> Elements<'a> {
    /// The elements of a payload of this type.
    #[must_use]
    pub fn of(dtype: Dtype, payload: &'a Payload<'_>) -> Self {
        Self {
            pieces: payload.pieces().iter(),
            piece: &[],
            dtype,
        }
    }
}

impl Iterator for Elements<'_> {
    type Item = Number;

    fn next(&mut self) -> Option<Number> {
        let size = self.dtype.bytes() as usize;
        let mut bytes = [0; 8];
        let mut filled = 0;
        while filled < size {
            if self.piece.is_empty() {
                self.piece = self.pieces.next()?;
                continue;
            }
            let taken = self.piece.len().min(size - filled);
            let (head, rest) = self.piece.split_at(taken);
            bytes[filled..filled + taken].copy_from_slice(head);
            (self.piece, filled) = (rest, filled + taken);
        }
        Some(Number::of(self.dtype, bytes))
    }
}

/// Statistics of a tensor. Minimum, maximum and mean are those of the finite elements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Elements.
    pub count: u64,
    /// Of them, not a number.
    pub nan: u64,
    /// Of them, infinite.
    pub infinite: u64,
    /// The least; `None` when no element is finite.
    pub min: Option<Number>,
    /// The largest.
    pub max: Option<Number>,
    /// The mean.
    pub mean: Option<f64>,
}

impl Statistics {
    /// Of some elements.
    #[must_use]
    pub fn of(elements: impl IntoIterator<Item = Number>) -> Self {
        let mut statistics = Self::default();
        let mut finite = 0.0;
        let mut mean = 0.0;
        for element in elements {
            statistics.count += 1;
            let value = element.to_f64();
            if value.is_nan() {
                statistics.nan += 1;
                continue;
            }
            if value.is_infinite() {
                statistics.infinite += 1;
                continue;
            }
            finite += 1.0;
            // No sum, which could overflow.
            mean += value / finite - mean / finite;
            if statistics.min.is_none_or(|min| element.is_less(min)) {
                statistics.min = Some(element);
            }
            if statistics.max.is_none_or(|max| max.is_less(element)) {
                statistics.max = Some(element);
            }
        }
        statistics.mean = (finite > 0.0).then_some(mean);
        statistics
    }
}

/// How far apart elements may be: `absolute + relative * |other|`, as NumPy's `allclose`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// In units of the elements.
    pub absolute: f64,
    /// In parts of the second element.
    pub relative: f64,
}

/// Where two tensors differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Elements that differ by more than the tolerance.
    pub count: u64,
    /// The first of them, in row-major order, and both its values.
    pub first: (u64, Number, Number),
    /// The largest distance; NaN when only one of two elements is a number.
    pub largest: f64,
}

/// Compares elements; `None` when all are within the tolerance. Two NaN are equal.
#[must_use]
pub fn compare(
    one: impl IntoIterator<Item = Number>,
    other: impl IntoIterator<Item = Number>,
    tolerance: Tolerance,
) -> Option<Difference> {
    let mut found: Option<Difference> = None;
    for (index, (one, other)) in (0..).zip(one.into_iter().zip(other)) {
        let distance = one.distance(other);
        let allowed = tolerance.absolute + tolerance.relative * other.to_f64().abs();
        // An infinite element allows nothing but itself; NaN is within no tolerance.
        let is_within = distance == 0.0 || distance.is_finite() && distance <= allowed;
        if is_within {
            continue;
        }
        let difference = found.get_or_insert(Difference {
            count: 0,
            first: (index, one, other),
            largest: 0.0,
        });
        difference.count += 1;
        if distance.is_nan() || distance > difference.largest {
            difference.largest = distance;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_numbers_the_standard_says() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 2f64.powi(-24)),
            (0x03FF, 2f64.powi(-14) - 2f64.powi(-24)),
            (0x3555, 0.333_251_953_125),
            (0x7C00, f64::INFINITY),
            (0xFC00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7E00).is_nan());
    }

    #[test]
    fn every_type_is_read_from_its_bytes() {
        let bytes = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        for (dtype, expected) in [
            (Dtype::Int8, -2),
            (Dtype::Uint8, 0xFE),
            (Dtype::Int16, -2),
            (Dtype::Uint16, 0xFFFE),
            (Dtype::Int32, -2),
            (Dtype::Uint32, 0xFFFF_FFFE),
            (Dtype::Int64, -2),
            (Dtype::Uint64, 0xFFFF_FFFF_FFFF_FFFE),
        ] {
            assert_eq!(Number::of(dtype, bytes), Number::Integer(expected));
        }
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&1.5f32.to_le_bytes());
        assert_eq!(Number::of(Dtype::Float32, bytes), Number::Float(1.5));
        let bytes = [bytes[2], bytes[3], 9, 9, 9, 9, 9, 9];
        assert_eq!(Number::of(Dtype::Bfloat16, bytes), Number::Float(1.5));
    }

    #[test]
    fn a_number_is_shown_with_the_digits_of_its_type() {
        let number = Number::at(Dtype::Float32, &0.1_f32.to_le_bytes(), 0).unwrap();
        assert_eq!(number.to_string(), "0.1");
        assert_eq!(
            Number::Integer(u64::MAX.into()).to_string(),
            "18446744073709551615"
        );
    }

    fn floats(values: &[f64]) -> Vec<Number> {
        values.iter().map(|&value| Number::Float(value)).collect()
    }

    #[test]
    fn statistics_leave_out_what_is_no_number() {
        let values = [1.0, f64::NAN, -3.0, f64::INFINITY, f64::NEG_INFINITY, 8.0];
        let statistics = Statistics::of(floats(&values));
        assert_eq!(
            (statistics.count, statistics.nan, statistics.infinite),
            (6, 1, 2)
        );
        assert_eq!(statistics.min, Some(Number::Float(-3.0)));
        assert_eq!(statistics.max, Some(Number::Float(8.0)));
        assert!((statistics.mean.unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(Statistics::of(floats(&[f64::NAN])).mean, None);
        // Exact where a float is not.
        let large = [u64::MAX, u64::MAX - 1].map(|value| Number::Integer(value.into()));
        assert_eq!(Statistics::of(large).min, Some(large[1]));
    }

    #[test]
    fn a_difference_is_counted_and_its_first_place_named() {
        let one = floats(&[1.0, 2.0, 3.0, f64::NAN, f64::INFINITY]);
        let none = Tolerance::default();
        assert_eq!(compare(one.clone(), one.clone(), none), None);
        let other = floats(&[1.0, 2.1, 2.0, f64::NAN, f64::INFINITY]);
        let difference = compare(one.clone(), other.clone(), none).unwrap();
        assert_eq!((difference.count, difference.largest), (2, 1.0));
        assert_eq!(
            difference.first,
            (1, Number::Float(2.0), Number::Float(2.1))
        );
        let absolute = Tolerance {
            absolute: 0.2,
            relative: 0.0,
        };
        assert_eq!(
            compare(one.clone(), other.clone(), absolute)
                .unwrap()
                .first
                .0,
            2
        );
        let relative = Tolerance {
            absolute: 0.0,
            relative: 0.5,
        };
        assert_eq!(compare(one.clone(), other, relative), None);
        let other = floats(&[1.0, 2.0, 3.0, 4.0, f64::NEG_INFINITY]);
        let difference = compare(one, other, relative).unwrap();
        assert_eq!((difference.count, difference.first.0), (2, 3));
    }

    #[test]
    fn integers_are_compared_as_integers() {
        let one = [Number::Integer(i64::MAX.into())];
        let other = [Number::Integer(i128::from(i64::MAX) - 1)];
        let difference = compare(one, other, Tolerance::default()).unwrap();
        assert_eq!(difference.largest, 1.0);
    }
}
