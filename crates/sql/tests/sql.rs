//! The command as a user meets it: one answer from captures and from a dataset of them, and one line for what is wrong.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_export::columns;
use lanescope_export::dataset::Partition;
use lanescope_export::tables::Table;
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two captures, `a` and `b`, and the dataset `all` of both; removed when dropped.
struct Runs(PathBuf);

impl Runs {
    fn new(name: &str) -> Self {
        let name = format!("lanescope-sql-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        for (run, seed) in [("a", 1), ("b", 2)] {
            let run = folder.0.join(run);
            fs::create_dir_all(&run).unwrap();
            let synth = Synth {
                tasks: 300,
                seed,
                ..Synth::default()
            };
            let capture = run.join("capture.lanescope");
            synth
                .write_capture(File::create(&capture).unwrap())
                .unwrap();
            add(&run, &folder.0.join("all"));
        }
        folder
    }

    /// Exit code, stdout, stderr.
    fn ask(&self, words: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_lanescope-sql"))
            .current_dir(&self.0)
            .args(words)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn answer(&self, words: &[&str]) -> String {
        let (code, data, told) = self.ask(words);
        assert_eq!((code, told.as_str()), (0, ""), "{words:?}");
        data
    }

    /// What is told when it cannot be answered.
    fn refusal(&self, words: &[&str]) -> String {
        let (code, data, told) = self.ask(words);
        assert_eq!((code, data.as_str()), (2, ""), "{words:?}: {told}");
        let first = told.lines().next().unwrap_or_default();
        assert!(first.starts_with("lanescope-sql: "), "{told}");
        let others = told.lines().skip(1);
        assert!(
            others.into_iter().all(|line| line.starts_with("hint: ")),
            "{told}"
        );
        told
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Adds a run to a dataset.
fn add(run: &Path, dataset: &Path) {
    let trace = Trace::open(run).unwrap();
    let partition = Partition::of(&trace, None, None);
    for table in Table::ALL {
        let path = dataset.join(partition.file(table));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        columns::write_parquet(&trace, table, File::create(path).unwrap()).unwrap();
    }
}

#[test]
fn captures_and_their_dataset_give_one_answer() {
    let runs = Runs::new("same");
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/queries");
    let mut count = 0;
    for query in fs::read_dir(queries).unwrap() {
        let query = query.unwrap().path();
        let query = query.to_str().unwrap();
        let asked = ["--file", query, "--format", "csv"];
        let of_captures = runs.answer(&[&["a", "b"], &asked[..]].concat());
        assert!(of_captures.lines().count() >= 1);
        let of_dataset = runs.answer(&[&["all"], &asked[..]].concat());
        assert!(
            is_same(&of_dataset, &of_captures),
            "{query}:\n{of_dataset}{of_captures}"
        );
        count += 1;
    }
    assert_eq!(count, 10);
}

/// Whether two answers in CSV differ at most in how sums of fractions were rounded.
fn is_same(one: &str, other: &str) -> bool {
    let cells =
        |text: &str| -> Vec<String> { text.split([',', '\n']).map(str::to_owned).collect() };
    let (one, other) = (cells(one), cells(other));
    let is_near =
        |(one, other): (&String, &String)| match (one.parse::<f64>(), other.parse::<f64>()) {
            (Ok(one), Ok(other)) => (one - other).abs() <= 1e-9 * one.abs(),
            _ => one == other,
        };
    one.len() == other.len() && one.iter().zip(&other).all(is_near)
}

#[test]
fn sources_of_both_kinds_are_asked_together() {
    let runs = Runs::new("together");
    let count =
        "SELECT COUNT(*) AS n, COUNT(DISTINCT run) AS runs, MIN(device) AS device FROM tasks";
    let csv = ["--format", "csv"];
    let asked = |sources: &[&str]| runs.answer(&[sources, &[count], &csv].concat());
    assert_eq!(asked(&["a"]), "n,runs,device\n300,1,0\n");
    assert_eq!(asked(&["all"]), "n,runs,device\n600,2,0\n");
    assert_eq!(asked(&["all", "a"]), "n,runs,device\n900,2,0\n");
    let one = "SELECT COUNT(*) AS n FROM tasks WHERE run = (SELECT MIN(run) FROM runs)";
    for sources in [&["a", "b"][..], &["all"]] {
        assert_eq!(runs.answer(&[sources, &[one], &csv].concat()), "n\n300\n");
    }
}

#[test]
fn an_answer_has_its_columns_and_says_what_is_not_known() {
    let runs = Runs::new("formats");
    let asked = "SELECT task_id, function, CAST(NULL AS INT) AS nothing FROM tasks \
                 WHERE task_id < 2 ORDER BY task_id";
    assert_eq!(
        runs.answer(&["a", asked, "--format", "csv"]),
        "task_id,function,nothing\n0,QK,\n1,PV,\n"
    );
    assert_eq!(
        runs.answer(&["a", asked, "--format", "json"]),
        "[{\"task_id\":0,\"function\":\"QK\",\"nothing\":null},\
         {\"task_id\":1,\"function\":\"PV\",\"nothing\":null}]\n"
    );
    let table = runs.answer(&["a", asked]);
    assert_eq!(table.lines().count(), 6, "{table}");
    let none = "SELECT task_id FROM tasks WHERE task_id > 1000000";
    assert_eq!(runs.answer(&["a", none, "--format", "csv"]), "task_id\n");
    assert_eq!(runs.answer(&["a", none, "--format", "json"]), "[]\n");
    assert!(runs.answer(&["a", none]).contains("task_id"));
}

#[test]
fn a_reader_that_has_gone_away_is_no_fault() {
    let runs = Runs::new("gone");
    for format in ["csv", "json"] {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_lanescope-sql"))
            .args(["a", "SELECT a.* FROM tasks a, tasks b", "--format", format])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .current_dir(&runs.0)
            .spawn()
            .unwrap();
        drop(asked.stdout.take());
        let output = asked.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    }
}

#[test]
fn the_listing_names_what_every_source_has() {
    let runs = Runs::new("listing");
    let listing = runs.answer(&["--tables"]);
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in listing.lines() {
        match line.strip_prefix("  ") {
            Some(column) => {
                let columns = &mut tables.last_mut().unwrap().1;
                columns.push(column.split_whitespace().next().unwrap());
            }
            None => tables.push((line, Vec::new())),
        }
    }
    assert_eq!(tables.len(), 6);
    for (table, columns) in tables {
        let text = format!("SELECT * FROM {table} LIMIT 0");
        for source in ["a", "all"] {
            let head = runs.answer(&[source, &text, "--format", "csv"]);
            assert_eq!(head.trim_end().split(',').collect::<Vec<_>>(), columns);
        }
    }
}

#[test]
fn what_cannot_be_answered_is_told_in_one_line() {
    let runs = Runs::new("errors");
    let told = runs.refusal(&["a", "SELECT task_id FRM tasks"]);
    assert!(told.contains("Line: 1, Column: "), "{told}");
    let told = runs.refusal(&["a", "SELECT nothing FROM tasks"]);
    assert!(told.contains("nothing"), "{told}");
    let told = runs.refusal(&["a", "SELECT 1 FROM jobs"]);
    assert!(
        told.contains("jobs") && told.contains("hint: the tables are tasks, "),
        "{told}"
    );
    let told = runs.refusal(&["a", "SELECT CAST(function AS INT) FROM tasks"]);
    assert!(told.contains("QK") || told.contains("PV"), "{told}");
    let told = runs.refusal(&["none", "SELECT 1"]);
    assert!(
        told.contains("none is neither a run nor a dataset"),
        "{told}"
    );
    fs::create_dir(runs.0.join("empty")).unwrap();
    assert!(runs.refusal(&["empty", "SELECT 1"]).contains("empty"));
    assert!(runs.refusal(&["SELECT 1"]).contains("nothing to ask"));
    assert!(
        runs.refusal(&["a", "--file", "none.sql"])
            .contains("none.sql")
    );
    fs::write(runs.0.join("bad.sql"), "SELECT").unwrap();
    assert!(
        runs.refusal(&["a", "--file", "bad.sql"])
            .contains("cannot answer bad.sql")
    );
}

#[test]
fn a_broken_file_of_a_dataset_is_named() {
    let runs = Runs::new("broken");
    let trace = Trace::open(runs.0.join("b")).unwrap();
    let file = Partition::of(&trace, None, None).file(Table::Tasks);
    let path = runs.0.join("all").join(&file);
    let bytes = fs::read(&path).unwrap();
    for broken in [&bytes[..bytes.len() / 2], b"PAR1"] {
        fs::write(&path, broken).unwrap();
        let told = runs.refusal(&["all", "SELECT SUM(end_ticks) FROM tasks"]);
        assert!(told.contains(file.to_str().unwrap()), "{told}");
    }
    // What another query does not read does not stop it.
    let edges = runs.answer(&[
        "all",
        "SELECT COUNT(*) > 0 AS some FROM edges",
        "--format",
        "csv",
    ]);
    assert_eq!(edges, "some\ntrue\n");
}

#[test]
fn a_question_changes_nothing() {
    let runs = Runs::new("nothing");
    for text in [
        "COPY (SELECT * FROM tasks) TO 'copy.csv' STORED AS CSV",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'all/tasks'",
        "CREATE TABLE t AS SELECT * FROM tasks",
        "INSERT INTO tasks SELECT * FROM tasks",
        "DROP TABLE tasks",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM 'a/capture.lanescope'",
        "SELECT 1; SELECT 2",
    ] {
        runs.refusal(&["all", text]);
    }
    let mut names: Vec<_> = fs::read_dir(&runs.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "all", "b"]);
}
