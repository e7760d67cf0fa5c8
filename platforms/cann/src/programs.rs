//! The device programs: checked, delivered, registered, and given back.
//!
//! # Where it sits
//!
//! Delivery and launch are two steps. In the classic form the AICPU program itself is delivered. By
//! name, our dispatcher is delivered; it stores the program in a file whose name holds the
//! program's fingerprint, and a JSON description makes that file known to the driver.

use crate::Context;
use crate::calls::function;
use crate::launch::{self, DELIVERY_KERNEL, RUN_KERNEL};
use crate::memory::Memory;
use crate::stream::Stream;
use cann_sys::bindings::{
    CANN_RT_LOAD_CPU_KERNEL_MODE, CANN_RT_MAGIC_ELF, rtDevBinary_t, rtLoadBinaryConfig_t,
    rtLoadBinaryOption_t,
};
use lanescope_abi::Chip;
use lanescope_abi::launch::{AicpuArgs, DeviceArgs};
use lanescope_platform::{
    DeviceAddress, DeviceMemory, LaunchForm, PlatformError, Programs, Result, check_programs,
};
use std::ffi::{CString, c_void};
use std::io::Write;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use zerocopy::IntoBytes;

/// How much longer than one operation a delivery may take: the first on a device starts its
/// scheduler process.
const DELIVERY_MARGIN: Duration = Duration::from_secs(5);

/// The run entry in the AICPU program, by name.
const RUN_FUNCTION: &str = "lanescope_aicpu_run";

/// Both programs, ready to be launched; given back when dropped.
#[derive(Debug)]
pub(crate) struct LoadedPrograms {
    fingerprint: u64,
    aicpu: AicpuProgram,
    aicore: AicoreProgram,
}

impl LoadedPrograms {
    /// Checks all programs, then registers the AICore program and delivers the AICPU program.
    pub(crate) fn load(
        context: &Arc<Context>,
        stream: &Stream,
        chip: Chip,
        form: LaunchForm,
        op_limit: Duration,
        programs: &Programs,
    ) -> Result<Self> {
        check_programs(programs, chip)?;
        let aicore = AicoreProgram::register(context, &programs.aicore)?;
        let aicpu = AicpuProgram::deliver(context, stream, form, op_limit, programs)?;
        Ok(Self {
            fingerprint: Self::fingerprint_of(programs),
            aicpu,
            aicore,
        })
    }

    /// Whether these are the very programs that are loaded.
    pub(crate) fn is_same(&self, programs: &Programs) -> bool {
        self.fingerprint == Self::fingerprint_of(programs)
    }

    pub(crate) fn launch_aicore(
        &self,
        stream: &Stream,
        clusters: u32,
        control: DeviceAddress,
    ) -> Result<()> {
        let program = &self.aicore;
        launch::launch_aicore(&program.context, stream, program.handle, clusters, control)
    }

    pub(crate) fn launch_aicpu(
        &self,
        stream: &Stream,
        threads: u32,
        control: DeviceAddress,
    ) -> Result<()> {
        let program = &self.aicpu;
        let args = AicpuArgs {
            device_args: program.device_args.address().0,
            control_address: control.0,
            ..Default::default()
        };
        match &program.named {
            None => launch::launch_classic(&program.context, stream, RUN_KERNEL, threads, args),
            Some(named) => {
                launch::launch_by_name(&program.context, stream, named.function, threads, args)
            }
        }
    }

    fn fingerprint_of(programs: &Programs) -> u64 {
        fingerprint(&programs.aicpu) ^ fingerprint(&programs.aicore).rotate_left(1)
    }
}

/// The AICore program, registered once for the session.
#[derive(Debug)]
struct AicoreProgram {
    context: Arc<Context>,
    handle: *mut c_void,
    /// The driver may keep the pointer it was given.
    image: Arc<[u8]>,
}

// SAFETY: the handle is a name for the driver, which takes it on every bound thread.
unsafe impl Send for AicoreProgram {}
// SAFETY: nothing is read through the handle; the driver locks what it names.
unsafe impl Sync for AicoreProgram {}

