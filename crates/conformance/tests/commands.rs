//! What the command leaves and says with collectors on, end to end on both chips.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_conformance::{Folder, build_folder};
use lanescope_trace::{JoinedPmu, PmuUnit, Trace};
use std::fs;
use std::path::Path;
use std::process::Command;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// Exit code, stdout and stderr.
fn lanescope(folder: &Path, platform: &str, line: &str) -> (i32, String, String) {
    let mut command = Command::new(build_folder(platform, 2).join("bin/lanescope"));
    let output = command
        .current_dir(folder)
        .args(line.split(' '))
        .env_remove("LANESCOPE_SIM")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, told) = (text(output.stdout), text(output.stderr));
    (output.status.code().unwrap(), out, told)
}

#[test]
fn a_run_with_all_collectors_leaves_all_of_them() {
    for platform in PLATFORMS {
        let folder = Folder::new().unwrap();
        let line = "run vector --tasks 200 --swimlane --pmu --dump --out run";
        let (code, out, told) = lanescope(folder.path(), platform, line);
        assert_eq!(code, 0, "{platform}: {told}");
        assert!(told.contains("device memory for records: "), "{told}");
        assert!(out.contains("verdict: exact"), "{out}");
        let trace = Trace::open(folder.path().join("run")).unwrap();
        let rows = fs::read_to_string(folder.path().join("run/pmu.csv")).unwrap();
        assert_eq!(rows.lines().count() as u64, 1 + trace.task_count());
        // One after the other, without padding: every byte of every tensor, and nothing else.
        let mut payload = Vec::new();
        for row in trace.tensors() {
            payload.extend(trace.payload(&row).unwrap().to_vec());
        }
        let dump = folder.path().join("run/tensor_dump");
        assert!(!payload.is_empty());
        assert_eq!(fs::read(dump.join("tensor_dump.bin")).unwrap(), payload);
        let manifest = fs::read_to_string(dump.join("tensor_dump.json")).unwrap();
        let tensors = trace.tensors().count();
        assert!(manifest.contains(&format!("\"total_tensors\": {tensors},")));
        // A later run into the folder leaves nothing of this one.
        let line = "run vector --tasks 200 --swimlane=1 --out run";
        assert_eq!(lanescope(folder.path(), platform, line).0, 0);
        assert!(!dump.exists() && !folder.path().join("run/pmu.csv").exists());
    }
}

#[test]
fn two_runs_of_one_graph_hold_the_same_tensors() {
    for platform in PLATFORMS {
        let folder = Folder::new().unwrap();
        for (seed, tile) in [(0, 64), (9, 64), (0, 128)] {
            let line = format!(
                "run vector --tasks 200 --tile {tile} --dump --seed {seed} --out {seed}-{tile}"
            );
            assert_eq!(lanescope(folder.path(), platform, &line).0, 0);
        }
        let (code, out, told) = lanescope(folder.path(), platform, "dump 0-64 --compare 9-64");
        assert_eq!(code, 0, "{platform}: {out}{told}");
        assert!(out.starts_with("0 of "), "{out}");
        let (code, out, _) = lanescope(folder.path(), platform, "dump 0-64 --compare 0-128");
        assert_eq!(code, 1, "{platform}");
        assert!(out.contains("FLOAT32 [64] and FLOAT32 [128]"), "{out}");
    }
}

#[test]
fn every_event_type_counts_every_task() {
    for platform in PLATFORMS {
        let folder = Folder::new().unwrap();
        let line = "run bgemm --pmu=all --out run";
        let (code, _, told) = lanescope(folder.path(), platform, line);
        assert_eq!(code, 0, "{platform}: {told}");
        let run = folder.path().join("run");
        let main = Trace::open(&run).unwrap();
        let events = main.session().chip.unwrap().info().pmu_events;
        let mut traces = Vec::new();
        for event in events.iter().filter(|event| event.number != 2) {
            traces.push(Trace::open(run.join(format!("pmu-{}", event.name))).unwrap());
        }
        let joined = JoinedPmu::of(traces.iter().chain([&main]));
        assert_eq!(
            (joined.events.len(), joined.incomplete()),
            (events.len(), 0)
        );
        let rows = fs::read_to_string(run.join("pmu_all.csv")).unwrap();
        assert_eq!(rows.lines().count(), 1 + joined.tasks.len());
        assert_eq!(joined.tasks.len(), main.pmu_rows().count());
        // What is busy is busy for no longer than the task.
        for row in traces.iter().chain([&main]).flat_map(Trace::pmu_rows) {
            let event = events.iter().find(|event| event.number == row.event);
            for (counter, column) in event.unwrap().columns() {
                let is_busy = PmuUnit::of(event.unwrap(), column) == PmuUnit::Cycles;
                let count = u64::from(row.counters[counter]);
                assert!(!is_busy || count <= row.total_cycles, "{column}: {row:?}");
            }
        }
    }
}

#[test]
fn overhead_measures_every_row_and_keeps_budgets() {
    for platform in PLATFORMS {
        let folder = Folder::new().unwrap();
        let line = "overhead vector --tasks 200 --tile 64 --threads 1";
        let (code, out, told) = lanescope(folder.path(), platform, line);
        assert_eq!(code, 0, "{platform}: {out}{told}");
        let rows: Vec<Vec<&str>> = out
            .lines()
            .skip(1)
            .map(|row| row.split_whitespace().collect())
            .collect();
        let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        let mut expected = vec![
            "off",
            "issue-depth-1",
            "swimlane-1",
            "swimlane-2",
            "swimlane-3",
            "swimlane-4",
            "pmu",
            "dump",
            "all",
        ];
        if platform == "a5sim" {
            expected.remove(1);
        }
        assert_eq!(names, expected);
        let device = |name: &str| -> f64 {
            let row = rows.iter().find(|row| row[0] == name).unwrap();
            row[1].parse().unwrap()
        };
        assert!(device("off") < device("swimlane-1"));
        assert!(device("swimlane-1") < device("pmu") && device("pmu") < device("all"));
        let impossible = format!("{line} --budget swimlane-1=0ns --budget 100000%");
        let (code, again, told) = lanescope(folder.path(), platform, &impossible);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("swimlane-1 costs "), "{told}");
        assert!(!told.contains("makespan, the budget"), "{told}");
        // Virtual time is the same each time.
        let times = |text: &str| -> Vec<String> {
            let rows = text.lines().skip(1);
            rows.map(|row| row.split_whitespace().nth(1).unwrap().to_owned())
                .collect()
        };
        assert_eq!(times(&out), times(&again));
        let (code, _, told) =
            lanescope(folder.path(), platform, &format!("{line} --budget tea=1%"));
        assert_eq!(code, 2);
        let rows = told.split_once("there are ").map(|(_, rows)| rows.trim());
        assert_eq!(rows, Some(&*expected[1..].join(", ")), "{told}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
