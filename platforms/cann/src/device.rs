//! An opened device as the trait layer sees it.

use crate::backend::{Backend, Registers};
use crate::calls::{BY_NAME_FUNCTIONS, REQUIRED_FUNCTIONS, function, load_driver, recent_message};
use crate::memory::Memory;
use crate::programs::LoadedPrograms;
use crate::stream::Stream;
use crate::{Context, kernel, visible};
use cann_sys::Libraries;
use cann_sys::bindings::{CANN_HAL_INFO_OCCUPY, CANN_HAL_MODULE_AICPU};
use cann_sys::codes::FEATURE_NOT_SUPPORT;
use lanescope_platform::{
    Attachment, Capability, DEFAULT_OP_LIMIT, Device, DeviceAddress, DeviceInfo, DeviceMemory,
    Launch, LaunchForm, Mapping, OpenOptions, PlatformError, Programs, Result, StreamKind, Turn,
};
use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long opening a device waits for another thread that opens or closes it; the driver takes some
/// seconds to end a device process that does not answer.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// How long the AICore stream is waited for after an abort; no longer than an operation may take.
const ABORT_LIMIT: Duration = Duration::from_secs(15);
/// How long programs wait to be loaded while another session runs a graph.
const LOAD_LIMIT: Duration = Duration::from_secs(50);

/// Loads the driver and opens a device of `backend`'s chip.
///
/// # Errors
///
/// [`PlatformError::DriverNotFound`], [`PlatformError::SymbolsMissing`],
/// [`PlatformError::Unsupported`] for settings or a launch form the driver does not know, or the
/// driver's refusal. Whatever was opened by then is released.
pub fn open(backend: &'static dyn Backend, options: &OpenOptions) -> Result<Arc<dyn Device>> {
    let required: Vec<&'static str> = REQUIRED_FUNCTIONS
        .into_iter()
        .chain(backend.required_functions().iter().copied())
        .collect();
    let libraries = load_driver(options.driver_dir.as_deref(), &required)?;
    let settings = Settings::apply(libraries, &options.driver_settings)?;
    let launch_form = choose_form(libraries, options.launch_form)?;
    let driver_id = visible::driver_id(options.device);
    let context = Context::open(libraries, options.device, driver_id, CHANGE_LIMIT)?;
    let binding = context.bind()?;
    check_soc(backend, libraries)?;
    let op_limit = options.op_limit.unwrap_or(DEFAULT_OP_LIMIT);
    limit_operations(&context, op_limit)?;
    drop(binding);
    let aicpu_stream = Stream::create(&context, StreamKind::Aicpu)?;
    let aicore_stream = Stream::create(&context, StreamKind::Aicore)?;
    let chip = backend.chip();
    let info = DeviceInfo {
        chip: chip.chip,
        logical_id: options.device,
        driver_id,
        clusters: backend
            .usable_clusters(&context)
            .clamp(1, chip.max_clusters),
        aicpu_threads: usable_threads(&context)
            .unwrap_or(chip.default_threads)
            .clamp(1, chip.max_threads),
        launch_form,
        driver: libraries.runtime_path.clone(),
    };
    Ok(Arc::new(CannDevice {
        aicpu_stream,
        aicore_stream,
        programs: Mutex::new(None),
        registers: Mutex::new(None),
        pmu_registers: Mutex::new(None),
        context,
        backend,
        info,
        op_limit,
        _settings: settings,
    }))
}

/// A device of the vendor's driver.
///
/// The order of the fields is the order of release.
#[derive(Debug)]
struct CannDevice {
    aicpu_stream: Stream,
    aicore_stream: Stream,
    programs: Mutex<Option<LoadedPrograms>>,
    registers: Mutex<Option<Registers>>,
    pmu_registers: Mutex<Option<Vec<u64>>>,
    context: Arc<Context>,
    backend: &'static dyn Backend,
    info: DeviceInfo,
    op_limit: Duration,
    _settings: Settings,
}

