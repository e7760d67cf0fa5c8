//! Gathers the rows of a table into batches of columns.

use crate::tables::{Cell, Column, Table, Type};
use arrow_array::builder::{Int64Builder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use std::sync::Arc;

/// Most rows of a batch.
pub const ROWS_PER_BATCH: usize = 1 << 13;

/// Rows of some columns of a table, until there are enough for a batch.
pub(super) struct Batches {
    schema: SchemaRef,
    columns: Vec<(usize, Builder)>,
    rows: usize,
}

impl Batches {
    /// Of the columns at the places `only`, or of all.
    pub(super) fn new(table: Table, only: Option<&[usize]>, schema: SchemaRef) -> Self {
        let columns = table.columns();
        let builder = |place: usize| (place, Builder::of(&columns[place]));
        Self {
            schema,
            columns: match only {
                Some(places) => places.iter().copied().map(builder).collect(),
                None => (0..columns.len()).map(builder).collect(),
            },
            rows: 0,
        }
    }

    /// Adds a row; whether the batch is full.
    #[inline]
    pub(super) fn push(&mut self, cells: &[Cell<'_>]) -> bool {
        for (place, column) in &mut self.columns {
            column.push(&cells[*place]);
        }
        self.rows += 1;
        self.rows == ROWS_PER_BATCH
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows so far; the next begin another batch.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.iter_mut().map(|(_, column)| column.finish());
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays.collect(), &options)
    }
}

/// A column under construction.
enum Builder {
    Uint64(UInt64Builder),
    Uint32(UInt32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn of(column: &Column) -> Self {
        match column.kind {
            Type::Uint64 => Self::Uint64(UInt64Builder::with_capacity(ROWS_PER_BATCH)),
            Type::Uint32 => Self::Uint32(UInt32Builder::with_capacity(ROWS_PER_BATCH)),
            Type::Int64 => Self::Int64(Int64Builder::with_capacity(ROWS_PER_BATCH)),
            Type::Text => Self::Text(StringBuilder::new()),
        }
    }

    /// A value of another type, or one too large for the column, is not known.
    #[inline]
    fn push(&mut self, cell: &Cell<'_>) {
        let uint = match *cell {
            Cell::Uint(value) => Some(value),
            Cell::Null | Cell::Text(_) => None,
        };
        match self {
            Self::Uint64(column) => column.append_option(uint),
            Self::Uint32(column) => {
                column.append_option(uint.and_then(|value| u32::try_from(value).ok()));
            }
            Self::Int64(column) => {
                column.append_option(uint.and_then(|value| i64::try_from(value).ok()));
            }
            Self::Text(column) => column.append_option(match *cell {
                Cell::Text(text) => Some(text),
                Cell::Null | Cell::Uint(_) => None,
            }),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Uint64(column) => Arc::new(column.finish()),
            Self::Uint32(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
        }
    }
}
