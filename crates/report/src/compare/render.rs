//! A comparison as text, as Markdown and as a page: one table, three dresses.

use super::{Change, ChangeVerdict, Comparison, Sample};
use crate::metrics::Unit;
use crate::page::{Page, escape};
use crate::text::{add_row, line, plain_table, printable, section};

const HEADER: [&str; 6] = ["metric", "before", "after", "change", "noise", ""];

/// The rows that are shown, and how many are not.
fn rows(comparison: &Comparison, all: bool) -> (Vec<(&Change, [String; 6])>, usize) {
    let is_shown = |change: &&Change| {
        let is_quiet = matches!(change.verdict, ChangeVerdict::Same | ChangeVerdict::Noise);
        all || change.is_general || !is_quiet
    };
    let shown: Vec<_> = comparison.metrics.iter().filter(is_shown).collect();
    let hidden = comparison.metrics.len() - shown.len();
    let rows = shown.into_iter().map(|change| (change, cells(change)));
    (rows.collect(), hidden)
}

fn cells(change: &Change) -> [String; 6] {
    let median = |sample: &Option<Sample>| {
        let sample = sample.as_ref();
        sample.map_or_else(
            || "-".to_owned(),
            |sample| value(sample.median, change.unit),
        )
    };
    [
        change.name.clone(),
        median(&change.before),
        median(&change.after),
        difference(change),
        change.noise.map_or_else(String::new, |noise| {
            format!("\u{b1} {}", value(noise, change.unit))
        }),
        word(change.verdict).to_owned(),
    ]
}

/// The change in parts of the number before, where that has a meaning, else by how much.
fn difference(change: &Change) -> String {
    match (change.change, change.ratio, change.unit) {
        (None, ..) => "-".to_owned(),
        (Some(0.0), ..) => "0".to_owned(),
        (Some(by), _, Unit::Share) => format!("{:+.2} points", by * 100.0),
        (Some(_), Some(ratio), _) => format!("{:+.2} %", ratio * 100.0),
        (Some(by), None, unit) => format!("+{}", value(by, unit)),
    }
}

const fn word(verdict: ChangeVerdict) -> &'static str {
    match verdict {
        ChangeVerdict::Same => "",
        ChangeVerdict::Noise => "noise",
        ChangeVerdict::Better => "better",
        ChangeVerdict::Worse => "worse",
        ChangeVerdict::Changed => "changed",
        ChangeVerdict::Alone => "one side only",
    }
}

/// A number with its unit.
pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ns => format!("{:.3} \u{b5}s", value / 1e3),
        Unit::Count => format!("{value}"),
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::Rate => format!("{value:.3}"),
    }
}

/// `a`, or `median of a, b, c`.
fn side(names: &[String]) -> String {
    match names {
        [name] => name.clone(),
        names => format!("median of {}", names.join(", ")),
    }
}

fn hidden_note(hidden: usize) -> String {
    format!("{hidden} more did not change beyond noise; --all shows them")
}

pub(super) fn text(comparison: &Comparison, all: bool) -> String {
    let mut out = String::new();
    line(&mut out, &format!("before: {}", side(&comparison.before)));
    line(&mut out, &format!("after:  {}", side(&comparison.after)));
    for doubt in &comparison.doubts {
        line(&mut out, &format!("note: {doubt}"));
    }
    let (rows, hidden) = rows(comparison, all);
    let mut table = plain_table(&HEADER);
    for (_, cells) in &rows {
        add_row(&mut table, cells);
    }
    section(&mut out, "What changed", &table);
    if hidden > 0 {
        line(&mut out, "");
        line(&mut out, &hidden_note(hidden));
    }
    if !comparison.budgets.is_empty() {
        line(&mut out, "");
        line(&mut out, "Budgets");
    }
    for budget in &comparison.budgets {
        let mark = if budget.is_exceeded { "EXCEEDED" } else { "ok" };
        let text = format!(
            " {mark:<9} {}: {} is {}",
            budget.budget, budget.metric, budget.text
        );
        line(&mut out, &text);
    }
    out
}

