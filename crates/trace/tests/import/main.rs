//! Other tools' files become the runs they tell of, and files that tell nothing are refused with their place.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chip_swimlane;
mod chrome;
mod hostile;
mod hostile_records;
mod records;
mod reference;

use lanescope_trace::{Trace, TraceError, import};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lanescope-import-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Nanoseconds since the source's own base.
fn since_base(trace: &Trace, ticks: u64) -> u64 {
    let session = trace.session();
    (ticks - session.origin_ticks) * (1_000_000_000 / session.ticks_per_second)
}

/// What the reader had to assume or leave out, and how often.
fn notes(trace: &Trace) -> Vec<(u64, &str)> {
    let notes = trace.notes().iter();
    notes.map(|note| (note.count, note.text.as_str())).collect()
}

/// What a file with this text is read as.
fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Trace, TraceError> {
    let folder = Folder::new();
    Trace::open(folder.file(name, text))
}

#[test]
fn formats_are_told_by_content() {
    let folder = Folder::new();
    let cases = [
        ("{\"version\": 1, \"tasks\": []}", import::Format::L2Records),
        ("{\"aicore_tasks\": []}", import::Format::ChipSwimlane),
        ("\n{\"traceEvents\": []}", import::Format::Chrome),
        ("[{\"ph\": \"X\"}]", import::Format::Chrome),
        ("{\"version\": 2, \"edges\": []}", import::Format::Deps),
        (
            "{\"level\": 2, \"orchestrator_name\": null}",
            import::Format::NameMap,
        ),
        (
            "{\"run_dir\": \"x\", \"bin_format\": {}}",
            import::Format::TensorDump,
        ),
        (
            "thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles,x,event_type\n",
            import::Format::PmuCsv,
        ),
    ];
    // Keys tell, wherever they stand among the others, and what stands inside of other members does not.
    let far = "x".repeat(70_000);
    let inner = "{\"edges\": [], \"bin_format\": 1, \"orchestrator_name\": 2, \"traceEvents\": 3}";
    let graph = "{\"task_id\": 1, \"kernel_ids\": [1, 2, 3]}";
    let far_cases = [
        (
            format!("{{\"metadata\": \"{far}\", \"traceEvents\": []}}"),
            import::Format::Chrome,
        ),
        (
            format!("{{\"meta\": {inner}, \"version\": 1, \"tasks\": []}}"),
            import::Format::L2Records,
        ),
        (
            format!(
                "{{\"version\": 2, \"tasks\": [{{\"x\": \"{far}\"}}, {graph}], \"edges\": []}}"
            ),
            import::Format::Deps,
        ),
        (
            format!(
                "{{\"version\": 2, \"tasks\": [{{\"task_id\": 1}}], \"x\": \"{far}\", \"edges\": []}}"
            ),
            import::Format::Deps,
        ),
        (
            "{\"tasks\": [{\"core_id\": 1}], \"edges\": []}".to_owned(),
            import::Format::L2Records,
        ),
        (
            format!("{{\"otherData\": {inner}, \"x\": \"{far}\", \"traceEvents\": []}}"),
            import::Format::Chrome,
        ),
        ("[]".to_owned(), import::Format::Chrome),
        ("{\"version\": 1".to_owned(), import::Format::L2Records),
    ];
    let far_cases = far_cases.iter();
    let far_cases = far_cases.map(|(text, format)| (text.as_str(), *format));
    for (text, format) in cases.into_iter().chain(far_cases) {
        // Whatever it is called.
        let path = folder.file("given.txt", text);
        assert_eq!(import::Format::of(&path).unwrap(), Some(format), "{text}");
    }
    let path = folder.file("given.json", "\u{0}\u{1}");
    assert_eq!(import::Format::of(&path).unwrap(), None);
}

#[test]
fn two_timelines_and_none_are_refused() {
    let folder = Folder::new();
    let records = folder.file("a.json", "{\"version\": 1, \"tasks\": []}");
    let chrome = folder.file("b.json", "[{\"ph\": \"X\", \"ts\": 1, \"dur\": 1}]");
    let names = folder.file("c.json", "{\"callable_id_to_name\": {\"0\": \"QK\"}}");
    let refused = import::read(&[chrome.clone(), records.clone()]).unwrap_err();
    assert!(
        matches!(refused, TraceError::TwoTimelines { .. }),
        "{refused}"
    );
    assert_eq!(
        refused.to_string(),
        format!(
            "{}: Chrome trace JSON, and {} is l2_perf_records.json: only one file of a run can say \
             when its tasks ran",
            chrome.display(),
            records.display()
        )
    );
    assert!(refused.hint().is_some());
    let refused = import::read(std::slice::from_ref(&names)).unwrap_err();
    assert!(
        matches!(refused, TraceError::OnlyCompanions { .. }),
        "{refused}"
    );
    let trace = import::read(&[names, records]).unwrap();
    assert_eq!(trace.functions().name(0), Some("QK"));
}

#[test]
fn a_second_file_of_one_kind_is_refused() {
    let folder = Folder::new();
    let counters = fs::read(data("import/pmu.csv")).unwrap();
    let dump = fs::read(data("import/tensor_dump.json")).unwrap();
    fs::create_dir(folder.0.join("tensor_dump")).unwrap();
    for (first, second, text, format) in [
        ("a.csv", "b.csv", counters, import::Format::PmuCsv),
        (
            "tensor_dump.json",
            "tensor_dump/tensor_dump.json",
            dump,
            import::Format::TensorDump,
        ),
    ] {
        let files = [first, second].map(|name| folder.file(name, &text));
        let refused = import::read(&files).unwrap_err();
        let TraceError::Second {
            path,
            other,
            format: of,
        } = &refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!((path, other, *of), (&files[1], &files[0], format));
        let text = refused.to_string();
        assert!(text.contains(&files[0].display().to_string()), "{text}");
        assert!(text.contains(&format!("a second {format} ")), "{text}");
        assert!(refused.hint().is_some());
    }
    // A folder stands for the files of one run.
    let first = folder.0.join("tensor_dump.json");
    assert_eq!(import::in_folder(&folder.0), [first]);
}

