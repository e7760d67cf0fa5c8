//! The C API, called as C calls it.

use super::*;
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

fn error() -> String {
    // SAFETY: the pointer is this thread's last error, which ends with a zero byte.
    let text = unsafe { CStr::from_ptr(lanescope_last_error()) };
    text.to_str().expect("UTF-8").to_owned()
}

fn graph() -> LanescopeGraph {
    let mut graph = 0;
    // SAFETY: a literal and a local.
    let code = unsafe { lanescope_graph_new(c"test".as_ptr(), &raw mut graph) };
    assert_eq!(code, LANESCOPE_OK);
    assert_ne!(graph, 0);
    graph
}

#[test]
fn a_graph_is_built_and_checked() {
    let graph = graph();
    let (mut function, mut tensor, mut task) = (9, 9, 9);
    let image = [1u8, 2, 3];
    // SAFETY: literals and locals.
    unsafe {
        assert_eq!(
            lanescope_graph_function(
                graph,
                c"f".as_ptr(),
                3,
                image.as_ptr().cast(),
                3,
                &raw mut function
            ),
            LANESCOPE_OK
        );
    }
    // SAFETY: literals and locals.
    let code = unsafe { lanescope_graph_tensor(graph, c"t".as_ptr(), 64, null(), &raw mut tensor) };
    assert_eq!((code, function, tensor), (LANESCOPE_OK, 0, 0));
    let args = [
        LanescopeArg {
            kind: LANESCOPE_TENSOR,
            tensor,
            value: 32,
        },
        LanescopeArg {
            value: 8,
            ..LanescopeArg::default()
        },
    ];
    for expected in 0..2 {
        // SAFETY: locals.
        let code =
            unsafe { lanescope_graph_task(graph, function, 1, args.as_ptr(), 2, 7, &raw mut task) };
        assert_eq!((code, task), (LANESCOPE_OK, expected));
    }
    assert_eq!(lanescope_graph_edge(graph, 0, 1), LANESCOPE_OK);
    assert_eq!(lanescope_graph_check(graph), LANESCOPE_OK, "{}", error());
    assert_eq!(lanescope_graph_edge(graph, 1, 0), LANESCOPE_OK);
    assert_eq!(lanescope_graph_check(graph), LANESCOPE_FAILED);
    assert!(error().contains("the cycle is 0 -> 1 -> 0"), "{}", error());
    assert_eq!(lanescope_graph_free(graph), LANESCOPE_OK);
    assert_eq!(error(), "");
}

#[test]
fn a_closed_or_foreign_handle_is_an_error() {
    let graph = graph();
    assert_eq!(lanescope_graph_free(graph), LANESCOPE_OK);
    assert_eq!(lanescope_graph_free(graph), LANESCOPE_BAD_ARGUMENT);
    assert_eq!(lanescope_graph_edge(graph, 0, 0), LANESCOPE_BAD_ARGUMENT);
    assert_eq!(lanescope_close(graph), LANESCOPE_BAD_ARGUMENT);
    assert!(error().starts_with("session: no session has the handle"));
    let mut value = 0u64;
    // SAFETY: a local of eight bytes.
    let code = unsafe { lanescope_read(0, 0, (&raw mut value).cast(), 8) };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
}

#[test]
fn null_arguments_are_refused_by_name() {
    let mut session = 7;
    // SAFETY: null is allowed, the rest is local.
    let code = unsafe { lanescope_open(null(), 0, c".".as_ptr(), null(), &raw mut session) };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(error(), "platform: null or misaligned");
    // SAFETY: null is allowed.
    let code = unsafe { lanescope_graph_new(c"g".as_ptr(), null_mut()) };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(error(), "graph: null or misaligned");
}

#[test]
fn a_missing_build_and_an_unknown_platform_are_told_apart() {
    let mut session = 7;
    let name = CString::new(crate::platforms()[1].name()).expect("a name");
    let missing = c"/nowhere/at/all";
    // SAFETY: strings and a local.
    let code =
        unsafe { lanescope_open(name.as_ptr(), 0, missing.as_ptr(), null(), &raw mut session) };
    assert_eq!((code, session), (LANESCOPE_FAILED, 0));
    assert!(
        error().contains("/nowhere/at/all/manifest.json"),
        "{}",
        error()
    );
    // SAFETY: the strings are literals that end with zero, and `session` is writable.
    let code = unsafe {
        lanescope_open(
            c"a9".as_ptr(),
            0,
            missing.as_ptr(),
            null(),
            &raw mut session,
        )
    };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
}

