//! What arrived from each core or thread, and whether it is what can have come from it.

use crate::Findings;
use lanescope_abi::Token;
use lanescope_abi::token::TOKEN_COUNT;
use lanescope_capture::{FindingKind, SessionInfo};

/// Per core or thread of one run: how many records arrived, and which may come next.
///
/// Tokens of a core are committed in order, so a record's token is the one after the last, or a
/// later one when records between were dropped or mismatched. A token that lies behind is a
/// duplicate. The number of tokens left out must equal what the device says it dropped. Where a task
/// has several records, they come in streams, in each of which token and part ascend. The records of a
/// thread are numbered instead.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    run_id: u32,
    /// By core and stream, or by thread.
    rows: Vec<Row>,
    streams: usize,
    is_of_threads: bool,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    thread: u32,
    core_type: u8,
    /// The token that may come next, and its first part that may.
    next: Token,
    least_part: u32,
    /// Dispatches of the run, or numbers of the thread, that the newest record proves.
    passed: u64,
    collected: u64,
}

/// What identifies the record of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordKey {
    /// Its run.
    pub run_id: u32,
    /// Its core.
    pub core: u16,
    /// Its core's type, as a number.
    pub core_type: u8,
    /// Its token.
    pub token: u32,
}

/// What tells several records of one task apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPart {
    /// The stream, below the ledger's number of streams.
    pub stream: u32,
    /// Ascends among the records of a task in a stream.
    pub part: u32,
}

/// What identifies the record of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceKey {
    /// Its run.
    pub run_id: u32,
    /// Its thread.
    pub thread: u32,
    /// 0, 1, 2 … in the thread and run.
    pub sequence: u64,
}

impl Ledger {
    /// An empty ledger of cores, with one record a task; lists of the session that are too short leave
    /// cores out.
    #[must_use]
    pub fn new(session: &SessionInfo) -> Self {
        Self::with_streams(session, 1)
    }

    /// An empty ledger of cores, with this many streams of records of each.
    #[must_use]
    pub fn with_streams(session: &SessionInfo, streams: u32) -> Self {
        let streams = streams.max(1) as usize;
        let rows = session
            .core_types
            .iter()
            .zip(&session.core_to_thread)
            .zip(&session.first_tokens)
            .flat_map(|((&core_type, &thread), &first_token)| {
                let row = Row {
                    thread,
                    core_type: core_type as u8,
                    next: Token::new(first_token).unwrap_or(Token::FIRST),
                    least_part: 0,
                    passed: 0,
                    collected: 0,
                };
                std::iter::repeat_n(row, streams)
            })
            .collect();
        Self {
            run_id: session.run_id,
            rows,
            streams,
            is_of_threads: false,
        }
    }

    /// An empty ledger of the AICPU threads.
    #[must_use]
    pub fn of_threads(session: &SessionInfo) -> Self {
        let row = |thread| Row {
            thread,
            core_type: 0,
            next: Token::FIRST,
            least_part: 0,
            passed: 0,
            collected: 0,
        };
        Self {
            run_id: session.run_id,
            rows: (0..session.thread_count).map(row).collect(),
            streams: 1,
            is_of_threads: true,
        }
    }

    /// Whether records belong to threads and not to cores.
    #[must_use]
    pub const fn is_of_threads(&self) -> bool {
        self.is_of_threads
    }

    /// Enters the record of a task that came through a lane of `thread`.
    #[inline]
    pub fn enter(&mut self, thread: u32, key: RecordKey, findings: &mut Findings) {
        if let Some(row) = self.rows.get_mut(usize::from(key.core) * self.streams)
            && key.run_id == self.run_id
            && thread == row.thread
            && key.core_type == row.core_type
            && let Some(token) = Token::new(key.token)
        {
            let steps = row.next.distance_to(token);
            if steps < TOKEN_COUNT / 2 {
                row.next = token.next();
                row.passed += u64::from(steps) + 1;
                row.collected += 1;
                return;
            }
        }
        self.refuse(thread, key, None, findings);
    }

    /// Enters one of several records of a task that came through a lane of `thread`.
    pub fn enter_part(
        &mut self,
        thread: u32,
        key: RecordKey,
        part: RecordPart,
        findings: &mut Findings,
    ) {
        if let Some(row) = self.row_of(&key, part.stream)
            && key.run_id == self.run_id
            && let Some(row) = self.rows.get_mut(row)
            && thread == row.thread
            && key.core_type == row.core_type
            && let Some(token) = Token::new(key.token)
        {
            let steps = row.next.distance_to(token);
            if steps < TOKEN_COUNT / 2 && (steps > 0 || part.part >= row.least_part) {
                row.next = token;
                row.least_part = part.part.saturating_add(1);
                row.passed = row.passed.max(1) + u64::from(steps);
                row.collected += 1;
                return;
            }
        }
        self.refuse(thread, key, Some(part), findings);
    }

