//! Launches: both forms, any number of threads and clusters, any depth, and what is refused.

use lanescope::{
    Capability, Collectors, DeviceAddress, LaneOptions, Launch, LaunchForm, PlatformError,
    RunOptions, RuntimeError, SwimlaneOptions,
};
use lanescope_conformance::{CaseResult, Need, Stand, SuiteCase, vector};
use std::sync::Arc;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "launch::the_classic_form_is_exact",
        &[Need::Programs],
        the_classic_form_is_exact,
    ),
    SuiteCase::new(
        "launch::the_form_by_name_is_exact",
        &[Need::Programs, Need::Has(Capability::LaunchByName)],
        the_form_by_name_is_exact,
    ),
    SuiteCase::new(
        "launch::any_number_of_threads_and_clusters_is_exact",
        &[Need::Programs],
        any_number_of_threads_and_clusters_is_exact,
    ),
    SuiteCase::new(
        "launch::every_issue_depth_is_exact",
        &[Need::Programs],
        every_issue_depth_is_exact,
    )
    .for_every_ring_size(),
    SuiteCase::new(
        "launch::a_shape_that_cannot_be_is_refused_by_name",
        &[Need::Programs],
        a_shape_that_cannot_be_is_refused_by_name,
    ),
    SuiteCase::new(
        "launch::nothing_is_launched_without_programs",
        &[],
        nothing_is_launched_without_programs,
    ),
    SuiteCase::new(
        "launch::other_programs_are_refused_once_some_are_loaded",
        &[Need::Programs],
        other_programs_are_refused_once_some_are_loaded,
    ),
];

fn the_classic_form_is_exact(stand: &Stand) -> CaseResult {
    form_is_exact(stand, LaunchForm::Classic)
}

fn the_form_by_name_is_exact(stand: &Stand) -> CaseResult {
    form_is_exact(stand, LaunchForm::ByName)
}

fn form_is_exact(stand: &Stand, form: LaunchForm) -> CaseResult {
    let mut case = stand.case(vector(600));
    case.launch_form = Some(form);
    let device = case.open(stand.build())?;
    assert_eq!(device.info().launch_form, form);
    drop(device);
    let _ = case.run_exact();
    Ok(())
}

fn any_number_of_threads_and_clusters_is_exact(stand: &Stand) -> CaseResult {
    let most_clusters = stand.info().clusters;
    for threads in 1..=stand.info().aicpu_threads {
        for clusters in [threads, most_clusters] {
            let mut case = stand.case(vector(1000));
            case.run.threads = Some(threads);
            case.run.clusters = Some(clusters);
            let finished = case.run_exact();
            let session = finished.trace.session();
            assert_eq!(session.cores.len(), (clusters * 3) as usize);
            assert_eq!(session.threads, threads);
        }
    }
    Ok(())
}

fn every_issue_depth_is_exact(stand: &Stand) -> CaseResult {
    let ring_size = stand.build().ring_size();
    for issue_depth in (1..=ring_size).filter(|depth| depth.is_power_of_two() || depth % 5 == 0) {
        let mut case = stand.case(vector(1500));
        case.run.issue_depth = Some(issue_depth);
        let finished = case.run_exact();
        assert_eq!(finished.trace.session().issue_depth, Some(issue_depth));
        assert_eq!(finished.trace.session().ring_size, Some(ring_size));
    }
    Ok(())
}

fn a_shape_that_cannot_be_is_refused_by_name(stand: &Stand) -> CaseResult {
    let case = stand.case(vector(100));
    let built = case.graph(stand.build())?;
    let mut session = stand.session()?;
    let info = stand.info();
    let options = RunOptions::default;
    for (expected, options) in [
        (
            "threads",
            RunOptions {
                threads: Some(0),
                ..options()
            },
        ),
        (
            "threads",
            RunOptions {
                threads: Some(info.aicpu_threads + 1),
                ..options()
            },
        ),
        (
            "clusters",
            RunOptions {
                clusters: Some(0),
                ..options()
            },
        ),
        (
            "clusters",
            RunOptions {
                clusters: Some(info.clusters + 1),
                ..options()
            },
        ),
        (
            "issue-depth",
            RunOptions {
                issue_depth: Some(0),
                ..options()
            },
        ),
        (
            "issue-depth",
            RunOptions {
                issue_depth: Some(stand.build().ring_size() + 1),
                ..options()
            },
        ),
        (
            "swimlane",
            RunOptions {
                collectors: Collectors::swimlane(5),
                ..options()
            },
        ),
        (
            "buffers",
            RunOptions {
                collectors: Collectors {
                    swimlane: SwimlaneOptions {
                        level: 1,
                        lanes: LaneOptions {
                            buffers: Some(3),
                            ..LaneOptions::default()
                        },
                    },
                    ..Collectors::default()
                },
                ..options()
            },
        ),
    ] {
        let error = session.run(&built.graph, &options).expect_err(expected);
        let RuntimeError::Option { option, reason } = &error else {
            panic!("{expected}: {error}");
        };
        assert_eq!(*option, expected, "{reason}");
        assert!(!reason.is_empty());
    }
    let finished = case.run_in(&mut session, &built)?;
    assert_eq!(finished.outcome.run_id, 1, "a refused run has no number");
    Ok(())
}

fn nothing_is_launched_without_programs(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let launch = Launch {
        control: DeviceAddress(0),
        clusters: 1,
        threads: 1,
    };
    let aborted = || panic!("nothing was launched");
    for launch in [
        launch,
        Launch {
            clusters: 0,
            ..launch
        },
        Launch {
            clusters: stand.info().clusters + 1,
            ..launch
        },
        Launch {
            threads: 0,
            ..launch
        },
        Launch {
            threads: stand.info().aicpu_threads + 1,
            ..launch
        },
    ] {
        let error = device.launch(&launch, &aborted).expect_err("refused");
        assert!(matches!(error, PlatformError::Config { .. }), "{error}");
    }
    assert!(!device.is_poisoned());
    Ok(())
}

fn other_programs_are_refused_once_some_are_loaded(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let programs = stand.build().programs()?;
    device.load_programs(&programs)?;
    device.load_programs(&programs)?;
    let mut other = programs.clone();
    // Bytes behind an ELF object belong to nothing, so it is as good a program as the first.
    other.aicore = Arc::from([&programs.aicore[..], &[0; 16]].concat());
    let error = device.load_programs(&other).expect_err("others are loaded");
    assert!(matches!(error, PlatformError::Config { .. }), "{error}");
    drop(device);
    stand.open()?.load_programs(&other)?;
    Ok(())
}
