//! The page of a run, read back as a browser would.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not there"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use lanescope_trace::synth::Synth;
use lanescope_trace::{CoreCounts, Counts, EdgeTable, Functions, Kind, SchedulerPhase};
use lanescope_trace::{Session, Task, Trace, TraceParts, Verdict};
use lanescope_view::{ViewError, write};
use serde_json::Value;
use std::io::Read;

struct Page {
    text: String,
    facts: Value,
    bytes: Vec<u8>,
}

impl Page {
    fn of(trace: &Trace) -> Self {
        let mut page = Vec::new();
        let written = write(trace, &mut page).unwrap();
        assert_eq!(written.bytes, page.len() as u64);
        let text = String::from_utf8(page).unwrap();
        let facts = between(&text, "id=\"facts\">", "</script>").unwrap().0;
        let facts = serde_json::from_str(facts).unwrap();
        let mut rest = between(&text, "<div id=\"data\" hidden>", "</div>")
            .unwrap()
            .0;
        let mut stream = Vec::new();
        while let Some((letters, behind)) = between(rest, "<!--", "-->") {
            stream.extend(STANDARD.decode(letters).unwrap());
            rest = behind;
        }
        let mut bytes = Vec::new();
        ZlibDecoder::new(stream.as_slice())
            .read_to_end(&mut bytes)
            .unwrap();
        Self { text, facts, bytes }
    }

    /// The numbers of a column, decoded by the text of `docs/view.md` alone.
    fn column(&self, name: &str) -> Vec<u64> {
        let columns = self.facts["columns"].as_array().unwrap();
        let column = columns
            .iter()
            .find(|column| column["name"] == name)
            .unwrap();
        let number = |field: &str| usize::try_from(column[field].as_u64().unwrap()).unwrap();
        if number("bytes") == 0 {
            return vec![column["value"].as_u64().unwrap(); number("rows")];
        }
        let mut values = vec![0];
        let mut shift = 0;
        for byte in &self.bytes[number("offset")..][..number("bytes")] {
            *values.last_mut().unwrap() |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                values.push(0);
                shift = 0;
            }
        }
        values.pop();
        assert_eq!(values.len(), number("rows"));
        values
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(from)?.1.split_once(to)
}

