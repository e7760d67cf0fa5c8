//! What is wrong ends in one error that names it, and leaves the device as it should be left.

use lanescope::{
    Arg, Build, CAPTURE_FILE_NAME, Capability, Collectors, CoreType, Graph, LanescopeError, Limits,
    OpenOptions, Outcome, PlatformError, RunOptions, RuntimeError, Session, SessionOptions,
};
use lanescope_capture::CaptureFile;
use lanescope_conformance::{CaseResult, Folder, Need, Stand, SuiteCase, chain, small, timeline};
use std::sync::Arc;
use std::time::Duration;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "errors::a_missing_driver_names_every_path_that_was_tried",
        &[],
        a_missing_driver_names_every_path_that_was_tried,
    ),
    SuiteCase::new(
        "errors::a_wrong_device_id_names_call_and_code",
        &[],
        a_wrong_device_id_names_call_and_code,
    ),
    SuiteCase::new(
        "errors::a_build_for_another_platform_is_refused_naming_both",
        &[],
        a_build_for_another_platform_is_refused_naming_both,
    ),
    SuiteCase::new(
        "errors::programs_of_another_ring_size_are_refused_naming_both",
        &[Need::Programs],
        programs_of_another_ring_size_are_refused_naming_both,
    ),
    SuiteCase::new(
        "errors::programs_of_another_abi_are_refused_naming_both",
        &[Need::Programs],
        programs_of_another_abi_are_refused_naming_both,
    ),
    SuiteCase::new(
        "errors::bytes_that_are_no_program_are_refused",
        &[Need::Programs],
        bytes_that_are_no_program_are_refused,
    ),
    SuiteCase::new(
        "errors::a_graph_that_cannot_run_harms_no_later_one",
        &[Need::Programs],
        a_graph_that_cannot_run_harms_no_later_one,
    ),
    SuiteCase::new(
        "errors::a_failed_run_is_told_by_the_device_and_captured_as_partial",
        &[Need::Programs],
        a_failed_run_is_told_by_the_device_and_captured_as_partial,
    ),
    SuiteCase::new(
        "errors::a_device_that_failed_is_healed_by_opening_it_again",
        &[Need::Programs, Need::Has(Capability::ForcedReset)],
        a_device_that_failed_is_healed_by_opening_it_again,
    ),
];

fn a_missing_driver_names_every_path_that_was_tried(stand: &Stand) -> CaseResult {
    let empty = Folder::new()?;
    let options = OpenOptions {
        driver_dir: Some(empty.path().to_owned()),
        ..OpenOptions::default()
    };
    let platform = lanescope::platform(stand.platform())?;
    let error = platform
        .open(stand.build(), options)
        .expect_err("no driver there");
    let text = chain(&error);
    let path = empty.path().to_str().expect("a temporary folder is UTF-8");
    assert!(text.contains(path), "{text}");
    assert!(
        text.contains("libascend_hal.so") && text.contains("not found"),
        "{text}"
    );
    Ok(())
}

fn a_wrong_device_id_names_call_and_code(stand: &Stand) -> CaseResult {
    for device in [63, 64, u32::MAX] {
        let options = OpenOptions {
            device,
            ..stand.case(small()).open_options()
        };
        let platform = lanescope::platform(stand.platform())?;
        let error = platform
            .open(stand.build(), options)
            .expect_err("no such device");
        let text = chain(&error);
        assert!(text.contains(&device.to_string()), "{text}");
        assert!(
            device == u32::MAX || text.contains("rtSetDevice") && text.contains("107001"),
            "{text}"
        );
    }
    stand.open()?.allocate(64)?;
    Ok(())
}

