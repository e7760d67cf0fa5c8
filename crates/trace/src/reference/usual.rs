//! Task rows as the reference writes them, byte by byte: nearly every row of nearly every file.
//!
//! Whatever differs, be it by one space, is not read here but by the general reader, which takes all that
//! JSON allows and says what is wrong; so nothing here has an error.

use crate::json::Number;
use crate::json::number::POWERS;

/// The numbers of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsualRow {
    pub(super) task_id: u64,
    pub(super) func_id: u32,
    pub(super) core: u16,
    pub(super) is_cube: bool,
    /// Start, end, duration, dispatch, finish.
    pub(super) times: [Number; 5],
    /// Bytes of the row.
    pub(super) bytes: usize,
}

/// Line ends in a row.
pub(super) const LINES: usize = 13;

impl UsualRow {
    /// The row at the begin of `text`, its successors behind those of `successors`; `None`, and nothing
    /// added, when it is not written as usual or does not end in `text`.
    pub(super) fn read(text: &[u8], successors: &mut Vec<u64>) -> Option<Self> {
        let count = successors.len();
        let row = Cursor { text, at: 0 }.row(successors);
        if row.is_none() {
            successors.truncate(count);
        }
        row
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn row(mut self, successors: &mut Vec<u64>) -> Option<UsualRow> {
        let mut row = UsualRow::default();
        self.pass(b"{\n      \"task_id\": ")?;
        row.task_id = self.whole()?;
        self.pass(b",\n      \"func_id\": ")?;
        row.func_id = u32::try_from(self.whole()?).ok()?;
        self.pass(b",\n      \"core_id\": ")?;
        row.core = u16::try_from(self.whole()?).ok()?;
        self.pass(b",\n      \"core_type\": \"ai")?;
        row.is_cube = match self.next()? {
            b'c' => true,
            b'v' => false,
            _ => return None,
        };
        self.pass(b"\",\n      \"ring_id\": ")?;
        self.whole()?;
        self.pass(b",\n      \"start_time_us\": ")?;
        row.times[0] = self.time()?;
        self.pass(b",\n      \"end_time_us\": ")?;
        row.times[1] = self.time()?;
        self.pass(b",\n      \"duration_us\": ")?;
        row.times[2] = self.time()?;
        self.pass(b",\n      \"dispatch_time_us\": ")?;
        row.times[3] = self.time()?;
        self.pass(b",\n      \"finish_time_us\": ")?;
        row.times[4] = self.time()?;
        self.pass(b",\n      \"fanout\": [")?;
        if self.text.get(self.at) == Some(&b']') {
            self.at += 1;
        } else {
            loop {
                successors.push(self.whole()?);
                match self.next()? {
                    b',' => self.pass(b" ")?,
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.pass(b",\n      \"fanout_count\": ")?;
        self.whole()?;
        self.pass(b"\n    }")?;
        row.bytes = self.at;
        Some(row)
    }

    /// Takes bytes that must come.
    #[inline(always)]
    fn pass<const N: usize>(&mut self, bytes: &[u8; N]) -> Option<()> {
        let ahead = self.text.get(self.at..)?.first_chunk::<N>()?;
        if ahead != bytes {
            return None;
        }
        self.at += N;
        Some(())
    }

    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Digits of a number below 10^18, and how many.
    #[inline(always)]
    fn digits(&mut self, mut value: u64) -> Option<(u64, usize)> {
        let ahead = self.text.get(self.at..)?;
        let mut count = 0;
        for &byte in ahead {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if value >= 100_000_000_000_000_000 {
                return None;
            }
            value = value * 10 + u64::from(digit);
            count += 1;
        }
        // The end of the text may cut a number.
        if count == 0 || count == ahead.len() {
            return None;
        }
        self.at += count;
        Some((value, count))
    }

    /// A whole number without sign, no zero before others.
    #[inline(always)]
    fn whole(&mut self) -> Option<u64> {
        let first = *self.text.get(self.at)?;
        let (value, count) = self.digits(0)?;
        (count == 1 || first != b'0').then_some(value)
    }

    /// A time with a fraction.
    #[inline(always)]
    fn time(&mut self) -> Option<Number> {
        let whole = self.whole()?;
        self.pass(b".")?;
        let (digits, count) = self.digits(whole)?;
        // What follows must end the number; as in the general reader both parts are exact.
        let ends = self.text.get(self.at) == Some(&b',');
        if !ends || digits > 1 << 52 || count >= POWERS.len() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2^52")]
        let value = digits as f64 / POWERS[count];
        Some(Number::double(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceError;
    use crate::reference::Document;
    use std::path::Path;

    fn document(rows: &str) -> Result<Document, TraceError> {
        let text = format!("{{\n  \"version\": 1,\n  \"tasks\": [\n    {rows}\n  ]\n}}\n");
        Document::read(text.as_bytes(), Path::new("given.json"))
    }

    fn row(task: u64, fanout: &str) -> String {
        format!(
            "{{\n      \"task_id\": {task},\n      \"func_id\": 2,\n      \"core_id\": 31,\n      \
             \"core_type\": \"aiv\",\n      \"ring_id\": 0,\n      \"start_time_us\": {task}.125,\n      \
             \"end_time_us\": 12345678.940,\n      \"duration_us\": 0.020,\n      \
             \"dispatch_time_us\": 0.000,\n      \"finish_time_us\": 4503599627370.495,\n      \
             \"fanout\": [{fanout}],\n      \"fanout_count\": 1\n    }}"
        )
    }

    #[test]
    fn a_row_is_read_as_the_general_reader_reads_it() {
        let rows: Vec<String> = (0..9000_u64)
            .map(|task| row(task, "7, 4294967296"))
            .collect();
        let usual = rows.join(",\n    ");
        let mut successors = Vec::new();
        let read = UsualRow::read(usual.as_bytes(), &mut successors);
        assert!(read.is_some_and(|read| read.bytes == rows[0].len()));
        // One more space, and the general reader is asked.
        let other = usual.replace("\"func_id\": ", "\"func_id\":  ");
        assert!(UsualRow::read(other.as_bytes(), &mut successors).is_none());
        let (usual, other) = (document(&usual).unwrap(), document(&other).unwrap());
        assert_eq!(format!("{:?}", usual.tasks), format!("{:?}", other.tasks));
    }

    #[test]
    fn what_is_not_as_usual_leaves_no_trace() {
        let usual = row(5, "7, 8");
        let broken = [
            usual.replace("7, 8", "7, 8, -9"),
            usual.replace("7, 8", "7,8"),
            usual.replace("7, 8", "07"),
            usual.replace("0.020", "0.02e1"),
            usual.replace("0.020", "00.020"),
            usual.replace("0.020", "1"),
            usual.replace("\"task_id\": 5", "\"task_id\": 18446744073709551615"),
            usual.replace("\"core_id\": 31", "\"core_id\": 65536"),
            usual.replace("aiv", "aix"),
        ];
        for text in broken
            .iter()
            .map(String::as_str)
            .chain([&usual[..usual.len() - 1]])
        {
            let mut successors = vec![1];
            assert!(
                UsualRow::read(text.as_bytes(), &mut successors).is_none(),
                "{text}"
            );
            assert_eq!(successors, [1]);
        }
    }

    #[test]
    fn an_error_behind_usual_rows_has_its_own_place() {
        let rows = [
            row(1, ""),
            row(2, "3"),
            "{\n      \"task_id\": x".to_owned(),
        ];
        let error = document(&rows.join(",\n    ")).unwrap_err();
        let line = 3 + 2 * (LINES + 1) + 2;
        let TraceError::Malformed {
            line: found,
            column,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((found, column), (line, 18));
    }
}
