//! The protocol's two sides in every interleaving, weak orderings included, by the model checker.
//!
//! Run with `cargo xtask loom`.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "functions of a test")]

#[path = "../support/mod.rs"]
mod support;

mod arena;
mod core;
mod lane;
mod protocol;

/// A thread of a model; device programs need more stack than the checker gives.
fn spawn<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> loom::thread::JoinHandle<T> {
    const STACK_WORDS: usize = 1 << 15;
    let builder = loom::thread::Builder::new().stack_size(STACK_WORDS);
    builder.spawn(body).expect("a model has few threads")
}
