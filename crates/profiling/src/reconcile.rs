//! Reconcile: what the device counted against what was collected.

use crate::{Expectation, Findings, Ledger, RunEnd};
use lanescope_abi::capture::DropReason;
use lanescope_abi::{CommitCounters, Kind, LaneDevice, Token};
use lanescope_capture::{
    Abandoned, CoreCounts, Counts, Dropped, FindingKind, KindCounts, LaneCounts, SessionInfo,
    Verdict,
};

/// Abandoned tokens of a core that are listed; more than the issue depth cannot honestly be.
const ABANDONED_PER_CORE: u64 = 64;

/// Everything that is known of a run's records.
#[derive(Debug)]
pub(crate) struct Reckoning {
    pub(crate) lanes: Vec<LaneReckoning>,
    pub(crate) kinds: Vec<KindReckoning>,
    pub(crate) findings: Findings,
}

/// What was collected of a kind, and what there must be of it.
#[derive(Debug)]
pub(crate) struct KindReckoning {
    pub(crate) kind: Kind,
    pub(crate) expectation: Expectation,
    pub(crate) ledger: Ledger,
}

/// Everything that is known of a lane's records.
#[derive(Debug)]
pub(crate) struct LaneReckoning {
    pub(crate) kind: Kind,
    pub(crate) thread: u32,
    pub(crate) buffers: u64,
    pub(crate) payload_bytes: u64,
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
        let mut kinds = reckoning.kinds.iter();
        let Some(kind) = kinds.find(|kind| kind.kind == lane.kind) else {
            unreachable!("every lane has a collector");
        };
        let judge = LaneJudge {
            session,
            end,
            lane,
            kind,
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
    for kind in &reckoning.kinds {
        let counts = sum_up(kind, end, &verdict);
        judge_number(&counts, end, &mut findings);
        verdict.kinds.push(counts);
    }
    findings.move_into(&mut verdict);
    verdict
}

/// The counts of a kind, and how many commits there must be.
fn sum_up(kind: &KindReckoning, end: &RunEnd, verdict: &Verdict) -> KindCounts {
    let mut counts = Counts::default();
    for core in verdict.cores.iter().filter(|core| core.kind == kind.kind) {
        counts.add(&core.counts);
    }
    let expected = match kind.expectation {
        Expectation::EachTask => end.expected_tasks,
        Expectation::Unknown if kind.kind == Kind::TENSOR => end.expected_tensors,
        Expectation::Unknown => None,
    };
    KindCounts {
        kind: kind.kind,
        expected,
        counts,
    }
}

/// Of tasks every core is judged for itself; the number of tensors only the whole run can have.
fn judge_number(counts: &KindCounts, end: &RunEnd, findings: &mut Findings) {
    let (kind, total) = (counts.kind, counts.counts.total);
    if let (Kind::TENSOR, Some(expected), true) = (kind, counts.expected, end.is_ended)
        && total != expected
    {
        findings.add(FindingKind::RecordCount, expected.abs_diff(total), || {
            format!("{total} commits of {kind} records on all threads, {expected} were asked for")
        });
    }
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
    kind: &'a KindReckoning,
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
            if let Some(place) = self.place(core) {
                counts.collected = self.kind.ledger.collected(place);
                self.judge_place(place, &counts);
            } else if counts != Counts::default() {
                let total = counts.total;
                self.add(FindingKind::WrongIdentity, total, || {
                    format!("core {core}: {total} commits, yet the lane has none of that core")
                });
            }
            dropped.add(&counts.dropped);
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
            payload_bytes: self.lane.payload_bytes,
        });
    }

    /// The device could not be asked what it counted; a finding says so already.
    fn list_collected(self) {
        let cores = 0u32..u32::try_from(self.session.core_types.len()).unwrap_or(u32::MAX);
        for core in cores {
            let Some(place) = self.place(core) else {
                continue;
            };
            let collected = self.kind.ledger.collected(place);
            if collected != 0 {
                let counts = Counts {
                    collected,
                    ..Counts::default()
                };
                let row = self.counts_of(place, counts);
                self.verdict.cores.push(row);
            }
        }
    }

    /// What the ledger knows the counters of `core` as: the core, where it is this lane's, or the
    /// thread, whose counts stand with core 0.
    fn place(&self, core: u32) -> Option<u32> {
        let thread = self.lane.thread;
        if self.kind.ledger.is_of_threads() {
            (core == 0).then_some(thread)
        } else {
            (self.owner(core) == Some(thread)).then_some(core)
        }
    }

    fn counts_of(&self, place: u32, counts: Counts) -> CoreCounts {
        let core = (!self.kind.ledger.is_of_threads()).then_some(place);
        CoreCounts {
            kind: self.lane.kind,
            thread: self.lane.thread,
            core,
            dispatched: core.and_then(|core| self.dispatched(core)).unwrap_or(0),
            counts,
        }
    }

    fn judge_place(&mut self, place: u32, counts: &Counts) {
        let Counts {
            total,
            collected,
            mismatched,
            ..
        } = *counts;
        let name = match self.kind.ledger.is_of_threads() {
            true => "all cores".to_owned(),
            false => format!("core {place}"),
        };
        let accounted = counts.accounted();
        if mismatched != 0 {
            self.add(FindingKind::Mismatched, mismatched, || {
                format!("{name}: {mismatched} staging slots did not match their token")
            });
        }
        if accounted < total {
            let lost = total - accounted;
            self.add(FindingKind::SilentLoss, lost, || {
                format!(
                    "{name}: {total} commits, {lost} of them neither collected nor counted as lost"
                )
            });
        } else if accounted > total {
            self.add(FindingKind::Corruption, accounted - total, || {
                format!("{name}: {total} commits, yet {collected} records were collected and {} counted as lost", accounted - collected)
            });
        }
        let row = self.counts_of(place, *counts);
        let is_of_each_task = self.kind.expectation == Expectation::EachTask;
        let is_of_core = row.core.is_some();
        self.judge_passed(place, is_of_each_task || !is_of_core, total, &name);
        if let (true, Some(dispatched)) = (is_of_each_task, self.dispatched(place)) {
            self.judge_dispatched(place, dispatched, total);
        }
        let is_idle = total == 0 && collected == 0;
        if !is_idle || is_of_each_task && row.dispatched != 0 {
            self.verdict.cores.push(row);
        }
    }

    /// No record may be newer than what was committed, or where a task has any number of records, than
    /// what was dispatched.
    fn judge_passed(&mut self, place: u32, is_counted: bool, total: u64, name: &str) {
        let passed = self.kind.ledger.passed(place);
        if is_counted && passed > total {
            let what = match self.kind.ledger.is_of_threads() {
                true => "number",
                false => "dispatch",
            };
            self.add(FindingKind::WrongIdentity, passed - total, || {
                format!("{name}: a record is of {what} {passed}, only {total} were committed")
            });
        } else if let (false, true, Some(dispatched)) =
            (is_counted, self.end.is_ended, self.dispatched(place))
            && passed > dispatched
        {
            self.add(FindingKind::WrongIdentity, passed - dispatched, || {
                format!("{name}: a record is of dispatch {passed}, only {dispatched} there were")
            });
        }
    }

    /// A device that goes on has dispatched more since the host asked it.
    fn judge_dispatched(&mut self, core: u32, dispatched: u64, total: u64) {
        if total > dispatched && !self.end.device_goes_on {
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
        let Dropped {
            no_buffer,
            no_arena,
            other,
        } = dropped;
        if no_buffer != 0 {
            self.add(FindingKind::Dropped, no_buffer, || {
                format!("{no_buffer} records dropped: no buffer was free in time")
            });
        }
        if no_arena != 0 {
            self.add(FindingKind::Dropped, no_arena, || {
                format!("{no_arena} records dropped: the arena had no room in time")
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
            format!("lane {} of thread {}: {}", lane.kind, lane.thread, text())
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
        let of_reason = match reason {
            _ if reason == DropReason::NoBuffer as usize => &mut counts.dropped.no_buffer,
            _ if reason == DropReason::NoArena as usize => &mut counts.dropped.no_arena,
            _ => &mut counts.dropped.other,
        };
        *of_reason = of_reason.saturating_add(dropped);
    }
    Some(counts)
}
