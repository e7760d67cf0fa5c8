//! Task rows that are written as usual, read on several threads: each takes a stretch of the text at hand.
//!
//! A stretch begins where the text looks like the begin of a row. That it is one is known when the rows before it,
//! read from a begin that is known, end there; else nothing of the stretch is taken. So what is read does not depend
//! on the number of threads.

use super::tasks::TaskTable;
use super::usual::LINES;
use crate::TraceError;
use crate::json::Reader;
use std::io::Read;
use std::num::NonZeroUsize;
use std::panic;
use std::thread;

/// What stands between two rows, and the begin of the second.
const BETWEEN_ROWS: &[u8] = b",\n    {\n";
/// How many bytes of it are before the second row.
const BEFORE_ROW: usize = BETWEEN_ROWS.len() - b"{\n".len();
/// Bytes behind the last line end of a row.
const LAST_LINE_BYTES: usize = b"    }".len();
/// A thread is not worth less text than this.
const LEAST_BYTES: usize = 128 << 10;
/// More threads than this do not help: the text is fetched by one.
const MOST_THREADS: usize = 8;

/// Reads rows on several threads.
#[derive(Debug)]
pub(super) struct RowReaders {
    /// What each further thread reads.
    further: Vec<TaskTable>,
    least_bytes: usize,
    /// Where the text ends that was shared out last: each is shared once, whatever is in it.
    shared: u64,
}

/// Rows that were read.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    rows: usize,
    /// Behind the last row.
    end: usize,
    /// Where the row behind it begins, when one does.
    next: Option<usize>,
}

impl RowReaders {
    /// As many as there are processors, up to 8.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with(processors.min(MOST_THREADS), LEAST_BYTES)
    }

    fn with(threads: usize, least_bytes: usize) -> Self {
        Self {
            further: vec![TaskTable::default(); threads - 1],
            least_bytes,
            shared: 0,
        }
    }

    /// Reads rows as long as they are written as usual; `false` when the first is not.
    pub(super) fn read<R: Read>(
        &mut self,
        table: &mut TaskTable,
        reader: &mut Reader<R>,
    ) -> Result<bool, TraceError> {
        let text = reader.at_hand();
        let position = reader.position();
        let progress = if position + self.least_bytes as u64 > self.shared {
            self.shared = position + text.len() as u64;
            self.read_shared(table, text)?
        } else {
            Progress::read(table, text, 1)?
        };
        if progress.rows > 0 {
            let lines = progress.rows * (LINES + 1) - 1;
            reader.take(progress.end, lines, LAST_LINE_BYTES);
        }
        Ok(progress.rows > 0)
    }

    fn read_shared(&mut self, table: &mut TaskTable, text: &[u8]) -> Result<Progress, TraceError> {
        let begins = begins(text, self.further.len() + 1, self.least_bytes);
        let end = |stretch: usize| begins.get(stretch + 1).copied().unwrap_or(text.len());
        let (own, further) = thread::scope(|scope| {
            let further = self.further.iter_mut().zip(1..begins.len());
            let begin = |(table, stretch): (_, usize)| {
                let (text, end) = (&text[begins[stretch]..], end(stretch) - begins[stretch]);
                scope.spawn(move || Progress::read_alone(table, text, end))
            };
            let threads: Vec<_> = further.map(begin).collect();
            let own = Progress::read(table, text, end(0));
            let further = threads.into_iter().map(|thread| {
                let ended = thread.join();
                ended.unwrap_or_else(|cause| panic::resume_unwind(cause))
            });
            (own, further.collect::<Vec<_>>())
        });
        let mut progress = own?;
        for ((further, read), &begin) in self.further.iter().zip(further).zip(&begins[1..]) {
            let read = read?;
            if progress.next != Some(begin) || read.rows == 0 {
                break;
            }
            table.append(further)?;
            progress = Progress {
                rows: progress.rows + read.rows,
                end: begin + read.end,
                next: read.next.map(|next| begin + next),
            };
        }
        Ok(progress)
    }
}

