//! The device programs and kernels of a build folder, for the simulator and for the chip.

use crate::checker::Checker;
use crate::native::Compiler;
use crate::selection::Selection;
use crate::workspace::{self, builds_in, check, find_program, install, products_in};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Paths inside the build folder; `None` for a part that was skipped.
pub struct DeviceParts {
    pub aicpu: Option<String>,
    pub dispatcher: Option<String>,
    pub aicore: Option<String>,
    pub kernels: BTreeMap<String, String>,
}

const AICPU_TRIPLE: &str = "aarch64-unknown-linux-gnu";
const AICPU_LINKER: &str = "aarch64-linux-gnu-gcc";

/// Everything compiled for the host, as the simulated driver loads it.
pub fn build_simulated(
    selection: &Selection,
    compiler: &Compiler,
    folder: &Path,
) -> Result<DeviceParts> {
    let mut parts = build_programs(selection, Checker::None, compiler, folder)?;
    let headers = workspace::root().join("crates/abi/include");
    let objects = objects(selection, Checker::None).join("kernels");
    for source in kernel_sources()? {
        let name = stem(&source)?;
        let object = objects.join(format!("{name}.so"));
        compiler.shared_object(
            &object,
            std::slice::from_ref(&source),
            &[kernel_folder(), headers.clone()],
            &[cxx_flags(&headers), vec![kernel_header()]].concat(),
        )?;
        install(&object, &folder.join(format!("kernels/{name}.so")))?;
        let path = format!("kernels/{name}.so");
        parts.kernels.insert(name, path);
    }
    Ok(parts)
}

/// The programs alone, as they ship or such that a checker can weaken them.
pub fn build_programs(
    selection: &Selection,
    checker: Checker,
    compiler: &Compiler,
    folder: &Path,
) -> Result<DeviceParts> {
    let (aicpu, dispatcher) = build_aicpu(selection, checker, folder, None)?;
    let sources = workspace::root().join("crates/aicore/cpp");
    let headers = workspace::root().join("crates/abi/include");
    let chip = selection.platform.chip.name();
    let object = format!("aicore-{chip}-ring{}.so", selection.ring_size);
    let object = objects(selection, checker).join(object);
    let mut flags = cxx_flags(&headers);
    flags.push(format!("-DLANESCOPE_RING_SIZE={}", selection.ring_size));
    flags.push(format!(
        "-DLANESCOPE_CHIP={}",
        selection.platform.chip as u32
    ));
    if checker == Checker::Mutants {
        flags.push("-DLANESCOPE_MUTANTS".to_owned());
    }
    compiler.shared_object(
        &object,
        &[sources.join("aicore.cpp")],
        &[sources.clone(), headers.clone()],
        &flags,
    )?;
    install(&object, &folder.join("device/aicore.so"))?;
    Ok(DeviceParts {
        aicpu: Some(aicpu),
        dispatcher: Some(dispatcher),
        aicore: Some("device/aicore.so".to_owned()),
        kernels: BTreeMap::new(),
    })
}

/// Where the C++ compiler's objects are.
fn objects(selection: &Selection, checker: Checker) -> PathBuf {
    let builds = builds_in(&checker.target());
    builds.join("objects").join(&selection.profile)
}

/// Everything compiled for the chip, as far as its compilers are here.
pub fn build_chip(
    selection: &Selection,
    folder: &Path,
    skipped: &mut Vec<String>,
) -> Result<DeviceParts> {
    let (aicpu, dispatcher) = match aarch64_missing() {
        Some(missing) => {
            skipped.push(format!("AICPU program: {missing}"));
            (None, None)
        }
        None => {
            let triple = Some(AICPU_TRIPLE);
            let (aicpu, dispatcher) = build_aicpu(selection, Checker::None, folder, triple)?;
            (Some(aicpu), Some(dispatcher))
        }
    };
    let mut parts = DeviceParts {
        aicpu,
        dispatcher,
        aicore: None,
        kernels: BTreeMap::new(),
    };
    match Ccec::find(selection) {
        Err(missing) => skipped.push(format!("AICore program and kernels: {missing}")),
        Ok(ccec) => {
            parts.aicore = Some(ccec.build_aicore(selection, folder)?);
            for source in kernel_sources()? {
                let name = stem(&source)?;
                parts
                    .kernels
                    .insert(name.clone(), ccec.build_kernel(&source, &name, folder)?);
            }
        }
    }
    Ok(parts)
}

