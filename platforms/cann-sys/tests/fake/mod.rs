//! A fake driver, built by the C++ compiler for one test, that logs what is called.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "part of tests, each of which uses its own part"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder with the driver's three libraries; removed when dropped.
pub struct FakeDriver {
    folder: PathBuf,
}

impl FakeDriver {
    /// Builds it with the given macros defined.
    pub fn build(defines: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!(
            "lanescope-fake-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let fake = Self { folder };
        let sources = workspace().join("platforms/cann-sys");
        for (library, part) in [
            ("libruntime.so", "RUNTIME"),
            ("libascend_hal.so", "HAL"),
            ("libascendcl.so", "ACL"),
        ] {
            let status = Command::new("c++")
                .args(["-std=c++17", "-shared", "-fPIC", "-O0"])
                .arg(format!("-I{}", sources.join("include").display()))
                .arg(format!("-DFOLDER={}", fake.folder.display()))
                .arg(format!("-D{part}"))
                .args(defines.iter().map(|define| format!("-D{define}")))
                .arg(sources.join("tests/fake/driver.cpp"))
                .arg("-o")
                .arg(fake.folder.join(library))
                .status()
                .unwrap();
            assert!(status.success());
        }
        fake
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on `call` returns `code`, after `skip` more calls that succeed.
    pub fn fail(&self, call: &str, skip: u32, code: u32) {
        std::fs::write(self.folder.join("fail"), format!("{call} {skip} {code}\n")).unwrap();
    }

    pub fn stop_failing(&self) {
        let _ = std::fs::remove_file(self.folder.join("fail"));
    }

    /// The calls since the last time this was asked.
    pub fn calls(&self) -> Vec<String> {
        let path = self.folder.join("log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }

    /// The bytes of a shared object that describes itself as a device program.
    pub fn program(&self, descriptor: &[u8]) -> Vec<u8> {
        let bytes: Vec<String> = descriptor.iter().map(ToString::to_string).collect();
        self.object(&format!(
            "__attribute__((section(\".lanescope\"), used)) const unsigned char descriptor[] = {{{}}};",
            bytes.join(",")
        ))
    }

    /// The bytes of a shared object of this source.
    pub fn object(&self, source: &str) -> Vec<u8> {
        let file = self.folder.join("program.cpp");
        let object = self.folder.join("program.so");
        std::fs::write(&file, source).unwrap();
        let status = Command::new("c++")
            .args(["-shared", "-fPIC", "-o"])
            .args([&object, &file])
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read(object).unwrap()
    }
}

impl Drop for FakeDriver {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .unwrap()
        .to_path_buf()
}