impl Progress {
    /// Reads what begins before `until`.
    fn read(table: &mut TaskTable, text: &[u8], until: usize) -> Result<Self, TraceError> {
        let mut progress = Self {
            next: Some(0),
            ..Self::default()
        };
        while let Some(begin) = progress.next.filter(|&next| next < until) {
            let Some(bytes) = table.usual_row(&text[begin..])? else {
                break;
            };
            progress.rows += 1;
            progress.end = begin + bytes;
            let has_next = text[progress.end..].starts_with(BETWEEN_ROWS);
            progress.next = has_next.then_some(progress.end + BEFORE_ROW);
        }
        Ok(progress)
    }

    fn read_alone(table: &mut TaskTable, text: &[u8], until: usize) -> Result<Self, TraceError> {
        table.clear();
        Self::read(table, text, until)
    }
}

/// Where stretches of about the same size begin, the first with the text.
fn begins(text: &[u8], most: usize, least_bytes: usize) -> Vec<usize> {
    let count = (text.len() / least_bytes).clamp(1, most);
    let share = text.len() / count;
    let begin = |stretch: usize| {
        let from = stretch * share;
        // It ends before the next is looked for.
        let ahead = &text[from..from + share];
        let mut places = ahead.windows(BETWEEN_ROWS.len());
        let place = places.position(|bytes| bytes == BETWEEN_ROWS)?;
        Some(from + place + BEFORE_ROW)
    };
    std::iter::once(0)
        .chain((1..count).filter_map(begin))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn row(task: usize) -> String {
        format!(
            "{{\n      \"task_id\": {task},\n      \"func_id\": 2,\n      \"core_id\": 31,\n      \
             \"core_type\": \"aiv\",\n      \"ring_id\": 0,\n      \"start_time_us\": {task}.125,\n      \
             \"end_time_us\": 12345678.940,\n      \"duration_us\": 0.020,\n      \
             \"dispatch_time_us\": 0.000,\n      \"finish_time_us\": 4503599627370.495,\n      \
             \"fanout\": [7, {task}],\n      \"fanout_count\": 2\n    }}"
        )
    }

    /// The table and where its reader ended.
    fn read(rows: &[String], threads: usize) -> (String, String) {
        let text = format!("[\n    {}\n  ]x", rows.join(",\n    "));
        let mut reader = Reader::new(text.as_bytes(), Path::new("t.json"));
        let mut readers = RowReaders::with(threads, 700);
        let table = TaskTable::read_with(&mut reader, &mut readers).unwrap();
        let end = reader.end().unwrap_err();
        (format!("{table:?}"), end.to_string())
    }

    #[test]
    fn any_number_of_threads_reads_the_same() {
        let usual: Vec<_> = (0..40).map(row).collect();
        let spaced = |row: &String| row.replace("\"func_id\": ", "\"func_id\":  ");
        // Read by the general reader alone.
        let expected = read(&usual.iter().map(spaced).collect::<Vec<_>>(), 1);
        let expected = (expected.0, read(&usual, 1).1);
        assert!(expected.1.contains("line 562, column 4"), "{}", expected.1);
        for threads in 1..6 {
            assert_eq!(read(&usual, threads), expected, "{threads} threads");
            for other in 0..usual.len() {
                let mut rows = usual.clone();
                rows[other] = spaced(&rows[other]);
                assert_eq!(read(&rows, threads), expected, "row {other}");
            }
        }
    }

    /// What looks like rows inside another member is none.
    #[test]
    fn a_stretch_is_taken_only_when_the_one_before_ends_there() {
        let mut rows: Vec<_> = (0..9).map(row).collect();
        let inner = rows.join(",\n    ");
        let (usual, _) = read(&rows, 1);
        for place in 0..rows.len() {
            let plain = std::mem::take(&mut rows[place]);
            let end = plain.len() - "\n    }".len();
            rows[place] = format!("{},\n    \"other\": [{inner}]\n    }}", &plain[..end]);
            for threads in 1..6 {
                assert_eq!(read(&rows, threads).0, usual, "row {place}");
            }
            rows[place] = plain;
        }
    }
}
