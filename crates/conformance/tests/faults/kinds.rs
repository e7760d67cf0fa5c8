//! Every fault of the simulated driver ends in the error or verdict it must, in time, without a leak.

use crate::fault::{self, run};
use lanescope::{LaunchForm, Outcome, Policy};
use lanescope_capture::{Counts, FindingKind};
use lanescope_conformance::Case;
use lanescope_examples::{VectorOptions, WorkloadOptions};
use std::time::Duration;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// The first vector core, with two clusters.
const CORE: u32 = 2;
/// The third token of a core in a new session.
const TOKEN: u32 = 18;

/// A case with few cores and small buffers.
fn case(platform: &'static str) -> Case {
    let workload = WorkloadOptions::Vector(VectorOptions {
        tasks: 600,
        tile: 64,
        chains: 50,
    });
    let mut case = Case::new(platform, 2, workload);
    case.run.threads = Some(2);
    case.run.clusters = Some(2);
    case.run.collectors.swimlane.lanes.records_per_buffer = Some(16);
    case.run.collectors.swimlane.lanes.buffers = Some(4);
    case
}

#[test]
fn a_slot_that_reaches_memory_late_torn_or_never_is_counted_as_mismatched() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        for name in ["late-slot", "torn-slot", "lost-slot"] {
            let mut case = case(platform).with_setting(name, format!("{CORE}:{TOKEN}"));
            // Else the next token could bring the late slot to memory before it is looked at.
            case.run.issue_depth = Some(1);
            let ran = run(&case);
            let verdict = ran.finished();
            assert_eq!(verdict.outcome, Outcome::Broken, "{ran}");
            assert_eq!(ran.found(FindingKind::Mismatched), 1, "{ran}");
            assert_eq!(verdict.totals.mismatched, 1, "{ran}");
            assert_eq!(verdict.totals.total, ran.task_count, "{ran}");
            assert!(ran.is_accounted_for(), "{ran}");
            let trace = ran.trace.as_ref().expect("a capture");
            assert_eq!(trace.task_count(), ran.task_count - 1, "{ran}");
            let is_struck = |core, token| (u32::from(core), token) == (CORE, TOKEN);
            let mut tasks = trace.tasks();
            assert!(!tasks.any(|task| is_struck(task.core, task.token)), "{ran}");
        }
    }
}

#[test]
fn a_stale_slot_is_counted_as_mismatched() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let ran = run(&case(platform).with_setting("stale-line", format!("slot:{CORE}")));
        let verdict = ran.finished();
        assert_eq!(verdict.outcome, Outcome::Broken, "{ran}");
        for core in &verdict.cores {
            // The first look at each of the two slots is a true one.
            let stale = match core.core {
                Some(CORE) => core.counts.total - 2,
                _ => 0,
            };
            assert_eq!(core.counts.mismatched, stale, "{ran}");
        }
        assert!(verdict.totals.mismatched > 0, "{ran}");
        assert!(ran.is_accounted_for(), "{ran}");
    }
}

#[test]
fn a_stale_line_of_the_handshake_ends_at_a_limit_and_names_the_core() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        for line in ["answer", "order"] {
            let setting = format!("{line}:{CORE}");
            let mut case = case(platform).with_setting("stale-line", setting);
            // Who looks at a stale line again and again never sleeps.
            case.run.limits.handshake = Duration::from_millis(10);
            let ran = run(&case);
            let (error, verdict) = ran.failed();
            assert!(error.contains("core 2"), "{ran}");
            // A line that is first read when the core has answered holds up its exit alone.
            let is_late = error.contains("phase handshake") || error.contains("phase exit");
            assert!(is_late && error.contains("in time (10ms)"), "{ran}");
            assert!(ran.is_accounted_for(), "{ran}");
            assert_eq!(verdict.totals.collected, verdict.dispatched, "{ran}");
        }
    }
}

#[test]
fn a_stale_payload_is_refused_by_its_core() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let ran = run(&case(platform).with_setting("stale-line", format!("payload:{CORE}")));
        let (error, verdict) = ran.failed();
        assert!(error.contains("core 2 failed"), "{ran}");
        assert!(verdict.totals.collected > 0, "{ran}");
        // Two slots were filled once; what came after them was never run.
        let struck = verdict.cores.iter().find(|core| core.core == Some(CORE));
        assert_eq!(struck.map(|core| core.counts.total), Some(2), "{ran}");
        assert!(
            verdict.abandoned.iter().any(|token| token.core == CORE),
            "{ran}"
        );
    }
}

#[test]
fn a_stale_host_line_hides_returned_buffers_where_it_can_be_stale() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let mut case = case(platform).with_setting("stale-line", "host");
        case.run.limits.block = Duration::from_millis(1);
        let ran = run(&case);
        if platform == "a5sim" {
            ran.assert_exact();
            continue;
        }
        let verdict = ran.finished();
        assert_eq!(verdict.outcome, Outcome::Lossy, "{ran}");
        // Two lanes of four buffers, 16 records each.
        assert_eq!(verdict.totals.collected, 2 * 4 * 16, "{ran}");
    }
}

