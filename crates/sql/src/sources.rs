//! What is asked: runs and datasets, put together table by table.

use crate::dataset;
use crate::run::{Run, Runs};
use anyhow::{Context, Result};
use datafusion::execution::context::SessionContext;
use lanescope_export::tables::Table;
use lanescope_trace::Trace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything a question is asked of.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    runs: Vec<Arc<Run>>,
    datasets: Vec<PathBuf>,
}

impl Sources {
    pub(crate) fn open(paths: &[&Path]) -> Result<Self> {
        let mut sources = Self::default();
        for path in paths {
            if dataset::is_dataset(path) {
                let path = path.canonicalize();
                sources.datasets.push(path?);
                continue;
            }
            let trace = Trace::open(path)
                .with_context(|| format!("{} is neither a run nor a dataset", path.display()))?;
            sources.runs.push(Arc::new(Run::new(trace)));
        }
        Ok(sources)
    }

    /// Gives the engine every table, rows of runs and of datasets together.
    pub(crate) fn register(self, context: &SessionContext) -> Result<()> {
        for table in Table::ALL {
            let runs = Arc::new(Runs::new(table, self.runs.clone()));
            let Some(files) = dataset::table(&self.datasets, table)? else {
                context.register_table(table.name(), runs)?;
                continue;
            };
            if self.runs.is_empty() {
                context.register_table(table.name(), files)?;
                continue;
            }
            let rows = context
                .read_table(runs)?
                .union(context.read_table(files)?)?;
            context.register_table(table.name(), rows.into_view())?;
        }
        Ok(())
    }
}
