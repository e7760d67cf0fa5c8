//! A report as text: plain columns, no colour, no width of a terminal.

mod analysis;
mod collectors;

use crate::doubts;
use crate::report::{Report, Spread, VerdictReport};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::borrow::Cow;

/// More findings than this are in the verdict's own file.
const ITEMS_SHOWN: usize = 10;

pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    heading(&mut out, report);
    functions(&mut out, report);
    cores(&mut out, report);
    analysis::parts(&mut out, report);
    analysis::limits(&mut out, report);
    analysis::path(&mut out, report);
    analysis::outliers(&mut out, report);
    collectors::schedulers(&mut out, &report.schedulers);
    collectors::pmu(&mut out, report.pmu.as_ref());
    collectors::dump(&mut out, report.dump.as_ref());
    let rows = doubts::of_cores(report)
        .into_iter()
        .chain(doubts::of_times(report));
    for (place, told) in rows.enumerate() {
        if place == 0 {
            line(&mut out, "");
        }
        line(&mut out, &told);
    }
    for note in &report.notes {
        line(&mut out, &format!("note: {note}"));
    }
    verdict(&mut out, report.verdict.as_ref());
    out
}

fn heading(out: &mut String, report: &Report) {
    let session = &report.session;
    let workload = match session.workload.is_empty() {
        true => "run",
        false => session.workload.as_str(),
    };
    line(out, &format!("{workload} on {}", session.platform));
    let mut facts = vec![
        match is_off(report) {
            true => "swimlane off".to_owned(),
            false => format!("{} tasks", grouped(session.tasks)),
        },
        format!("{} edges", grouped(session.edges)),
        format!("{} cores", report.cores.len()),
    ];
    if session.aicpu_threads > 0 {
        facts.push(format!("{} AICPU threads", session.aicpu_threads));
    }
    let known = [
        (
            "swimlane level",
            session
                .swimlane_level
                .filter(|&level| level > 0)
                .map(u64::from),
        ),
        ("ring size", session.ring_size.map(u64::from)),
        ("issue depth", session.issue_depth.map(u64::from)),
        ("seed", session.seed),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            facts.push(format!("{name} {value}"));
        }
    }
    line(out, &facts.join(", "));
    for device in &session.devices {
        let (name, cores) = (&device.name, device.cores);
        let unsure = device.uncertainty_ns;
        line(
            out,
            &format!("device {name}: {cores} cores, times ± {unsure} ns"),
        );
    }
    let makespan = match report.makespan_ns {
        Some(ns) => format!("makespan {} µs", microseconds(ns)),
        None if is_off(report) => "makespan unknown: the swimlane was off".to_owned(),
        None => "makespan unknown: no task has a time".to_owned(),
    };
    line(out, &makespan);
}

/// Whether no task was recorded since nobody asked for it.
fn is_off(report: &Report) -> bool {
    report.session.swimlane_level == Some(0)
}

fn functions(out: &mut String, report: &Report) {
    if report.functions.is_empty() {
        return;
    }
    let mut table = plain_table(&[
        "function",
        "tasks",
        "share",
        "run mean",
        "p50",
        "p99",
        "max",
        "head mean",
        "p50",
        "p99",
        "tail mean",
        "p50",
        "p99",
    ]);
    for function in &report.functions {
        let (run, head, tail) = (&function.run, &function.head_wait, &function.tail_wait);
        add_row(
            &mut table,
            &[
                function.name.clone(),
                grouped(function.count),
                per_cent(function.share),
                mean(run),
                known(run.p50_ns),
                known(run.p99_ns),
                known(run.max_ns),
                mean(head),
                known(head.p50_ns),
                known(head.p99_ns),
                mean(tail),
                known(tail.p50_ns),
                known(tail.p99_ns),
            ],
        );
    }
    section(out, "Functions: run, head wait and tail wait in µs", &table);
}

fn cores(out: &mut String, report: &Report) {
    if report.core_types.is_empty() || is_off(report) {
        return;
    }
    let mut table = plain_table(&[
        "cores",
        "count",
        "used",
        "tasks",
        "busy µs",
        "utilisation",
        "least",
        "most",
    ]);
    for cores in &report.core_types {
        add_row(
            &mut table,
            &[
                cores.core_type.to_owned(),
                cores.cores.to_string(),
                cores.used.to_string(),
                grouped(cores.tasks),
                microseconds(cores.busy_ns),
                per_cent(cores.utilisation),
                per_cent(cores.least),
                per_cent(cores.most),
            ],
        );
    }
    section(out, "Cores: kernel time over makespan", &table);
}

fn verdict(out: &mut String, verdict: Option<&VerdictReport>) {
    line(out, "");
    let Some(verdict) = verdict else {
        line(out, "verdict: none, the source has none");
        return;
    };
    line(out, &format!("verdict: {}", doubts::verdict(verdict)));
    list(out, &verdict.findings, "");
    list(out, &verdict.in_flight, "in flight: ");
}

/// The first of a list, one a line, and how many more there are.
fn list(out: &mut String, items: &[String], what: &str) {
    for item in items.iter().take(ITEMS_SHOWN) {
        line(out, &format!("  {what}{item}"));
    }
    let more = items.len().saturating_sub(ITEMS_SHOWN);
    if more > 0 {
        line(out, &format!("  and {more} more"));
    }
}

pub(crate) fn line(out: &mut String, text: &str) {
    out.push_str(&printable(text));
    out.push('\n');
}

/// A text that moves no cursor and changes no colour: what is not printable in it is written out.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign.is_control() {
            true => out.extend(sign.escape_default()),
            false => out.push(sign),
        }
    }
    Cow::Owned(out)
}

pub(crate) fn section(out: &mut String, title: &str, table: &Table) {
    line(out, "");
    line(out, title);
    for row in table.lines() {
        line(out, row.trim_end());
    }
}

/// A table without lines: first column to the left, numbers to the right.
pub(crate) fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let cells = header.iter().enumerate();
    table.set_header(cells.map(|(column, text)| aligned(column, text)));
    table
}

pub(crate) fn add_row(table: &mut Table, cells: &[String]) {
    let cells = cells.iter().enumerate();
    table.add_row(cells.map(|(column, text)| aligned(column, text)));
}

fn aligned(column: usize, text: &str) -> Cell {
    let alignment = match column {
        0 => CellAlignment::Left,
        _ => CellAlignment::Right,
    };
    Cell::new(printable(text)).set_alignment(alignment)
}

fn mean(spread: &Spread) -> String {
    spread
        .mean_ns
        .map_or_else(|| "-".to_owned(), |ns| format!("{:.3}", ns / 1e3))
}

fn known(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), microseconds)
}

/// Microseconds with three digits, from whole nanoseconds.
pub(crate) fn microseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

pub(crate) fn per_cent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// `12345678` as `12,345,678`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
