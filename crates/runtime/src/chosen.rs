//! The tensors of a graph that a run records, as the device is told.

use crate::graph::Graph;
use crate::tensors::Tensors;
use crate::{DumpOptions, DumpSelection, Result, RuntimeError, TaskId, TensorView};
use lanescope_abi::{Stage, TaskTensor};
use std::collections::HashSet;

/// Views of a checked graph, by task and argument, each with the stages at which it is recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChosenTensors {
    /// Place in the graph's views, and bits of the stages.
    views: Vec<(u32, u32)>,
    /// Where the views of each task begin, one entry more than tasks; empty when there is no view.
    first: Vec<u32>,
}

impl ChosenTensors {
    /// What `options` choose; nothing without them.
    pub(crate) fn new(graph: &Graph, options: Option<&DumpOptions>) -> Result<Self> {
        let Some(options) = options else {
            return Ok(Self::default());
        };
        let chooser = Chooser::new(graph, &options.selection)?;
        let mut chosen = Self {
            views: Vec::new(),
            first: vec![0; graph.task_count() + 1],
        };
        for place in graph.sorted_views() {
            let (task, view) = &graph.views()[place as usize];
            let stages = chooser.stages_of(*task, view);
            if stages != 0 {
                chosen.views.push((place, stages));
                chosen.first[task.index() + 1] += 1;
            }
        }
        for task in 0..graph.task_count() {
            chosen.first[task + 1] += chosen.first[task];
        }
        if chosen.views.is_empty() {
            let described = graph.views().len();
            let text = match described {
                0 => format!("graph {} describes none of its tensors", graph.name()),
                _ => format!("none of the {described} described tensors is chosen"),
            };
            return Err(refuse(text));
        }
        Ok(chosen)
    }

    /// How many tensors there are.
    pub(crate) fn count(&self) -> u32 {
        self.first.last().copied().unwrap_or(0)
    }

    /// How many records they make.
    pub(crate) fn records(&self) -> u64 {
        let stages = self.views.iter().map(|(_, stages)| stages.count_ones());
        stages.map(u64::from).sum()
    }

    /// The first tensor of a task and how many it has.
    pub(crate) fn of_task(&self, task: usize) -> (u32, u32) {
        match self.first.get(task..task + 2) {
            Some(&[first, next]) if next > first => (first, next - first),
            _ => (0, 0),
        }
    }

    /// As the device reads them.
    pub(crate) fn tensors<'a>(
        &'a self,
        graph: &'a Graph,
        memory: &'a Tensors,
    ) -> impl Iterator<Item = TaskTensor> + 'a {
        self.views.iter().map(move |&(place, stages)| {
            let (task, view) = &graph.views()[place as usize];
            let behind = graph
                .behind(*task, view)
                .expect("a checked view is of a tensor");
            let address = memory.address(behind.tensor).offset(behind.offset_bytes);
            let bytes = graph.tensor_bytes(behind.tensor).unwrap_or_default();
            TaskTensor {
                tensor: view.at(address.0),
                raw_bytes: bytes - behind.offset_bytes,
                stages,
                ..TaskTensor::default()
            }
        })
    }
}

/// A selection with its names looked up.
struct Chooser<'a> {
    graph: &'a Graph,
    selection: &'a DumpSelection,
    task_ids: HashSet<u64>,
    /// By place in the graph's list of functions.
    functions: Vec<bool>,
}

impl<'a> Chooser<'a> {
    fn new(graph: &'a Graph, selection: &'a DumpSelection) -> Result<Self> {
        let task_ids: HashSet<u64> = selection.task_ids.iter().copied().collect();
        let mut unknown = task_ids.clone();
        for task in graph.tasks() {
            unknown.remove(&task.task_id);
        }
        if let Some(unknown) = unknown.iter().min() {
            return Err(refuse(format!("no task has the id {unknown:#x}")));
        }
        Ok(Self {
            graph,
            selection,
            task_ids,
            functions: chosen_functions(graph, &selection.functions)?,
        })
    }

    /// Bits of the stages at which a view is recorded.
    fn stages_of(&self, task: TaskId, view: &TensorView) -> u32 {
        let DumpSelection {
            arguments, stages, ..
        } = self.selection;
        let of_graph = &self.graph.tasks()[task.index()];
        let is_chosen = (self.task_ids.is_empty() || self.task_ids.contains(&of_graph.task_id))
            && self.functions[of_graph.function.index()]
            && (arguments.is_empty() || arguments.contains(&view.arg_index()));
        if !is_chosen {
            return 0;
        }
        Stage::ALL
            .into_iter()
            .filter(|stage| stages.is_empty() || stages.contains(stage))
            .filter(|&stage| view.role().has(stage))
            .map(|stage| 1 << stage as u32)
            .sum()
    }
}

