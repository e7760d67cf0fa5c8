//! What arrived from each core, and whether it is what can have come from it.

use crate::Findings;
use lanescope_abi::Token;
use lanescope_abi::token::TOKEN_COUNT;
use lanescope_capture::{FindingKind, SessionInfo};

/// Per core of one run: how many records arrived, and which token comes next.
///
/// Tokens of a core are committed in order, so a record's token is the one after the last, or a
/// later one when records between were dropped or mismatched. A token that lies behind is a
/// duplicate. The number of tokens left out must equal what the device says it dropped.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    run_id: u32,
    cores: Vec<CoreLedger>,
}

#[derive(Clone, Copy, Debug)]
struct CoreLedger {
    thread: u32,
    core_type: u8,
    next: Token,
    /// Dispatches of the run that lie behind `next`.
    passed: u64,
    collected: u64,
}

/// What identifies a record.
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

impl Ledger {
    /// An empty ledger for a run; lists of the session that are too short leave cores out.
    #[must_use]
    pub fn new(session: &SessionInfo) -> Self {
        let cores = session
            .core_types
            .iter()
            .zip(&session.core_to_thread)
            .zip(&session.first_tokens)
            .map(|((&core_type, &thread), &first_token)| CoreLedger {
                thread,
                core_type: core_type as u8,
                next: Token::new(first_token).unwrap_or(Token::FIRST),
                passed: 0,
                collected: 0,
            })
            .collect();
        Self {
            run_id: session.run_id,
            cores,
        }
    }

    /// Enters a record that came through a lane of `thread`.
    #[inline]
    pub fn enter(&mut self, thread: u32, key: RecordKey, findings: &mut Findings) {
        if let Some(core) = self.cores.get_mut(usize::from(key.core))
            && key.run_id == self.run_id
            && thread == core.thread
            && key.core_type == core.core_type
            && let Some(token) = Token::new(key.token)
        {
            let steps = core.next.distance_to(token);
            if steps < TOKEN_COUNT / 2 {
                core.next = token.next();
                core.passed += u64::from(steps) + 1;
                core.collected += 1;
                return;
            }
        }
        self.refuse(thread, key, findings);
    }

    /// Takes back a record that was entered and then did not get into the capture.
    pub fn withdraw(&mut self, thread: u32, key: RecordKey) {
        if let Some(core) = self.cores.get_mut(usize::from(key.core))
            && key.run_id == self.run_id
            && thread == core.thread
        {
            core.collected = core.collected.saturating_sub(1);
        }
    }

    /// Records collected from a core.
    #[must_use]
    pub fn collected(&self, core: u32) -> u64 {
        self.core(core).map_or(0, |core| core.collected)
    }

    /// How many dispatches of the run the newest record of a core proves.
    #[must_use]
    pub fn passed(&self, core: u32) -> u64 {
        self.core(core).map_or(0, |core| core.passed)
    }

    fn core(&self, core: u32) -> Option<&CoreLedger> {
        self.cores.get(usize::try_from(core).ok()?)
    }

    #[cold]
    fn refuse(&self, thread: u32, key: RecordKey, findings: &mut Findings) {
        let RecordKey {
            run_id,
            core,
            core_type,
            token,
        } = key;
        let place =
            format!("record of run {run_id}, core {core}, token {token} from thread {thread}");
        let Some(known) = self.core(u32::from(core)) else {
            let cores = self.cores.len();
            return findings.add(FindingKind::WrongIdentity, 1, || {
                format!("{place}: the run has {cores} cores")
            });
        };
        if run_id != self.run_id {
            let expected = self.run_id;
            findings.add(FindingKind::WrongIdentity, 1, || {
                format!("{place}: the run is {expected}")
            });
        } else if thread != known.thread {
            findings.add(FindingKind::WrongIdentity, 1, || {
                format!("{place}: the core belongs to thread {}", known.thread)
            });
        } else if core_type != known.core_type {
            findings.add(FindingKind::WrongIdentity, 1, || {
                format!(
                    "{place}: core type {core_type}, expected {}",
                    known.core_type
                )
            });
        } else if Token::new(token).is_none() {
            findings.add(FindingKind::WrongIdentity, 1, || {
                format!("{place}: no token has this number")
            });
        } else {
            findings.add(FindingKind::Duplicate, 1, || {
                format!("{place}: expected token {} or later", known.next.raw())
            });
        }
    }
}