fn build_aicpu(
    selection: &Selection,
    checker: Checker,
    folder: &Path,
    triple: Option<&str>,
) -> Result<(String, String)> {
    let mut cargo = workspace::cargo();
    cargo
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            &selection.profile,
        ])
        .args([
            "--package",
            "lanescope-aicpu-program",
            "--package",
            "lanescope-aicpu-dispatcher",
        ])
        .env("LANESCOPE_CHIP", selection.platform.chip.name())
        .env("LANESCOPE_RING_SIZE", selection.ring_size.to_string());
    if let Some(triple) = triple {
        let features = "lanescope-aicpu-program/chip,lanescope-aicpu-dispatcher/chip";
        cargo
            .args(["--target", triple, "--features", features])
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
                AICPU_LINKER,
            );
    }
    checker.apply(&mut cargo);
    check(&mut cargo)?;
    let built = products_in(&checker.target(), &selection.profile, triple);
    install(
        &built.join("liblanescope_aicpu_program.so"),
        &folder.join("device/aicpu.so"),
    )?;
    install(
        &built.join("liblanescope_aicpu_dispatcher.so"),
        &folder.join("device/dispatcher.so"),
    )?;
    Ok((
        "device/aicpu.so".to_owned(),
        "device/dispatcher.so".to_owned(),
    ))
}

/// What keeps the AICPU program from being built for the chip, if anything does.
fn aarch64_missing() -> Option<String> {
    let libraries = workspace::first_line(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        AICPU_TRIPLE,
    ]));
    if !libraries.is_ok_and(|path| Path::new(&path).is_dir()) {
        return Some(format!(
            "no Rust target {AICPU_TRIPLE}; install it with `rustup target add {AICPU_TRIPLE}`"
        ));
    }
    if find_program(AICPU_LINKER).is_none() {
        return Some(format!(
            "no linker {AICPU_LINKER}; install the package gcc-aarch64-linux-gnu"
        ));
    }
    None
}

/// The vendor's AICore compiler.
struct Ccec {
    compiler: PathBuf,
    linker: PathBuf,
    architecture: &'static str,
}

impl Ccec {
    fn find(selection: &Selection) -> Result<Self, String> {
        let Some(home) = std::env::var_os("ASCEND_HOME_PATH").map(PathBuf::from) else {
            return Err(
                "ASCEND_HOME_PATH is not set; install the CANN toolkit and source its set_env.sh"
                    .to_owned(),
            );
        };
        let compiler = home.join("bin/ccec");
        let linker = home.join("bin/ld.lld");
        for tool in [&compiler, &linker] {
            if !tool.is_file() {
                return Err(format!(
                    "no {}; install the CANN toolkit with its compiler",
                    tool.display()
                ));
            }
        }
        let architecture = match selection.platform.chip {
            lanescope_abi::Chip::A2a3 => "dav-c220",
            lanescope_abi::Chip::A5 => "dav-c310",
        };
        Ok(Self {
            compiler,
            linker,
            architecture,
        })
    }

