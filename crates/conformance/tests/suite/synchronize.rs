//! Waiting for a stream: at once when nothing runs, to the limit when something does, then to its end.

use lanescope::{PlatformError, RunOptions, StreamKind};
use lanescope_conformance::{CaseResult, Gate, Need, Stand, SuiteCase};
use std::time::Duration;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "synchronize::a_stream_without_work_is_done",
        &[],
        a_stream_without_work_is_done,
    ),
    SuiteCase::new(
        "synchronize::a_limit_passes_and_the_end_still_comes",
        &[Need::Programs],
        a_limit_passes_and_the_end_still_comes,
    ),
];

const STREAMS: [StreamKind; 2] = [StreamKind::Aicpu, StreamKind::Aicore];
/// Short, so that it passes while the kernel is held; how short decides nothing.
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(40);

fn a_stream_without_work_is_done(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    for stream in STREAMS {
        // Less than the driver can count is no refusal.
        for limit in [Duration::ZERO, Duration::from_nanos(1), SHORT] {
            device.synchronize(stream, limit)?;
        }
    }
    Ok(())
}

fn a_limit_passes_and_the_end_still_comes(stand: &Stand) -> CaseResult {
    let mut session = stand.session()?;
    let device = session.device().clone();
    let gate = Gate::new(stand, &device)?;
    std::thread::scope(|scope| {
        let run = scope.spawn(|| session.run(gate.graph(), &RunOptions::default()));
        gate.wait_until_entered()?;
        for stream in STREAMS {
            match device.synchronize(stream, SHORT) {
                Err(PlatformError::Timeout {
                    stream: named,
                    limit,
                }) => assert_eq!((named, limit), (stream, SHORT)),
                other => panic!("{stream} stream with a kernel that is held: {other:?}"),
            }
        }
        assert!(!device.is_poisoned());
        assert_eq!(gate.answer()?, 0);
        gate.open(41)?;
        for stream in STREAMS {
            device.synchronize(stream, LONG)?;
        }
        run.join().expect("a run does not panic")?;
        assert_eq!(gate.answer()?, 42);
        Ok(())
    })
}
