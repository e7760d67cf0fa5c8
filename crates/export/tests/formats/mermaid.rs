//! Mermaid flowcharts.

use super::{odd, plain};
use lanescope_export::{ExportError, mermaid};
use lanescope_trace::{EdgeTable, Functions, Task, Trace, TraceParts};

#[test]
fn a_graph_has_a_node_for_each_task_and_an_arrow_for_each_edge() {
    let mut out = Vec::new();
    mermaid::write(&odd(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "flowchart TD",
            "  t1[\"a _b_, c_(t1)<br/>AIV_1<br/>0.101 µs\"]",
            "  t2[\"a _b_, c_(t2)<br/>AIV_1 AIC_0<br/>0.108 µs\"]",
            "  d4096t0[\"a _b_, c_(d4096t0)<br/>AIC_0\"]",
            "  t1 --> t2",
            "  t1 --> d4096t0",
            "  t9[\"t9<br/>no record\"]",
            "  t2 --> t9",
        ]
    );
}

#[test]
fn a_large_graph_is_refused() {
    let refused = mermaid::write(&plain(501), std::io::sink());
    let Err(ExportError::TooLarge { what, count, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((what, count), ("tasks", 501));
}

#[test]
fn a_name_is_never_markup_and_a_ring_has_its_own_ids() {
    let names = ["`bold**", "$$x^2$$", "%%{init: {}}%%", "plain$1 %2"];
    let task = |func_id| Task {
        task_id: u64::from(func_id) << 32 | 7,
        func_id,
        ..Task::default()
    };
    let trace = Trace::new(TraceParts {
        functions: Functions::from_iter((0..).zip(names)),
        tasks: (0..4).map(task).collect(),
        edges: EdgeTable::named([(7, 1 << 32 | 7)].into_iter()).unwrap(),
        ..TraceParts::default()
    });
    let mut out = Vec::new();
    mermaid::write(&trace, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for markup in ["`", "$$", "%%"] {
        assert!(!text.contains(markup), "{text}");
    }
    assert!(text.contains("  t7[\"_bold**(t7)<br/>"), "{text}");
    assert!(text.contains("  r3t7[\"plain$1 %2(r3t7)<br/>"), "{text}");
    assert!(text.contains("  t7 --> r1t7\n"), "{text}");
}