impl Device for CannDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn has(&self, capability: Capability) -> bool {
        let libraries = self.context.libraries();
        match capability {
            Capability::CoherentMapping => self.backend.is_coherent(),
            Capability::LaunchByName => BY_NAME_FUNCTIONS.iter().all(|name| libraries.has(name)),
            Capability::ForcedReset => libraries.has("aclrtResetDeviceForce"),
            Capability::DriverSettings => libraries.simulator.is_some(),
            _ => false,
        }
    }

    fn attach_thread(&self) -> Result<Attachment> {
        self.context.attach()
    }

    fn allocate(&self, bytes: u64) -> Result<Arc<dyn DeviceMemory>> {
        Ok(Arc::new(Memory::allocate(&self.context, bytes)?))
    }

    fn copy_to_device(&self, to: DeviceAddress, from: &[u8]) -> Result<()> {
        self.context.copy_to_device(to, from)
    }

    fn copy_to_host(&self, to: &mut [u8], from: DeviceAddress) -> Result<()> {
        self.context.copy_to_host(to, from)
    }

    fn map(&self, memory: &Arc<dyn DeviceMemory>, bytes: u64) -> Result<Box<dyn Mapping>> {
        self.context.check()?;
        if bytes == 0 || bytes > memory.bytes() {
            return Err(PlatformError::Config {
                what: "mapping".to_owned(),
                reason: format!("{bytes} bytes asked for, expected 1..={}", memory.bytes()),
            });
        }
        self.backend.map(&self.context, memory, bytes)
    }

    fn register_table(&self) -> Result<Vec<u64>> {
        self.context.check()?;
        let mut registers = lock(&self.registers);
        if let Some(registers) = &*registers {
            return Ok(registers.windows.clone());
        }
        let mapped = self.backend.map_registers(&self.context)?;
        Ok(registers.insert(mapped).windows.clone())
    }

    fn pmu_register_table(&self) -> Result<Vec<u64>> {
        self.context.check()?;
        let mut pages = lock(&self.pmu_registers);
        if let Some(pages) = &*pages {
            return Ok(pages.clone());
        }
        let mapped = self.backend.map_pmu_registers(&self.context)?;
        Ok(pages.insert(mapped).clone())
    }

    fn kernel_bytes<'a>(&self, image: &'a [u8]) -> Result<&'a [u8]> {
        kernel::kernel_bytes(image, self.context.libraries().simulator.is_some())
    }

    fn load_programs(&self, programs: &Programs) -> Result<()> {
        self.context.check()?;
        let mut loaded = lock(&self.programs);
        if let Some(loaded) = &*loaded {
            if loaded.is_same(programs) {
                return Ok(());
            }
            return Err(PlatformError::Config {
                what: "device programs".to_owned(),
                reason: "others are loaded, and they stay until the device is closed".to_owned(),
            });
        }
        // A delivery is a run of its own on the AICPU.
        let _turn = self.context.take_turn(LOAD_LIMIT)?;
        *loaded = Some(LoadedPrograms::load(
            &self.context,
            &self.aicpu_stream,
            self.info.chip,
            self.info.launch_form,
            self.op_limit,
            programs,
        )?);
        Ok(())
    }

    fn take_turn(&self, limit: Duration) -> Result<Turn> {
        self.context.take_turn(limit)
    }

    fn launch(&self, launch: &Launch, abort: &dyn Fn()) -> Result<()> {
        self.context.check()?;
        check_count("clusters", launch.clusters, self.info.clusters)?;
        check_count("AICPU threads", launch.threads, self.info.aicpu_threads)?;
        let programs = lock(&self.programs);
        let programs = programs.as_ref().ok_or_else(|| PlatformError::Config {
            what: "launch".to_owned(),
            reason: "no programs are loaded".to_owned(),
        })?;
        programs.launch_aicore(&self.aicore_stream, launch.clusters, launch.control)?;
        let launched = programs.launch_aicpu(&self.aicpu_stream, launch.threads, launch.control);
        if let Err(refusal) = launched {
            // The cores wait for an AICPU that will not come.
            abort();
            if let Err(error) = self
                .aicore_stream
                .synchronize(self.op_limit.min(ABORT_LIMIT))
            {
                self.context.poison(&format!(
                    "{refusal}; after that the AICore program did not leave: {error}"
                ));
            }
            return Err(refusal);
        }
        Ok(())
    }

    fn synchronize(&self, stream: StreamKind, limit: Duration) -> Result<()> {
        match stream {
            StreamKind::Aicpu => self.aicpu_stream.synchronize(limit),
            StreamKind::Aicore => self.aicore_stream.synchronize(limit),
        }
    }

    fn is_overdue(&self) -> bool {
        self.context.is_overdue()
    }

    fn is_poisoned(&self) -> bool {
        self.context.is_poisoned()
    }
}

