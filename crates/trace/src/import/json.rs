//! Reading JSON row by row: objects by key, lists by element, nothing kept.

use crate::TraceError;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::marker::PhantomData;
use std::path::Path;

/// Reads a whole file as what `seed` expects.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(
    path: &Path,
    seed: S,
) -> Result<S::Value, TraceError> {
    let file = File::open(path).map_err(|source| TraceError::Read {
        path: path.to_owned(),
        source,
    })?;
    let source = BufReader::with_capacity(1 << 20, file);
    let mut json = serde_json::Deserializer::from_reader(source);
    seed.deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| crate::records_json::malformed(path, error))
}

/// What to do with the keys of an object.
pub(super) trait Keys<'de> {
    /// What messages say was expected.
    const EXPECTED: &'static str;

    /// Takes the value of a key.
    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;

    /// What is missing when the object ends.
    fn missing(&self) -> Option<String> {
        None
    }
}

/// An object that is taken key by key.
pub(super) struct Object<'a, K>(pub(super) &'a mut K);

impl<'de, K: Keys<'de>> DeserializeSeed<'de> for Object<'_, K> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, K: Keys<'de>> Visitor<'de> for Object<'_, K> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(K::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.key(&key, &mut map)?;
        }
        self.0
            .missing()
            .map_or(Ok(()), |text| Err(A::Error::custom(text)))
    }
}

/// A list whose elements are handed to a function.
pub(super) struct Each<T, F> {
    expected: &'static str,
    take: F,
    kind: PhantomData<T>,
}

impl<T, F> Each<T, F> {
    pub(super) const fn new(expected: &'static str, take: F) -> Self {
        Self {
            expected,
            take,
            kind: PhantomData,
        }
    }
}

impl<'de, T, F> DeserializeSeed<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T, F> Visitor<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(row) = seq.next_element::<T>()? {
            (self.take)(row).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A list of lists, one for each AICPU thread; the function gets the thread's number and an element.
pub(super) struct ByThread<T, F> {
    expected: &'static str,
    take: F,
    kind: PhantomData<T>,
}

impl<T, F> ByThread<T, F> {
    pub(super) const fn new(expected: &'static str, take: F) -> Self {
        Self {
            expected,
            take,
            kind: PhantomData,
        }
    }
}

impl<'de, T, F> DeserializeSeed<'de> for ByThread<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(u32, T) -> Result<(), String>,
{
    /// How many lists there were.
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<u32, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T, F> Visitor<'de> for ByThread<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(u32, T) -> Result<(), String>,
{
    type Value = u32;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<u32, A::Error> {
        let mut thread = 0;
        loop {
            let take = &mut self.take;
            let rows = Each::new(self.expected, |row| take(thread, row));
            if seq.next_element_seed(rows)?.is_none() {
                return Ok(thread);
            }
            thread = thread.saturating_add(1);
        }
    }
}

/// A list of whole numbers, at most `N` of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<const N: usize> {
    values: [u64; N],
    count: usize,
}

impl<const N: usize> Numbers<N> {
    pub(super) fn values(&self) -> &[u64] {
        &self.values[..self.count]
    }
}

impl<'de, const N: usize> Deserialize<'de> for Numbers<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumbersVisitor<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for NumbersVisitor<N> {
            type Value = Numbers<N>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a row of at most {N} whole numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Numbers<N>, A::Error> {
                let mut row = Numbers {
                    values: [0; N],
                    count: 0,
                };
                while let Some(value) = seq.next_element::<u64>()? {
                    if row.count == N {
                        return Err(A::Error::custom(format!("more than {N} columns in a row")));
                    }
                    row.values[row.count] = value;
                    row.count += 1;
                }
                Ok(row)
            }
        }
        from.deserialize_seq(NumbersVisitor)
    }
}

/// A whole number of 64 bits, written as a number or as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uint(pub(super) u64);

impl<'de> Deserialize<'de> for Uint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct UintVisitor;
        impl Visitor<'_> for UintVisitor {
            type Value = Uint;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a whole number of 64 bits, as a number or as text")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Uint, E> {
                Ok(Uint(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Uint, E> {
                Ok(Uint(value.cast_unsigned()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Uint, E> {
                let value = match text.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => text.parse(),
                };
                let other = || text.parse::<i64>().map(i64::cast_unsigned);
                value
                    .or_else(|_| other())
                    .map(Uint)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(UintVisitor)
    }
}
