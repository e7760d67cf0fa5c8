//! Parquet and Arrow files, read back by their own crates and compared with the rows of the table.

use super::{odd, plain};
use arrow_array::{Array, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use lanescope_export::columns;
use lanescope_export::dataset::Partition;
use lanescope_export::tables::{Cell, Table};
use lanescope_trace::{EdgeTable, Session, Task, Trace, TraceParts};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::convert::Infallible;
use std::fs::File;
use std::path::Path;

/// Every row as text, unknown values as nothing.
fn expected(trace: &Trace, table: Table) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let Ok(()) = table.rows::<Infallible>(trace, |cells| {
        let cells = cells.iter().map(|cell| match cell {
            Cell::Null => String::new(),
            Cell::Uint(value) => value.to_string(),
            Cell::Text(text) => (*text).to_owned(),
        });
        rows.push(cells.collect());
        Ok(())
    });
    rows
}

fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    let any = column.as_any();
    if let Some(column) = any.downcast_ref::<UInt64Array>() {
        return column.value(row).to_string();
    }
    if let Some(column) = any.downcast_ref::<UInt32Array>() {
        return column.value(row).to_string();
    }
    if let Some(column) = any.downcast_ref::<Int64Array>() {
        return column.value(row).to_string();
    }
    any.downcast_ref::<StringArray>()
        .unwrap()
        .value(row)
        .to_owned()
}

fn rows_of(batches: impl Iterator<Item = RecordBatch>, table: Table) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let columns: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        assert_eq!(names, columns);
        for row in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|column| cell(column, row))
                    .collect(),
            );
        }
    }
    rows
}

fn check(trace: &Trace) {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("lanescope-columns-{}", std::process::id()));
    for table in Table::ALL {
        columns::write_parquet(trace, table, File::create(&path).unwrap()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata().file_metadata().key_value_metadata();
        let mut metadata = metadata.unwrap().iter();
        let version = metadata.find(|entry| entry.key == columns::SCHEMA_VERSION_KEY);
        assert_eq!(version.unwrap().value.as_deref(), Some("1"));
        let batches = reader.build().unwrap().map(Result::unwrap);
        assert_eq!(
            rows_of(batches, table),
            expected(trace, table),
            "{}",
            table.name()
        );
        columns::write_arrow(trace, table, File::create(&path).unwrap()).unwrap();
        let reader =
            arrow_ipc::reader::FileReader::try_new(File::open(&path).unwrap(), None).unwrap();
        assert_eq!(reader.schema().metadata()[columns::SCHEMA_VERSION_KEY], "1");
        let batches = reader.map(Result::unwrap);
        assert_eq!(
            rows_of(batches, table),
            expected(trace, table),
            "{}",
            table.name()
        );
    }
    std::fs::remove_file(path).unwrap();
}

/// One test: both write the same file.
#[test]
fn columns_hold_the_rows_of_the_table() {
    check(&odd());
    check(&plain(20_000));
}

#[test]
fn batches_hold_the_columns_that_were_asked_for() {
    let trace = plain(20_000);
    let [mut rows, mut batches] = [0; 2];
    let taken = columns::batches(&trace, Table::Tasks, Some(&[11, 0]), |batch| {
        let schema = batch.schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["end_ticks", "task_id"]);
        assert!(batch.num_rows() <= columns::ROWS_PER_BATCH);
        rows += batch.num_rows();
        batches += 1;
        Ok::<_, arrow_schema::ArrowError>(())
    });
    taken.unwrap();
    assert_eq!((rows, batches), (20_000, 3));
    let none = columns::batches(&trace, Table::Edges, Some(&[]), |batch| {
        rows += batch.num_rows();
        Ok::<_, arrow_schema::ArrowError>(())
    });
    none.unwrap();
    assert_eq!(rows, 20_000 + trace.edges().len());
}

#[test]
fn a_task_takes_few_bytes() {
    let mut out = Vec::new();
    columns::write_parquet(&plain(100_000), Table::Tasks, &mut out).unwrap();
    assert!(out.len() < 1_000_000, "{} bytes", out.len());
}