impl AicoreProgram {
    fn register(context: &Arc<Context>, image: &Arc<[u8]>) -> Result<Self> {
        let function = function!(context.libraries().runtime, rtRegisterAllKernel)?;
        let binary = rtDevBinary_t {
            magic: CANN_RT_MAGIC_ELF,
            version: 0,
            data: image.as_ptr().cast(),
            length: image.len() as u64,
        };
        let _binding = context.bind()?;
        let mut handle = ptr::null_mut();
        // SAFETY:
        // - `binary` describes the image, which this object keeps alive as long as the handle;
        // - `handle` is a place for one pointer.
        let code = unsafe { function(&raw const binary, &raw mut handle) };
        context.runtime_result("rtRegisterAllKernel", code)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
            image: Arc::clone(image),
        })
    }
}

impl Drop for AicoreProgram {
    fn drop(&mut self) {
        let (handle, image) = (Handle(self.handle), Arc::clone(&self.image));
        self.context.release(move |context| {
            unregister(context, &handle);
            drop(image);
        });
    }
}

fn unregister(context: &Context, Handle(handle): &Handle) {
    let Ok(function) = function!(context.libraries().runtime, rtDevBinaryUnRegister) else {
        return;
    };
    let _binding = context.bind();
    // SAFETY: the handle came from `rtRegisterAllKernel` and is unregistered once; no launch of it
    // is under way.
    let code = unsafe { function(*handle) };
    log_release(
        context,
        context.runtime_result("rtDevBinaryUnRegister", code),
    );
}

/// A driver's handle on its way to a later release.
struct Handle(*mut c_void);

// SAFETY: the handle is a name for the driver, which takes it on every bound thread.
unsafe impl Send for Handle {}

/// The AICPU program on the device.
#[derive(Debug)]
struct AicpuProgram {
    context: Arc<Context>,
    /// How it is launched by name; in the classic form the delivered program is launched.
    named: Option<NamedFunction>,
    /// Every launch passes its address.
    device_args: Memory,
    _images: Vec<Memory>,
}

impl AicpuProgram {
    fn deliver(
        context: &Arc<Context>,
        stream: &Stream,
        form: LaunchForm,
        op_limit: Duration,
        programs: &Programs,
    ) -> Result<Self> {
        let delivered = match form {
            LaunchForm::Classic => &programs.aicpu,
            LaunchForm::ByName => {
                programs
                    .dispatcher
                    .as_ref()
                    .ok_or_else(|| PlatformError::BadProgram {
                        what: "dispatcher".to_owned(),
                        reason: "absent, but the launch by name needs it".to_owned(),
                    })?
            }
        };
        let mut args = DeviceArgs {
            program_bytes: delivered.len() as u64,
            device_id: u64::from(context.driver_id()),
            ..Default::default()
        };
        let image = Memory::holding(context, delivered)?;
        args.program_address = image.address().0;
        let mut images = vec![image];
        let inner_fingerprint = fingerprint(&programs.aicpu);
        if form == LaunchForm::ByName {
            let inner = Memory::holding(context, &programs.aicpu)?;
            args.inner_address = inner.address().0;
            args.inner_bytes = programs.aicpu.len() as u64;
            args.inner_fingerprint = inner_fingerprint;
            images.push(inner);
        }
        let device_args = Memory::holding(context, args.as_bytes())?;
        let launch_args = AicpuArgs {
            device_args: device_args.address().0,
            ..Default::default()
        };
        context.deliver_once(fingerprint(delivered), || {
            launch::launch_classic(context, stream, DELIVERY_KERNEL, 1, launch_args)?;
            let delivered = stream.synchronize(op_limit + DELIVERY_MARGIN);
            if let Err(error @ PlatformError::Timeout { .. }) = &delivered {
                // Its bytes stay where they are: whoever reads them may still be at it.
                context.poison(&format!("the delivery of the AICPU program: {error}"));
            }
            delivered
        })?;
        let named = match form {
            LaunchForm::Classic => None,
            LaunchForm::ByName => Some(NamedFunction::find(context, inner_fingerprint)?),
        };
        Ok(Self {
            context: Arc::clone(context),
            named,
            device_args,
            _images: images,
        })
    }
}

/// A function of a file that the dispatcher stored on the device.
#[derive(Debug)]
struct NamedFunction {
    function: *mut c_void,
    /// Unloaded after the function's last use.
    _binary: LoadedBinary,
}

// SAFETY: the handle is a name for the driver, which takes it on every bound thread.
unsafe impl Send for NamedFunction {}
// SAFETY: nothing is read through the handle; the driver locks what it names.
unsafe impl Sync for NamedFunction {}