/// Settings of a simulated driver. They belong to the process, so they are taken back when the
/// device they were made for is closed, or could not be opened.
#[derive(Debug)]
struct Settings {
    libraries: &'static Libraries,
    names: Vec<String>,
}

impl Settings {
    fn apply(libraries: &'static Libraries, settings: &[(String, String)]) -> Result<Self> {
        let mut applied = Self {
            libraries,
            names: Vec::new(),
        };
        if settings.is_empty() {
            return Ok(applied);
        }
        let simulator = libraries
            .simulator
            .as_ref()
            .ok_or_else(|| PlatformError::Unsupported {
                what: "a driver setting",
                reason: format!(
                    "{} is no simulated driver",
                    libraries.runtime_path.display()
                ),
            })?;
        for (name, value) in settings {
            let code = simulator.set(name, value);
            if code != 0 {
                let said = recent_message(libraries, "lanescope_sim_set", code);
                return Err(PlatformError::Config {
                    what: format!("driver setting {name}={value}"),
                    reason: if said.is_empty() {
                        format!("refused with {code}")
                    } else {
                        said
                    },
                });
            }
            applied.names.push(name.clone());
        }
        Ok(applied)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        let Some(simulator) = &self.libraries.simulator else {
            return;
        };
        for name in &self.names {
            // A name that was taken is taken back; there is nobody left to tell otherwise.
            let _ = simulator.set(name, "off");
        }
    }
}

fn choose_form(libraries: &Libraries, wanted: Option<LaunchForm>) -> Result<LaunchForm> {
    let missing: Vec<&str> = BY_NAME_FUNCTIONS
        .into_iter()
        .filter(|name| !libraries.has(name))
        .collect();
    match wanted {
        Some(LaunchForm::ByName) if !missing.is_empty() => Err(PlatformError::Unsupported {
            what: "the launch by name",
            reason: format!("the driver has no {}", missing.join(", ")),
        }),
        Some(form) => Ok(form),
        None if missing.is_empty() => Ok(LaunchForm::ByName),
        None => Ok(LaunchForm::Classic),
    }
}

/// Refuses a device of another chip, as far as the driver says what it is.
fn check_soc(backend: &dyn Backend, libraries: &Libraries) -> Result<()> {
    let Some(Ok(function)) = libraries.acl.as_ref().map(|acl| &acl.aclrtGetSocName) else {
        return Ok(());
    };
    // SAFETY: takes nothing; the calling thread is bound.
    let name = unsafe { function() };
    if name.is_null() {
        return Ok(());
    }
    // SAFETY: not null; the driver returns a constant string with a terminating zero.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let is_other = name.starts_with("Ascend")
        && !backend
            .soc_prefixes()
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if is_other {
        return Err(PlatformError::Unsupported {
            what: backend.chip().name,
            reason: format!(
                "it is {name}, expected one of {}",
                backend.soc_prefixes().join(", ")
            ),
        });
    }
    Ok(())
}

/// Tells the driver when to end an operation by itself, where it can be told.
fn limit_operations(context: &Context, limit: Duration) -> Result<()> {
    let acl = context.libraries().acl.as_ref();
    let Some(Ok(function)) = acl.map(|acl| &acl.aclrtSetOpExecuteTimeOutV2) else {
        return Ok(());
    };
    let limit_us = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    let mut actual_us = 0;
    // SAFETY: `actual_us` is a place for one number; the calling thread is bound.
    let code = unsafe { function(limit_us, &raw mut actual_us) };
    if code == FEATURE_NOT_SUPPORT {
        return Ok(());
    }
    context.runtime_result("aclrtSetOpExecuteTimeOutV2", code)
}

/// AICPU threads that can run at once, when the driver says it.
fn usable_threads(context: &Context) -> Option<u32> {
    let function = function!(context.libraries().hal, halGetDeviceInfo).ok()?;
    let module = i32::try_from(CANN_HAL_MODULE_AICPU).expect("a small number");
    let info = i32::try_from(CANN_HAL_INFO_OCCUPY).expect("a small number");
    let mut mask = 0;
    // SAFETY: `mask` is a place for one number.
    let code = unsafe { function(context.driver_id(), module, info, &raw mut mask) };
    (code == 0 && mask != 0).then(|| mask.count_ones())
}

fn check_count(what: &str, asked: u32, most: u32) -> Result<()> {
    if (1..=most).contains(&asked) {
        return Ok(());
    }
    Err(PlatformError::Config {
        what: what.to_owned(),
        reason: format!("{asked} asked for, expected 1..={most}"),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
