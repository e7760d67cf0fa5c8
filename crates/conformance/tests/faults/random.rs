//! Workload, shape and faults drawn from a seed: never a hang, never a panic, never a wrong `exact`.

use crate::fault::{self, Ran, run};
use lanescope::{Collectors, DumpOptions, Outcome, PmuOptions, Policy};
use lanescope_conformance::Case;
use lanescope_examples::{BgemmOptions, VectorOptions, WorkloadOptions};
use lanescope_stress::{Effort, Numbers, Tried};
use std::time::Duration;

#[test]
fn random_faults() {
    let _device = fault::alone();
    let effort = Effort::new("random_faults", 24);
    while let Some(seed) = effort.next_seed() {
        let mut draw = Draw(Numbers::new(seed));
        let case = draw.case();
        let faults = case.driver_settings.len() as u64 - 2;
        let ran = run(&case);
        check(seed, &ran);
        effort.add(Tried::Faults, faults);
        effort.add(Tried::Runs, 1);
    }
}

/// What holds whatever the faults; [`run`] has checked that the records are right where the verdict
/// does not say that something is wrong, and that nothing is left behind.
fn check(seed: u64, ran: &Ran) {
    match (&ran.verdict, &ran.error) {
        (Some(verdict), None) => {
            assert_ne!(verdict.outcome, Outcome::Partial, "seed {seed}: {ran}");
        }
        (Some(verdict), Some(_)) => {
            assert_eq!(verdict.outcome, Outcome::Partial, "seed {seed}: {ran}");
            assert!(verdict.findings.len() < 200, "seed {seed}: {ran}");
        }
        (None, Some(error)) => assert!(!error.is_empty(), "seed {seed}: {ran}"),
        (None, None) => panic!("seed {seed}: neither a verdict nor an error: {ran}"),
    }
}

/// Numbers that follow from a seed.
struct Draw(Numbers);

impl Draw {
    fn workload(&mut self) -> WorkloadOptions {
        if self.0.below(4) == 0 {
            return WorkloadOptions::Bgemm(BgemmOptions {
                batch: 1 + self.0.below(3),
                m: 64,
                n: 64,
                k: 64,
                tile: 32,
            });
        }
        let tasks = 1 + self.0.below(1500);
        WorkloadOptions::Vector(VectorOptions {
            tasks,
            tile: 64,
            chains: 1 + self.0.below(tasks.min(80)),
        })
    }

    fn case(&mut self) -> Case {
        let platform = self.0.one_of(&["a2a3sim", "a5sim"]);
        let workload = self.workload();
        let ring_size = self.0.one_of(&[1, 2, 4, 8, 16]);
        let mut case = Case::new(platform, ring_size, workload)
            .with_setting("seed", self.0.below(1_u64 << 32))
            .with_setting("host-patience", 200);
        case.run.threads = Some(1 + self.0.below(3));
        case.run.clusters = Some(3 + self.0.below(4));
        case.run.collectors.swimlane.lanes.records_per_buffer =
            Some(self.0.one_of(&[1, 4, 16, 64]));
        case.run.collectors.swimlane.lanes.buffers = Some(self.0.one_of(&[2, 4, 8]));
        case.run.collectors.swimlane.lanes.policy =
            self.0.one_of(&[Policy::Block, Policy::DropNewest]);
        case.run.issue_depth = self.0.one_of(&[None, Some(1)]);
        self.add_collectors(&mut case.run.collectors);
        case.run.limits.block = Duration::from_micros(self.0.one_of(&[20, 1000, 20_000]));
        for _ in 0..=self.0.below(2) {
            let (name, value) = self.fault();
            case = case.with_setting(name, value);
        }
        case
    }

    /// Other collectors beside the swimlane, with lanes as small as its own.
    fn add_collectors(&mut self, collectors: &mut Collectors) {
        collectors.swimlane.level = self.0.one_of(&[2, 3, 4]);
        let lanes = collectors.swimlane.lanes;
        if self.0.below(3) == 0 {
            let event = self.0.one_of(&[1, 2, 4, 5, 6, 7, 8]);
            collectors.pmu = Some(PmuOptions { event, lanes });
        }
        if self.0.below(3) == 0 {
            let mut lanes = lanes;
            if self.0.below(3) == 0 {
                lanes.policy = Policy::Truncate;
            }
            collectors.dump = Some(DumpOptions {
                arena_bytes: self.0.one_of(&[4096, 16 << 10, 1 << 20]),
                piece_bytes: self.0.one_of(&[64, 1024, 16 << 10]),
                lanes,
                ..DumpOptions::default()
            });
        }
    }

    /// One fault; the same one twice is one.
    fn fault(&mut self) -> (&'static str, String) {
        let core = self.0.below(9);
        let name = self.0.one_of(&[
            "late-host",
            "no-buffer",
            "dead-core",
            "hung-kernel",
            "kill-at",
            "close-at",
            "late-slot",
            "torn-slot",
            "lost-slot",
            "stale-line",
            "corrupt",
            "aicpu-error",
            "poison",
            "fail",
        ]);
        let value = match name {
            "late-host" => self.0.below(2000).to_string(),
            "no-buffer" => format!("{}:{}", self.0.below(8), self.0.below(20)),
            "dead-core" | "hung-kernel" => core.to_string(),
            "kill-at" | "close-at" => self.0.below(4000).to_string(),
            "late-slot" | "torn-slot" | "lost-slot" => match self.0.below(3) {
                0 => format!("{core}:{}", 16 + self.0.below(40)),
                1 => core.to_string(),
                _ => format!("1/{}", 1 + self.0.below(100)),
            },
            "stale-line" => {
                let line = self
                    .0
                    .one_of(&["slot", "answer", "host", "order", "payload"]);
                match self.0.below(2) {
                    0 => format!("{line}:{core}"),
                    _ => format!("{line}:1/{}", 1 + self.0.below(50)),
                }
            }
            "corrupt" => {
                let word = self.0.one_of(&[
                    "ready-tail",
                    "free-head",
                    "filling",
                    "sequence",
                    "entry-buffer",
                    "entry-count",
                    "entry-sequence",
                    "total",
                    "mismatched",
                    "dropped",
                    "dispatched",
                    "payload",
                ]);
                format!("{word}:{}:{}", self.0.below(8), 1 + self.0.below(30))
            }
            "aicpu-error" => {
                let when = self.0.one_of(&["init", "main", "end"]);
                format!("{when}:{}:{}", 1 + self.0.below(100), self.0.below(3))
            }
            "poison" => "507018".to_owned(),
            "fail" => {
                // Not what gives back: an object that the driver keeps is a leak.
                let call = self.0.one_of(&[
                    "rtMalloc",
                    "rtMemcpy",
                    "rtStreamCreate",
                    "rtStreamSynchronizeWithTimeout",
                    "rtAicpuKernelLaunchExWithArgs",
                    "rtKernelLaunchWithHandleV2",
                ]);
                format!("{call}:{}:{}", 1 + self.0.below(60), 507_899)
            }
            _ => unreachable!("every fault has a value"),
        };
        (name, value)
    }
}
