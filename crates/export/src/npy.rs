//! NumPy `.npy` files, one per tensor, format 1.0.
//!
//! A bfloat16 has no NumPy type: its elements are written as `<u2`, the bits as they are, and
//! `(array.astype(np.uint32) << 16).view(np.float32)` are the numbers. Elements of an unknown type are
//! written as bytes, in one dimension, and so is a tensor of which not all was kept.
//!
//! # Errors
//!
//! [`ExportError::Write`].

use crate::ExportError;
use lanescope_trace::{Dtype, Payload, TensorRow};
use std::io::{self, Write};

/// Writes a tensor and its bytes.
///
/// # Errors
///
/// As in the module's text.
pub fn write(row: &TensorRow, payload: &Payload<'_>, out: impl Write) -> Result<(), ExportError> {
    encode(row, payload, out).map_err(|source| ExportError::Write {
        format: "npy",
        source,
    })
}

fn encode(row: &TensorRow, payload: &Payload<'_>, mut out: impl Write) -> io::Result<()> {
    let (descr, shape) = match row.dtype {
        Some(dtype) if !row.is_truncated => (descr(dtype), shape(row)),
        _ => ("|u1", format!("({},)", payload.len())),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version, length, header and its line end are a multiple of 64 bytes.
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("five dimensions take fewer than 128 bytes");
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for piece in payload.pieces() {
        out.write_all(piece)?;
    }
    out.flush()
}

const fn descr(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Float32 => "<f4",
        Dtype::Float16 => "<f2",
        Dtype::Int32 => "<i4",
        Dtype::Int16 => "<i2",
        Dtype::Int8 => "|i1",
        Dtype::Uint8 => "|u1",
        Dtype::Bfloat16 | Dtype::Uint16 => "<u2",
        Dtype::Int64 => "<i8",
        Dtype::Uint64 => "<u8",
        Dtype::Uint32 => "<u4",
    }
}

fn shape(row: &TensorRow) -> String {
    let mut text = String::from("(");
    for (dimension, extent) in row.shape().iter().enumerate() {
        let separator = if dimension > 0 { " " } else { "" };
        text.push_str(&format!("{separator}{extent},"));
    }
    if row.rank > 1 {
        text.pop();
    }
    text.push(')');
    text
}
