//! Traces of captures, of memory and of several devices.

mod captures;
mod collectors;
mod merge;
