//! `cargo xtask bench --sizes`: every export, import, report, comparison and some questions on made-up runs of growing
//! size.
//!
//! Each cell is one process of the release build of `lanescope`: tasks a second of its processor time, all of its
//! threads together and opening the run included, and the most memory it held as the kernel counts it, pages
//! of mapped files included.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is measured, in the order of the rows: later rows read what earlier ones left.
const STEPS: &[Step] = &[
    step(
        "synth",
        "synth --tasks {tasks} --out {run}",
        Output::Folder("run"),
    ),
    step(
        "export perfetto",
        "export {run} --format perfetto -o -",
        Output::Stdout,
    ),
    step(
        "the same with few arguments, no AICPU tracks",
        "export {run} --format perfetto --few-arguments --no-aicpu-tracks -o -",
        Output::Stdout,
    ),
    step(
        "export chrome",
        "export {run} --format chrome -o -",
        Output::Stdout,
    ),
    step(
        "export csv, tasks",
        "export {run} --format csv --table tasks -o -",
        Output::Stdout,
    ),
    step(
        "export csv, edges",
        "export {run} --format csv --table edges -o -",
        Output::Stdout,
    ),
    step(
        "export parquet",
        "export {run} --format parquet -o {parquet}",
        Output::Folder("parquet"),
    ),
    step(
        "export arrow",
        "export {run} --format arrow -o {arrow}",
        Output::Folder("arrow"),
    ),
    step(
        "export records-json",
        "export {run} --format records-json -o {records}",
        Output::File("records"),
    ),
    step(
        "export merged-swimlane of that file",
        "export {records} --format merged-swimlane -o -",
        Output::Stdout,
    ),
    step(
        "import of that file",
        "import {records} --out {imported}",
        Output::Folder("imported"),
    ),
    step("report", "report {run} -o -", Output::Nothing),
    step(
        "diff of the run with itself",
        "diff {run} {run} -o -",
        Output::Nothing,
    ),
    sql(
        "sql 01, functions",
        "sql {run} --file docs/queries/01-functions.sql",
    ),
    sql(
        "sql 01 on the dataset",
        "sql {parquet} --file docs/queries/01-functions.sql",
    ),
    sql(
        "sql 04, edges",
        "sql {run} --file docs/queries/04-edges.sql",
    ),
    sql(
        "sql 04 on the dataset",
        "sql {parquet} --file docs/queries/04-edges.sql",
    ),
    sql("sql 06, gaps", "sql {run} --file docs/queries/06-gaps.sql"),
    sql(
        "sql 06 on the dataset",
        "sql {parquet} --file docs/queries/06-gaps.sql",
    ),
    step(
        "synth --pmu",
        "synth --tasks {tasks} --pmu --out {counted}",
        Output::Folder("counted"),
    ),
    step(
        "export pmu-csv",
        "export {counted} --format pmu-csv -o -",
        Output::Stdout,
    ),
];

struct Step {
    name: &'static str,
    /// Words of the command line; names in braces are files and folders of the bench, and its size.
    line: &'static str,
    output: Output,
    /// Whether it takes `lanescope-sql`, which is built by itself.
    asks: bool,
}