impl NamedFunction {
    fn find(context: &Arc<Context>, fingerprint: u64) -> Result<Self> {
        let name = format!("{RUN_FUNCTION}_{fingerprint:016x}");
        let description = Description::write(&name, fingerprint, context.driver_id())?;
        let binary = LoadedBinary::load(context, &description)?;
        let lookup = function!(context.libraries().runtime, rtsFuncGetByName)?;
        let name = CString::new(name).expect("the name has no zero byte");
        let mut function = ptr::null_mut();
        let binding = context.bind()?;
        // SAFETY: the binary is loaded, the name ends in a zero, `function` takes one pointer.
        let code = unsafe { lookup(binary.handle, name.as_ptr(), &raw mut function) };
        context.runtime_result("rtsFuncGetByName", code)?;
        drop(binding);
        Ok(Self {
            function,
            _binary: binary,
        })
    }
}

/// A description that the driver has loaded.
#[derive(Debug)]
struct LoadedBinary {
    context: Arc<Context>,
    handle: *mut c_void,
}

// SAFETY: the handle is a name for the driver, which takes it on every bound thread.
unsafe impl Send for LoadedBinary {}
// SAFETY: nothing is read through the handle; the driver locks what it names.
unsafe impl Sync for LoadedBinary {}

impl LoadedBinary {
    fn load(context: &Arc<Context>, description: &Description) -> Result<Self> {
        let function = function!(context.libraries().runtime, rtsBinaryLoadFromFile)?;
        let path = description.path.as_os_str().as_encoded_bytes();
        let path = CString::new(path).map_err(|_| PlatformError::File {
            path: description.path.clone(),
            reason: "its name holds a zero byte".to_owned(),
        })?;
        // Mode 0: the file describes what is on the device already.
        let mut option = rtLoadBinaryOption_t {
            optionId: CANN_RT_LOAD_CPU_KERNEL_MODE,
            value: [0; 4],
        };
        let config = rtLoadBinaryConfig_t {
            options: &raw mut option,
            numOpt: 1,
        };
        let _binding = context.bind()?;
        let mut handle = ptr::null_mut();
        // SAFETY: the path ends in a zero, the configuration outlives the call, `handle` takes one
        // pointer.
        let code = unsafe { function(path.as_ptr(), &raw const config, &raw mut handle) };
        context.runtime_result("rtsBinaryLoadFromFile", code)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
        })
    }
}

impl Drop for LoadedBinary {
    fn drop(&mut self) {
        let handle = Handle(self.handle);
        self.context
            .release(move |context| unload(context, &handle));
    }
}

fn unload(context: &Context, Handle(handle): &Handle) {
    let Ok(function) = function!(context.libraries().runtime, rtsBinaryUnload) else {
        return;
    };
    let _binding = context.bind();
    // SAFETY: the handle came from `rtsBinaryLoadFromFile` and is unloaded once; no launch of its
    // functions is under way.
    let code = unsafe { function(*handle) };
    log_release(context, context.runtime_result("rtsBinaryUnload", code));
}

/// The JSON file that makes a stored program known to the driver; removed when dropped.
#[derive(Debug)]
struct Description {
    path: PathBuf,
}

impl Description {
    fn write(name: &str, fingerprint: u64, device: u32) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!(
            "lanescope-{fingerprint:016x}-{}-{}.json",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        let text = format!(
            r#"{{
  "{name}": {{
    "opInfo": {{
      "functionName": "{RUN_FUNCTION}",
      "kernelSo": "lanescope_{fingerprint:016x}_{device}.so",
      "opKernelLib": "AICPUKernel",
      "computeCost": "100",
      "engine": "DNN_VM_AICPU",
      "flagAsync": "False",
      "flagPartial": "False",
      "userDefined": "False"
    }}
  }}
}}
"#
        );
        let failed = |error: std::io::Error| PlatformError::File {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        let description = Self { path: path.clone() };
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(description)
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("{}: {error}", self.path.display());
        }
    }
}

/// FNV-1a: names a program, no more.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn log_release(context: &Context, result: Result<()>) {
    if let Err(error) = result
        && !context.is_poisoned()
    {
        log::warn!("while closing device {}: {error}", context.logical_id());
    }
}