pub(super) fn markdown(comparison: &Comparison, all: bool) -> String {
    let mut out = String::new();
    let over = comparison
        .budgets
        .iter()
        .filter(|budget| budget.is_exceeded);
    let heading = match over.count() {
        0 => "### Run compared".to_owned(),
        1 => "### Run compared: 1 budget exceeded".to_owned(),
        over => format!("### Run compared: {over} budgets exceeded"),
    };
    line(&mut out, &heading);
    line(&mut out, "");
    let sides = (
        cell(&side(&comparison.before)),
        cell(&side(&comparison.after)),
    );
    line(
        &mut out,
        &format!("Before: {}. After: {}.", sides.0, sides.1),
    );
    if !comparison.doubts.is_empty() {
        line(&mut out, "");
    }
    for doubt in &comparison.doubts {
        line(&mut out, &format!("- **Note:** {}", cell(doubt)));
    }
    if !comparison.budgets.is_empty() {
        line(&mut out, "");
        line(&mut out, "| budget | metric | value | |");
        line(&mut out, "|---|---|---|---|");
    }
    for budget in &comparison.budgets {
        let mark = if budget.is_exceeded {
            "**exceeded**"
        } else {
            "ok"
        };
        let (given, metric) = (cell(&budget.budget), cell(&budget.metric));
        line(
            &mut out,
            &format!("| {given} | {metric} | {} | {mark} |", budget.text),
        );
    }
    let (rows, hidden) = rows(comparison, all);
    line(&mut out, "");
    line(&mut out, &format!("| {} |", HEADER.join(" | ")));
    line(&mut out, "|---|--:|--:|--:|--:|---|");
    for (change, cells) in &rows {
        let mut cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        if change.verdict == ChangeVerdict::Worse {
            cells[5] = "**worse**".to_owned();
        }
        line(&mut out, &format!("| {} |", cells.join(" | ")));
    }
    if hidden > 0 {
        line(&mut out, "");
        line(
            &mut out,
            &format!("{hidden} more did not change beyond noise."),
        );
    }
    out
}

/// A text that stays what it is inside a cell: no markup, no link, no formula, nobody called.
fn cell(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(sign) = rest.next() {
        match sign {
            '|' | '`' | '*' | '_' | '\\' | '[' | ']' | '#' | '~' | '$' => out.extend(['\\', sign]),
            ':' if rest.as_str().starts_with("//") => out.push_str("\\:"),
            '.' if out.ends_with("www") => out.push_str("\\."),
            // Whoever has the name behind the sign is told, whatever stands before it.
            '@' => out.push_str("@<!-- -->"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            sign => out.push(sign),
        }
    }
    out
}

pub(super) fn html(comparison: &Comparison, all: bool) -> String {
    let mut page = Page::new("Run compared");
    page.text(&format!("Before: {}", side(&comparison.before)));
    page.text(&format!("After: {}", side(&comparison.after)));
    for doubt in &comparison.doubts {
        page.text(&format!("Note: {doubt}"));
    }
    if !comparison.budgets.is_empty() {
        page.heading("Budgets");
        let rows = comparison.budgets.iter().map(|budget| {
            let mark = if budget.is_exceeded { "exceeded" } else { "ok" };
            let cells = [
                &budget.budget,
                &budget.metric,
                &budget.text,
                &mark.to_owned(),
            ];
            let class = if budget.is_exceeded {
                "worse"
            } else {
                "better"
            };
            (class, cells.map(|text| escape(text)).to_vec())
        });
        page.table(&["budget", "metric", "value", ""], rows);
    }
    page.heading("What changed");
    let (rows, hidden) = rows(comparison, all);
    let rows = rows.iter().map(|(change, cells)| {
        let class = word(change.verdict);
        (class, cells.iter().map(|text| escape(text)).collect())
    });
    page.table(&HEADER, rows);
    if hidden > 0 {
        page.text(&hidden_note(hidden));
    }
    page.end()
}
