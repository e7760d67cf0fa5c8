//! `lanescope info`: what there is to run on.

use crate::arguments::InfoArguments;
use crate::build_folder::Target;
use crate::output;
use anyhow::Result;
use lanescope::{Build, Capability, Device, LaunchForm, OpenOptions};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn info(arguments: &InfoArguments) -> Result<ExitCode> {
    let mut text = String::new();
    for platform in lanescope::platforms() {
        let chip = platform.chip();
        writeln!(
            text,
            "platform {:<8} {} clusters, {} cores, {} AICPU threads, {} ticks/s{}",
            platform.name(),
            chip.max_clusters,
            chip.max_cores,
            chip.max_threads,
            chip.ticks_per_second,
            if platform.is_simulated() {
                ", simulated driver"
            } else {
                ""
            },
        )?;
    }
    // Without a build there is still something to say; one that was asked for must be there.
    let asked = arguments.target.build.is_some()
        || arguments.target.platform.is_some()
        || std::env::var_os("LANESCOPE_BUILD").is_some();
    let target = match Target::find(&arguments.target) {
        Ok(target) => target,
        Err(error) if !asked => {
            output::data(text)?;
            output::note(format!("no build to describe: {error:#}"));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error),
    };
    describe_build(&mut text, &target.build)?;
    let options = OpenOptions {
        device: arguments.target.device,
        launch_form: arguments.target.launch.map(Into::into),
        ..OpenOptions::default()
    };
    match target.platform.open(&target.build, options) {
        Ok(device) => describe_device(&mut text, &*device)?,
        // What is known is printed before the device's refusal.
        Err(error) => {
            output::data(text)?;
            return Err(error.into());
        }
    }
    output::data(text)?;
    Ok(ExitCode::SUCCESS)
}

fn describe_build(text: &mut String, build: &Build) -> Result<()> {
    let manifest = build.manifest();
    writeln!(text, "build    {}", build.dir().display())?;
    writeln!(
        text,
        "         platform {}, ring size {}, profile {}",
        build.platform(),
        build.ring_size(),
        manifest.profile
    )?;
    writeln!(
        text,
        "         ABI version {}, hash {:#018x}",
        manifest.abi_version,
        build.abi_hash()
    )?;
    let tools = [&manifest.toolchains.rustc, &manifest.toolchains.cxx];
    for tool in tools.into_iter().flatten() {
        writeln!(text, "         {tool}")?;
    }
    let kernels: Vec<&str> = build.kernel_names().collect();
    writeln!(text, "         kernels {}", kernels.join(", "))?;
    for skipped in &manifest.skipped {
        writeln!(text, "         skipped {skipped}")?;
    }
    Ok(())
}

fn describe_device(text: &mut String, device: &dyn Device) -> Result<()> {
    let info = device.info();
    writeln!(
        text,
        "device   {} (driver id {}): {} clusters, {} AICPU threads",
        info.logical_id, info.driver_id, info.clusters, info.aicpu_threads
    )?;
    writeln!(text, "         driver {}", info.driver.display())?;
    let form = match info.launch_form {
        LaunchForm::Classic => "classic",
        LaunchForm::ByName => "by name",
    };
    writeln!(text, "         launch {form}")?;
    for capability in Capability::ALL {
        let has = if device.has(capability) { "yes" } else { "no" };
        writeln!(text, "         {has:<3} {capability:?}")?;
    }
    Ok(())
}