#[test]
fn without_a_buffer_block_waits_once_and_then_both_policies_drop() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        for policy in [Policy::Block, Policy::DropNewest] {
            for (after, collected) in [(0, 64), (3, 112)] {
                let mut case = case(platform).with_setting("no-buffer", format!("0:{after}"));
                case.run.collectors.swimlane.lanes.policy = policy;
                let ran = run(&case);
                let verdict = ran.finished();
                assert_eq!(verdict.outcome, Outcome::Lossy, "{ran}");
                let of_lane = |thread| {
                    let cores = verdict
                        .cores
                        .iter()
                        .filter(move |core| core.thread == thread);
                    let sum = |count: fn(&Counts) -> u64| {
                        cores.clone().map(|core| count(&core.counts)).sum::<u64>()
                    };
                    (
                        sum(|counts| counts.collected),
                        sum(|counts| counts.dropped.no_buffer),
                    )
                };
                assert_eq!(of_lane(0).0, collected, "{ran}");
                assert!(of_lane(0).1 > 0, "{ran}");
                assert_eq!(of_lane(1).1, 0, "{ran}");
                let lane = &verdict.lanes[0];
                let rate = if platform == "a5sim" {
                    1_000_000_000
                } else {
                    50_000_000
                };
                match policy {
                    Policy::Block => assert!(lane.blocked_ticks >= rate, "{ran}"),
                    Policy::DropNewest | Policy::Truncate => assert_eq!(lane.waits, 0, "{ran}"),
                }
            }
        }
    }
}

#[test]
fn a_corrupt_word_makes_the_verdict_broken() {
    let _device = fault::alone();
    let kinds = [
        ("ready-tail", FindingKind::Corruption),
        ("free-head", FindingKind::Corruption),
        ("filling", FindingKind::Corruption),
        ("sequence", FindingKind::BufferGap),
        ("entry-buffer", FindingKind::Corruption),
        ("entry-count", FindingKind::Corruption),
        ("entry-sequence", FindingKind::BufferGap),
        ("total", FindingKind::SilentLoss),
        ("dispatched", FindingKind::NeverCommitted),
    ];
    for platform in PLATFORMS {
        for (word, kind) in kinds {
            let mut case = case(platform)
                .with_setting("corrupt", word)
                // A lane that was retired gets no buffer back; nobody need wait long for that.
                .with_setting("host-patience", 50);
            case.run.limits.block = Duration::from_millis(1);
            let ran = run(&case);
            let verdict = ran.finished();
            assert_eq!(verdict.outcome, Outcome::Broken, "{ran}");
            assert!(ran.found(kind) > 0, "{word}: {ran}");
            assert!(verdict.findings.len() < 100, "{ran}");
        }
    }
}

#[test]
fn corrupt_counters_of_losses_make_the_verdict_broken() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let mismatched = case(platform)
            .with_setting("lost-slot", format!("{CORE}:{TOKEN}"))
            .with_setting("corrupt", "mismatched");
        let mut dropped = case(platform)
            .with_setting("no-buffer", "all")
            .with_setting("corrupt", "dropped");
        dropped.run.collectors.swimlane.lanes.policy = Policy::DropNewest;
        for case in [mismatched, dropped] {
            let ran = run(&case);
            assert_eq!(ran.finished().outcome, Outcome::Broken, "{ran}");
            assert!(ran.found(FindingKind::Corruption) > 0, "{ran}");
        }
    }
}

#[test]
fn an_aicpu_program_that_returns_an_error_is_an_error() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        for form in [LaunchForm::Classic, LaunchForm::ByName] {
            let case = |value: &str| {
                let mut case = case(platform).with_setting("aicpu-error", value);
                case.launch_form = Some(form);
                case
            };
            let init = run(&case("init:7"));
            let text = init.error.as_deref().unwrap_or_default();
            assert!(text.contains("507018"), "{init}");
            assert!(init.verdict.is_none(), "{init}");

            let main = run(&case("main:77"));
            let (error, verdict) = main.failed();
            assert!(error.contains("507018"), "{main}");
            assert_eq!(verdict.totals.total, 0, "{main}");

            // The other thread does all there is to do; the cores of this one are never called.
            let one = run(&case("main:-3:1"));
            let (error, verdict) = one.failed();
            assert!(error.contains("507018"), "{one}");
            assert_eq!(verdict.totals.collected, one.task_count, "{one}");

            let end = run(&case("end:5:1"));
            let (error, verdict) = end.failed();
            assert!(error.contains("507018"), "{end}");
            assert_eq!(verdict.totals.collected, end.task_count, "{end}");
        }
    }
}

#[test]
fn a_dead_core_is_named_at_the_limit_of_the_handshake() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let ran = run(&case(platform).with_setting("dead-core", CORE));
        let (error, verdict) = ran.failed();
        assert!(
            error.contains("core 2") && error.contains("handshake"),
            "{ran}"
        );
        let mut cores = verdict.cores.iter();
        assert!(cores.all(|core| core.core != Some(CORE)), "{ran}");
    }
}

#[test]
fn a_kernel_that_never_ends_is_named_with_its_token_and_its_registers() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let ran = run(&case(platform).with_setting("hung-kernel", CORE));
        let (error, verdict) = ran.failed();
        for part in [
            "core 2",
            "token 16",
            "DATA_MAIN_BASE",
            "COND",
            "scheduler limit",
        ] {
            assert!(error.contains(part), "{part}: {ran}");
        }
        let struck = verdict.abandoned.iter().find(|token| token.core == CORE);
        assert_eq!(struck.map(|token| token.token), Some(16), "{ran}");
        assert!(
            verdict.totals.collected > 0 && ran.is_accounted_for(),
            "{ran}"
        );
    }
}
