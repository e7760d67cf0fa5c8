//! The device's clock: it goes on, at its rate, and the capture pairs it with the host's.

use lanescope::{CAPTURE_FILE_NAME, Capability};
use lanescope_capture::CaptureFile;
use lanescope_conformance::{CaseResult, Need, Stand, SuiteCase, vector};
use rustix::time::{ClockId, clock_gettime};

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "clock::pairs_lie_within_the_run_on_both_clocks",
        &[Need::Programs],
        pairs_lie_within_the_run_on_both_clocks,
    ),
    SuiteCase::new(
        "clock::device_time_goes_on_from_run_to_run",
        &[Need::Programs],
        device_time_goes_on_from_run_to_run,
    ),
];

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::MonotonicRaw);
    let seconds = u64::try_from(now.tv_sec).expect("since start-up");
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).expect("a part of a second")
}

fn pairs_lie_within_the_run_on_both_clocks(stand: &Stand) -> CaseResult {
    let case = stand.case(vector(2000));
    let before_ns = now_ns();
    let finished = case.run_exact();
    let after_ns = now_ns();
    let rate = stand.info().chip.info().ticks_per_second;
    assert_eq!(finished.trace.session().ticks_per_second, rate);
    let file = CaptureFile::open(finished.folder.path().join(CAPTURE_FILE_NAME))?;
    let capture = file.read()?;
    let run = capture.runs()?.pop().expect("one run");
    let pairs: Vec<_> = run.clocks().flatten().collect();
    assert!(!pairs.is_empty());
    for pair in &pairs {
        assert!(
            before_ns <= pair.host_ns && pair.host_ns <= after_ns,
            "{pair:?} outside {before_ns}..{after_ns}"
        );
        assert!(pair.uncertainty_ns <= after_ns - before_ns, "{pair:?}");
    }
    // Virtual time may run ahead of the host's; on a chip both clocks measure the same time, and
    // one pair alone would say that the counter is faster than its rate.
    assert!(pairs.len() == 2 || stand.has(Capability::DriverSettings));
    if let [begin, end] = pairs[..] {
        assert!(begin.host_ns <= end.host_ns && begin.device_ticks < end.device_ticks);
        let ticks = u128::from(end.device_ticks - begin.device_ticks);
        let device_ns = u64::try_from(ticks * 1_000_000_000 / u128::from(rate))?;
        let error_ns = device_ns.abs_diff(end.host_ns - begin.host_ns);
        let allowed_ns = begin.uncertainty_ns + end.uncertainty_ns + 1_000;
        assert!(error_ns <= allowed_ns, "{error_ns} ns off: {pairs:?}");
        for task in finished.trace.tasks() {
            assert!(
                begin.device_ticks <= task.dispatch_ticks && task.finish_ticks <= end.device_ticks,
                "{task:?} outside {begin:?}..{end:?}"
            );
        }
    }
    Ok(())
}

fn device_time_goes_on_from_run_to_run(stand: &Stand) -> CaseResult {
    let case = stand.case(vector(300));
    let built = case.graph(stand.build())?;
    let mut session = stand.session()?;
    let mut last = 0;
    for round in 0..5 {
        let finished = case.run_in(&mut session, &built)?;
        let first = finished.trace.tasks().map(|task| task.dispatch_ticks).min();
        let first = first.expect("there are tasks");
        assert!(first > last, "round {round}: {first} after {last}");
        let end = finished.trace.tasks().map(|task| task.finish_ticks).max();
        last = end.expect("there are tasks");
        assert!(last - first <= finished.outcome.device_ticks);
    }
    Ok(())
}
