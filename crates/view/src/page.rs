//! The page itself: what a browser runs, and the run beside it.

use crate::base::Base;
use crate::columns::Columns;
use crate::data::write_data;
use crate::facts::{Facts, Parts};
use crate::losses::Losses;
use crate::{ViewError, counters, edges, path, phases, tasks};
use lanescope_trace::Trace;
use std::io::{self, Write};

/// The frame; comments in it name what goes where.
const FRAME: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/style.css");
/// In the order in which they need one another; together they are one module.
const SCRIPTS: [&str; 28] = [
    include_str!("../page/decode.js"),
    include_str!("../page/text.js"),
    include_str!("../page/colour.js"),
    include_str!("../page/lane.js"),
    include_str!("../page/path.js"),
    include_str!("../page/tracks.js"),
    include_str!("../page/model.js"),
    include_str!("../page/viewport.js"),
    include_str!("../page/draw.js"),
    include_str!("../page/overlay.js"),
    include_str!("../page/overview.js"),
    include_str!("../page/statistics.js"),
    include_str!("../page/search.js"),
    include_str!("../page/paints.js"),
    include_str!("../page/things.js"),
    include_str!("../page/elements.js"),
    include_str!("../page/panel.js"),
    include_str!("../page/task-panel.js"),
    include_str!("../page/functions-panel.js"),
    include_str!("../page/path-panel.js"),
    include_str!("../page/stretch-panel.js"),
    include_str!("../page/run-panel.js"),
    include_str!("../page/panels.js"),
    include_str!("../page/finder.js"),
    include_str!("../page/address.js"),
    include_str!("../page/input.js"),
    include_str!("../page/main.js"),
    include_str!("../page/open.js"),
];

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the page.
    pub bytes: u64,
    /// Tasks in it.
    pub tasks: u64,
    /// Edges in it.
    pub edges: u64,
    /// Edges that name a task without a row.
    pub dangling_edges: u64,
    /// Phases without a begin, or with an end before it.
    pub undrawn_phases: u64,
    /// Rows of counters of another event type, or of tasks without a row.
    pub unplaced_counters: u64,
    /// Records that its loss marks speak of.
    pub lost_records: u64,
}

/// Writes the page.
///
/// # Errors
///
/// [`ViewError::TimeOutOfRange`] and [`ViewError::TooMany`] before anything is written;
/// [`ViewError::Write`].
pub fn write(trace: &Trace, out: impl Write) -> Result<Written, ViewError> {
    let base = Base::of(trace)?;
    let mut columns = Columns::default();
    let mut losses = Losses::of(trace.session(), base);
    let rows = tasks::encode(trace, base, &mut columns, &mut losses)?;
    let parts = Parts {
        edges: edges::encode(trace, &rows, &mut columns),
        phases: phases::encode(trace, base, &mut columns),
        counters: counters::encode(trace, &rows, &mut columns),
        lost_records: losses.finish(trace, &mut columns),
        path: path::encode(trace, &rows, &mut columns),
        rows,
    };
    let facts = Facts::of(trace, base, &parts, &columns);
    let mut out = Counted { out, bytes: 0 };
    assemble(&facts, trace, &columns, &mut out).map_err(|source| ViewError::Write { source })?;
    Ok(Written {
        bytes: out.bytes,
        tasks: parts.rows.count().into(),
        edges: parts.edges.edges,
        dangling_edges: parts.edges.dangling,
        undrawn_phases: parts.phases.undrawn,
        unplaced_counters: parts.counters.map_or(0, |counters| counters.unplaced),
        lost_records: parts.lost_records,
    })
}

fn assemble(
    facts: &Facts<'_>,
    trace: &Trace,
    columns: &Columns,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut rest = FRAME;
    while let Some((before, marked)) = rest.split_once("<!--lanescope:") {
        let (name, after) = marked.split_once("-->").expect("a mark in the frame ends");
        out.write_all(before.as_bytes())?;
        match name {
            "title" => out.write_all(escaped(&title(trace)).as_bytes())?,
            "tasks" => out.write_all(grouped(trace.task_count()).as_bytes())?,
            "style" => write!(out, "<style>\n{STYLE}</style>")?,
            "facts" => write_facts(facts, out)?,
            "data" => write_data(columns, out)?,
            "script" => {
                out.write_all(b"<script type=\"module\">\n")?;
                for script in SCRIPTS {
                    out.write_all(script.as_bytes())?;
                }
                out.write_all(b"</script>")?;
            }
            name => unreachable!("the frame has no mark {name}"),
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())?;
    out.flush()
}

/// No text of a run can end the element: JSON has `<` in strings alone, and there it has another form.
fn write_facts(facts: &Facts<'_>, out: &mut impl Write) -> io::Result<()> {
    let json = serde_json::to_string(facts)?.replace('<', "\\u003c");
    write!(
        out,
        "<script type=\"application/json\" id=\"facts\">{json}</script>"
    )
}

fn title(trace: &Trace) -> String {
    let session = trace.session();
    let names = [session.workload.as_str(), session.platform.as_str()];
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    format!("{} – Lanescope", names.join(" · "))
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Counts what goes through.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
