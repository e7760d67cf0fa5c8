//! What the command says to bad input, and where it prints what; none of it needs a build folder.

mod import;

use rustix::fs::{Mode, OFlags};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

fn lanescope(folder: &Path, words: &[&str]) -> Output {
    command(folder, words).output().expect("it starts")
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lanescope"));
    command
        .current_dir(folder)
        .args(words)
        .env_remove("LANESCOPE_BUILD");
    command
}

/// Exit code and stderr of a command that prints nothing to stdout.
fn refused(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = lanescope(folder, words);
    assert!(output.stdout.is_empty(), "{words:?} printed data");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(text.starts_with("lanescope: "), "{text}");
    (output.status.code(), text)
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lanescope-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("creates");
        Self(path)
    }

    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("reads");
        entries
            .map(|entry| {
                entry
                    .expect("reads")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    /// A build folder for a2a3sim without programs.
    fn with_manifest(&self) -> &Path {
        let manifest = r#"{"platform":"a2a3sim","chip":"a2a3","ring_size":2,"abi_hash":"0x1",
            "abi_version":1,"profile":"test","device":{"aicpu":null,"aicore":null,"dispatcher":null},
            "kernels":{},"skipped":[]}"#;
        fs::write(self.0.join("manifest.json"), manifest).expect("writes");
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn help_and_version_are_data() {
    let folder = Folder::new();
    for words in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let output = lanescope(&folder.0, words);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn without_a_build_the_command_that_makes_one_is_named() {
    let folder = Folder::new();
    let (code, text) = refused(
        &folder.0,
        &["run", "vector", "--platform", "a5sim", "--swimlane"],
    );
    assert_eq!(code, Some(2));
    assert!(
        text.contains("cargo xtask build --platform a5sim"),
        "{text}"
    );
    assert!(folder.entries().is_empty());
}

#[test]
fn a_platform_that_is_unknown_or_not_the_builds_is_refused() {
    let folder = Folder::new();
    let build = folder.with_manifest().to_str().expect("UTF-8").to_owned();
    let (code, text) = refused(
        &folder.0,
        &["run", "vector", "--platform", "a4", "--build", &build],
    );
    assert_eq!(code, Some(2));
    assert!(
        text.contains("this build knows a2a3, a2a3sim, a5, a5sim"),
        "{text}"
    );
    let (code, text) = refused(
        &folder.0,
        &["run", "vector", "--platform", "a5", "--build", &build],
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("is for a2a3sim, not for a5"), "{text}");
}

#[test]
fn bad_input_leaves_no_output_folder() {
    let folder = Folder::new();
    let build = folder.with_manifest().to_str().expect("UTF-8").to_owned();
    for (words, told) in [
        (vec!["vector", "--tasks", "0"], "--tasks is 0"),
        (
            vec!["vector", "--limit", "op=1"],
            "must be less than op (1s)",
        ),
        (vec!["vector", "--limit", "tea=1"], "no limit is called tea"),
        (vec!["vector", "--swimlane=9"], "9 is not in 0..=4"),
        (
            vec!["vector", "--policy", "hope"],
            "expected block, drop-newest",
        ),
        (vec!["vector", "--first-token", "3"], "3 is no token"),
        (vec!["replay", "missing.json"], "missing.json"),
        (vec!["vector"], "no kernel named"),
        (vec!["singing"], "unrecognized subcommand 'singing'"),
    ] {
        let mut line = vec!["run"];
        line.extend(&words);
        line.extend(["--build", &build, "--out", "results"]);
        let (code, text) = refused(&folder.0, &line);
        assert_eq!(code, Some(2), "{line:?}: {text}");
        assert!(text.contains(told), "{line:?}: {text}");
        assert_eq!(folder.entries(), ["manifest.json"]);
    }
}

#[test]
fn a_recording_is_reported_and_exported() {
    let folder = Folder::new();
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_vector.l2_perf_records.json");
    fs::copy(recording, folder.0.join("l2_perf_records.json")).expect("copies");
    let output = lanescope(&folder.0, &["report", "."]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("makespan"));
    let output = lanescope(&folder.0, &["report", ".", "--json"]);
    assert!(output.stdout.starts_with(b"{"));
    let output = lanescope(&folder.0, &["export", ".", "--format", "perfetto"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    assert!(
        folder
            .entries()
            .contains(&"trace.perfetto-trace".to_owned())
    );
    let output = lanescope(
        &folder.0,
        &["export", ".", "--format", "records-json", "-o", "-"],
    );
    assert!(output.stdout.starts_with(b"{"));
}

#[test]
fn a_full_disk_is_an_error_and_not_a_short_file() {
    let folder = Folder::new();
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_vector.l2_perf_records.json");
    fs::copy(recording, folder.0.join("l2_perf_records.json")).expect("copies");
    let to_stdout = ["export", ".", "-o", "-", "--format"];
    for words in [
        [&to_stdout[..], &["perfetto"]].concat(),
        [&to_stdout[..], &["records-json"]].concat(),
        vec!["report", ".", "--json"],
        vec!["view", ".", "-o", "-"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command(&folder.0, &words)
            .stdout(full.expect("Linux has it"))
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains("No space left"), "{words:?}: {text}");
    }
}

#[test]
fn nothing_to_read_is_an_error_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let (code, text) = refused(&folder.0, &["report", "."]);
    assert_eq!((code, text.lines().count()), (Some(2), 1), "{text}");
    fs::write(folder.0.join("capture.lanescope"), b"no capture at all").expect("writes");
    let (code, _) = refused(&folder.0, &["export", ".", "--format", "perfetto"]);
    assert_eq!(code, Some(2));
    assert_eq!(folder.entries(), ["capture.lanescope"]);
}

#[test]
fn a_hostile_file_is_an_error_with_its_place_and_leaves_nothing_behind() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_vector.l2_perf_records.json");
    let recording = fs::read_to_string(recording).expect("reads");
    let version = recording.find("\"version\"").expect("it has one");
    let half = recording.len() / 2;
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("r.json", recording.as_bytes()[..half].to_vec(), "expected"),
        (
            "r.json",
            recording
                .replacen("\"version\"", "\"version\": 1, \"version\"", 1)
                .into_bytes(),
            "for the second time",
        ),
        (
            "r.json",
            [&recording.as_bytes()[..version], b"\xff"].concat(),
            "column",
        ),
        ("r.json", "[".repeat(1 << 20).into_bytes(), "expected"),
        ("c.lanescope", Vec::new(), "the file has 0"),
        (
            "c.lanescope",
            vec![0xFF; 4096],
            "it begins with 0xffffffffffffffff",
        ),
        (
            "c.lanescope",
            [b"LSCAPFIL".as_slice(), &[0; 56]].concat(),
            "format 0 is not supported",
        ),
    ];
    for (name, bytes, expected) in cases {
        let folder = Folder::new();
        fs::write(folder.0.join(name), &bytes).expect("writes");
        for line in [
            vec!["report", name],
            vec!["report", name, "--json"],
            vec!["export", name, "--format", "perfetto"],
            vec!["export", name, "--format", "records-json", "-o", "-"],
            vec!["export", name, "--format", "perfetto", "-o", "-"],
            vec!["view", name],
            vec!["view", name, "--serve"],
        ] {
            let (code, text) = refused(&folder.0, &line);
            assert_eq!(code, Some(2), "{line:?}: {text}");
            assert!(
                text.contains(name) && text.contains(expected),
                "{line:?}: {text}"
            );
            // The whole file helps where this one is cut.
            let has_hint = name == "c.lanescope" || bytes.len() == half;
            assert_eq!(text.contains("hint: "), has_hint, "{line:?}: {text}");
            assert!(text.len() < 1000, "{line:?}: {text}");
            assert_eq!(folder.entries(), [name]);
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let mut child = command(&folder.0, &["run", "--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_page_stands_beside_its_run_and_never_in_its_place() {
    let folder = Folder::new();
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_vector.l2_perf_records.json");
    fs::copy(recording, folder.0.join("l2_perf_records.json")).expect("copies");
    let (code, text) = refused(&folder.0, &["view", "."]);
    assert_eq!(code, Some(0), "{text}");
    let page = fs::read(folder.0.join("view.html")).expect("reads");
    let output = lanescope(&folder.0, &["view", "l2_perf_records.json", "-o", "-"]);
    assert!(output.stdout == page && page.ends_with(b"</html>\n"));
    for line in [
        vec!["view", ".", "-o", "l2_perf_records.json"],
        vec!["view", ".", "-o", "no/such/folder/page.html"],
        vec!["view", ".", "--serve", "0.0.0.0:8080"],
        vec!["view", ".", "--serve", "."],
        vec!["view", ".", "--serve", "-o", "page.html"],
    ] {
        let (code, text) = refused(&folder.0, &line);
        assert_eq!(code, Some(2), "{line:?}: {text}");
        assert_eq!(folder.entries().len(), 2, "{line:?}");
    }
}

/// A case of the reference's converter in a folder of its own.
fn with_converter_case(folder: &Folder) -> (PathBuf, PathBuf) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let case = crates.join("export/tests/data/swimlane/full");
    let records = crates.join("trace/tests/data/full.l2_perf_records.json");
    fs::copy(records, folder.0.join("l2_perf_records.json")).expect("copies");
    fs::copy(case.join("name_map.json"), folder.0.join("name_map.json")).expect("copies");
    (case.join("merged_swimlane.json"), case.join("stdout.txt"))
}

const CONVERT: [&str; 7] = [
    "export",
    "l2_perf_records.json",
    "--format",
    "merged-swimlane",
    "--func-names",
    "name_map.json",
    "--statistics",
];

const REPORT: [&str; 6] = [
    "report",
    "l2_perf_records.json",
    "--format",
    "reference",
    "--func-names",
    "name_map.json",
];

/// File and text are those of the reference's converter.
#[test]
fn the_converter_is_reproduced_file_and_text() {
    let folder = Folder::new();
    let (expected, text) = with_converter_case(&folder);
    let mut convert = command(&folder.0, &CONVERT);
    // Without folders in which device logs would be looked for.
    convert
        .env_remove("ASCEND_WORK_PATH")
        .env("HOME", &folder.0);
    let output = convert.output().expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    let text = fs::read_to_string(text).expect("reads");
    assert_eq!(output.stdout, text.as_bytes());
    let (_, statistics) = text
        .rsplit_once("merged_swimlane.json\n\n")
        .expect("two parts");
    let mut report = command(&folder.0, &REPORT);
    report.env_remove("ASCEND_WORK_PATH").env("HOME", &folder.0);
    let output = report.output().expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(found, statistics);
    let found = fs::read(folder.0.join("merged_swimlane.json")).expect("reads");
    assert!(found == fs::read(expected).expect("reads"));
}

#[test]
fn device_logs_are_found_where_the_reference_looks_for_them() {
    let folder = Folder::new();
    with_converter_case(&folder);
    let logs = folder.0.join("log/debug/device-3");
    fs::create_dir_all(&logs).expect("creates");
    let line = "Thread 0: Scheduler summary: total_time=46us, loops=9, tasks_scheduled=23\n";
    fs::write(logs.join("device.log"), line).expect("writes");
    let printed = |words: &[&str]| {
        let mut convert = command(&folder.0, &CONVERT);
        convert.args(words).env("ASCEND_WORK_PATH", &folder.0);
        let output = convert.output().expect("it starts");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        (output.status.code(), text)
    };
    let named = ["--device-log", "log/debug/device-3"];
    let pattern = ["--device-log", "log/debug/device-3/*.log"];
    let patterns = ["--device-log", "l*/deb?g/device-[0-9]/*.log"];
    for words in [&[][..], &["-d", "3"], &named, &pattern, &patterns] {
        let (code, text) = printed(words);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("  Sched CPU = 2.00 us,"), "{words:?}: {text}");
        let mut report = command(&folder.0, &REPORT);
        report.args(words).env("ASCEND_WORK_PATH", &folder.0);
        let found = String::from_utf8(report.output().expect("it starts").stdout).expect("UTF-8");
        assert!(
            text.contains(&found) && found.len() > 1000,
            "{words:?}: {found}"
        );
    }
    for (words, expected) in [
        (
            &["report", ".", "-d", "3"][..],
            "--device goes with --format reference",
        ),
        (
            &["export", ".", "--format", "csv", "-d", "3"],
            "--device goes with --statistics",
        ),
    ] {
        let (code, text) = refused(&folder.0, words);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    for words in [
        ["-d", "4"],
        ["--device-log", "none.log"],
        ["--device-log", "*.none"],
    ] {
        let (code, text) = printed(&words);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("going on without a device log"), "{text}");
        assert!(text.contains("(no device log resolved)"), "{text}");
    }
    // A log that is cut short, or none at all, keeps nobody from the file.
    fs::write(logs.join("device.log"), &line[..40]).expect("writes");
    let (code, text) = printed(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("(no device log resolved)"), "{text}");
    let (code, text) = printed(&["--deep-dive"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Part 3: tail OH"), "{text}");
}

#[test]
fn names_come_from_a_kernel_config_too() {
    let folder = Folder::new();
    with_converter_case(&folder);
    let config = "from x import y\nKERNELS = [\n  {'func_id': 0, \"name\": \"MINE\"},  # one\n  \
                  {\"func_id\": 1, \"source\": y(2)},\n]\n";
    fs::write(folder.0.join("kernel_config.py"), config).expect("writes");
    let report = |words: &[&str]| {
        let words = [&REPORT[..4], words].concat();
        let mut report = command(&folder.0, &words);
        report.env_remove("ASCEND_WORK_PATH").env("HOME", &folder.0);
        let output = report.output().expect("it starts");
        assert_eq!(output.status.code(), Some(0));
        let text = [output.stdout, output.stderr].map(String::from_utf8);
        text.map(|text| text.expect("UTF-8"))
    };
    let [text, told] = report(&["-k", "kernel_config.py"]);
    assert!(
        text.contains("\n0        MINE ") && text.contains("\n1        func_1_b "),
        "{text}"
    );
    assert!(
        told.contains("kernel_config.py: 1 of KERNELS skipped"),
        "{told}"
    );
    let [text, told] = report(&["-k", "none.py", "--func-names", "name_map.json"]);
    assert!(!text.contains("MINE ") && told.is_empty(), "{text}{told}");
}

#[test]
fn a_conversion_that_fails_leaves_nothing() {
    let folder = Folder::new();
    with_converter_case(&folder);
    let records = folder.0.join("l2_perf_records.json");
    let text = fs::read_to_string(&records).expect("reads");
    fs::write(&records, &text[..text.len() / 2]).expect("writes");
    let before = folder.entries().len();
    let (code, text) = refused(&folder.0, &CONVERT);
    assert_eq!(code, Some(2));
    assert!(text.contains("l2_perf_records.json: line 388"), "{text}");
    assert_eq!(folder.entries().len(), before);
    let elsewhere = [
        (
            "perfetto",
            &["--func-names", "names.json"][..],
            "merged-swimlane",
        ),
        ("perfetto", &["--run", "7"], "parquet"),
        ("merged-swimlane", &["--host", "node1"], "parquet"),
        ("merged-swimlane", &["--few-arguments"], "perfetto"),
        ("chrome", &["--no-aicpu-tracks"], "perfetto"),
        ("csv", &["--no-flows"], "perfetto"),
    ];
    for (format, option, other) in elsewhere {
        let words = [&["export", ".", "--format", format][..], option].concat();
        let (code, text) = refused(&folder.0, &words);
        assert_eq!(code, Some(2));
        let expected = format!("{} goes with --format {other}", option[0]);
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn a_perfetto_trace_is_as_small_as_it_is_asked_to_be() {
    const TASKS: usize = 100_000;
    let folder = Folder::new();
    let tasks = TASKS.to_string();
    let synth = ["synth", "--tasks", &tasks, "--cores", "72", "--out", "run"];
    assert_eq!(lanescope(&folder.0, &synth).status.code(), Some(0));
    let bytes_a_task = |options: &[&str]| {
        let words = ["export", "run", "--format", "perfetto", "-o", "-"];
        let output = lanescope(&folder.0, &[&words[..], options].concat());
        assert_eq!(output.status.code(), Some(0));
        output.stdout.len() / TASKS
    };
    let few = ["--few-arguments", "--no-aicpu-tracks"];
    let [all, some, least] = [&[][..], &few, &[few[0], few[1], "--no-flows"]].map(bytes_a_task);
    // An edge is two fields of ten bytes.
    assert!(
        some < 70 && least + 20 == some && some < all,
        "{all}, {some}, {least}"
    );
}

#[test]
fn an_export_never_becomes_what_its_folder_is_read_from() {
    let folder = Folder::new();
    let run = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../trace/tests/data/import/chip_swimlane_records.json");
    fs::copy(run, folder.0.join("chip_swimlane_records.json")).expect("copies");
    for output in [&[][..], &["-o", "l2_perf_records.json"]] {
        let words = [&["export", ".", "--format", "records-json"], output].concat();
        let (code, text) = refused(&folder.0, &words);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("--output"), "{text}");
        assert_eq!(folder.entries(), ["chip_swimlane_records.json"]);
    }
    fs::create_dir(folder.0.join("other")).expect("creates");
    let words = ["export", ".", "--format", "records-json", "-o"];
    let words = [&words[..], &["other/l2_perf_records.json"]].concat();
    assert_eq!(lanescope(&folder.0, &words).status.code(), Some(0));
}

#[test]
fn exports_to_one_file_at_once_leave_one_of_them_whole() {
    let folder = Folder::new();
    let synth = ["synth", "--tasks", "20000", "--out", "run"];
    assert_eq!(lanescope(&folder.0, &synth).status.code(), Some(0));
    let formats = ["chrome", "perfetto", "records-json"];
    let export = |format, to| ["export", "run", "--format", format, "--output", to];
    let whole = formats.map(|format| {
        let output = lanescope(&folder.0, &export(format, "-"));
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    });
    for _ in 0..3 {
        let started = [formats, formats].concat().into_iter().map(|format| {
            let mut command = command(&folder.0, &export(format, "all.out"));
            command.stderr(Stdio::piped()).spawn().expect("it starts")
        });
        for child in started.collect::<Vec<_>>() {
            let output = child.wait_with_output().expect("it ends");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{text}");
        }
        let written = fs::read(folder.0.join("all.out")).expect("reads");
        assert!(whole.contains(&written), "{} bytes", written.len());
    }
    let mut entries = folder.entries();
    entries.sort_unstable();
    assert_eq!(entries, ["all.out", "run"]);
}

#[test]
fn an_export_says_what_it_does_not_draw() {
    let folder = Folder::new();
    let task = |number: u32| {
        format!(
            r#"{{"task_id":{number},"func_id":0,"core_id":0,"core_type":"aiv","ring_id":0,
            "start_time_us":{},"end_time_us":{},"duration_us":1.0,
            "dispatch_time_us":{},"finish_time_us":500.0,"fanout":[],"fanout_count":0}}"#,
            200 + 2 * number,
            201 + 2 * number,
            1 + number
        )
    };
    let tasks: Vec<String> = (0..70).map(task).collect();
    let records = format!(r#"{{"version":2,"tasks":[{}]}}"#, tasks.join(","));
    fs::write(folder.0.join("l2_perf_records.json"), records).expect("writes");
    for (format, told) in [("perfetto", "38 stays"), ("chrome", "6 stays")] {
        let output = lanescope(&folder.0, &["export", ".", "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(&format!("not drawn: {told}")), "{text}");
    }
}

#[test]
fn no_export_is_read_as_a_part_of_what_it_is_made_of() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trace/tests/data/import");
    let events = r#"[{"ph":"X","pid":1,"tid":2,"ts":1,"dur":2,"name":"mm"}]"#;
    fs::write(folder.0.join("trace.json"), events).expect("writes");
    for format in ["chrome", "merged-swimlane"] {
        let (code, text) = refused(&folder.0, &["export", ".", "--format", format]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("--output"), "{text}");
    }
    assert_eq!(folder.entries(), ["trace.json"]);
    fs::create_dir(folder.0.join("ticks")).expect("creates");
    let rows = "ticks/chip_swimlane_records.json";
    let from = data.join("chip_swimlane_records.json");
    fs::copy(from, folder.0.join(rows)).expect("copies");
    let (code, text) = refused(&folder.0, &["export", rows, "--format", "records-json"]);
    assert_eq!(code, Some(2), "{text}");
    let elsewhere = ["export", rows, "--format", "records-json", "-o", "x.json"];
    assert_eq!(lanescope(&folder.0, &elsewhere).status.code(), Some(0));
}

#[test]
fn exports_of_several_runs_share_a_folder() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("out")).expect("creates");
    for run in ["a", "b"] {
        let synth = ["synth", "--tasks", "50", "--out", run];
        assert_eq!(lanescope(&folder.0, &synth).status.code(), Some(0));
        for format in ["chrome", "merged-swimlane"] {
            let to = format!("out/{run}.{format}.json");
            let output = lanescope(&folder.0, &["export", run, "--format", format, "-o", &to]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{text}");
        }
    }
}

#[test]
fn what_a_file_says_is_one_line() {
    let folder = Folder::new();
    let phase = r#"{"start_time_us":1.0,"end_time_us":2.0,"phase":"x\nlanescope: all is exact","loop_iter":1,
        "tasks_processed":1}"#;
    let records = format!(
        r#"{{"version":2,"tasks":[{{"task_id":1,"func_id":0,"core_id":0,"core_type":"aiv","ring_id":0,
        "start_time_us":1.0,"end_time_us":2.0,"duration_us":1.0,"dispatch_time_us":0.0,"finish_time_us":3.0,
        "fanout":[],"fanout_count":0}}],"aicpu_scheduler_phases":[[{phase}]]}}"#
    );
    fs::write(folder.0.join("l2_perf_records.json"), records).expect("writes");
    let words = ["export", ".", "--format", "chrome", "-o", "x.json"];
    let output = lanescope(&folder.0, &words);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(r"x\nlanescope: all"), "{text}");
    assert!(
        !text.lines().any(|line| line.starts_with("lanescope: all")),
        "{text}"
    );
}

