//! The C API: `lanescope.h`, for runtimes in C and C++.
//!
//! Objects are named by handles, numbers that are never used twice, so a handle that was closed is
//! an error and not a crash. Any thread may call; calls on one object wait for each other.
//!
//! # Errors
//!
//! A function returns [`LANESCOPE_OK`] or a negative code; the calling thread's
//! [`lanescope_last_error`] then says what happened and [`lanescope_last_hint`] what to do. No
//! panic crosses.

mod call;
mod handles;
mod types;

use crate::{LanescopeError, NamedPlatform, Result};
use call::{array, bytes, call, out, text, text_or_none};
use handles::{GraphObject, Objects, SessionObject};
use lanescope_abi::CoreType;
use lanescope_abi::capture::Policy;
use lanescope_capture::Outcome;
use lanescope_platform::OpenOptions;
use lanescope_runtime::{
    Arg, Build, Collectors, Dtype, DumpOptions, DumpSelection, FunctionId, Graph, LaneOptions,
    PmuOptions, Role, RunOptions, RuntimeError, Session, SessionOptions, SwimlaneOptions, TaskId,
    TensorId, TensorView,
};
use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::sync::Arc;
pub use types::*;

/// Opens a device of a platform with a build folder, and loads the device programs.
///
/// `settings` is null or a list for the simulated driver, such as `seed=3,late-host=50`.
///
/// # Safety
///
/// - `platform`, `build_dir` and `settings` are null or end with a zero byte.
/// - `session` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_open(
    platform: *const c_char,
    device: u32,
    build_dir: *const c_char,
    settings: *const c_char,
    session: *mut LanescopeSession,
) -> i32 {
    call(|| {
        // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
        let platform = unsafe { text("platform", platform) }?;
        // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
        let build_dir = unsafe { text("build_dir", build_dir) }?;
        // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
        let settings = unsafe { text_or_none("settings", settings) }?;
        // SAFETY: the caller vouches for the pointer.
        let session = unsafe { out("session", session) }?;
        let platform: NamedPlatform = crate::platform(platform)?;
        let build = Build::open(PathBuf::from(build_dir))?;
        let options = OpenOptions {
            device,
            driver_settings: driver_settings(settings.unwrap_or_default())?,
            ..OpenOptions::default()
        };
        let device = platform.open(&build, options)?;
        let opened = Session::open(device, &build, &SessionOptions::default())?;
        *session = Objects::add_session(SessionObject {
            session: opened,
            build,
        });
        Ok(())
    })
}

/// Closes a session and releases all it holds on the device.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_close(session: LanescopeSession) -> i32 {
    call(|| Objects::remove_session(session))
}

/// Begins a graph.
///
/// # Safety
///
/// - `name` is null or ends with a zero byte; `graph` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_new(
    name: *const c_char,
    graph: *mut LanescopeGraph,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the string.
        let name = unsafe { text("name", name) }?;
        // SAFETY: the caller vouches for the pointer.
        let graph = unsafe { out("graph", graph) }?;
        *graph = Objects::add_graph(GraphObject {
            graph: Graph::new(name),
        });
        Ok(())
    })
}

/// Frees a graph. Its tensors stay readable in the session that ran it.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_graph_free(graph: LanescopeGraph) -> i32 {
    call(|| Objects::remove_graph(graph))
}

/// Adds a function with a kernel image, an ELF file of `image_bytes` bytes.
///
/// # Safety
///
/// - `name` is null or ends with a zero byte.
/// - `image` is null or valid for reads of `image_bytes` bytes.
/// - `function` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_function(
    graph: LanescopeGraph,
    name: *const c_char,
    func_id: u32,
    image: *const c_void,
    image_bytes: u64,
    function: *mut u32,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the string.
        let name = unsafe { text("name", name) }?;
        // SAFETY: the caller vouches for the bytes.
        let image = unsafe { bytes("image", image, image_bytes) }?;
        // SAFETY: the caller vouches for the pointer.
        let function = unsafe { out("function", function) }?;
        Objects::with_graph(graph, |object| {
            let id = object.graph.function(name, func_id, Arc::from(image));
            *function = number(id.index());
            Ok(())
        })
    })
}

/// Adds a function with a kernel of the session's build folder.
///
/// # Safety
///
/// - `name` and `kernel` are null or end with a zero byte; `function` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_kernel(
    graph: LanescopeGraph,
    session: LanescopeSession,
    name: *const c_char,
    func_id: u32,
    kernel: *const c_char,
    function: *mut u32,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the strings.
        let name = unsafe { text("name", name) }?;
        // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
        let kernel = unsafe { text("kernel", kernel) }?;
        // SAFETY: the caller vouches for the pointer.
        let function = unsafe { out("function", function) }?;
        let image = Objects::with_session(session, |object| Ok(object.build.kernel(kernel)?))?;
        Objects::with_graph(graph, |object| {
            *function = number(object.graph.function(name, func_id, image).index());
            Ok(())
        })
    })
}

