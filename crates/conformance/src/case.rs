//! One workload on one build folder, from open to a checked capture.

use crate::timeline;
use lanescope::{
    Build, Collectors, Device, LanescopeError, LaunchForm, OpenOptions, RunOptions, RunOutcome,
    RuntimeError, Session, SessionOptions,
};
use lanescope_abi::{DEFAULT_RING_SIZE, RING_SIZES};
use lanescope_examples::{Built, Target, WorkloadOptions};
use lanescope_trace::Trace;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Held by a test that opens a device: the simulated driver's settings and counters belong to the
/// process, and a device is one context.
pub fn exclusive() -> MutexGuard<'static, ()> {
    static DEVICE: Mutex<()> = Mutex::new(());
    DEVICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One workload on one platform.
#[derive(Clone, Debug)]
pub struct Case {
    /// One of the four platforms.
    pub platform: &'static str,
    /// Logical device id.
    pub device: u32,
    /// Slots of the staging ring; picks the build folder.
    pub ring_size: u32,
    /// What runs.
    pub workload: WorkloadOptions,
    /// Settings of the driver, such as the seed.
    pub driver_settings: Vec<(String, String)>,
    /// How programs are launched; by default the newest form there is.
    pub launch_form: Option<LaunchForm>,
    /// Longest launch, by default the driver's.
    pub op_limit: Option<Duration>,
    /// How the session is opened.
    pub session: SessionOptions,
    /// How the graph is run; the capture folder is set by [`Case::run`].
    pub run: RunOptions,
}

/// A run that ended, its capture decoded.
#[derive(Debug)]
pub struct Finished {
    /// What the run returned.
    pub outcome: RunOutcome,
    /// Its capture.
    pub trace: Trace,
    /// Where the capture lies; removed when this is dropped.
    pub folder: Folder,
    /// The graph's number of tasks.
    pub task_count: u64,
    /// The identity of each of its tasks.
    pub task_ids: Vec<u64>,
    /// The graph's number of edges.
    pub edge_count: u64,
}

impl Case {
    /// A case with the swimlane at level 2 and everything else as a user gets it.
    #[must_use]
    pub fn new(platform: &'static str, ring_size: u32, workload: WorkloadOptions) -> Self {
        Self {
            platform,
            device: 0,
            ring_size,
            workload,
            driver_settings: Vec::new(),
            launch_form: None,
            op_limit: None,
            session: SessionOptions::default(),
            run: RunOptions {
                collectors: Collectors::swimlane(2),
                ..RunOptions::default()
            },
        }
    }

    /// Adds a setting of the simulated driver.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: impl ToString) -> Self {
        self.driver_settings
            .push((name.to_owned(), value.to_string()));
        self
    }

    /// The build folder of this case.
    ///
    /// # Errors
    ///
    /// When it was not built.
    pub fn build(&self) -> Result<Build, RuntimeError> {
        Build::open(build_folder(self.platform, self.ring_size))
    }

    /// Opens the device. Its settings are taken back when it is closed.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub fn open(&self, build: &Build) -> Result<Arc<dyn Device>, LanescopeError> {
        lanescope::platform(self.platform)?.open(build, self.open_options())
    }

    /// How [`Self::open`] opens the device.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        // One process, one driver for a chip: it is the same whatever the ring size.
        let ring_sizes = [DEFAULT_RING_SIZE].into_iter().chain(RING_SIZES);
        let mut folders = ring_sizes.map(|size| build_folder(self.platform, size).join("driver"));
        let driver_dir = folders.find(|folder| folder.is_dir());
        let mut driver_settings = self.driver_settings.clone();
        if driver_dir.is_some() {
            // Settings belong to the process: what an earlier case left is taken back first.
            driver_settings.insert(0, ("all".to_owned(), "off".to_owned()));
        }
        OpenOptions {
            device: self.device,
            driver_settings,
            launch_form: self.launch_form,
            op_limit: self.op_limit,
            driver_dir,
        }
    }

    /// Makes the graph.
    ///
    /// # Errors
    ///
    /// The workload's refusal.
    pub fn graph(&self, build: &Build) -> Result<Built, Box<dyn Error>> {
        let workload = self.workload.clone().open()?;
        Ok(workload.build(&Target {
            kernels: build,
            chip: build.chip().info(),
        })?)
    }

    /// Runs it once and checks the numbers.
    ///
    /// # Errors
    ///
    /// Whatever went wrong first.
    pub fn run(&self) -> Result<Finished, Box<dyn Error>> {
        let build = self.build()?;
        let built = self.graph(&build)?;
        let device = self.open(&build)?;
        let mut session = Session::open(device, &build, &self.session)?;
        self.run_in(&mut session, &built)
    }

    /// Runs a graph in an opened session and checks the numbers.
    ///
    /// # Errors
    ///
    /// Whatever went wrong first.
    pub fn run_in(&self, session: &mut Session, built: &Built) -> Result<Finished, Box<dyn Error>> {
        let folder = Folder::new()?;
        let options = RunOptions {
            capture: Some(folder.path().to_owned()),
            ..self.run.clone()
        };
        let outcome = session.run(&built.graph, &options)?;
        built.check(|tensor| session.read(tensor))?;
        let trace = Trace::open(folder.path())?;
        Ok(Finished {
            outcome,
            trace,
            folder,
            task_count: built.graph.task_count() as u64,
            task_ids: built.graph.task_ids().collect(),
            edge_count: built.graph.edge_count() as u64,
        })
    }

    /// Runs it once and panics unless everything about it is as it should be.
    ///
    /// # Panics
    ///
    /// With the case and every fault, when the run fails, a number is wrong, the verdict is not
    /// exact, or a record is missing, doubled or out of order.
    #[must_use]
    pub fn run_exact(&self) -> Finished {
        let finished = self
            .run()
            .unwrap_or_else(|error| panic!("{self:?}: {}", chain(&*error)));
        let faults = timeline::faults(&finished);
        assert!(faults.is_empty(), "{self:?}: {}", faults.join("; "));
        finished
    }
}

/// Where `cargo xtask` puts the build for a platform and ring size.
///
/// # Panics
///
/// When the tests were not started by `cargo xtask test`, `bench` or `conformance`.
#[must_use]
pub fn build_folder(platform: &str, ring_size: u32) -> PathBuf {
    let builds = std::env::var_os("LANESCOPE_TEST_BUILDS")
        .expect("LANESCOPE_TEST_BUILDS is set: start the tests with `cargo xtask test`");
    let profile = std::env::var("LANESCOPE_TEST_PROFILE").unwrap_or_else(|_| "dev".to_owned());
    Path::new(&builds).join(format!("{platform}-ring{ring_size}-{profile}"))
}

/// An error with everything beneath it.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// A folder of its own that is removed when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn new() -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("lanescope-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms no later test: its name is not used again.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
