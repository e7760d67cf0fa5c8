//! A fake driver, built by the C++ compiler for one test, that logs what is called.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "part of tests, each of which uses its own part"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder with the driver's three libraries; removed when dropped.
pub struct FakeDriver {
    folder: PathBuf,
}

impl FakeDriver {
    /// A driver of its own, built with the given macros defined.
    pub fn build(defines: &[&str]) -> Self {
        let fake = Self {
            folder: new_folder("fake"),
        };
        let built = compiled(defines);
        for library in LIBRARIES {
            std::fs::copy(built.join(library.0), fake.folder.join(library.0)).unwrap();
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

    /// Makes the next call of `call` wait; returns what lets it go on, at the latest when dropped.
    pub fn hold(&self, call: &str) -> Hold {
        // Written aside, so that no call reads half of it.
        let order = self.folder.join("hold.new");
        std::fs::write(&order, call).unwrap();
        std::fs::rename(order, self.folder.join("hold")).unwrap();
        Hold {
            folder: self.folder.clone(),
        }
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

/// A call that waits, or will.
pub struct Hold {
    folder: PathBuf,
}

impl Hold {
    /// Waits until the call is there.
    pub fn wait_until_held(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.folder.join("held").exists() {
            assert!(Instant::now() < deadline, "the call never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for order in ["hold", "held"] {
            let _ = std::fs::remove_file(self.folder.join(order));
        }
    }
}

impl Drop for FakeDriver {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const LIBRARIES: [(&str, &str); 3] = [
    ("libruntime.so", "RUNTIME"),
    ("libascend_hal.so", "HAL"),
    ("libascendcl.so", "ACL"),
];

/// A folder with the libraries that have these macros defined; compiled once a process, and copied
/// by each test, since a library is opened once per file.
fn compiled(defines: &[&str]) -> PathBuf {
    static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    let name = format!("fake-{}", defines.join("-").replace('=', "-"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut built = BUILT.lock().unwrap();
    if built.contains(&folder) {
        return folder;
    }
    std::fs::create_dir_all(&folder).unwrap();
    let sources = workspace().join("platforms/cann-sys");
    for (library, part) in LIBRARIES {
        // Another test process may read the file at this moment.
        let fresh = folder.join(format!("{library}.{}", std::process::id()));
        let status = Command::new("c++")
            .args(["-std=c++17", "-shared", "-fPIC", "-O0"])
            .arg(format!("-I{}", sources.join("include").display()))
            .arg(format!("-D{part}"))
            .args(defines.iter().map(|define| format!("-D{define}")))
            .arg(sources.join("tests/fake/driver.cpp"))
            .arg("-o")
            .arg(&fresh)
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::rename(fresh, folder.join(library)).unwrap();
    }
    built.push(folder.clone());
    folder
}

fn new_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{name}-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .unwrap()
        .to_path_buf()
}