    /// Enters the record of a thread that came through a lane of `thread`.
    pub fn enter_sequence(&mut self, thread: u32, key: SequenceKey, findings: &mut Findings) {
        let SequenceKey {
            run_id, sequence, ..
        } = key;
        let place = || {
            let of = key.thread;
            format!("record {sequence} of run {run_id} and thread {of} from thread {thread}")
        };
        let expected_run = self.run_id;
        let row = self.rows.get_mut(thread as usize);
        match row.filter(|row| row.thread == key.thread) {
            Some(row) if run_id == expected_run && sequence >= row.passed => {
                row.passed = sequence.saturating_add(1);
                row.collected += 1;
            }
            Some(_) if run_id != expected_run => {
                findings.add(FindingKind::WrongIdentity, 1, || {
                    format!("{}: the run is {expected_run}", place())
                });
            }
            Some(row) => {
                let next = row.passed;
                findings.add(FindingKind::Duplicate, 1, || {
                    format!("{}: expected record {next} or later", place())
                });
            }
            None => findings.add(FindingKind::WrongIdentity, 1, || {
                format!("{}: a lane carries its own thread's records", place())
            }),
        }
    }

    /// Takes back the record of a task that was entered and then did not get into the capture.
    pub fn withdraw(&mut self, thread: u32, key: RecordKey) {
        self.withdraw_part(thread, key, RecordPart { stream: 0, part: 0 });
    }

    /// Takes back one of several records of a task.
    pub fn withdraw_part(&mut self, thread: u32, key: RecordKey, part: RecordPart) {
        if let Some(row) = self.row_of(&key, part.stream)
            && key.run_id == self.run_id
            && let Some(row) = self.rows.get_mut(row)
            && thread == row.thread
        {
            row.collected = row.collected.saturating_sub(1);
        }
    }

    /// Takes back the record of a thread.
    pub fn withdraw_sequence(&mut self, thread: u32, key: SequenceKey) {
        if key.run_id == self.run_id
            && key.thread == thread
            && let Some(row) = self.rows.get_mut(thread as usize)
        {
            row.collected = row.collected.saturating_sub(1);
        }
    }

    /// Records collected from a core or thread.
    #[must_use]
    pub fn collected(&self, place: u32) -> u64 {
        let collected = self.rows_of(place).iter().map(|row| row.collected);
        collected.fold(0, u64::saturating_add)
    }

    /// How many dispatches of the run, or numbers of a thread, the newest record proves.
    #[must_use]
    pub fn passed(&self, place: u32) -> u64 {
        let passed = self.rows_of(place).iter().map(|row| row.passed);
        passed.max().unwrap_or(0)
    }

    fn rows_of(&self, place: u32) -> &[Row] {
        let begin = (place as usize).saturating_mul(self.streams);
        self.rows
            .get(begin..begin.saturating_add(self.streams))
            .unwrap_or_default()
    }

    fn row_of(&self, key: &RecordKey, stream: u32) -> Option<usize> {
        let stream = stream as usize;
        (stream < self.streams).then_some(usize::from(key.core) * self.streams + stream)
    }

    #[cold]
    fn refuse(
        &self,
        thread: u32,
        key: RecordKey,
        part: Option<RecordPart>,
        findings: &mut Findings,
    ) {
        let RecordKey {
            run_id,
            core,
            core_type,
            token,
        } = key;
        let part_text = part.map_or_else(String::new, |RecordPart { stream, part }| {
            format!(", part {part} of stream {stream}")
        });
        let place = format!(
            "record of run {run_id}, core {core}, token {token}{part_text} from thread {thread}"
        );
        let stream = part.map_or(0, |part| part.stream) as usize;
        let mut wrong = |text: String| {
            findings.add(FindingKind::WrongIdentity, 1, || format!("{place}: {text}"));
        };
        let Some(known) = self.rows_of(u32::from(core)).get(stream) else {
            let (cores, streams) = (self.rows.len() / self.streams.max(1), self.streams);
            return match stream < streams {
                true => wrong(format!("the run has {cores} cores")),
                false => wrong(format!("there are {streams} streams")),
            };
        };
        if run_id != self.run_id {
            wrong(format!("the run is {}", self.run_id));
        } else if thread != known.thread {
            wrong(format!("the core belongs to thread {}", known.thread));
        } else if core_type != known.core_type {
            wrong(format!(
                "core type {core_type}, expected {}",
                known.core_type
            ));
        } else if Token::new(token).is_none() {
            wrong("no token has this number".to_owned());
        } else {
            let (next, least) = (known.next.raw(), known.least_part);
            let part = part.map_or_else(String::new, |_| format!(", part {least},"));
            findings.add(FindingKind::Duplicate, 1, || {
                format!("{place}: expected token {next}{part} or later")
            });
        }
    }
}