    /// The executor: cube and vector objects joined into one mixed kernel.
    fn build_aicore(&self, selection: &Selection, folder: &Path) -> Result<String> {
        let source = workspace::root().join("crates/aicore/cpp/aicore.cpp");
        let defines = [
            format!("-DLANESCOPE_RING_SIZE={}", selection.ring_size),
            format!("-DLANESCOPE_CHIP={}", selection.platform.chip as u32),
        ];
        let device = folder.join("device");
        std::fs::create_dir_all(&device)
            .with_context(|| format!("cannot create {}", device.display()))?;
        let cube = device.join("aicore-cube.o");
        let vector = device.join("aicore-vector.o");
        self.compile(&source, &cube, "cube", &defines)?;
        self.compile(&source, &vector, "vec", &defines)?;
        let joined = device.join("aicore-joined.o");
        check(
            Command::new(&self.linker)
                .args(["-r", "-o"])
                .args([&joined, &cube, &vector]),
        )?;
        check(
            Command::new(&self.linker)
                .args(["-m", "aicorelinux", "-Ttext=0", "-static", "-n", "-o"])
                .args([&device.join("aicore.o"), &joined]),
        )?;
        Ok("device/aicore.o".to_owned())
    }

    /// A kernel stays an object: the runtime takes its `.text`.
    fn build_kernel(&self, source: &Path, name: &str, folder: &Path) -> Result<String> {
        let kernels = folder.join("kernels");
        std::fs::create_dir_all(&kernels)
            .with_context(|| format!("cannot create {}", kernels.display()))?;
        let object = kernels.join(format!("{name}.o"));
        self.compile(
            source,
            &object,
            kernel_pipe(source)?,
            &["-DMEMORY_BASE".to_owned()],
        )?;
        Ok(format!("kernels/{name}.o"))
    }

    fn compile(&self, source: &Path, object: &Path, pipe: &str, defines: &[String]) -> Result<()> {
        let headers = workspace::root().join("crates/abi/include");
        let mut command = Command::new(&self.compiler);
        command.args([
            "-c",
            "-O3",
            "-g",
            "-x",
            "cce",
            "-std=c++17",
            "--cce-aicore-only",
        ]);
        command.arg(format!("--cce-aicore-arch={}-{pipe}", self.architecture));
        for option in [
            "-cce-aicore-stack-size=0x8000",
            "-cce-aicore-function-stack-size=0x8000",
            "-cce-aicore-record-overflow=false",
            "-cce-aicore-addr-transform",
            "-cce-aicore-dcci-insert-for-scalar=false",
        ] {
            command.args(["-mllvm", option]);
        }
        command
            .arg(format!("-I{}", headers.display()))
            .arg(kernel_header())
            .args(defines);
        check(command.arg(source).arg("-o").arg(object))
    }
}

/// The pipe a kernel is compiled for on the chip: its first line says `// core: aic` or `aiv`.
fn kernel_pipe(source: &Path) -> Result<&'static str> {
    let text = std::fs::read_to_string(source)
        .with_context(|| format!("cannot read {}", source.display()))?;
    match text.lines().next() {
        Some("// core: aic") => Ok("cube"),
        Some("// core: aiv") => Ok("vec"),
        _ => anyhow::bail!(
            "{}: the first line must be `// core: aic` or `// core: aiv`",
            source.display()
        ),
    }
}

fn cxx_flags(headers: &Path) -> Vec<String> {
    [
        "-std=c++17",
        "-fno-exceptions",
        "-fno-rtti",
        "-fvisibility=hidden",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("-I{}", headers.display())])
    .collect()
}

/// The kernels of the workloads, and the header that every kernel includes.
fn kernel_folder() -> PathBuf {
    workspace::root().join("examples/kernels")
}

fn kernel_header() -> String {
    format!("-I{}", kernel_folder().display())
}

/// The kernels of the workloads and of the conformance suite.
fn kernel_sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in [
        kernel_folder(),
        workspace::root().join("crates/conformance/kernels"),
    ] {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        sources.extend(
            files.filter(|path| path.extension().is_some_and(|extension| extension == "cpp")),
        );
    }
    sources.sort();
    Ok(sources)
}

fn stem(path: &Path) -> Result<String> {
    Ok(path
        .file_stem()
        .context("a source file has a name")?
        .to_string_lossy()
        .into_owned())
}
