//! A device that goes on filling its buffers while the host stops, and how much is said of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, Moment, Puppet};
use lanescope_capture::{FindingKind, Outcome};
use lanescope_profiling::LaneSettings;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 8,
    policy: lanescope_abi::capture::Policy::Block,
    block_limit: std::time::Duration::from_secs(20),
    arena_bytes: 0,
};

/// It is alone in its process, so that it can count the lines of the log.
#[test]
fn a_device_that_never_stops_is_not_waited_for() {
    let lines = Lines::count();
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 2, 4, SETTINGS);
        let looks = Arc::new(Mutex::new(0));
        let looks_after_stop = Arc::clone(&looks);
        let run = bed.puppet_run(40, move |puppet: &mut Puppet, moment| {
            if moment != Moment::Stopping {
                return;
            }
            let mut looks = looks_after_stop.lock().unwrap();
            *looks += 1;
            assert!(*looks < 10_000, "the drain does not end");
            // The last record of the run again and again, each time in a buffer of its own.
            let thread = &mut puppet.threads[0];
            if thread.has_room() {
                thread.place(&crate::support::record(1, 0, lanescope_abi::Token::FIRST));
                thread.flush();
            }
        });
        run.assert_sound();
        assert_eq!(run.verdict.outcome, Outcome::Broken);
        let endless = run.verdict.findings.iter().find(|finding| {
            finding.kind == FindingKind::Corruption && finding.text.contains("goes on filling")
        });
        assert!(endless.unwrap().text.contains("thread 0"));
        // Two lanes of four buffers, each tried for five passes, and the looks at the end.
        assert!(*looks.lock().unwrap() <= 2 * 4 * 5 + 3);

        let next = bed.puppet_run(40, |_, _| ());
        assert_eq!(next.verdict.findings, []);
        next.assert_sound();
    }
    assert!(lines.so_far() < 400, "{} lines of log", lines.so_far());
}

/// Counts the lines this process has logged.
struct Lines(u64);

static LOGGED: AtomicU64 = AtomicU64::new(0);

impl Lines {
    fn count() -> Self {
        struct Counter;
        impl log::Log for Counter {
            fn enabled(&self, _: &log::Metadata<'_>) -> bool {
                true
            }

            fn log(&self, _: &log::Record<'_>) {
                LOGGED.fetch_add(1, Ordering::Relaxed);
            }

            fn flush(&self) {}
        }
        let _ = log::set_logger(&Counter);
        log::set_max_level(log::LevelFilter::Trace);
        Self(LOGGED.load(Ordering::Relaxed))
    }

    fn so_far(&self) -> u64 {
        LOGGED.load(Ordering::Relaxed) - self.0
    }
}
