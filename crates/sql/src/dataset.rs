//! A dataset that `lanescope export --format parquet` wrote, as tables.

use crate::schema;
use anyhow::Result;
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use lanescope_export::columns;
use lanescope_export::dataset::PARTITIONS;
use lanescope_export::tables::Table;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a folder holds the folder of a table, and that one partitions.
pub(crate) fn is_dataset(folder: &Path) -> bool {
    let is_partition = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.map(|entry| entry.file_name());
        let [host, ..] = PARTITIONS;
        name.is_ok_and(|name| {
            let name = name.to_string_lossy();
            name.strip_prefix(host)
                .is_some_and(|rest| rest.starts_with('='))
        })
    };
    Table::ALL.into_iter().any(|table| {
        let entries = std::fs::read_dir(folder.join(table.name()));
        entries.is_ok_and(|mut entries| entries.any(is_partition))
    })
}

/// The rows of a table in all datasets that have it.
pub(crate) fn table(datasets: &[PathBuf], table: Table) -> Result<Option<Arc<dyn TableProvider>>> {
    let folders = datasets.iter().map(|dataset| dataset.join(table.name()));
    let folders = folders.filter(|folder| folder.is_dir());
    // The slash says that it is a folder.
    let urls = folders.map(|folder| ListingTableUrl::parse(format!("{}/", folder.display())));
    let urls: Vec<_> = urls.collect::<Result<_, _>>()?;
    if urls.is_empty() {
        return Ok(None);
    }
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(schema::partitions());
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(columns::schema(table));
    Ok(Some(Arc::new(ListingTable::try_new(config)?)))
}