fn a_build_for_another_platform_is_refused_naming_both(stand: &Stand) -> CaseResult {
    let other = match stand.platform() {
        "a5" => "a2a3",
        _ => "a5",
    };
    let folder = altered_build(stand, |manifest| {
        manifest["platform"] = other.into();
        manifest["chip"] = other.into();
    })?;
    let build = Build::open(folder.path())?;
    let platform = lanescope::platform(stand.platform())?;
    let error = platform.open(&build, OpenOptions::default());
    let error = error.expect_err("another platform");
    assert!(
        matches!(error, LanescopeError::OtherBuild { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains(stand.platform()) && text.contains(other),
        "{text}"
    );
    // A session compares as well: the device may have been opened with the right build.
    if stand.info().chip.name() != other {
        let error = Session::open(stand.open()?, &build, &SessionOptions::default());
        let text = chain(&error.expect_err("another chip"));
        assert!(text.contains("chip") && text.contains(other), "{text}");
    }
    Ok(())
}

fn programs_of_another_ring_size_are_refused_naming_both(stand: &Stand) -> CaseResult {
    let built = stand.build().ring_size();
    let claimed = if built == 8 { 4 } else { 8 };
    let folder = altered_build(stand, |manifest| manifest["ring_size"] = claimed.into())?;
    let build = Build::open(folder.path())?;
    let error = Session::open(stand.open()?, &build, &SessionOptions::default());
    let text = chain(&error.expect_err("the ring size differs"));
    let names_both = [claimed, built].map(|size| text.contains(&size.to_string()));
    assert!(
        text.contains("ring size") && names_both == [true; 2],
        "{text}"
    );
    Ok(())
}

fn programs_of_another_abi_are_refused_naming_both(stand: &Stand) -> CaseResult {
    let folder = altered_build(stand, |_| ())?;
    let programs = stand.build().programs()?;
    for (file, program) in [("aicpu", &programs.aicpu), ("aicore", &programs.aicore)] {
        let mut bytes = program.to_vec();
        let at = bytes
            .windows(8)
            .position(|window| window == b"LSPROG01")
            .expect("a descriptor");
        bytes[at + 8] ^= 0xFF;
        let path = program_file(&folder, file)?;
        std::fs::write(&path, bytes)?;
        let build = Build::open(folder.path())?;
        let error = Session::open(stand.open()?, &build, &SessionOptions::default());
        let error = error.expect_err("the ABI differs");
        assert!(matches!(error, RuntimeError::Platform { .. }), "{error}");
        let text = chain(&error);
        let host = format!("{:#018x}", lanescope_abi::ABI_HASH);
        assert!(
            text.contains("ABI hash") && text.contains(&host),
            "{file}: {text}"
        );
        std::fs::write(path, &program[..])?;
    }
    Session::open(
        stand.open()?,
        &Build::open(folder.path())?,
        &SessionOptions::default(),
    )?;
    Ok(())
}

fn bytes_that_are_no_program_are_refused(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let good = stand.build().programs()?;
    let cut = |program: &Arc<[u8]>, bytes| Arc::from(&program[..bytes]);
    let mut swapped = good.clone();
    std::mem::swap(&mut swapped.aicpu, &mut swapped.aicore);
    let mut empty = good.clone();
    empty.aicpu = Arc::from([]);
    let mut text = good.clone();
    text.aicore = Arc::from(*b"no ELF object at all");
    let mut half = good.clone();
    half.aicpu = cut(&good.aicpu, good.aicpu.len() / 2);
    let mut head = good.clone();
    head.aicore = cut(&good.aicore, 64);
    for (what, programs) in [
        ("swapped", swapped),
        ("empty", empty),
        ("text", text),
        ("half", half),
        ("head", head),
    ] {
        let error = device.load_programs(&programs).expect_err(what);
        assert!(
            matches!(error, PlatformError::BadProgram { .. }),
            "{what}: {error}"
        );
    }
    assert!(!device.is_poisoned());
    device.load_programs(&good)?;
    Ok(())
}

fn a_graph_that_cannot_run_harms_no_later_one(stand: &Stand) -> CaseResult {
    let case = stand.case(small());
    let built = case.graph(stand.build())?;
    let mut session = stand.session()?;
    let kernel = stand.build().kernel("vector_add")?;

    let mut circle = Graph::new("circle");
    let add = circle.function("add", 0, kernel);
    let one = circle.task(add, CoreType::Aiv, &[Arg::Scalar(0)]);
    let two = circle.task(add, CoreType::Aiv, &[Arg::Scalar(0)]);
    circle.edge(one, two);
    circle.edge(two, one);

    let mut garbage = Graph::new("garbage");
    let none = garbage.function("none", 0, Arc::from(*b"no kernel"));
    garbage.task(none, CoreType::Aiv, &[]);

    let mut huge = Graph::new("huge");
    let add = huge.function("add", 0, stand.build().kernel("vector_add")?);
    let tensor = huge.tensor("tensor", 1 << 50);
    huge.task(add, CoreType::Aiv, &[Arg::Tensor(tensor)]);

    let options = RunOptions::default();
    for (graph, expected) in [
        (&Graph::new("nothing"), "no task"),
        (&circle, "cycle"),
        (&garbage, "kernel"),
        (&huge, "rtMalloc"),
    ] {
        let error = session.run(graph, &options).expect_err(expected);
        let text = chain(&error);
        assert!(text.contains(expected), "{text}");
        let finished = case.run_in(&mut session, &built)?;
        let faults = timeline::faults(&finished);
        assert!(faults.is_empty(), "after {expected}: {faults:?}");
    }
    Ok(())
}

/// No core can answer within this.
const TOO_SHORT: Duration = Duration::from_micros(1);

fn too_short_to_start() -> RunOptions {
    RunOptions {
        collectors: Collectors::swimlane(2),
        limits: Limits {
            handshake: TOO_SHORT,
            ..Limits::default()
        },
        ..RunOptions::default()
    }
}

fn a_failed_run_is_told_by_the_device_and_captured_as_partial(stand: &Stand) -> CaseResult {
    let case = stand.case(small());
    let built = case.graph(stand.build())?;
    let mut session = stand.session()?;
    let folder = Folder::new()?;
    let options = RunOptions {
        capture: Some(folder.path().to_owned()),
        ..too_short_to_start()
    };
    let error = session
        .run(&built.graph, &options)
        .expect_err("too short to start");
    let RuntimeError::Device(failure) = &error else {
        panic!("expected what the device says, got {}", chain(&error));
    };
    assert_eq!(failure.limit, Some(TOO_SHORT), "{failure:?}");
    let text = error.to_string();
    let says = ["core ", "handshake", "1µs", "507018"];
    assert!(says.iter().all(|word| text.contains(word)), "{text}");
    let file = CaptureFile::open(folder.path().join(CAPTURE_FILE_NAME))?;
    let capture = file.read()?;
    let run = capture.runs()?.pop().expect("one run");
    let verdict = run.verdict().expect("written on the way out");
    assert_eq!(verdict.outcome, Outcome::Partial);
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.text.contains("handshake")),
        "{:?}",
        verdict.findings
    );
    Ok(())
}