/// Where the bytes are that a step writes.
enum Output {
    /// None that count.
    Nothing,
    Stdout,
    File(&'static str),
    Folder(&'static str),
}

const fn step(name: &'static str, line: &'static str, output: Output) -> Step {
    Step {
        name,
        line,
        output,
        asks: false,
    }
}

const fn sql(name: &'static str, line: &'static str) -> Step {
    Step {
        asks: true,
        ..step(name, line, Output::Nothing)
    }
}

/// What one process took.
struct Measured {
    wall_seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
    written_bytes: u64,
}

/// Builds the command and measures every step on runs of these sizes.
pub fn run(sizes: &[u64]) -> Result<()> {
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "lanescope-cli",
    ]);
    workspace::check(&mut build)?;
    let products = workspace::products("release", None);
    let program = products.join("lanescope");
    let can_ask = products.join("lanescope-sql").exists();
    if !can_ask {
        eprintln!(
            "xtask: no rows of sql: `cargo build --release -p lanescope-sql` builds what they take"
        );
    }
    let steps: Vec<_> = STEPS.iter().filter(|step| can_ask || !step.asks).collect();
    let folder = workspace::target().join("bench-sizes");
    let mut columns = Vec::new();
    for &tasks in sizes {
        eprintln!("xtask: {} tasks", size_name(tasks));
        remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        columns.push(measure_size(&program, &folder, tasks, &steps)?);
    }
    remove(&folder)?;
    print(sizes, &columns, &steps);
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn measure_size(
    program: &Path,
    folder: &Path,
    tasks: u64,
    steps: &[&Step],
) -> Result<Vec<Measured>> {
    let mut cells = Vec::new();
    for step in steps {
        eprintln!("xtask: {}", step.name);
        let words = step.line.split(' ').map(|word| match word {
            "{tasks}" => tasks.to_string(),
            word if word.starts_with('{') => path_of(folder, word.trim_matches(['{', '}']))
                .display()
                .to_string(),
            word => word.to_owned(),
        });
        let mut command = Command::new(program);
        command.current_dir(workspace::root()).args(words);
        let mut measured = measure(&mut command)
            .with_context(|| format!("{} failed", workspace::line(&command)))?;
        measured.written_bytes = match step.output {
            Output::Nothing => 0,
            Output::Stdout => measured.written_bytes,
            Output::File(name) | Output::Folder(name) => bytes_of(&path_of(folder, name))?,
        };
        cells.push(measured);
    }
    Ok(cells)
}

fn path_of(folder: &Path, name: &str) -> PathBuf {
    match name {
        "records" => folder.join("l2_perf_records.json"),
        name => folder.join(name),
    }
}

/// Runs a command, counts what it prints, and asks the kernel what it took.
fn measure(command: &mut Command) -> Result<Measured> {
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start it")?;
    let mut told = child.stderr.take().context("its stderr is a pipe")?;
    let told = std::thread::spawn(move || {
        let mut text = String::new();
        told.read_to_string(&mut text).map(|_| text)
    });
    let mut stdout = child.stdout.take().context("its stdout is a pipe")?;
    let mut buffer = vec![0; 1 << 20];
    let mut written_bytes = 0;
    loop {
        match stdout.read(&mut buffer)? {
            0 => break,
            count => written_bytes += count as u64,
        }
    }
    let usage = wait(child.id())?;
    let wall_seconds = begin.elapsed().as_secs_f64();
    let told = told.join().ok().context("reading its stderr failed")??;
    ensure!(usage.status == 0, "{told}");
    Ok(Measured {
        wall_seconds,
        cpu_seconds: usage.cpu_seconds,
        peak_bytes: usage.peak_bytes,
        written_bytes,
    })
}

struct Usage {
    status: i32,
    cpu_seconds: f64,
    peak_bytes: u64,
}

/// Waits for a child that nobody else waits for.
fn wait(child: u32) -> Result<Usage> {
    let child = i32::try_from(child).context("a process id fits")?;
    let mut status = 0;
    // SAFETY: the structure is numbers alone, for which 0 is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals that live through the call.
    let waited = unsafe { libc::wait4(child, &mut status, 0, &mut usage) };
    ensure!(
        waited == child,
        "cannot wait for it: {}",
        std::io::Error::last_os_error()
    );
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Usage {
        status,
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_bytes: u64::try_from(usage.ru_maxrss).context("memory is not negative")? << 10,
    })
}

/// The bytes of a file, or of all files of a folder.
fn bytes_of(path: &Path) -> Result<u64> {
    let data = fs::metadata(path).with_context(|| format!("{} is not there", path.display()))?;
    if !data.is_dir() {
        return Ok(data.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += bytes_of(&entry?.path())?;
    }
    Ok(bytes)
}

fn size_name(tasks: u64) -> String {
    match tasks {
        _ if tasks.is_multiple_of(1_000_000) => format!("{} M", tasks / 1_000_000),
        _ if tasks.is_multiple_of(1_000) => format!("{} k", tasks / 1_000),
        _ => tasks.to_string(),
    }
}

fn print(sizes: &[u64], columns: &[Vec<Measured>], steps: &[&Step]) {
    let largest = sizes.last().copied().unwrap_or(0);
    let names: Vec<_> = sizes.iter().map(|&size| size_name(size)).collect();
    println!(
        "| step | {} | {}, from begin to end | B a task |",
        names.join(" | "),
        size_name(largest)
    );
    println!("|---|{}---|---|", "---|".repeat(sizes.len()));
    for (row, step) in steps.iter().enumerate() {
        let cells = sizes.iter().zip(columns).map(|(&tasks, column)| {
            let cell = &column[row];
            format!(
                "{:.2} M/s, {:.0} MB",
                tasks as f64 / cell.cpu_seconds.max(1e-6) / 1e6,
                cell.peak_bytes as f64 / 1e6
            )
        });
        let cells: Vec<_> = cells.collect();
        let last = columns.last().map(|column| &column[row]);
        let seconds = last.map_or(0.0, |cell| cell.wall_seconds);
        let bytes = last.map_or(0.0, |cell| cell.written_bytes as f64 / largest as f64);
        let bytes = match step.output {
            Output::Nothing => "–".to_owned(),
            _ => format!("{bytes:.1}"),
        };
        println!(
            "| {} | {} | {seconds:.2} s | {bytes} |",
            step.name,
            cells.join(" | ")
        );
    }
}
