//! A dump against the graph: every described tensor once at each of its stages, with the bytes that the
//! host uploaded, that the tasks before it wrote, and that the host reads back in the end.

use lanescope::{Arg, Graph, Session, Stage, TaskId, TensorId, TensorView};
use lanescope_trace::{TensorRow, Trace};
use std::collections::HashMap;

/// What is wrong with the dump of a run; empty when nothing is.
///
/// Tasks stand in the graph behind those that they depend on, and identities are told apart: so memory
/// is what the tasks so far, one after the other, have left there.
pub fn faults(graph: &Graph, session: &Session, trace: &Trace) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rows = HashMap::new();
    for row in trace.tensors() {
        let key = (row.task_id, row.arg_index, row.stage);
        if rows.insert(key, row).is_some() {
            faults.push(format!("{key:?} was dumped twice"));
        }
    }
    let mut memory = Memory::new(graph);
    let mut views: HashMap<TaskId, Vec<&TensorView>> = HashMap::new();
    for (task, view) in graph.views() {
        views.entry(*task).or_default().push(view);
    }
    let tasks = (0..graph.task_count()).map(|task| TaskId::from_index(narrow(task)));
    for task in tasks {
        let views = views.remove(&task).unwrap_or_default();
        for stage in Stage::ALL {
            for view in views.iter().filter(|view| view.role().has(stage)) {
                let task_id = graph.task_identity(task).expect("a task of the graph");
                let key = (task_id, view.arg_index(), stage);
                let Some(row) = rows.remove(&key) else {
                    faults.push(format!("{key:?} was not dumped"));
                    continue;
                };
                let place = argument(graph, task, view.arg_index());
                let fault = memory.take(place, view, &row, trace);
                faults.extend(fault.map(|text| format!("{key:?}: {text}")));
            }
        }
    }
    faults.extend(
        rows.keys()
            .map(|key| format!("{key:?} was never asked for")),
    );
    faults.extend(memory.differences(graph, session));
    faults.truncate(12);
    faults
}

/// What the graph's tensors hold.
struct Memory {
    tensors: Vec<Vec<u8>>,
}

impl Memory {
    fn new(graph: &Graph) -> Self {
        let tensors = (0..graph.tensor_count()).map(|tensor| {
            let id = TensorId::from_index(narrow(tensor));
            let bytes = graph.tensor_bytes(id).expect("a tensor of the graph");
            match graph.tensor_content(id) {
                Some(content) => content.to_vec(),
                None => vec![0; usize::try_from(bytes).expect("tests fit memory")],
            }
        });
        Self {
            tensors: tensors.collect(),
        }
    }

    /// Compares what a task reads; takes over what it wrote.
    fn take(
        &mut self,
        (tensor, offset): (TensorId, u64),
        view: &TensorView,
        row: &TensorRow,
        trace: &Trace,
    ) -> Option<String> {
        let told = (row.role, row.dtype, row.shape());
        if told != (view.role(), Some(view.dtype()), view.shape()) {
            return Some(format!("{told:?} of {view:?}"));
        }
        if row.is_truncated || Some(row.tensor_bytes) != view.bytes() {
            return Some(format!("{} of {:?} bytes", row.payload_bytes, view.bytes()));
        }
        let Some(payload) = trace.payload(row) else {
            return Some("its bytes are not there, or not those the device wrote".to_owned());
        };
        let payload = payload.to_vec();
        let size = view.dtype().bytes() as usize;
        let memory = &mut self.tensors[tensor.index()];
        let elements = elements(row).map(|element| {
            let begin = offset + element * size as u64;
            usize::try_from(begin).expect("tests fit memory")
        });
        let mut pieces = payload.chunks_exact(size);
        for begin in elements {
            let piece = pieces.next()?;
            let place = memory.get_mut(begin..begin + size)?;
            match row.stage {
                Stage::AfterCompletion => place.copy_from_slice(piece),
                Stage::BeforeDispatch if place != piece => {
                    return Some(format!(
                        "byte {begin} of the tensor: {piece:?} not {place:?}"
                    ));
                }
                Stage::BeforeDispatch => {}
            }
        }
        None
    }

    /// Where the host reads something else in the end.
    fn differences(&self, graph: &Graph, session: &Session) -> Vec<String> {
        let mut found = Vec::new();
        for tensor in 0..graph.tensor_count() {
            let id = TensorId::from_index(narrow(tensor));
            match session.read(id) {
                Ok(bytes) => {
                    let pairs = bytes.iter().zip(&self.tensors[tensor]);
                    let other = pairs.clone().position(|(now, dumped)| now != dumped);
                    found
                        .extend(other.map(|at| format!("tensor {tensor} ends other at byte {at}")));
                }
                Err(error) => found.push(format!("tensor {tensor} cannot be read: {error}")),
            }
        }
        found
    }
}

/// The places of a row's elements behind its argument, the last dimension first.
fn elements(row: &TensorRow) -> impl Iterator<Item = u64> + '_ {
    (0..row.element_count()).map(|number| {
        let mut rest = number;
        let mut place = 0;
        let dimensions = row.shape().iter().zip(row.offsets()).zip(row.strides());
        for ((&size, &offset), &stride) in dimensions.rev() {
            place += (rest % u64::from(size) + u64::from(offset)) * u64::from(stride);
            rest /= u64::from(size);
        }
        place
    })
}

/// The memory behind an argument.
fn argument(graph: &Graph, task: TaskId, argument: u16) -> (TensorId, u64) {
    let args = graph.task_args(task).expect("a task of the graph");
    match args[usize::from(argument)] {
        Arg::Tensor(tensor) => (tensor, 0),
        Arg::TensorAt(tensor, offset) => (tensor, offset),
        Arg::Scalar(number) => panic!("argument {argument} is the number {number}"),
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("tests have few tasks and tensors")
}
