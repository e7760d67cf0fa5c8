//! The capture file: write, read, recover; the verdict.