#[test]
fn a_full_disk_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (format, written) in [
        (
            "parquet",
            columns::write_parquet(&plain(10), Table::Tasks, Full),
        ),
        (
            "arrow",
            columns::write_arrow(&plain(10), Table::Tasks, Full),
        ),
    ] {
        let error = written.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot write the {format} output")
        );
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    }
}

#[test]
fn a_run_has_one_place_and_another_run_another() {
    let place = |seed, host, run| {
        let synth = lanescope_trace::synth::Synth {
            tasks: 50,
            seed,
            ..Default::default()
        };
        Partition::of(&synth.trace().unwrap(), host, run)
    };
    assert_eq!(place(1, None, None), place(1, None, None));
    assert_ne!(place(1, None, None), place(2, None, None));
    let found = place(1, None, None);
    assert_eq!((found.host.as_str(), found.device), ("unknown", -1));
    let fingerprint = found.run.strip_prefix('r').unwrap();
    assert_eq!(fingerprint.len(), 16);
    let found = place(1, Some("10.0.0.1/x"), Some("a b=../7"));
    assert_eq!(
        found.file(Table::Pmu).to_str().unwrap(),
        "pmu/host=@310.0.0.1@2Fx/device=-1/run=a@20b@3D..@2F7/pmu.parquet"
    );
    // Different names stay different, whatever is in them.
    let names = ["é", "ü", "__", "1", "@31", "h1", "r1", "a/b", "a b", "a_b"];
    let hosts = names.map(|name| place(1, Some(name), None).host);
    let runs = names.map(|name| place(1, None, Some(name)).run);
    for names in [&hosts, &runs] {
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
    }
    assert_eq!((hosts[5].as_str(), runs[6].as_str()), ("h1", "r1"));
}

/// A recorded run, so often one behind the other that it has `tasks` tasks.
fn tiled(trace: &Trace, tasks: u64) -> Trace {
    let (first, last) = trace.task_bounds_ticks().unwrap();
    let (period, count) = (last - first + 100, trace.task_count());
    let mut ids: Vec<u64> = trace.tasks().map(|task| task.task_id).collect();
    ids.sort_unstable();
    let number = |id: u64| ids.binary_search(&id).unwrap() as u64;
    let all = (0..tasks.div_ceil(count)).flat_map(|tile| {
        trace.tasks().map(move |task| {
            let moved = |at: u64| if at == 0 { 0 } else { at + tile * period };
            Task {
                task_id: tile * count + number(task.task_id),
                dispatch_ticks: moved(task.dispatch_ticks),
                receive_ticks: moved(task.receive_ticks),
                start_ticks: moved(task.start_ticks),
                end_ticks: moved(task.end_ticks),
                finish_ticks: moved(task.finish_ticks),
                ..task
            }
        })
    });
    let session = trace.session();
    Trace::new(TraceParts {
        session: Session {
            cores: session.cores.to_vec(),
            ..Session::named(&session.platform, session.ticks_per_second)
        },
        functions: trace.functions().clone(),
        tasks: all.collect(),
        edges: EdgeTable::default(),
        ..TraceParts::default()
    })
}

#[test]
fn ten_bytes_hold_a_task_of_a_run_that_does_the_same_again_and_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recorded = [
        "examples/data/reference_paged_attention.l2_perf_records.json",
        "examples/data/reference_vector.l2_perf_records.json",
        "examples/data/reference_mixed.l2_perf_records.json",
        "crates/trace/tests/data/import/chip_swimlane_records.json",
    ];
    for name in recorded {
        let trace = Trace::open(folder.join(name)).unwrap();
        for tasks in [10_000, 100_000] {
            let tiled = tiled(&trace, tasks);
            let mut bytes = Vec::new();
            columns::write_parquet(&tiled, Table::Tasks, &mut bytes).unwrap();
            let a_task = bytes.len() as f64 / tiled.task_count() as f64;
            println!("{name}, {tasks} tasks: {a_task:.2} bytes a task");
            assert!(a_task <= 10.0, "{name}: {a_task} bytes a task");
        }
    }
}
