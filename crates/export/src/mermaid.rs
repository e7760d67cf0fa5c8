//! Small graphs as Mermaid flowcharts, for Markdown pages that draw them.
//!
//! A node for each task, with its function, its id as reports show it, its cores and its kernel time; an arrow for
//! each edge. A task of
//! several rows is one node: its time is from the first start to the last end.
//!
//! # Errors
//!
//! [`ExportError::TooLarge`] for more than [`MOST_TASKS`] tasks or [`MOST_EDGES`] edges, which viewers refuse
//! or draw as a smear; [`ExportError::NoTasks`] without any; [`ExportError::Write`].

use crate::ExportError;
use crate::text::{Microseconds, Text};
use lanescope_trace::{Task, Trace, task_label};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "graph.mmd";
/// Most tasks of a graph.
pub const MOST_TASKS: u64 = 500;
/// Most edges of a graph; viewers stop at 500 unless told otherwise.
pub const MOST_EDGES: u64 = 500;

/// Writes the graph; bytes written.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, out: impl Write) -> Result<u64, ExportError> {
    let edges = trace.edges().len() as u64;
    let limits = [
        ("tasks", trace.task_count(), MOST_TASKS),
        ("edges", edges, MOST_EDGES),
    ];
    for (what, count, limit) in limits {
        if count > limit {
            return Err(ExportError::TooLarge {
                format: "mermaid",
                what,
                count,
                limit,
            });
        }
    }
    if trace.task_count() == 0 {
        return Err(ExportError::NoTasks { format: "mermaid" });
    }
    graph(trace, Text::new(out)).map_err(|source| ExportError::Write {
        format: "mermaid",
        source,
    })
}

fn graph<W: Write>(trace: &Trace, mut text: Text<W>) -> io::Result<u64> {
    let mut nodes: BTreeMap<u64, Vec<Task>> = BTreeMap::new();
    for task in trace.tasks() {
        nodes.entry(task.task_id).or_default().push(task);
    }
    let clock = Microseconds::of(trace.session().ticks_per_second);
    text.raw("flowchart TD\n");
    for (&task_id, rows) in &nodes {
        text.raw("  ");
        text.raw(&task_label(task_id));
        text.raw("[\"");
        text.raw(&label(trace, task_id, rows));
        let first = rows.iter().map(|task| task.start_ticks).min();
        let last = rows.iter().map(|task| task.end_ticks).max();
        if let (Some(first @ 1..), Some(last)) = (first, last)
            && last >= first
        {
            text.raw("<br/>");
            text.microseconds(&clock, last - first);
            text.raw(" µs");
        }
        text.raw("\"]\n");
    }
    for (producer, consumer) in trace.edges().iter() {
        for id in [producer, consumer] {
            // A task that has no record is still part of the graph.
            if !nodes.contains_key(&id) {
                let id = task_label(id);
                text.raw(&format!("  {id}[\"{id}<br/>no record\"]\n"));
            }
        }
        let (producer, consumer) = (task_label(producer), task_label(consumer));
        text.raw(&format!("  {producer} --> {consumer}\n"));
    }
    text.finish()
}

/// Function, id and cores; without what Mermaid gives a meaning, be it in the middle of a label: quotes, tags and
/// entities, Markdown, formulas, directives, control characters.
fn label(trace: &Trace, task_id: u64, rows: &[Task]) -> String {
    let function = trace.functions().label(rows[0].func_id);
    let mut label: String = function
        .chars()
        .map(|c| match c {
            '"' | '<' | '>' | '#' | '&' | '`' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    label = label.replace("$$", "__").replace("%%", "__");
    let _ = write!(label, "({})<br/>", task_label(task_id));
    for (place, task) in rows.iter().enumerate() {
        label.push_str(if place == 0 { "" } else { " " });
        label.push_str(&trace.session().core_name(usize::from(task.core)));
    }
    label
}