fn a_device_that_failed_is_healed_by_opening_it_again(stand: &Stand) -> CaseResult {
    let case = stand.case(small());
    let built = case.graph(stand.build())?;
    for round in 0..2 {
        let mut session = stand.session()?;
        let device = session.device().clone();
        session
            .run(&built.graph, &too_short_to_start())
            .expect_err("too short to start");
        assert!(device.is_poisoned(), "round {round}");
        let error = device.allocate(64).expect_err("unusable");
        assert!(
            matches!(error, PlatformError::DevicePoisoned { .. }),
            "{error}"
        );
        let error = session.run(&built.graph, &RunOptions::default());
        let text = chain(&error.expect_err("unusable"));
        assert!(
            text.contains("unusable") && text.contains("507"),
            "names the first failure: {text}"
        );
        let error = stand.open().expect_err("still held");
        assert!(chain(&error).contains("unusable"), "{}", chain(&error));
        drop(session);
        drop(device);
        let _ = case.run_exact();
    }
    Ok(())
}

/// The file of a device program in a copied build.
fn program_file(folder: &Folder, program: &str) -> Result<std::path::PathBuf, std::io::Error> {
    for entry in std::fs::read_dir(folder.path().join("device"))? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|stem| stem == program) {
            return Ok(path);
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}

/// A copy of the build folder whose manifest was changed.
fn altered_build(
    stand: &Stand,
    change: impl FnOnce(&mut serde_json::Value),
) -> Result<Folder, Box<dyn std::error::Error>> {
    let from = stand.build().dir();
    let copy = Folder::new()?;
    for part in ["device", "kernels"] {
        std::fs::create_dir(copy.path().join(part))?;
        for entry in std::fs::read_dir(from.join(part))? {
            let entry = entry?;
            let to = copy.path().join(part).join(entry.file_name());
            std::fs::copy(entry.path(), to)?;
        }
    }
    let text = std::fs::read_to_string(from.join("manifest.json"))?;
    let mut manifest = serde_json::from_str(&text)?;
    change(&mut manifest);
    std::fs::write(copy.path().join("manifest.json"), manifest.to_string())?;
    Ok(copy)
}
