//! Build folders that are not what they say: refused with the file and the reason, whatever is in it.

use crate::fake::FakeBuild;
use lanescope_platform::describe_program;
use lanescope_runtime::{Build, RuntimeError};
use lanescope_stress::{Effort, Tried};
use std::path::Path;

/// What opening a folder with this manifest is refused with.
fn refused(build: &FakeBuild, manifest: &[u8]) -> String {
    let path = build.folder().join("manifest.json");
    std::fs::write(&path, manifest).expect("writes");
    let error = Build::open(build.folder()).expect_err("refused");
    let RuntimeError::Build {
        path: named,
        reason,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*named, path);
    assert!(!reason.is_empty() && reason.len() < 500, "{reason}");
    reason.clone()
}

fn manifest(build: &FakeBuild) -> String {
    std::fs::read_to_string(build.folder().join("manifest.json")).expect("reads")
}

#[test]
fn a_manifest_that_is_none_is_refused_with_its_place() {
    let build = FakeBuild::new(2, 2);
    let honest = manifest(&build);
    let deep = "[".repeat(100_000);
    let nested = honest.replace("\"skipped\":[]", &format!("\"skipped\":{deep}"));
    let twice = honest.replace("{\"add\":", "{\"add\":\"other.so\",\"add\":");
    let cases: [(&[u8], &str); 11] = [
        (b"", "EOF"),
        (b"{", "EOF"),
        (b"null", "invalid type"),
        (b"\xff\xfe{}", "expected value"),
        (nested.as_bytes(), "invalid type"),
        (twice.as_bytes(), "two kernels named add"),
        (
            &edit(&honest, "\"ring_size\":2", "\"ring_size\":3"),
            "expected one of",
        ),
        (
            &edit(&honest, "\"ring_size\":2", "\"ring_size\":1e99"),
            "invalid type",
        ),
        (
            &edit(
                &honest,
                "\"ring_size\":2",
                "\"ring_size\":2,\"ring_size\":4",
            ),
            "duplicate field",
        ),
        (
            &edit(&honest, "\"chip\":\"a2a3\"", "\"chip\":\"a9\""),
            "expected a2a3 or a5",
        ),
        (
            &edit(&honest, "\"platform\":\"a2a3\"", "\"platform\":\"a5sim\""),
            "expected a2a3 or a2a3sim",
        ),
    ];
    for (text, expected) in cases {
        let reason = refused(&build, text);
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    for hash in ["0x", "0x+1", "1", "0x11111111111111111", "0xg"] {
        let start = honest.find("\"abi_hash\":\"").expect("it has one") + 12;
        let mut text = honest.clone();
        text.replace_range(start..start + 18, hash);
        assert!(
            refused(&build, text.as_bytes()).contains("hexadecimal digits"),
            "{hash}"
        );
    }
}

fn edit(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn what_is_too_long_or_no_file_is_not_read() {
    let build = FakeBuild::new(2, 2);
    let mut long = manifest(&build);
    let honest = long.clone();
    long.push_str(&" ".repeat(1 << 20));
    assert!(refused(&build, long.as_bytes()).contains("more than 1048576 bytes"));
    std::fs::write(build.folder().join("manifest.json"), &honest).expect("writes");

    // A sparse file is as long as it says and takes no room.
    let program = std::fs::File::create(build.folder().join("device/aicpu.so")).expect("creates");
    program.set_len((256 << 20) + 1).expect("grows");
    let error = build.build.programs().expect_err("refused").to_string();
    assert!(
        error.contains("aicpu.so") && error.contains("more than 268435456 bytes"),
        "{error}"
    );

    std::fs::create_dir_all(build.folder().join("kernels/add.so")).expect("creates");
    let error = build.build.kernel("add").expect_err("refused").to_string();
    assert!(
        error.contains("add.so") && error.contains("it is no file"),
        "{error}"
    );
    let zero = edit(&honest, "kernels/add.so", "/dev/zero");
    std::fs::write(build.folder().join("manifest.json"), zero).expect("writes");
    let build = Build::open(build.folder()).expect("opens");
    let error = build.kernel("add").expect_err("refused").to_string();
    assert!(error.contains("outside the folder"), "{error}");
}

#[test]
fn a_path_that_leads_out_of_the_folder_is_refused() {
    let build = FakeBuild::new(2, 2);
    let honest = manifest(&build);
    for path in ["../add.so", "/etc/passwd", "kernels/../../add.so", "./../x"] {
        let text = edit(&honest, "kernels/add.so", path);
        std::fs::write(build.folder().join("manifest.json"), text).expect("writes");
        let opened = Build::open(build.folder()).expect("opens");
        let error = opened.kernel("add").expect_err("refused").to_string();
        assert!(
            error.contains(path) && error.contains("outside the folder"),
            "{error}"
        );
    }
}

/// Programs with any bytes changed, cut or added.
#[test]
fn a_program_of_any_bytes_is_described_or_refused() {
    let build = FakeBuild::new(2, 2);
    let program = build.folder().join(Path::new("device/aicpu.so"));
    let honest = std::fs::read(program).expect("reads");
    let ours = describe_program("AICPU program", &honest).expect("it is one");
    let effort = Effort::new("a_program_of_any_bytes_is_described_or_refused", 20_000);
    while let Some(seed) = effort.next_seed() {
        let mut image = honest.clone();
        let mut number = seed;
        let mut below = |end: usize| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((number >> 33) % end as u64).expect("small")
        };
        for _ in 0..=below(4) {
            let at = below(image.len());
            image[at] = match below(3) {
                0 => 0,
                1 => 0xFF,
                _ => u8::try_from(below(256)).expect("a byte"),
            };
        }
        if below(4) == 0 {
            image.truncate(below(image.len()));
        }
        effort.add(Tried::Bytes, image.len() as u64);
        match describe_program("AICPU program", &image) {
            Ok(other) => assert_eq!(other.magic, ours.magic, "seed {seed}"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("AICPU program") && text.len() < 500, "{text}");
            }
        }
    }
}
