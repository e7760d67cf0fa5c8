//! Tables as CSV.

use super::{odd, plain};
use lanescope_export::csv;
use lanescope_export::tables::Table;
use lanescope_trace::Trace;

fn exported(trace: &Trace, table: Table) -> String {
    let mut out = Vec::new();
    let bytes = csv::write(trace, table, &mut out).unwrap();
    assert_eq!(bytes, out.len() as u64);
    String::from_utf8(out).unwrap()
}

#[test]
fn unknown_values_are_empty_and_text_is_quoted() {
    let tasks = exported(&odd(), Table::Tasks);
    let expected = "task_id,func_id,function,core,core_type,thread,token,run_id,dispatch_ticks,\
        receive_ticks,start_ticks,end_ticks,finish_ticks\n\
        2,1,\"a \"\"b\"\", c\n\",0,aic,1,16,7,84195465006194,84195465006214,84195465006234,\
        84195465006335,84195465006437\n\
        1152921504606846976,1,\"a \"\"b\"\", c\n\",0,aic,1,17,7,84195465007187,84195465007207,\
        84195465007227,,\n";
    assert_eq!(tasks[..expected.len()], *expected);
    assert_eq!(exported(&odd(), Table::Verdicts).lines().count(), 1);
    let phases = exported(&odd(), Table::Phases);
    let rows: Vec<_> = phases.lines().skip(1).collect();
    assert_eq!(
        rows,
        [
            "0,orchestrator,orch_alloc,84195465005228,84195465005229,11,,,,2,",
            "1,scheduler,dispatch,84195465005230,84195465005232,3,1,4,5,,1",
        ]
    );
}

#[test]
fn every_task_and_edge_has_its_row() {
    let trace = plain(5000);
    let tasks = exported(&trace, Table::Tasks);
    let mut rows: Vec<Vec<u64>> = tasks
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            [0, 3, 6, 8, 9, 10, 11, 12]
                .map(|place: usize| fields[place].parse().unwrap())
                .to_vec()
        })
        .collect();
    rows.sort_unstable();
    let mut expected: Vec<Vec<u64>> = trace
        .tasks()
        .map(|task| {
            vec![
                task.task_id,
                u64::from(task.core),
                u64::from(task.token),
                task.dispatch_ticks,
                task.receive_ticks,
                task.start_ticks,
                task.end_ticks,
                task.finish_ticks,
            ]
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(rows, expected);
    let edges = exported(&trace, Table::Edges);
    assert_eq!(edges.lines().count(), trace.edges().len() + 1);
}
