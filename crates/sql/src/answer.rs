//! Prints an answer.

use crate::arguments::AnswerFormat;
use crate::plain;
use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::json::writer::{JsonArray, WriterBuilder};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use std::io::{self, BufWriter, Write};

/// Prints every row to stdout. A table for a terminal waits for the last row, the others pass them on.
pub(crate) async fn print(rows: SendableRecordBatchStream, format: AnswerFormat) -> Result<()> {
    let mut stdout = BufWriter::new(io::stdout());
    // Also an answer without rows has columns.
    let empty = RecordBatch::new_empty(rows.schema());
    match format {
        AnswerFormat::Table => {
            let mut batches = vec![empty];
            each(rows, |batch| {
                batches.push(batch);
                Ok(())
            })
            .await?;
            writeln!(stdout, "{}", pretty_format_batches(&batches)?)?;
        }
        AnswerFormat::Csv => {
            let mut text = Vec::new();
            csv::Writer::new(&mut text).write(&empty)?;
            stdout.write_all(&text)?;
            each(rows, |batch| {
                // By way of memory: of a fault of stdout this writer would keep the text alone.
                text.clear();
                let rows = csv::WriterBuilder::new().with_header(false);
                rows.build(&mut text).write(&batch)?;
                Ok(stdout.write_all(&text)?)
            })
            .await?;
        }
        AnswerFormat::Json => {
            let builder = WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, JsonArray>(&mut stdout);
            each(rows, |batch| Ok(writer.write(&batch)?)).await?;
            writer.finish()?;
            writeln!(stdout)?;
        }
    }
    Ok(stdout.flush()?)
}

async fn each(
    mut rows: SendableRecordBatchStream,
    mut take: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    while let Some(batch) = rows.next().await {
        take(batch.map_err(plain)?)?;
    }
    Ok(())
}