#[test]
fn a_folder_of_traces_alone_is_read() {
    let folder = Folder::new();
    let event = "[{\"ph\": \"X\", \"ts\": 1, \"dur\": 1}]";
    folder.file("other.json", "{\"x\": 1}");
    let own = folder.file("my.json", event);
    assert_eq!(import::in_folder(&folder.0), [own]);
    assert_eq!(Trace::open(&folder.0).unwrap().task_count(), 1);
    // The reference's comes before others, and its records before any trace.
    let merged = folder.file("merged_swimlane.json", event);
    assert_eq!(import::in_folder(&folder.0), [merged]);
    let records = folder.file("l2_perf_records.json", "{\"version\": 1, \"tasks\": []}");
    assert_eq!(import::in_folder(&folder.0), [records]);
    let rows = fs::read(data("import/chip_swimlane_records.json")).unwrap();
    folder.file("chip_swimlane_records.json", rows);
    let refused = Trace::open(&folder.0).unwrap_err();
    assert!(
        matches!(refused, TraceError::TwoTimelines { .. }),
        "{refused}"
    );
}

#[test]
fn rows_of_ticks_come_with_the_graph_beside_them() {
    let folder = Folder::new();
    let rows = fs::read(data("import/chip_swimlane_records.json")).unwrap();
    let rows = folder.file("chip_swimlane_records.json", rows);
    folder.file(
        "deps.json",
        fs::read(data("import/graph/deps.json")).unwrap(),
    );
    let mut capture = Vec::new();
    import::write_capture(std::slice::from_ref(&rows), &folder.0, &mut capture).unwrap();
    let imported = Trace::open(folder.file("kept.lanescope", capture)).unwrap();
    let opened = Trace::open(&rows).unwrap();
    assert!(!opened.edges().is_empty());
    assert!(imported.edges().iter().eq(opened.edges().iter()));
    // Another graph that is given takes its place.
    let other = folder.file("other.json", "{\"version\": 2, \"edges\": []}");
    assert!(import::read(&[rows, other]).unwrap().edges().is_empty());
}

#[test]
fn what_is_no_source_of_an_import_is_called_what_it_is() {
    let folder = Folder::new();
    let source = data("import/pmu.csv");
    let mut capture = Vec::new();
    import::write_capture(&[source], &folder.0, &mut capture).unwrap();
    assert!(matches!(
        import::files_of(&folder.0),
        Err(TraceError::NothingToRead { .. })
    ));
    let capture = folder.file("capture.lanescope", capture);
    assert!(matches!(
        import::files_of(&folder.0),
        Err(TraceError::IsCapture { .. })
    ));
    let refused = import::write_capture(&[capture], &folder.0, Vec::new());
    assert!(matches!(refused, Err(TraceError::IsCapture { .. })));
    let text = folder.file("a.txt", "text");
    let refused = import::write_capture(&[text], &folder.0, Vec::new());
    assert!(matches!(refused, Err(TraceError::UnknownFormat { .. })));
}

#[test]
fn a_mark_at_the_begin_says_nothing() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let trace = read("a.json", marked("{\"version\": 1, \"tasks\": []}")).unwrap();
    assert_eq!(trace.task_count(), 0);
    let text = fs::read_to_string(data("import/pmu.csv")).unwrap();
    assert!(read("a.csv", marked(&text)).is_ok());
    let refused = read("a.json", marked("{\"version\": 3}")).unwrap_err();
    assert!(refused.to_string().contains("line 1, column "), "{refused}");
}

#[test]
fn a_file_that_gzip_packed_is_called_so() {
    let refused = read("a.json.gz", b"\x1f\x8b\x08\x00rest").unwrap_err();
    assert!(refused.to_string().contains("gzip"), "{refused}");
    assert!(refused.hint().is_some());
}

#[test]
fn a_name_map_may_hold_what_names_nothing() {
    let folder = Folder::new();
    let records = folder.file("a.json", "{\"version\": 1, \"tasks\": []}");
    let text = r#"{"orchestrator_name": 7,
        "callable_id_to_name": {"0": "QK", "1": 1.50, "2": null, "03": "x", "+4": "y", "all": {}}}"#;
    let trace = import::read(&[records, folder.file("n.json", text)]).unwrap();
    let names: Vec<_> = trace.functions().iter().collect();
    assert_eq!(names, [(0, "QK"), (1, "1.50")]);
    assert_eq!(trace.notes()[0].count, 3);
    assert_eq!(trace.session().workload, "");
}

#[test]
fn a_capture_of_an_import_is_the_same_run() {
    let folder = Folder::new();
    let source = data("full.l2_perf_records.json");
    let path = folder.0.join("kept.lanescope");
    let out = fs::File::create(&path).unwrap();
    import::write_capture(std::slice::from_ref(&source), &folder.0, out).unwrap();
    let (kept, direct) = (Trace::open(path).unwrap(), Trace::open(source).unwrap());
    assert!(kept.tasks().eq(direct.tasks()));
    assert_eq!(kept.session(), direct.session());
    assert!(kept.verdict().is_none());
    let scratch = fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(scratch, 1, "a scratch file was left");
}
