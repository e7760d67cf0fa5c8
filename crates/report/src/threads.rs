//! Work that several threads share, and what each found in the order of the work.

use std::num::NonZero;
use std::thread::ScopedJoinHandle;

/// How many threads run at one time.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Does `work` on each item in a thread of its own, the last in this one; what was found, in the order of the
/// items.
pub(crate) fn in_threads<I: Send, T: Send>(
    mut items: Vec<I>,
    work: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    let Some(last) = items.pop() else {
        return Vec::new();
    };
    let work = &work;
    std::thread::scope(|scope| {
        let others = items.into_iter();
        let others: Vec<_> = others.map(|item| scope.spawn(move || work(item))).collect();
        let last = work(last);
        let mut found: Vec<T> = others.into_iter().map(joined).collect();
        found.push(last);
        found
    })
}

/// What a thread found; its panic goes on here.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(found) => found,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
