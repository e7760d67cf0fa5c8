//! The statistics that the reference's converter prints, from the doubles of its own file.
//!
//! # Where it sits
//!
//! Beside [`crate::Report`], which leaves out what is unknown. Here nothing is: 0.0 stands for an
//! unknown time in these files and is averaged like a real one, for the text must be equal.
//!
//! # What is known of the text
//!
//! Without a device log and its deep dive, every byte. With them, the numbers and how they are made; the
//! words around them are this project's own.

mod deep_dive;
mod device_log;
mod statistics;

use lanescope_trace::reference::{Document, Names};
use statistics::Statistics;
use std::fmt::Write as _;
use std::path::Path;

pub use device_log::{DeviceLog, LogError, LogThread};

const COLUMNS: usize = 110;

/// What the converter prints when it has written its file.
#[must_use]
pub fn conversion_text(input: &Path, output: &Path) -> String {
    let (input, output) = (input.display(), output.display());
    format!(
        "\n✓ Conversion complete\n  Input:  {input}\n  Output: {output}\n\nTo visualize: Open \
         https://ui.perfetto.dev/ and drag in {output}\n\n"
    )
}

/// The statistics it prints then; with a log, its deep dive too.
#[must_use]
pub fn statistics_text(document: &Document, names: &Names, log: Option<&DeviceLog>) -> String {
    if log.is_some() {
        return statistics_with_deep_dive(document, names, log);
    }
    let mut out = functions_text(document, names, None);
    line(
        &mut out,
        "[Info] Scheduler overhead deep-dive skipped (no device log resolved).",
    );
    out
}

/// The statistics and the deep dive, which takes from the records what it can: as the newer converter does.
#[must_use]
pub fn statistics_with_deep_dive(
    document: &Document,
    names: &Names,
    log: Option<&DeviceLog>,
) -> String {
    let mut out = functions_text(document, names, log);
    deep_dive::text(&mut out, document, &Statistics::of(document), log);
    out
}

fn functions_text(document: &Document, names: &Names, log: Option<&DeviceLog>) -> String {
    let statistics = Statistics::of(document);
    let mut out = String::new();
    line(&mut out, "");
    rule(&mut out, '=');
    line(&mut out, "Task Statistics by Function");
    line(
        &mut out,
        "  Exec = kernel time on AICore; Latency = dispatch->finish (incl. head OH + Exec + tail OH)",
    );
    rule(&mut out, '=');
    functions(&mut out, &statistics, names);
    if let Some((first, last)) = statistics.bounds {
        let total = last - first;
        line(&mut out, "");
        line(
            &mut out,
            &format!("Total Test Time: {total:.2} us (from earliest dispatch to latest finish)"),
        );
    }
    per_task(&mut out, &statistics, log);
    rule(&mut out, '=');
    line(&mut out, "");
    out
}

fn functions(out: &mut String, statistics: &Statistics, names: &Names) {
    line(
        out,
        "Func_ID  Func_Name    Count   Avg Exec(us)  Avg Latency(us)   Exec%   Avg Head OH(us)  \
         Avg Tail OH(us)",
    );
    rule(out, '-');
    for (&func_id, function) in &statistics.functions {
        let name = names.function(func_id);
        let _ = writeln!(
            out,
            "{func_id:<8} {name:<12} {:>5} {:>14.2} {:>16.2} {:>6.1}% {:>17.2} {:>16.2}",
            function.count,
            function.mean_exec(),
            function.mean_latency(),
            function.exec_share(),
            function.head.mean(),
            function.tail.mean(),
        );
    }
    rule(out, '-');
    let all = &statistics.all;
    let _ = writeln!(
        out,
        "{:<21} {:>5} {:>14.2} {:>16.2}",
        "TOTAL", all.count, all.exec, all.latency
    );
}

fn per_task(out: &mut String, statistics: &Statistics, log: Option<&DeviceLog>) {
    let all = &statistics.all;
    line(out, "");
    line(out, "--- Task execution vs Scheduler overhead ---");
    if all.count > 0 {
        let _ = writeln!(
            out,
            "  Per-task (all):  Avg Exec = {:.2} us,  Avg Latency (dispatch->finish) = {:.2} us,  \
             Exec/Latency = {:.2}%",
            all.mean_exec(),
            all.mean_latency(),
            all.exec_share(),
        );
    }
    if let Some(log) = log {
        scheduler_cpu(out, statistics, log);
    }
    line(
        out,
        "  (Latency = dispatch→finish; Sched CPU = scheduler thread CPU per task)",
    );
}

/// What the scheduler's threads took for each task, when the log is of this run.
fn scheduler_cpu(out: &mut String, statistics: &Statistics, log: &DeviceLog) {
    let all = &statistics.all;
    let (count, completed) = (statistics::as_double(all.count), log.completed());
    if (statistics::as_double(completed) - count).abs() > 0.5 * count {
        let _ = writeln!(
            out,
            "  Sched CPU: not shown, the device log tells of {completed} tasks, the records of {}",
            all.count
        );
        return;
    }
    let per_task = log.total_us() / count;
    let (exec, cores) = (all.mean_exec(), statistics::as_double(statistics.cores));
    let share = |part: f64| statistics::share(part, per_task);
    let _ = writeln!(
        out,
        "  Sched CPU = {per_task:.2} us,  Exec/Sched = {:.2}%,  PerCore/Sched = {:.2}%",
        share(exec),
        share(exec / cores),
    );
}

fn rule(out: &mut String, of: char) {
    out.extend(std::iter::repeat_n(of, COLUMNS));
    out.push('\n');
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
