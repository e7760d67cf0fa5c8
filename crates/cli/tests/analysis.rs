//! Reports, comparisons and merged runs as a user meets them; none of it needs a build folder.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_trace::merge::{Merge, Source};
use lanescope_trace::{FindingKind, Trace, TraceParts, Verdict};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("lanescope-analysis-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Two made-up runs, `a` and `b`.
    fn with_runs(name: &str) -> Self {
        let folder = Self::new(name);
        for (run, seed) in [("a", "1"), ("b", "2")] {
            let words = ["synth", "--tasks", "300", "--seed", seed, "--out", run];
            let (code, _, told) = folder.lanescope(&words);
            assert_eq!(code, 0, "{told}");
        }
        folder
    }

    /// Exit code, stdout, stderr.
    fn lanescope(&self, words: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_lanescope"))
            .current_dir(&self.0)
            .args(words)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_report_is_a_page_that_loads_nothing() {
    let folder = Folder::with_runs("page");
    let (code, data, told) = folder.lanescope(&["report", "a", "--format", "html", "-o", "a.html"]);
    assert_eq!((code, data.as_str()), (0, ""), "{told}");
    let page = fs::read_to_string(folder.0.join("a.html")).unwrap();
    for section in [
        "Critical path",
        "What held the run up",
        "What the cores did",
    ] {
        assert!(page.contains(section), "{section}");
    }
    for outside in [
        "<script", "http:", "https:", "<link", "<img", "@import", "url(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let (code, text, _) = folder.lanescope(&["report", "a"]);
    assert_eq!(code, 0);
    assert!(text.contains("Critical path: "), "{text}");
}

#[test]
fn every_key_of_the_json_form_is_documented() {
    let folder = Folder::with_runs("keys");
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports.md");
    let documented = fs::read_to_string(documented).unwrap();
    for words in [
        &["report", "a", "--format", "json"][..],
        &[
            "diff",
            "a",
            "b",
            "--format",
            "json",
            "--budget",
            "tasks<=300",
        ],
    ] {
        let (_, json, told) = folder.lanescope(words);
        let keys = json.lines().filter_map(|line| {
            let (key, _) = line.trim().strip_prefix('"')?.split_once("\": ")?;
            Some(key)
        });
        let mut count = 0;
        for key in keys {
            count += 1;
            assert!(documented.contains(&format!("`{key}`")), "{key}");
        }
        assert!(count > 20, "{told}");
    }
}

#[test]
fn a_budget_decides_the_exit_code() {
    let folder = Folder::with_runs("budget");
    let (code, text, told) = folder.lanescope(&["diff", "a", "a", "--budget", "makespan<=+0%"]);
    assert_eq!((code, told.as_str()), (0, ""));
    assert!(text.contains("\n ok        makespan<=+0%"), "{text}");
    let (code, _, told) = folder.lanescope(&["diff", "a", "b", "--budget", "makespan<=-99%"]);
    assert_eq!(code, 1);
    assert!(
        told.contains("budget makespan<=-99% exceeded: makespan is"),
        "{told}"
    );
    let (code, data, told) = folder.lanescope(&["diff", "a", "b", "--budget", "makespan<2"]);
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(told.contains("column 11: expected <= or >="), "{told}");
    let (code, data, told) = folder.lanescope(&["diff", "a", "b", "--budget", "tea<=+1%"]);
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(told.contains("\n  path.floor\n"), "{told}");
    let (code, _, told) = folder.lanescope(&["diff", "a"]);
    assert_eq!(code, 2);
    assert!(told.contains("expected two"), "{told}");
    let (code, text, _) = folder.lanescope(&["diff", "a", "b", "--against", "b", "a"]);
    assert_eq!(code, 0);
    assert!(text.contains("before: median of a, b"), "{text}");
}

#[test]
fn merged_runs_open_with_every_other_command() {
    let folder = Folder::with_runs("merge");
    let (code, data, told) = folder.lanescope(&["merge", "a", "b", "--out", "both"]);
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(told.contains("no clock pair"), "{told}");
    assert!(!folder.0.join("both").exists());
    let words = ["merge", "a", "b", "--out", "both", "--offset", "b=+1000~25"];
    let (code, data, told) = folder.lanescope(&words);
    assert_eq!(code, 0, "{told}");
    assert!(data.contains("clock moved by 1000 ns, ± 25 ns"), "{data}");
    let (code, text, told) = folder.lanescope(&["report", "both"]);
    assert_eq!(code, 0, "{told}");
    assert!(
        text.contains("600 tasks") && text.contains("times ± 25 ns"),
        "{text}"
    );
    let (code, _, told) = folder.lanescope(&["export", "both", "--format", "perfetto"]);
    assert_eq!(code, 0, "{told}");
    let words = ["merge", "a", "both", "--out", "both", "--offset", "both=0"];
    let (code, _, told) = folder.lanescope(&words);
    assert_eq!(code, 2);
    assert!(told.contains("is one of the runs"), "{told}");
}

#[test]
fn a_merge_never_takes_its_own_runs_away() {
    let folder = Folder::new("sources");
    let mut words = vec!["merge"];
    let runs = ["all/pmu-memory", "all/pmu-pipe-utilization"];
    for (run, seed) in runs.into_iter().zip(["1", "2"]) {
        let words = [
            "synth", "--tasks", "30", "--pmu", "--seed", seed, "--out", run,
        ];
        let (code, _, told) = folder.lanescope(&words);
        assert_eq!(code, 0, "{told}");
    }
    words.extend(runs);
    words.extend(["--out", "all", "--offset", "all/pmu-pipe-utilization=0"]);
    let (code, _, told) = folder.lanescope(&words);
    assert_eq!(code, 0, "{told}");
    for run in ["all", "all/pmu-memory", "all/pmu-pipe-utilization"] {
        let (code, _, told) = folder.lanescope(&["report", run]);
        assert_eq!(code, 0, "{told}");
    }
    // Files beside the merged capture that it would replace.
    let (code, _, told) = folder.lanescope(&["export", "all", "--format", "pmu-csv"]);
    assert_eq!(code, 0, "{told}");
    fs::create_dir(folder.0.join("counted")).unwrap();
    fs::rename(
        folder.0.join("all/pmu.csv"),
        folder.0.join("counted/pmu.csv"),
    )
    .unwrap();
    for run in ["counted", "counted/pmu.csv"] {
        let offset = format!("{run}=0");
        let words = ["merge", "all", run, "--out", "counted", "--offset", &offset];
        let (code, _, told) = folder.lanescope(&words);
        assert_eq!(code, 2, "{told}");
        assert!(
            told.contains("counted/pmu.csv is one of the runs"),
            "{told}"
        );
        assert!(folder.0.join("counted/pmu.csv").exists());
    }
}

#[test]
fn a_comparison_tells_of_runs_that_are_not_whole() {
    let folder = Folder::with_runs("whole");
    let (code, _, told) = folder.lanescope(&["diff", "a", "b"]);
    assert_eq!((code, told.as_str()), (0, ""));
    let mut verdict = Verdict::new(1);
    (verdict.totals.total, verdict.totals.collected) = (4, 3);
    verdict.find(FindingKind::Dropped, 1, "1 record dropped");
    let lossy = Source {
        name: "lossy".to_owned(),
        trace: Trace::new(TraceParts {
            verdict: Some(verdict),
            ..TraceParts::default()
        }),
        offset: None,
    };
    let file = fs::File::create(folder.0.join("lossy.lanescope")).unwrap();
    Merge::of(&[lossy]).unwrap().write(file).unwrap();
    let (code, _, told) = folder.lanescope(&["diff", "a", "lossy.lanescope"]);
    assert_eq!(code, 0);
    let expected = "lanescope: lossy.lanescope: broken (3 of 4 records collected): its numbers are those of what \
                    is left\n";
    assert!(told.starts_with(expected), "{told}");
    assert!(told.contains("1 record dropped"), "{told}");
    for words in [
        &["export", "lossy.lanescope", "--format", "chrome", "-o", "-"][..],
        &["view", "lossy.lanescope", "-o", "-"],
        &[
            "merge",
            "lossy.lanescope",
            "a",
            "--offset",
            "a=0",
            "--out",
            "two",
        ],
    ] {
        let (code, _, told) = folder.lanescope(words);
        assert_eq!(code, 0, "{told}");
        let expected = "lossy.lanescope is broken: 3 of 4 records collected";
        assert!(
            told.contains(expected) && told.contains("1 record dropped"),
            "{told}"
        );
    }
    let (code, _, _) = folder.lanescope(&["report", "lossy.lanescope"]);
    assert_eq!(code, 1);
}

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(folder).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_dataset_takes_every_run_once() {
    let folder = Folder::with_runs("dataset");
    let export = |run: &str, more: &[&str]| {
        let words = ["export", run, "--format", "parquet", "-o", "all"];
        let (code, data, told) = folder.lanescope(&[&words, more].concat());
        assert_eq!((code, data.as_str()), (0, ""), "{told}");
    };
    let dataset = folder.0.join("all");
    export("a", &[]);
    let first = files(&dataset);
    assert_eq!(first.len(), 6);
    assert!(first[5].starts_with("verdicts/host=unknown/device=0/run=r"));
    let bytes = fs::read(dataset.join(&first[3])).unwrap();
    export("a", &[]);
    assert_eq!(files(&dataset), first);
    assert_eq!(fs::read(dataset.join(&first[3])).unwrap(), bytes);
    export("b", &[]);
    export("b", &["--host", "node 7", "--run", "7"]);
    assert_eq!(files(&dataset).len(), 18);
    let named = "tasks/host=node@207/device=0/run=@37/tasks.parquet";
    assert!(dataset.join(named).exists());

    // A table that cannot be written leaves the others as they were.
    let kept = fs::read(dataset.join(named)).unwrap();
    let blocked = dataset.join("verdicts/host=node@207/device=0/run=@37");
    fs::remove_dir_all(&blocked).unwrap();
    fs::write(&blocked, "in the way").unwrap();
    let words = ["export", "a", "--format", "parquet", "-o", "all"];
    let (code, _, told) =
        folder.lanescope(&[&words[..], &["--host", "node 7", "--run", "7"]].concat());
    assert_eq!(code, 2);
    assert!(told.contains("verdicts/host=node@207"), "{told}");
    assert_eq!(fs::read(dataset.join(named)).unwrap(), kept);
    assert!(files(&dataset).iter().all(|file| !file.contains(".part")));
}

#[test]
fn options_of_one_format_are_refused_with_others() {
    let folder = Folder::with_runs("options");
    for (words, fault) in [
        (["--format", "csv", "--host", "x"], "--host goes with"),
        (["--format", "arrow", "--run", "x"], "--run goes with"),
        (
            ["--format", "parquet", "--table", "pmu"],
            "--table goes with",
        ),
    ] {
        let (code, _, told) = folder.lanescope(&[&["export", "a"], &words[..]].concat());
        assert_eq!(code, 2);
        assert!(told.contains(fault), "{told}");
    }
    let (code, _, told) = folder.lanescope(&["export", "a", "--format", "arrow"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(files(&folder.0.join("a/arrow")).len(), 6);
}

#[test]
fn a_question_is_handed_over() {
    let folder = Folder::new("question");
    let path = folder.0.join("bin");
    fs::create_dir(&path).unwrap();
    // Beside a copy of the command nothing of a build lies.
    let command = path.join("lanescope");
    fs::copy(env!("CARGO_BIN_EXE_lanescope"), &command).unwrap();
    let ask = || {
        let output = loop {
            let mut sql = Command::new(&command);
            let words = ["sql", "run", "--format", "csv", "SELECT 1", "--help"];
            match sql.env("PATH", "").args(words).output() {
                // A process that another test began has not let go of the copy yet.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
                output => break output.unwrap(),
            }
        };
        let told = String::from_utf8(output.stderr).unwrap();
        let data = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), data, told)
    };
    let (code, data, told) = ask();
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(
        told.contains("cargo build --release -p lanescope-sql"),
        "{told}"
    );
    let program = path.join("lanescope-sql");
    fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let (code, data, told) = ask();
    assert_eq!((code, told.as_str()), (7, ""));
    assert_eq!(data, "run\n--format\ncsv\nSELECT 1\n--help\n");
}
