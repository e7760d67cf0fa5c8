//! Reconcile: what the device counted against what was collected.

use crate::{Findings, Ledger, RunEnd};
use lanescope_abi::capture::DropReason;
use lanescope_abi::{CommitCounters, Kind, LaneDevice, Token};
use lanescope_capture::{
    Abandoned, CoreCounts, Counts, Dropped, FindingKind, LaneCounts, SessionInfo, Verdict,
};

/// Abandoned tokens of a core that are listed; more than the issue depth cannot honestly be.
const ABANDONED_PER_CORE: u64 = 64;

/// Everything that is known of a run's records.
#[derive(Debug)]
pub(crate) struct Reckoning {
    pub(crate) lanes: Vec<LaneReckoning>,
    pub(crate) ledgers: Vec<(Kind, Ledger)>,
    pub(crate) findings: Findings,
}

/// Everything that is known of a lane's records.
#[derive(Debug)]
pub(crate) struct LaneReckoning {
    pub(crate) kind: Kind,
    pub(crate) thread: u32,
    pub(crate) buffers: u64,
    pub(crate) next_sequence: u64,
    pub(crate) is_retired: bool,
    pub(crate) before: LaneSnapshot,
    /// `None` when the device could not be read at the end.
    pub(crate) after: Option<LaneSnapshot>,
}

/// What the device said of a lane at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaneSnapshot {
    pub(crate) device: LaneDevice,
    /// Per core.
    pub(crate) counters: Vec<CommitCounters>,
}

/// The verdict on a run whose records were not collected: only the number of tasks is compared.
#[must_use]
pub fn verdict_without_records(run_id: u32, end: &RunEnd) -> Verdict {
    let mut verdict = Verdict::new(run_id);
    judge_run(end, &mut verdict);
    verdict
}

/// Compares what each side counted, per kind, thread and core.
pub(crate) fn reconcile(session: &SessionInfo, end: &RunEnd, reckoning: Reckoning) -> Verdict {
    let mut verdict = Verdict::new(session.run_id);
    judge_run(end, &mut verdict);
    let mut findings = reckoning.findings;
    for lane in &reckoning.lanes {
        let ledger = reckoning
            .ledgers
            .iter()
            .find_map(|(kind, ledger)| (*kind == lane.kind).then_some(ledger));
        let Some(ledger) = ledger else {
            unreachable!("every lane has a collector");
        };
        let judge = LaneJudge {
            session,
            end,
            lane,
            ledger,
            findings: &mut findings,
            verdict: &mut verdict,
        };
        match &lane.after {
            Some(after) => judge.judge(after),
            None => judge.list_collected(),
        }
    }
    for counts in &verdict.cores {
        verdict.totals.add(&counts.counts);
    }
    findings.move_into(&mut verdict);
    verdict
}

fn judge_run(end: &RunEnd, verdict: &mut Verdict) {
    verdict.expected_tasks = end.expected_tasks;
    let dispatched = end.dispatched.iter().flatten();
    verdict.dispatched = dispatched.fold(0, |sum, &count| sum.saturating_add(count));
    if !end.is_ended {
        let text = end.failure.as_deref().unwrap_or("the run did not end");
        verdict.find(FindingKind::NotEnded, 0, text);
    } else if end.dispatched.is_none() {
        let mut text = "the device could not be asked how many tasks it dispatched".to_owned();
        if let Some(why) = &end.failure {
            text = format!("{text}: {why}");
        }
        verdict.find(FindingKind::ReadFailed, 0, text);
    } else if let (Some(expected), Some(_)) = (end.expected_tasks, &end.dispatched)
        && expected != verdict.dispatched
    {
        let dispatched = verdict.dispatched;
        verdict.find(
            FindingKind::TaskCount,
            expected.abs_diff(dispatched),
            format!("{dispatched} tasks were dispatched, the graph has {expected}"),
        );
    }
}

struct LaneJudge<'a> {
    session: &'a SessionInfo,
    end: &'a RunEnd,
    lane: &'a LaneReckoning,
    ledger: &'a Ledger,
    findings: &'a mut Findings,
    verdict: &'a mut Verdict,
}

