//! What the command line takes.

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};

/// Answers SQL questions about runs
#[derive(Debug, Parser)]
#[command(name = "lanescope-sql", version)]
#[command(
    override_usage = "lanescope-sql [OPTIONS] SOURCE… 'SELECT …'\n       \
        lanescope-sql [OPTIONS] SOURCE… --file QUERY.sql",
    after_help = "A SOURCE is the folder of a run, a capture, a file that `lanescope import` takes, or a folder \
        that `lanescope export --format parquet` wrote.\nExit codes: 0 answered; 2 not."
)]
pub(crate) struct Arguments {
    /// What is asked, and behind it the question
    #[arg(value_name = "SOURCE… QUERY")]
    words: Vec<String>,
    /// Read the question from a file; `-` is stdin
    #[arg(short, long, value_name = "QUERY.sql")]
    file: Option<PathBuf>,
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: AnswerFormat,
    /// List the tables and their columns
    #[arg(long)]
    pub(crate) tables: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For a terminal
    Table,
    /// A line of names, then a line for each row
    Csv,
    /// An array with an object for each row
    Json,
}

/// A question and what it is asked of.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) sources: Vec<&'a Path>,
    pub(crate) text: String,
    file: Option<&'a Path>,
}

impl Arguments {
    pub(crate) fn question(&self) -> Result<Question<'_>> {
        let (sources, text) = match (&self.file, self.words.split_last()) {
            (Some(file), _) => (&self.words[..], text_of(file)?),
            (None, Some((text, sources))) => (sources, text.clone()),
            (None, None) => bail!("a source and a question are missing; --help has the usage"),
        };
        if sources.is_empty() {
            bail!("nothing to ask: name the folder of a run or a dataset before the question");
        }
        Ok(Question {
            sources: sources.iter().map(Path::new).collect(),
            text,
            file: self.file.as_deref(),
        })
    }
}

impl Question<'_> {
    /// What an error in the question is told to be in.
    pub(crate) fn origin(&self) -> String {
        match self.file {
            Some(file) => format!("cannot answer {}", file.display()),
            None => "cannot answer".to_owned(),
        }
    }
}

fn text_of(file: &Path) -> Result<String> {
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    text.with_context(|| format!("cannot read {}", file.display()))
}
