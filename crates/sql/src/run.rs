//! The tables of runs, made while they are read: no row waits in memory for a question.

use crate::schema;
use datafusion::arrow::array::{
    ArrayRef, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use lanescope_export::columns;
use lanescope_export::dataset::Partition;
use lanescope_export::tables::Table;
use lanescope_trace::Trace;
use std::sync::Arc;

/// A run and where it ran.
#[derive(Debug)]
pub(crate) struct Run {
    trace: Trace,
    partition: Partition,
}

impl Run {
    pub(crate) fn new(trace: Trace) -> Self {
        let partition = Partition::of(&trace, None, None);
        Self { trace, partition }
    }

    /// The value of a column that no row of the run has, in every row.
    fn told(&self, place: usize, rows: usize) -> ArrayRef {
        let Partition { host, device, run } = &self.partition;
        let text = |value: &str| Arc::new(StringArray::from(vec![value; rows]));
        match place {
            0 => text(host),
            1 => Arc::new(Int32Array::from(vec![*device; rows])),
            _ => text(run),
        }
    }
}

/// One table of some runs.
#[derive(Debug)]
pub(crate) struct Runs {
    table: Table,
    schema: SchemaRef,
    runs: Vec<Arc<Run>>,
}

impl Runs {
    pub(crate) fn new(table: Table, runs: Vec<Arc<Run>>) -> Self {
        let schema = schema::of(table);
        Self {
            table,
            schema,
            runs,
        }
    }
}

#[async_trait::async_trait]
impl TableProvider for Runs {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let places = match projection {
            Some(places) => places.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&places)?);
        let rows = self.runs.iter().map(|run| {
            let rows = Rows {
                run: Arc::clone(run),
                table: self.table,
                places: places.clone(),
                schema: Arc::clone(&schema),
            };
            Arc::new(rows) as Arc<dyn PartitionStream>
        });
        let plan = StreamingTableExec::try_new(
            Arc::clone(&schema),
            rows.collect(),
            None,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(plan))
    }
}

/// Some columns of a table of one run.
#[derive(Debug)]
struct Rows {
    run: Arc<Run>,
    table: Table,
    places: Vec<usize>,
    schema: SchemaRef,
}

/// Batches that may wait to be taken.
const WAITING_BATCHES: usize = 4;

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&schema), WAITING_BATCHES);
        let (run, table, places) = (Arc::clone(&self.run), self.table, self.places.clone());
        let to = stream.tx();
        stream.spawn_blocking(move || {
            let own_count = table.columns().len();
            let own = places.iter().copied().filter(|&place| place < own_count);
            let own: Vec<usize> = own.collect();
            let sent = columns::batches(&run.trace, table, Some(&own), |batch| {
                let mut columns = batch.columns().iter();
                let columns = places
                    .iter()
                    .map(|&place| match place.checked_sub(own_count) {
                        Some(place) => run.told(place, batch.num_rows()),
                        None => {
                            Arc::clone(columns.next().expect("the batch holds what was asked for"))
                        }
                    });
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let columns = columns.collect();
                let batch =
                    RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
                to.blocking_send(Ok(batch)).map_err(|_| Stop::Enough)
            });
            match sent {
                Err(Stop::Failed(error)) => Err(error),
                Err(Stop::Enough) | Ok(()) => Ok(()),
            }
        });
        stream.build()
    }
}

/// Why no further rows are made.
enum Stop {
    /// Nobody takes them.
    Enough,
    Failed(DataFusionError),
}

impl From<ArrowError> for Stop {
    fn from(error: ArrowError) -> Self {
        Self::Failed(error.into())
    }
}
