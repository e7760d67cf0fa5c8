//! Which elements of a tensor are printed: one range for each dimension.

use anyhow::{Result, bail};
use lanescope_report::tensor::Number;
use lanescope_trace::{Payload, TensorRow};
use std::io::{self, Write};

/// Ranges of the first dimensions; those that are not named are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    ranges: Vec<Range>,
}

/// Indices of one dimension; negative ones count from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    One(i64),
    Some(Option<i64>, Option<i64>),
}

impl Slice {
    /// `[0:4,:]`, `[3]`, `[-1,2:]`; the brackets may be left out.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let inner = match (text.strip_prefix('['), text.ends_with(']')) {
            (Some(inner), true) => &inner[..inner.len() - 1],
            (None, false) => text,
            _ => return Err(format!("`{text}`, a bracket has no partner")),
        };
        let mut ranges = Vec::new();
        if !inner.trim().is_empty() {
            for part in inner.split(',') {
                ranges.push(range(part.trim())?);
            }
        }
        Ok(Self { ranges })
    }

    /// Refuses what is in none of the tensors: too many ranges, or an index behind the last.
    pub(crate) fn check(&self, rows: &[TensorRow]) -> Result<()> {
        let fits = |row: &TensorRow| self.misfit(row.shape()).is_none();
        match rows.first() {
            Some(first) if !rows.iter().any(fits) => {
                let misfit = self.misfit(first.shape()).unwrap_or_default();
                bail!(
                    "--slice: it fits none of the tensors; of {:?}: {misfit}",
                    first.shape()
                )
            }
            _ => Ok(()),
        }
    }

    /// Why there is no such part of a tensor; a range that is empty or ends behind the last is one.
    fn misfit(&self, shape: &[u32]) -> Option<String> {
        if self.ranges.len() > shape.len() {
            let (named, rank) = (self.ranges.len(), shape.len());
            return Some(format!("{named} ranges for {rank} dimensions"));
        }
        let mut dimensions = shape.iter().zip(&self.ranges).enumerate();
        dimensions.find_map(|(dimension, (&extent, range))| match *range {
            Range::One(index) if range.of(extent).is_empty() => Some(format!(
                "no index {index} in dimension {dimension} of {extent}"
            )),
            _ => None,
        })
    }

    /// The indices of each dimension.
    fn indices(&self, shape: &[u32]) -> Vec<std::ops::Range<u64>> {
        let whole = Range::Some(None, None);
        let ranges = self.ranges.iter().copied().chain(std::iter::repeat(whole));
        let dimensions = shape.iter().zip(ranges);
        dimensions
            .map(|(&extent, range)| range.of(extent))
            .collect()
    }

    /// A line for each row of the last dimension, behind its indices.
    pub(crate) fn print(
        &self,
        row: &TensorRow,
        payload: &Payload<'_>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let Some(dtype) = row.dtype else {
            return writeln!(out, "  elements of an unknown type");
        };
        if let Some(misfit) = self.misfit(row.shape()) {
            return writeln!(out, "  {misfit}");
        }
        let bytes = payload.to_vec();
        let indices = self.indices(row.shape());
        if indices.iter().any(std::ops::Range::is_empty) {
            return writeln!(out, "  []");
        }
        let (rows, columns) = match indices.split_last() {
            Some((last, rows)) => (rows, last.clone()),
            None => (&[][..], 0..1),
        };
        let mut at: Vec<u64> = rows.iter().map(|range| range.start).collect();
        loop {
            let mut base = 0;
            for (index, extent) in at.iter().zip(row.shape()) {
                base = base * u64::from(*extent) + index;
            }
            base *= row.shape().last().map_or(1, |&extent| u64::from(extent));
            let places: Vec<String> = at.iter().map(ToString::to_string).collect();
            let places: String = places.iter().map(|place| format!("{place}, ")).collect();
            write!(out, "  [{places}{}:{}]", columns.start, columns.end)?;
            for column in columns.clone() {
                match Number::at(dtype, &bytes, base + column) {
                    Some(number) => write!(out, " {number}")?,
                    None => write!(out, " cut")?,
                }
            }
            writeln!(out)?;
            if !advance(&mut at, rows) {
                return Ok(());
            }
        }
    }
}

/// The next row in row-major order; `false` behind the last.
fn advance(at: &mut [u64], rows: &[std::ops::Range<u64>]) -> bool {
    for (index, range) in at.iter_mut().zip(rows).rev() {
        *index += 1;
        if *index < range.end {
            return true;
        }
        *index = range.start;
    }
    false
}

impl Range {
    fn of(self, extent: u32) -> std::ops::Range<u64> {
        let extent = i64::from(extent);
        let place = |index: i64| if index < 0 { index + extent } else { index };
        let (begin, end) = match self {
            Self::One(index) => (place(index), place(index) + 1),
            Self::Some(begin, end) => (begin.map_or(0, place), end.map_or(extent, place)),
        };
        let inside = |index: i64| index.clamp(0, extent).unsigned_abs();
        inside(begin)..inside(end)
    }
}

fn range(text: &str) -> Result<Range, String> {
    let index = |text: &str| -> Result<Option<i64>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse::<i32>();
        let number = number.map_err(|_| format!("`{text}` is no index"))?;
        Ok(Some(number.into()))
    };
    match text.split_once(':') {
        Some((begin, end)) => Ok(Range::Some(index(begin)?, index(end)?)),
        None => index(text)?
            .map(Range::One)
            .ok_or_else(|| "an empty range".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(text: &str, shape: &[u32]) -> Vec<std::ops::Range<u64>> {
        Slice::parse(text).expect("parses").indices(shape)
    }

    #[test]
    fn ranges_are_read_as_numpy_reads_them() {
        assert_eq!(indices("[0:4,:]", &[8, 3]), [0..4, 0..3]);
        assert_eq!(indices("[-1]", &[8, 3]), [7..8, 0..3]);
        assert_eq!(indices("2:,:-1", &[8, 3]), [2..8, 0..2]);
        assert_eq!(indices("[]", &[5, 2]), [0..5, 0..2]);
        assert_eq!(indices("[7:100]", &[8, 2]), [7..8, 0..2]);
        assert!(indices("[9]", &[8])[0].is_empty());
        for wrong in [
            "[a]", "[1:b]", "[1:2:3]", "[1.5]", "[,2]", "[1,]", "[0:2", "0:2]", "[", "]",
        ] {
            assert!(Slice::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_tensor_has_is_refused() {
        let misfit = |text: &str, shape| Slice::parse(text).expect("parses").misfit(shape);
        assert_eq!(misfit("[7,0:0,3:99]", &[8, 3, 4]), None);
        assert_eq!(misfit("[]", &[]), None);
        let told = misfit("[-9]", &[8]).expect("refused");
        assert_eq!(told, "no index -9 in dimension 0 of 8");
        let told = misfit("[0,0]", &[8]).expect("refused");
        assert_eq!(told, "2 ranges for 1 dimensions");
    }

    #[test]
    fn rows_come_in_row_major_order() {
        let rows = [1..3, 0..2];
        let mut at = vec![1, 0];
        let mut seen = vec![at.clone()];
        while advance(&mut at, &rows) {
            seen.push(at.clone());
        }
        assert_eq!(seen, [[1, 0], [1, 1], [2, 0], [2, 1]]);
    }
}
