//! The tables as they are asked: those of a run, with where it ran behind.

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lanescope_export::columns;
use lanescope_export::dataset::PARTITIONS;
use lanescope_export::tables::Table;
use std::sync::Arc;

/// Types of [`PARTITIONS`].
pub(crate) fn partitions() -> Vec<(String, DataType)> {
    let types = [DataType::Utf8, DataType::Int32, DataType::Utf8];
    let partitions = PARTITIONS.into_iter().zip(types);
    partitions
        .map(|(name, kind)| (name.to_owned(), kind))
        .collect()
}

/// The columns of a table, those of the path last.
pub(crate) fn of(table: Table) -> SchemaRef {
    let own = columns::schema(table);
    let own = own.fields().iter().map(|field| field.as_ref().clone());
    let told = partitions()
        .into_iter()
        .map(|(name, kind)| Field::new(name, kind, false));
    let fields: Vec<Field> = own.chain(told).collect();
    Arc::new(Schema::new(fields))
}

/// The tables' names, for a sentence.
pub(crate) fn names() -> String {
    Table::ALL.map(Table::name).join(", ")
}

/// Every table with its columns and their types, as SQL has them.
pub(crate) fn listing() -> String {
    let mut text = String::new();
    for table in Table::ALL {
        text.push_str(table.name());
        text.push('\n');
        for field in of(table).fields() {
            let kind = match field.data_type() {
                DataType::Utf8 => "VARCHAR",
                DataType::Int32 => "INT",
                DataType::Int64 => "BIGINT",
                DataType::UInt32 => "INT UNSIGNED",
                DataType::UInt64 => "BIGINT UNSIGNED",
                _ => unreachable!("no column has another type"),
            };
            text.push_str(&format!("  {:<20}{kind}\n", field.name()));
        }
    }
    text
}
