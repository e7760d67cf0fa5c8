//! Mermaid flowcharts.

use super::{odd, plain};
use lanescope_export::{ExportError, mermaid};

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
            "  t1[\"a _b_, c_ 1<br/>AIV_1<br/>0.101 µs\"]",
            "  t2[\"a _b_, c_ 2<br/>AIV_1 AIC_0<br/>0.108 µs\"]",
            "  t1152921504606846976[\"a _b_, c_ 1152921504606846976<br/>AIC_0\"]",
            "  t1 --> t2",
            "  t1 --> t1152921504606846976",
            "  t9[\"9<br/>no record\"]",
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