#[test]
fn several_files_are_written_all_or_none() {
    let folder = Folder::new();
    let synth = ["synth", "--tasks", "50", "--out", "run"];
    assert_eq!(lanescope(&folder.0, &synth).status.code(), Some(0));
    fs::create_dir_all(folder.0.join("out/edges.csv")).expect("creates");
    let (code, text) = refused(
        &folder.0,
        &["export", "run", "--format", "csv", "-o", "out"],
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("edges.csv is a folder"), "{text}");
    let left = fs::read_dir(folder.0.join("out")).expect("reads");
    assert_eq!(left.count(), 1);
    fs::create_dir(folder.0.join("set")).expect("creates");
    fs::write(folder.0.join("set/pmu"), "").expect("writes");
    let (code, text) = refused(
        &folder.0,
        &["export", "run", "--format", "parquet", "-o", "set"],
    );
    assert_eq!(code, Some(2), "{text}");
    let left = fs::read_dir(folder.0.join("set")).expect("reads");
    assert_eq!(left.count(), 1);
}

#[test]
fn an_export_that_is_killed_leaves_nothing() {
    let folder = Folder::new();
    let unnamed = OFlags::WRONLY | OFlags::TMPFILE;
    if rustix::fs::open(&folder.0, unnamed, Mode::RUSR).is_err() {
        eprintln!("skipped: this file system has no files without a name");
        return;
    }
    let synth = ["synth", "--tasks", "200000", "--out", "run"];
    assert_eq!(lanescope(&folder.0, &synth).status.code(), Some(0));
    let words = ["export", "run", "--format", "chrome", "-o", "trace.json"];
    let mut command = command(&folder.0, &words);
    let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
    // Once it writes to a file that is in the folder and in no list of it, or that is there.
    let open = PathBuf::from(format!("/proc/{}/fd", child.id()));
    let is_output = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        target.starts_with(&folder.0) && !target.starts_with(folder.0.join("run"))
    };
    let writes = || {
        let mut entries = fs::read_dir(&open).into_iter().flatten().flatten();
        entries.any(is_output)
    };
    while !writes() && child.try_wait().expect("it can be asked").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("it is killed, or has ended");
    child.wait().expect("it ends");
    let mut left = folder.entries();
    left.sort_unstable();
    // Whole, where it was faster.
    assert!(left == ["run"] || left == ["run", "trace.json"], "{left:?}");
}