/// Adds a tensor of `tensor_bytes` bytes that holds `content` at the start of each run, or zeros when
/// `content` is null.
///
/// # Safety
///
/// - `name` is null or ends with a zero byte.
/// - `content` is null or valid for reads of `tensor_bytes` bytes.
/// - `tensor` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_tensor(
    graph: LanescopeGraph,
    name: *const c_char,
    tensor_bytes: u64,
    content: *const c_void,
    tensor: *mut u32,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the string.
        let name = unsafe { text("name", name) }?;
        // SAFETY: the caller vouches for the pointer.
        let tensor = unsafe { out("tensor", tensor) }?;
        let content = if content.is_null() {
            None
        } else {
            // SAFETY: the caller vouches for the bytes.
            Some(unsafe { bytes("content", content, tensor_bytes) }?)
        };
        Objects::with_graph(graph, |object| {
            let id = match content {
                Some(content) => object.graph.tensor_from(name, content),
                None => object.graph.tensor(name, tensor_bytes),
            };
            *tensor = number(id.index());
            Ok(())
        })
    })
}

/// Adds a task. `core_type` is 0 for a cube core, 1 for a vector core; records carry `task_id`.
/// `task` may be null.
///
/// # Safety
///
/// - `args` is null or valid for reads of `arg_count` arguments.
/// - `task` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_task(
    graph: LanescopeGraph,
    function: u32,
    core_type: u32,
    args: *const LanescopeArg,
    arg_count: u32,
    task_id: u64,
    task: *mut u32,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the arguments.
        let given = unsafe { array("args", args, u64::from(arg_count)) }?;
        let core_type = CoreType::from_raw(core_type).ok_or_else(|| LanescopeError::Argument {
            argument: "core_type",
            reason: format!("{core_type}, expected 0 (cube) or 1 (vector)"),
        })?;
        let args: Vec<Arg> = given.iter().map(argument).collect::<Result<_>>()?;
        let function = FunctionId::from_index(function);
        Objects::with_graph(graph, |object| {
            let id = object
                .graph
                .task_with_id(function, core_type, &args, task_id);
            if !task.is_null() {
                // SAFETY: not null, so a task id of the caller's that nobody else uses during the call.
                unsafe { task.write(number(id.index())) };
            }
            Ok(())
        })
    })
}

/// Says what an argument of a task is, so that it can be recorded; each argument once.
/// [`lanescope_graph_check`] refuses a view that does not fit the task and its tensors.
///
/// # Safety
///
/// - `view` is null or valid for a read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_graph_describe(
    graph: LanescopeGraph,
    task: u32,
    view: *const LanescopeTensorView,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the view.
        let given = unsafe { array("view", view, 1) }?;
        let view = tensor_view(&given[0])?;
        Objects::with_graph(graph, |object| {
            object.graph.describe(TaskId::from_index(task), view);
            Ok(())
        })
    })
}

/// Adds a dependency: task `to` is dispatched only after task `from` has finished.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_graph_edge(graph: LanescopeGraph, from: u32, to: u32) -> i32 {
    call(|| {
        Objects::with_graph(graph, |object| {
            object
                .graph
                .edge(TaskId::from_index(from), TaskId::from_index(to));
            Ok(())
        })
    })
}

/// Refuses a graph that cannot run, naming the task.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_graph_check(graph: LanescopeGraph) -> i32 {
    call(|| Objects::with_graph(graph, |object| Ok(object.graph.check()?)))
}

/// Runs a graph to its end. `options` and `result` may be null.
///
/// Also when the run fails, what was captured is in the capture folder.
///
/// # Safety
///
/// - `options` is null or valid for reads of `options->struct_bytes` bytes, and its strings are
///   null or end with a zero byte.
/// - `result` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_run(
    session: LanescopeSession,
    graph: LanescopeGraph,
    options: *const LanescopeRunOptions,
    result: *mut LanescopeRunResult,
) -> i32 {
    call(|| {
        // SAFETY: the caller vouches for the options and their strings.
        let options = unsafe { run_options(options) }?;
        Objects::with_graph(graph, |graph| {
            Objects::with_session(session, |object| {
                let _attachment = object.session.device().attach_thread().map_err(|source| {
                    RuntimeError::Platform {
                        doing: "attaching the calling thread",
                        source,
                    }
                })?;
                let outcome = object.session.run(&graph.graph, &options)?;
                if !result.is_null() {
                    let told = LanescopeRunResult {
                        verdict: match outcome.verdict.outcome {
                            Outcome::Exact => LANESCOPE_EXACT,
                            Outcome::Lossy => LANESCOPE_LOSSY,
                            Outcome::Broken => LANESCOPE_BROKEN,
                            Outcome::Partial => LANESCOPE_PARTIAL,
                        },
                        run_id: outcome.run_id,
                        tasks: outcome.tasks,
                        collected: outcome.verdict.totals.collected,
                        dropped: outcome.verdict.totals.dropped.sum(),
                        device_ticks: outcome.device_ticks,
                        ticks_per_second: object.session.chip().ticks_per_second,
                    };
                    // SAFETY: not null, so a result of the caller's that nobody else uses during the call.
                    unsafe { result.write(told) };
                }
                Ok(())
            })
        })
    })
}