#[test]
fn options_of_another_version_are_refused() {
    let mut options = run_options();
    options.struct_bytes = 4;
    // SAFETY: a local, nulls.
    let code = unsafe { lanescope_run(1, 1, &raw const options, null_mut()) };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert!(
        error().starts_with("options: struct_bytes is 4"),
        "{}",
        error()
    );
}

#[test]
fn collector_options_that_cannot_be_are_refused_by_name() {
    let refused = |change: fn(&mut LanescopeRunOptions)| {
        let mut options = run_options();
        change(&mut options);
        // SAFETY: a local whose strings are null or literals, null.
        let code = unsafe { lanescope_run(u64::MAX, u64::MAX, &raw const options, null_mut()) };
        (code, error())
    };
    // What the options say is looked at before the handles.
    let (code, told) = refused(|_| {});
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert!(told.starts_with("graph"), "{told}");
    let (code, told) = refused(|options| options.dump_selection = c"arg=1".as_ptr());
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(told, "dump_selection: without dump, expected dump = 1");
    let (code, told) = refused(|options| options.pmu_lanes.policy = LANESCOPE_TRUNCATE);
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(told, "pmu_lanes: policy 2, expected 0 to 1");
    let (code, told) = refused(|options| options.dump = 2);
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(told, "dump: 2, expected 0 or 1");
    let (code, told) = refused(|options| {
        options.dump = 1;
        options.dump_selection = c"stage=now".as_ptr();
    });
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(told, "dump_selection: stage=now, expected before or after");
}

/// Defaults throughout.
fn run_options() -> LanescopeRunOptions {
    LanescopeRunOptions {
        struct_bytes: u32::try_from(size_of::<LanescopeRunOptions>()).expect("small"),
        level: 0,
        threads: 0,
        clusters: 0,
        issue_depth: 0,
        pmu_event: 0,
        dump: 0,
        dump_piece_bytes: 0,
        swimlane_lanes: LanescopeLaneOptions::default(),
        pmu_lanes: LanescopeLaneOptions::default(),
        dump_lanes: LanescopeLaneOptions::default(),
        dump_arena_bytes: 0,
        memory_budget_bytes: 0,
        dump_selection: null(),
        capture_dir: null(),
        workload: null(),
    }
}

#[test]
fn a_view_that_cannot_be_is_refused_by_name() {
    let mut graph = 0;
    // SAFETY: a literal and a local.
    let code = unsafe { lanescope_graph_new(c"views".as_ptr(), &raw mut graph) };
    assert_eq!(code, LANESCOPE_OK);
    let view = LanescopeTensorView {
        rank: 2,
        shape: [4, 8, 0, 0, 0],
        ..LanescopeTensorView::default()
    };
    let described = |view: &LanescopeTensorView| {
        // SAFETY: a reference.
        let code = unsafe { lanescope_graph_describe(graph, 0, view) };
        (code, error())
    };
    assert_eq!(described(&view).0, LANESCOPE_OK);
    let refused = [
        ("role", LanescopeTensorView { role: 3, ..view }),
        ("dtype", LanescopeTensorView { dtype: 11, ..view }),
        ("dtype", LanescopeTensorView { dtype: 256, ..view }),
        ("rank", LanescopeTensorView { rank: 6, ..view }),
        (
            "arg_index",
            LanescopeTensorView {
                arg_index: 1 << 16,
                ..view
            },
        ),
    ];
    for (name, view) in refused {
        let (code, error) = described(&view);
        assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
        assert!(error.starts_with(name), "{error}");
    }
    // SAFETY: null is refused.
    let code = unsafe { lanescope_graph_describe(graph, 0, null()) };
    assert_eq!(code, LANESCOPE_BAD_ARGUMENT);
    assert_eq!(lanescope_graph_free(graph), LANESCOPE_OK);
}

#[test]
fn settings_are_names_and_values() {
    let list = driver_settings("seed=3, late-host = 50").expect("a list");
    assert_eq!(list.len(), 2);
    assert_eq!(list[1], ("late-host".to_owned(), "50".to_owned()));
    assert!(driver_settings("seed").is_err());
}
