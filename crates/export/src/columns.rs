//! Tables in columns: as Parquet files, as Arrow IPC files, and as Arrow batches for a query engine.
//!
//! # Where it sits
//!
//! One file for each [`Table`]. `docs/parquet.md` describes the schema and where the files of many runs lie.
//!
//! # What makes them small
//!
//! Tasks come core by core, so their times and ids grow by small steps: such columns are stored as differences
//! of as many bits as needed (`DELTA_BINARY_PACKED`); columns of few values go through a dictionary. All of it
//! is compressed with zstd.
//!
//! # Errors
//!
//! [`ExportError::Write`].

mod builder;

use crate::ExportError;
use crate::tables::{SCHEMA_VERSION, SORTED_TASKS, Table, Type};
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use builder::Batches;
use lanescope_trace::Trace;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

pub use builder::ROWS_PER_BATCH;

/// The folder Parquet files have in an output folder.
pub const PARQUET_FOLDER_NAME: &str = "parquet";
/// The folder Arrow files have in an output folder.
pub const ARROW_FOLDER_NAME: &str = "arrow";
/// The key under which every file says [`SCHEMA_VERSION`].
pub const SCHEMA_VERSION_KEY: &str = "lanescope.schema_version";

/// Writes a table as a Parquet file.
///
/// # Errors
///
/// As in the module's text.
pub fn write_parquet(
    trace: &Trace,
    table: Table,
    out: impl Write + Send,
) -> Result<(), ExportError> {
    let write = || {
        let mut writer = ArrowWriter::try_new(out, schema(table), Some(properties(table)))?;
        batches(trace, table, None, |batch| writer.write(&batch))?;
        writer.close()
    };
    write().map(drop).map_err(|error| ExportError::Write {
        format: "parquet",
        source: match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) => *source,
                Err(other) => io::Error::other(other),
            },
            other => io::Error::other(other),
        },
    })
}

/// Writes a table as an Arrow IPC file.
///
/// # Errors
///
/// As in the module's text.
pub fn write_arrow(trace: &Trace, table: Table, out: impl Write) -> Result<(), ExportError> {
    let write = || {
        let mut writer = FileWriter::try_new(out, &schema(table))?;
        batches(trace, table, None, |batch| writer.write(&batch))?;
        writer.finish()
    };
    write().map_err(|error| ExportError::Write {
        format: "arrow",
        source: match error {
            ArrowError::IoError(_, source) => source,
            other => io::Error::other(other),
        },
    })
}

/// Hands the rows of a table to `take`, at most [`ROWS_PER_BATCH`] at once, until it fails; of its columns only
/// those at the places `only`, in that order, or all.
///
/// # Errors
///
/// Those of `take`.
pub fn batches<E: From<ArrowError>>(
    trace: &Trace,
    table: Table,
    only: Option<&[usize]>,
    mut take: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let schema = schema(table);
    let schema = match only {
        Some(places) => Arc::new(schema.project(places)?),
        None => schema,
    };
    let mut batches = Batches::new(table, only, schema);
    table.rows(trace, |cells| match batches.push(cells) {
        true => take(batches.finish()?),
        false => Ok(()),
    })?;
    match batches.is_empty() {
        true => Ok(()),
        false => take(batches.finish()?),
    }
}

/// The columns of a table as Arrow has them; any value may be null.
#[must_use]
pub fn schema(table: Table) -> SchemaRef {
    let fields = table.columns().iter().map(|column| {
        let kind = match column.kind {
            Type::Uint64 => DataType::UInt64,
            Type::Uint32 => DataType::UInt32,
            Type::Int64 => DataType::Int64,
            Type::Text => DataType::Utf8,
        };
        Field::new(column.name, kind, true)
    });
    let version = (SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, HashMap::from([version])))
}

/// Columns of few different values; other numbers are stored as differences.
const OF_FEW_VALUES: [&str; 9] = [
    "func_id",
    "core",
    "thread",
    "run_id",
    "tasks",
    "pop_hits",
    "pop_misses",
    "rounds",
    "value",
];

fn properties(table: Table) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(SORTED_TASKS))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            SCHEMA_VERSION_KEY.to_owned(),
            SCHEMA_VERSION.to_string(),
        )]))
        .set_created_by(concat!("lanescope ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in table.columns() {
        if column.kind == Type::Text || OF_FEW_VALUES.contains(&column.name) {
            continue;
        }
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// Higher ones take longer and gain less than a hundredth.
const ZSTD_LEVEL: i32 = 3;