fn unfold(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[test]
fn every_task_and_edge_is_in_the_page() {
    let trace = Synth {
        tasks: 500,
        edges_per_task: 2,
        ..Synth::default()
    }
    .trace()
    .unwrap();
    let page = Page::of(&trace);
    let origin: u64 = page.facts["origin_ticks"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let tasks: Vec<usize> = page.facts["cores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|core| usize::try_from(core["tasks"].as_u64().unwrap()).unwrap())
        .collect();
    let [starts, ends, receives, dispatches, finishes, ids, functions] = [
        "start", "end", "receive", "dispatch", "finish", "id_low", "func",
    ]
    .map(|name| page.column(name));
    let mut found = Vec::new();
    let mut row = 0;
    for (core, count) in (0_u16..).zip(tasks) {
        let (mut start, mut id) = (0, 0);
        for _ in 0..count {
            start += unfold(starts[row]);
            id += unfold(ids[row]);
            let end = start + unfold(ends[row]);
            let ticks = |place: i64| origin + u64::try_from(place - 1).unwrap();
            let function = usize::try_from(functions[row]).unwrap();
            let func_id = page.facts["functions"][function]["id"].as_u64().unwrap();
            found.push((
                core,
                u64::try_from(id).unwrap(),
                func_id,
                ticks(start - unfold(dispatches[row])),
                ticks(start - unfold(receives[row])),
                ticks(start),
                ticks(end),
                ticks(end + unfold(finishes[row])),
            ));
            row += 1;
        }
    }
    let mut expected: Vec<_> = trace.tasks().collect();
    expected.sort_by_key(|task| (task.core, task.start_ticks));
    let expected: Vec<_> = expected
        .iter()
        .map(|task| {
            (
                task.core,
                task.task_id,
                u64::from(task.func_id),
                task.dispatch_ticks,
                task.receive_ticks,
                task.start_ticks,
                task.end_ticks,
                task.finish_ticks,
            )
        })
        .collect();
    assert_eq!(found, expected);

    let mut successors = page.column("successor").into_iter();
    let mut edges = Vec::new();
    for (row, fanout) in page.column("fanout").into_iter().enumerate() {
        for _ in 0..fanout {
            let step = isize::try_from(unfold(successors.next().unwrap())).unwrap();
            edges.push((found[row].1, found[row.checked_add_signed(step).unwrap()].1));
        }
    }
    assert_eq!(successors.next(), None);
    edges.sort_unstable();
    let mut expected: Vec<_> = trace.edges().iter().collect();
    expected.sort_unstable();
    assert!(!expected.is_empty());
    assert_eq!(edges, expected);
}

fn one_task(ticks: [u64; 2]) -> TraceParts {
    TraceParts {
        session: Session::named("test", 1_000_000_000),
        tasks: vec![Task {
            task_id: u64::MAX,
            start_ticks: ticks[0],
            end_ticks: ticks[1],
            ..Task::default()
        }],
        ..TraceParts::default()
    }
}

#[test]
fn no_text_of_a_run_leaves_its_place() {
    let hostile = "</script><script>alert(1)</script><!--lanescope:data--> & \u{2028} \" '";
    let mut parts = one_task([5, 9]);
    parts.functions = Functions::from_iter([(0, hostile)]);
    parts.session.workload = hostile.to_owned();
    let page = Page::of(&Trace::new(parts));
    assert!(!page.text.contains("<script>alert"));
    assert_eq!(page.facts["functions"][0]["name"], hostile);
    assert_eq!(page.facts["workload"], hostile);
    assert_eq!(page.text.matches("</html>").count(), 1);
}

#[test]
fn the_page_names_no_other_place() {
    let page = Page::of(&Trace::new(one_task([5, 9])));
    // The name of SVG is no address that anything is loaded from.
    let text = page.text.replace("http://www.w3.org/2000/svg", "");
    for address in ["http:", "https:", "//cdn", "@import", "url(", " src="] {
        assert!(!text.contains(address), "{address}");
    }
}

#[test]
fn times_a_browser_cannot_hold_are_refused_before_anything_is_written() {
    let mut page = Vec::new();
    let error = write(&Trace::new(one_task([1, u64::MAX])), &mut page).unwrap_err();
    assert!(matches!(error, ViewError::TimeOutOfRange { .. }), "{error}");
    assert!(page.is_empty());
}

#[test]
fn a_task_of_several_blocks_is_met_at_its_first_row() {
    let task = |task_id, core, start_ticks| Task {
        task_id,
        core,
        start_ticks,
        end_ticks: start_ticks + 5,
        ..Task::default()
    };
    let trace = Trace::new(TraceParts {
        session: Session::named("test", 50_000_000),
        tasks: vec![task(7, 1, 10), task(7, 0, 12), task(9, 1, 30)],
        edges: EdgeTable::named([(7, 9), (9, 11)].into_iter()).unwrap(),
        ..TraceParts::default()
    });
    let page = Page::of(&trace);
    assert_eq!(page.column("lead"), [0, 1, 0]);
    assert_eq!(page.column("fanout"), [1, 0, 0]);
    assert_eq!(page.column("successor"), [4]);
    assert_eq!(
        page.facts["notes"][0],
        "1 edges name a task that has no row"
    );
}

/// Rows of a verdict: kind, thread, core, made, collected.
fn verdict(rows: &[(Kind, u32, Option<u32>, u64, u64)]) -> Verdict {
    let cores = rows.iter().map(|&(kind, thread, core, total, collected)| {
        let counts = Counts {
            total,
            collected,
            ..Counts::default()
        };
        CoreCounts {
            kind,
            thread,
            core,
            dispatched: 0,
            counts,
        }
    });
    Verdict {
        cores: cores.collect(),
        ..Verdict::new(1)
    }
}

#[test]
fn every_record_that_the_verdict_misses_has_a_mark() {
    let mut parts = one_task([5, 9]);
    parts.session.threads = 2;
    let other = Task {
        core: 1,
        ..parts.tasks[0]
    };
    parts.tasks.push(other);
    parts.scheduler_phases = vec![vec![SchedulerPhase {
        start_ticks: 6,
        end_ticks: 8,
        ..SchedulerPhase::default()
    }]];
    parts.verdict = Some(verdict(&[
        (Kind::TASK, 0, Some(0), 4, 1),
        (Kind::PMU, 0, Some(1), 6, 1),
        (Kind::PHASE, 0, None, 8, 1),
        (Kind::PHASE, 1, None, 9, 0),
    ]));
    let page = Page::of(&Trace::new(parts));
    let texts = page.facts["losses"].as_array().unwrap();
    let of_threads = page.facts["thread_losses_from"].as_u64().unwrap();
    let [kinds, tracks, places, counts] =
        ["kind", "track", "at", "count"].map(|name| page.column(&format!("loss_{name}")));
    let marks: Vec<_> = (0..kinds.len())
        .map(|mark| {
            let text = texts[usize::try_from(kinds[mark]).unwrap()].as_str();
            let is_of_thread = kinds[mark] >= of_threads;
            (
                text.unwrap(),
                is_of_thread,
                tracks[mark],
                places[mark],
                counts[mark],
            )
        })
        .collect();
    assert_eq!(
        marks,
        [
            ("phase records lost after this phase", true, 0, 4, 7),
            ("phase records lost, all of this thread", true, 1, 1, 9),
            ("task records lost after this task", false, 0, 5, 3),
            ("records of another kind lost on this core", false, 1, 5, 5),
        ]
    );
    assert_eq!(page.facts["lost_records"], 24);
}

#[test]
fn a_run_without_rows_has_a_page() {
    let page = Page::of(&Trace::default());
    assert_eq!(page.facts["columns"].as_array().unwrap().len(), 29);
    assert!(page.facts["path"].is_null());
    assert!(page.bytes.is_empty());
}

#[test]
fn the_path_is_that_of_the_report() {
    let trace = Synth {
        tasks: 300,
        ..Synth::default()
    }
    .trace()
    .unwrap();
    let page = Page::of(&trace);
    let path = lanescope_report::CriticalPath::of(&trace).unwrap();
    let mut tasks: Vec<_> = trace.tasks().collect();
    tasks.sort_by_key(|task| (task.core, task.start_ticks));
    let mut row = 0;
    let shown = page.column("path_row").into_iter().map(|step| {
        row += unfold(step);
        tasks[usize::try_from(row).unwrap()]
    });
    let steps: Vec<_> = path.steps.iter().map(|step| step.task).collect();
    assert!(steps.len() > 2);
    assert_eq!(shown.collect::<Vec<_>>(), steps);
    let heads: Vec<_> = path.steps.iter().map(|step| step.wait.head_ticks).collect();
    assert_eq!(page.column("path_head"), heads);
    assert_eq!(page.facts["path"]["floor_ticks"], path.floor_ticks);
}
