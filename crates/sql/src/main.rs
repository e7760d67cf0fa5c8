//! The `lanescope-sql` command: SQL over runs, one or thousands.
//!
//! # Where it sits
//!
//! A program of its own, since the query engine in it takes longer to build than everything else here together;
//! `lanescope sql` hands over to it. What is asked are the tables of [`lanescope_export::tables`], with the
//! columns `host`, `device` and `run` behind them: of runs as [`lanescope_trace::Trace`] opens them, of Parquet
//! datasets as `lanescope export --format parquet` writes them, or of both together.
//!
//! Data goes to stdout, everything else to stderr behind `lanescope-sql: `. Exit 0: answered; 2: not.

mod answer;
mod arguments;
mod dataset;
mod run;
mod schema;
mod sources;

use anyhow::{Context, Result, anyhow};
use arguments::Arguments;
use clap::Parser;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionConfig, SessionContext};
use sources::Sources;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Plans are trees that are walked by recursion, and a long query is a deep one.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let answering = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || answer(&arguments));
    let answered = answering
        .context("cannot start a thread")
        .and_then(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(anyhow!("the query engine broke off")))
        });
    match answered {
        Err(error) if !is_broken_pipe(&error) => {
            tell(format_args!("lanescope-sql: {}", one_line(&error)));
            if let Some(hint) = hint_of(&error) {
                tell(format_args!("hint: {hint}"));
            }
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn answer(arguments: &Arguments) -> Result<()> {
    if arguments.tables {
        let mut stdout = io::stdout().lock();
        return Ok(stdout.write_all(schema::listing().as_bytes())?);
    }
    let question = arguments.question()?;
    let sources = Sources::open(&question.sources)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .context("cannot start the query engine")?;
    runtime.block_on(async {
        // Statistics of a table would be read from every file of a dataset before the first answer.
        let config = SessionConfig::new()
            .with_information_schema(true)
            .with_collect_statistics(false);
        let context = SessionContext::new_with_config(config);
        sources.register(&context)?;
        // A question changes nothing: no file is written, no other one is opened.
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let asked = context.sql_with_options(&question.text, options).await;
        let rows = match asked {
            Ok(frame) => frame.execute_stream().await,
            Err(error) => Err(error),
        };
        let rows = rows.map_err(|error| plain(error).context(question.origin()))?;
        answer::print(rows, arguments.format).await
    })
}

/// An error of the query engine without the story of its making.
fn plain(error: DataFusionError) -> anyhow::Error {
    match error.find_root() {
        DataFusionError::IoError(_) | DataFusionError::External(_) => anyhow::Error::from(error),
        root => anyhow!("{}", root.strip_backtrace()),
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if !error.use_stderr() {
        // A reader that has gone away has had enough.
        let _ = io::stdout().write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    tell(format_args!("lanescope-sql: {}", text.trim_end()));
    ExitCode::from(2)
}

fn tell(text: std::fmt::Arguments<'_>) {
    // Nothing is left to tell it to when stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Causes behind one another, in one line.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn hint_of(error: &anyhow::Error) -> Option<String> {
    let text = format!("{error:#}");
    let asks_for_table = text.contains("table '") && text.contains("not found");
    asks_for_table.then(|| {
        format!(
            "the tables are {}; --tables lists their columns",
            schema::names()
        )
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain();
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == ErrorKind::BrokenPipe)
}