/// Which functions of the graph the texts name, by name or number; all where there is no text.
fn chosen_functions(graph: &Graph, texts: &[String]) -> Result<Vec<bool>> {
    let functions = graph.functions();
    let mut chosen = vec![texts.is_empty(); functions.len()];
    for text in texts {
        let mut is_known = false;
        for (function, chosen) in functions.iter().zip(&mut chosen) {
            if function.name == *text || text.parse() == Ok(function.func_id) {
                *chosen = true;
                is_known = true;
            }
        }
        if !is_known {
            let known: Vec<String> = functions
                .iter()
                .map(|function| format!("{} ({})", function.name, function.func_id))
                .collect();
            let known = known.join(", ");
            return Err(refuse(format!("no function {text}, the graph has {known}")));
        }
    }
    Ok(chosen)
}

fn refuse(reason: String) -> RuntimeError {
    RuntimeError::Option {
        option: "dump",
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arg, Dtype, Role};
    use lanescope_abi::CoreType;
    use std::sync::Arc;

    /// Three tasks of two functions: an input and an output each, the last an in-out beside them.
    fn graph() -> Graph {
        let mut graph = Graph::new("three");
        let image = Arc::from([1u8].as_slice());
        let scale = graph.function("scale", 7, Arc::clone(&image));
        let add = graph.function("add", 9, image);
        let data = graph.tensor("data", 4096);
        for (number, function) in [(0, scale), (1, add), (2, scale)] {
            let args = [
                Arg::Tensor(data),
                Arg::Scalar(3),
                Arg::TensorAt(data, 1024 * (number + 1)),
            ];
            let task = graph.task_with_id(function, CoreType::Aiv, &args, 100 + number);
            graph.describe(task, TensorView::new(2, Role::Output, Dtype::Int32, &[8]));
            graph.describe(task, TensorView::new(0, Role::Input, Dtype::Int32, &[4, 8]));
        }
        graph
    }

    fn chosen(selection: DumpSelection) -> Result<ChosenTensors> {
        let options = DumpOptions {
            selection,
            ..DumpOptions::default()
        };
        ChosenTensors::new(&graph(), Some(&options))
    }

    #[test]
    fn all_lists_have_to_agree_and_an_empty_one_has_all() {
        let all = chosen(DumpSelection::default()).expect("some");
        assert_eq!((all.count(), all.records()), (6, 6));
        assert_eq!(all.of_task(1), (2, 2));
        // Arguments ascend within a task, whatever the order they were described in.
        assert_eq!(all.views, [(1, 1), (0, 2), (3, 1), (2, 2), (5, 1), (4, 2)]);
        let one = chosen(DumpSelection {
            task_ids: vec![100, 102],
            functions: vec!["7".to_owned()],
            arguments: vec![2, 0],
            stages: vec![Stage::AfterCompletion],
        })
        .expect("some");
        assert_eq!(one.views, [(0, 2), (4, 2)]);
        assert_eq!(
            [0, 1, 2].map(|task| one.of_task(task)),
            [(0, 1), (0, 0), (1, 1)]
        );
    }

    #[test]
    fn a_choice_of_nothing_is_refused_and_says_why() {
        let named = |functions: &[&str]| DumpSelection {
            functions: functions.iter().map(ToString::to_string).collect(),
            ..DumpSelection::default()
        };
        let numbered = |task_ids| DumpSelection {
            task_ids,
            ..DumpSelection::default()
        };
        let told = |selection| chosen(selection).expect_err("refused").to_string();
        assert_eq!(
            told(named(&["add", "mul"])),
            "dump: no function mul, the graph has scale (7), add (9)"
        );
        assert_eq!(told(numbered(vec![101, 3])), "dump: no task has the id 0x3");
        let scalars = DumpSelection {
            arguments: vec![1],
            ..DumpSelection::default()
        };
        assert!(told(scalars).contains("none of the 6 described tensors"));
        let options = DumpOptions::default();
        let bare = ChosenTensors::new(&Graph::new("bare"), Some(&options));
        let told = bare.expect_err("refused").to_string();
        assert_eq!(told, "dump: graph bare describes none of its tensors");
    }
}