/// Copies a tensor of the last graph that ran into `to`, which holds exactly its bytes.
///
/// # Safety
///
/// - `to` is null or valid for writes of `to_bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_read(
    session: LanescopeSession,
    tensor: u32,
    to: *mut c_void,
    to_bytes: u64,
) -> i32 {
    call(|| {
        let content = Objects::with_session(session, |object| {
            let _attachment = object.session.device().attach_thread().map_err(|source| {
                RuntimeError::Platform {
                    doing: "attaching the calling thread",
                    source,
                }
            })?;
            Ok(object.session.read(TensorId::from_index(tensor))?)
        })?;
        if to.is_null() || content.len() as u64 != to_bytes {
            let (bytes, null) = (content.len(), if to.is_null() { " and null" } else { "" });
            return Err(LanescopeError::Argument {
                argument: "to",
                reason: format!("{to_bytes} bytes{null}, the tensor has {bytes}"),
            });
        }
        let to = to.cast::<u8>();
        // SAFETY: not null, as long as the content, and the caller vouches that it is writable;
        // the content is a vector of our own, so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), to, content.len()) };
        Ok(())
    })
}

/// What the last failed call of this thread says, or an empty string. Valid until the thread's
/// next call.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_last_error() -> *const c_char {
    call::last_error()
}

/// What to do about it, or an empty string. Valid until the thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_last_hint() -> *const c_char {
    call::last_hint()
}

/// Reads the options, or the defaults for null.
///
/// # Safety
///
/// - As for the `options` of [`lanescope_run`].
unsafe fn run_options(options: *const LanescopeRunOptions) -> Result<RunOptions> {
    if options.is_null() {
        return Ok(RunOptions::default());
    }
    const { assert!(std::mem::offset_of!(LanescopeRunOptions, struct_bytes) == 0) };
    // SAFETY: not null; the caller vouches for the first field, whatever version it was built for.
    let struct_bytes = unsafe { options.cast::<u32>().read() };
    if struct_bytes as usize != size_of::<LanescopeRunOptions>() {
        return Err(LanescopeError::Argument {
            argument: "options",
            reason: format!(
                "struct_bytes is {struct_bytes}, expected {}",
                size_of::<LanescopeRunOptions>()
            ),
        });
    }
    // SAFETY: the size is ours, and the caller vouches for that many bytes.
    let given = unsafe { options.read() };
    // SAFETY: the caller vouches for the strings.
    let capture = unsafe { text_or_none("capture_dir", given.capture_dir) }?;
    // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
    let workload = unsafe { text_or_none("workload", given.workload) }?;
    // SAFETY: null, or a string of the caller's that ends with zero and stays for the call.
    let selection = unsafe { text_or_none("dump_selection", given.dump_selection) }?;
    let chosen = |value: u32| (value != 0).then_some(value);
    Ok(RunOptions {
        collectors: Collectors {
            swimlane: SwimlaneOptions {
                level: given.level,
                lanes: lane_options(
                    "swimlane_lanes",
                    &given.swimlane_lanes,
                    LANESCOPE_DROP_NEWEST,
                )?,
            },
            pmu: pmu_options(&given)?,
            dump: dump_options(&given, selection)?,
            own: Vec::new(),
            memory_budget_bytes: Some(given.memory_budget_bytes).filter(|&bytes| bytes != 0),
        },
        threads: chosen(given.threads),
        clusters: chosen(given.clusters),
        issue_depth: chosen(given.issue_depth),
        capture: capture.map(PathBuf::from),
        workload: workload.map(str::to_owned),
        ..RunOptions::default()
    })
}

const _: () = assert!(
    LANESCOPE_BLOCK == Policy::Block as u32
        && LANESCOPE_DROP_NEWEST == Policy::DropNewest as u32
        && LANESCOPE_TRUNCATE == Policy::Truncate as u32
);