impl LaneJudge<'_> {
    fn judge(mut self, after: &LaneSnapshot) {
        let before = &self.lane.before;
        let mut dropped = Dropped::default();
        for (core, (before, after)) in (0..).zip(before.counters.iter().zip(&after.counters)) {
            let Some(mut counts) = growth(before, after) else {
                self.add(FindingKind::Corruption, 1, || {
                    format!("core {core}: a counter ran backwards")
                });
                continue;
            };
            if self.owner(core) == Some(self.lane.thread) {
                counts.collected = self.ledger.collected(core);
                self.judge_core(core, &counts);
            } else if counts != Counts::default() {
                let total = counts.total;
                self.add(FindingKind::WrongIdentity, total, || {
                    format!("core {core}: {total} commits, yet the core belongs to another thread")
                });
            }
            dropped.no_buffer = dropped.no_buffer.saturating_add(counts.dropped.no_buffer);
            dropped.other = dropped.other.saturating_add(counts.dropped.other);
        }
        self.judge_drops(dropped);
        self.judge_sequence(&after.device);
        self.verdict.lanes.push(LaneCounts {
            kind: self.lane.kind,
            thread: self.lane.thread,
            buffers: self.lane.buffers,
            waits: after.device.waits.saturating_sub(before.device.waits),
            blocked_ticks: after
                .device
                .blocked_ticks
                .saturating_sub(before.device.blocked_ticks),
        });
    }

    /// The device could not be asked what it counted; a finding says so already.
    fn list_collected(self) {
        for core in (0..).take(self.session.core_types.len()) {
            let collected = self.ledger.collected(core);
            if self.owner(core) == Some(self.lane.thread) && collected != 0 {
                self.verdict.cores.push(CoreCounts {
                    kind: self.lane.kind,
                    thread: self.lane.thread,
                    core,
                    dispatched: self.dispatched(core).unwrap_or(0),
                    counts: Counts {
                        collected,
                        ..Counts::default()
                    },
                });
            }
        }
    }

    fn judge_core(&mut self, core: u32, counts: &Counts) {
        let dispatched = self.dispatched(core);
        let Counts {
            total,
            collected,
            mismatched,
            ..
        } = *counts;
        let accounted = counts.accounted();
        if mismatched != 0 {
            self.add(FindingKind::Mismatched, mismatched, || {
                format!("core {core}: {mismatched} staging slots did not match their token")
            });
        }
        if accounted < total {
            let lost = total - accounted;
            self.add(FindingKind::SilentLoss, lost, || {
                format!("core {core}: {total} commits, {lost} of them neither collected nor counted as lost")
            });
        } else if accounted > total {
            self.add(FindingKind::Corruption, accounted - total, || {
                format!("core {core}: {total} commits, yet {collected} records were collected and {} counted as lost", accounted - collected)
            });
        }
        let passed = self.ledger.passed(core);
        if passed > total {
            self.add(FindingKind::WrongIdentity, passed - total, || {
                format!(
                    "core {core}: a record is of dispatch {passed}, only {total} were committed"
                )
            });
        }
        if let Some(dispatched) = dispatched {
            self.judge_dispatched(core, dispatched, total);
        }
        if total != 0 || collected != 0 || dispatched.unwrap_or(0) != 0 {
            self.verdict.cores.push(CoreCounts {
                kind: self.lane.kind,
                thread: self.lane.thread,
                core,
                dispatched: dispatched.unwrap_or(0),
                counts: *counts,
            });
        }
    }

    fn judge_dispatched(&mut self, core: u32, dispatched: u64, total: u64) {
        if total > dispatched {
            self.add(FindingKind::Corruption, total - dispatched, || {
                format!("core {core}: {dispatched} tokens dispatched, {total} committed")
            });
        } else if total < dispatched && self.end.is_ended {
            self.add(FindingKind::NeverCommitted, dispatched - total, || {
                format!("core {core}: {dispatched} tokens dispatched, only {total} committed")
            });
        } else {
            let first = usize::try_from(core)
                .ok()
                .and_then(|core| self.session.first_tokens.get(core))
                .and_then(|&raw| Token::new(raw));
            let listed = dispatched.min(total.saturating_add(ABANDONED_PER_CORE));
            for place in total..listed {
                let token = first.map_or(0, |first| first.advance(place).raw());
                let abandoned = Abandoned::new(core, token);
                if !self.verdict.abandoned.contains(&abandoned) {
                    self.verdict.abandoned.push(abandoned);
                }
            }
        }
    }

    fn judge_drops(&mut self, dropped: Dropped) {
        let Dropped { no_buffer, other } = dropped;
        if no_buffer != 0 {
            self.add(FindingKind::Dropped, no_buffer, || {
                format!("{no_buffer} records dropped: no buffer was free in time")
            });
        }
        if other != 0 {
            self.add(FindingKind::Dropped, other, || {
                format!("{other} records dropped for a reason this version does not know")
            });
        }
    }

    fn judge_sequence(&mut self, device: &LaneDevice) {
        let (published, drained) = (device.sequence, self.lane.next_sequence);
        if self.end.is_ended && !self.lane.is_retired && published != drained {
            self.add(FindingKind::BufferGap, published.abs_diff(drained), || {
                format!("{published} buffers handed over by the device, {drained} drained")
            });
        }
    }

    fn add(&mut self, kind: FindingKind, count: u64, text: impl FnOnce() -> String) {
        let lane = self.lane;
        self.findings.add(kind, count, || {
            format!(
                "lane {} of thread {}: {}",
                lane.kind.name(),
                lane.thread,
                text()
            )
        });
    }

    fn owner(&self, core: u32) -> Option<u32> {
        let core = usize::try_from(core).ok()?;
        self.session.core_to_thread.get(core).copied()
    }

    fn dispatched(&self, core: u32) -> Option<u64> {
        let core = usize::try_from(core).ok()?;
        self.end.dispatched.as_ref()?.get(core).copied()
    }
}

/// What was counted between two snapshots; `None` when a counter ran backwards.
fn growth(before: &CommitCounters, after: &CommitCounters) -> Option<Counts> {
    let mut counts = Counts {
        total: after.total.checked_sub(before.total)?,
        collected: 0,
        dropped: Dropped::default(),
        mismatched: after.mismatched.checked_sub(before.mismatched)?,
    };
    for (reason, (&before, &after)) in before.dropped.iter().zip(&after.dropped).enumerate() {
        let dropped = after.checked_sub(before)?;
        let of_reason = if reason == DropReason::NoBuffer as usize {
            &mut counts.dropped.no_buffer
        } else {
            &mut counts.dropped.other
        };
        *of_reason = of_reason.saturating_add(dropped);
    }
    Some(counts)
}
