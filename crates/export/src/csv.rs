//! Tables as CSV, for scripts and spreadsheets.
//!
//! # Where it sits
//!
//! One file for each [`Table`]: a line of column names, then a line for each row, `\n` at their ends. An
//! unknown value is an empty field. Text that holds a comma, a quote or a line end is quoted, as RFC 4180
//! has it.
//!
//! # Errors
//!
//! [`ExportError::Write`].

use crate::ExportError;
use crate::tables::{Cell, Table};
use crate::text::Text;
use lanescope_trace::Trace;
use std::io::{self, Write};

/// The folder the files have in an output folder.
pub const FOLDER_NAME: &str = "csv";

/// Writes a table; bytes written.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, table: Table, out: impl Write) -> Result<u64, ExportError> {
    let mut text = Text::new(out);
    for (place, column) in table.columns().iter().enumerate() {
        text.raw(if place == 0 { "" } else { "," });
        text.raw(column.name);
    }
    text.raw("\n");
    let written = table.rows(trace, |cells| row(&mut text, cells));
    written
        .and_then(|()| text.finish())
        .map_err(|source| ExportError::Write {
            format: "csv",
            source,
        })
}

fn row<W: Write>(text: &mut Text<W>, cells: &[Cell<'_>]) -> io::Result<()> {
    for (place, cell) in cells.iter().enumerate() {
        text.raw(if place == 0 { "" } else { "," });
        match cell {
            Cell::Null => {}
            Cell::Uint(value) => text.uint(*value),
            Cell::Text(value) if value.contains(['"', ',', '\n', '\r']) => {
                text.raw("\"");
                text.raw(&value.replace('"', "\"\""));
                text.raw("\"");
            }
            Cell::Text(value) => text.raw(value),
        }
    }
    text.raw("\n");
    text.pass_on()
}