fn pmu_options(given: &LanescopeRunOptions) -> Result<Option<PmuOptions>> {
    let lanes = lane_options("pmu_lanes", &given.pmu_lanes, LANESCOPE_DROP_NEWEST)?;
    let event = given.pmu_event;
    Ok((event != 0).then_some(PmuOptions { event, lanes }))
}

fn dump_options(
    given: &LanescopeRunOptions,
    selection: Option<&str>,
) -> Result<Option<DumpOptions>> {
    let lanes = lane_options("dump_lanes", &given.dump_lanes, LANESCOPE_TRUNCATE)?;
    let default = DumpOptions::default();
    match given.dump {
        0 if selection.is_some_and(|text| !text.is_empty()) => Err(LanescopeError::Argument {
            argument: "dump_selection",
            reason: "without dump, expected dump = 1".to_owned(),
        }),
        0 => Ok(None),
        1 => Ok(Some(DumpOptions {
            selection: chosen_tensors(selection.unwrap_or_default())?,
            arena_bytes: match given.dump_arena_bytes {
                0 => default.arena_bytes,
                chosen => chosen,
            },
            piece_bytes: match given.dump_piece_bytes {
                0 => default.piece_bytes,
                chosen => chosen,
            },
            lanes,
        })),
        other => Err(LanescopeError::Argument {
            argument: "dump",
            reason: format!("{other}, expected 0 or 1"),
        }),
    }
}

fn chosen_tensors(text: &str) -> Result<DumpSelection> {
    text.parse().map_err(|error| match error {
        RuntimeError::Option { reason, .. } => LanescopeError::Argument {
            argument: "dump_selection",
            reason,
        },
        other => other.into(),
    })
}

/// The lanes of a collector, whose policies end with `last`.
fn lane_options(
    argument: &'static str,
    given: &LanescopeLaneOptions,
    last: u32,
) -> Result<LaneOptions> {
    let chosen = |value: u32| (value != 0).then_some(value);
    let policy = Policy::from_raw(given.policy).filter(|_| given.policy <= last);
    Ok(LaneOptions {
        policy: policy.ok_or_else(|| LanescopeError::Argument {
            argument,
            reason: format!("policy {}, expected 0 to {last}", given.policy),
        })?,
        buffers: chosen(given.buffers),
        records_per_buffer: chosen(given.records_per_buffer),
    })
}

fn tensor_view(given: &LanescopeTensorView) -> Result<TensorView> {
    let refused = |argument, value: u32, expected: &str| LanescopeError::Argument {
        argument,
        reason: format!("{value}, expected {expected}"),
    };
    let role = match given.role {
        LANESCOPE_INPUT => Role::Input,
        LANESCOPE_OUTPUT => Role::Output,
        LANESCOPE_INOUT => Role::Inout,
        other => return Err(refused("role", other, "0 to 2")),
    };
    let dtype = u8::try_from(given.dtype).ok().and_then(Dtype::from_raw);
    let dtype = dtype.ok_or_else(|| refused("dtype", given.dtype, "0 to 10"))?;
    let arg_index = u16::try_from(given.arg_index)
        .map_err(|_| refused("arg_index", given.arg_index, "less than 65536"))?;
    let rank = usize::try_from(given.rank)
        .ok()
        .filter(|&rank| rank <= LANESCOPE_MAX_RANK);
    let rank = rank.ok_or_else(|| refused("rank", given.rank, "0 to 5"))?;
    let mut view = TensorView::new(arg_index, role, dtype, &given.shape[..rank]);
    if given.is_window != 0 {
        view = view.window(&given.raw_shape[..rank], &given.offsets[..rank]);
    }
    if given.is_strided != 0 {
        view = view.strided(&given.strides[..rank]);
    }
    Ok(view)
}

fn argument(arg: &LanescopeArg) -> Result<Arg> {
    match arg.kind {
        LANESCOPE_SCALAR => Ok(Arg::Scalar(arg.value)),
        LANESCOPE_TENSOR => Ok(Arg::TensorAt(TensorId::from_index(arg.tensor), arg.value)),
        kind => Err(LanescopeError::Argument {
            argument: "args",
            reason: format!("kind {kind}, expected 0 (scalar) or 1 (tensor)"),
        }),
    }
}

fn driver_settings(list: &str) -> Result<Vec<(String, String)>> {
    list.split(',')
        .filter(|setting| !setting.is_empty())
        .map(|setting| match setting.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(LanescopeError::Argument {
                argument: "settings",
                reason: format!("{setting:?}, expected NAME=VALUE"),
            }),
        })
        .collect()
}

/// A place in a list; `u32::MAX`, which no list accepts, past 32 bits.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
