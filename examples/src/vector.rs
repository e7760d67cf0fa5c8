//! Chains of elementwise operations on vector cores, joined in pairs.
//!
//! A chain owns one tile and changes it in place, step by step: multiply, add, multiply-and-add,
//! and then, in every even chain, add the tile of the next chain as it stands at that moment. The
//! next chain waits until it has been read. So a task that runs early, late, twice or never
//! changes the result, which the host recomputes element by element with the same roundings.

use crate::check::Comparison;
use crate::content::{FLOAT_BYTES, Sequence, bytes_of, floats, floats_in, index};
use crate::describe::Describe;
use crate::options::expect_between;
use crate::workload::ResultTensor;
use crate::{Built, Check, Result, Target, Tolerance, Workload};
use lanescope_abi::CoreType;
use lanescope_runtime::{Arg, Graph, Role, TaskId};

const NAME: &str = "vector";
/// How far the terms of the multiplications and additions are apart.
const STEPS: u16 = 1 << 12;

/// Sizes of a [`Vector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct VectorOptions {
    /// Number of tasks
    #[arg(long, default_value_t = 960, value_name = "N")]
    pub tasks: u64,
    /// Elements of a tile
    #[arg(long, default_value_t = 1024, value_name = "N")]
    pub tile: u64,
    /// Chains that run side by side; at most one a task
    #[arg(long, default_value_t = 96, value_name = "N")]
    pub chains: u64,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self {
            tasks: 960,
            tile: 1024,
            chains: 96,
        }
    }
}

/// Chains of elementwise operations.
#[derive(Clone, Copy, Debug)]
pub struct Vector {
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    tasks: u64,
    tile: u64,
    chains: u64,
}

/// What a chain does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Multiply,
    Add,
    MultiplyAdd,
    /// Adds the tile of the next chain.
    AddNext,
}

impl Vector {
    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Size`](crate::WorkloadError::Size).
    pub fn new(options: VectorOptions) -> Result<Self> {
        expect_between(NAME, "--tasks", options.tasks, 1, crate::options::MAX_TASKS)?;
        expect_between(NAME, "--tile", options.tile, 1, 1 << 20)?;
        expect_between(NAME, "--chains", options.chains, 1, 1 << 16)?;
        let chains = options.chains.min(options.tasks);
        crate::options::expect_fits(NAME, "--tile", options.tile, options.tile * chains * 12)?;
        Ok(Self {
            shape: Shape {
                tasks: options.tasks,
                tile: options.tile,
                chains,
            },
        })
    }
}

impl Workload for Vector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let Shape {
            tasks,
            tile,
            chains,
        } = self.shape;
        format!("{tasks} elementwise tasks in {chains} chains, tiles of {tile} f32")
    }

    fn build(&self, target: &Target<'_>) -> Result<Built> {
        let shape = self.shape;
        let inputs = Inputs::new(&shape);
        let mut graph = Graph::new(NAME);
        let multiply = target.function(NAME, &mut graph, 0, "mul", "vector_mul")?;
        let add = target.function(NAME, &mut graph, 1, "add", "vector_add")?;
        let fused = target.function(NAME, &mut graph, 2, "mul_add", "vector_fused")?;
        let data = graph.tensor_from("data", &bytes_of(&inputs.data));
        let factors = graph.tensor_from("factors", &bytes_of(&inputs.factors));
        let addends = graph.tensor_from("addends", &bytes_of(&inputs.addends));
        for task in 0..shape.tasks {
            let (step, chain) = shape.place(task);
            let tile_of = |chain: u64| chain * shape.tile * FLOAT_BYTES;
            let own = Arg::TensorAt(data, tile_of(chain));
            let factor = Arg::TensorAt(factors, tile_of(chain));
            let addend = Arg::TensorAt(addends, tile_of(chain));
            let count = Arg::Scalar(shape.tile);
            let (function, args): (_, &[Arg]) = match shape.operation(step, chain) {
                Operation::Multiply => (multiply, &[own, own, factor, count]),
                Operation::Add => (add, &[own, own, addend, count]),
                Operation::MultiplyAdd => (fused, &[own, own, factor, addend, count]),
                Operation::AddNext => {
                    let next = Arg::TensorAt(data, tile_of(chain + 1));
                    (add, &[own, own, next, count])
                }
            };
            let task = graph.task_with_id(function, CoreType::Aiv, args, task);
            let mut describe = Describe::new(&mut graph, task);
            describe.dense(0, Role::Output, &[shape.tile]);
            // The count is the last argument; all before it and behind the result are read.
            for input in (1u16..).take(args.len() - 2) {
                describe.dense(input, Role::Input, &[shape.tile]);
            }
        }
        shape.edges(|from, to| graph.edge(task_id(from), task_id(to)));
        let compare = move |found: &[u8]| inputs.compare(&shape, found);
        Ok(Built {
            graph,
            warnings: Vec::new(),
            results: vec![ResultTensor {
                name: "data",
                tensor: data,
                compare: Box::new(compare),
            }],
            workload: NAME,
        })
    }
}

impl Shape {
    /// Step and chain of a task: tasks are numbered step by step.
    fn place(&self, task: u64) -> (u64, u64) {
        (task / self.chains, task % self.chains)
    }

    /// The task of a chain at a step, if the chain is that long.
    fn task(&self, step: u64, chain: u64) -> Option<u64> {
        let task = step * self.chains + chain;
        (task < self.tasks).then_some(task)
    }

    fn operation(&self, step: u64, chain: u64) -> Operation {
        let has_next = chain.is_multiple_of(2) && chain + 1 < self.chains;
        match step % 4 {
            0 => Operation::Multiply,
            2 => Operation::MultiplyAdd,
            3 if has_next => Operation::AddNext,
            _ => Operation::Add,
        }
    }

    /// Calls `edge` with (producer, consumer) for every edge.
    fn edges(&self, mut edge: impl FnMut(u64, u64)) {
        for task in 0..self.tasks {
            let (step, chain) = self.place(task);
            if step > 0 {
                edge(task - self.chains, task);
            }
            if self.operation(step, chain) == Operation::AddNext {
                // The next chain is at most one step shorter, so the step that is read exists.
                edge(task - self.chains + 1, task);
                if let Some(overwriter) = self.task(step, chain + 1) {
                    edge(task, overwriter);
                }
            }
        }
    }
}

/// What the tiles hold before the run, chain after chain.
#[derive(Debug)]
struct Inputs {
    data: Vec<f32>,
    factors: Vec<f32>,
    addends: Vec<f32>,
}

impl Inputs {
    fn new(shape: &Shape) -> Self {
        let count = index(shape.chains * shape.tile);
        let mut sequence = Sequence::new(0x5eed_0001);
        Self {
            data: floats(count, || sequence.step(STEPS)),
            // At most one half, so that no chain grows without bound.
            factors: floats(count, || sequence.step(STEPS) * 0.5),
            addends: floats(count, || sequence.step(STEPS)),
        }
    }

    fn compare(&self, shape: &Shape, found: &[u8]) -> Result<Check> {
        let mut comparison = Comparison::new(NAME, "data", Tolerance::Exact);
        let expected = self.expected(shape);
        for (place, (found, expected)) in (0u64..).zip(floats_in(found).zip(expected)) {
            comparison.float(found, f64::from(expected), || {
                format!(
                    "chain {}, element {}",
                    place / shape.tile,
                    place % shape.tile
                )
            });
        }
        comparison.finish()
    }

    /// The tiles after the last step, element by element, a pair of chains at a time.
    fn expected(&self, shape: &Shape) -> Vec<f32> {
        let mut expected = self.data.clone();
        let tile = index(shape.tile);
        for first in (0..shape.chains).step_by(2) {
            for element in 0..tile {
                let place = index(first) * tile + element;
                for step in 0..shape.tasks.div_ceil(shape.chains) {
                    for (chain, at) in [(first, place), (first + 1, place + tile)] {
                        if chain == shape.chains || shape.task(step, chain).is_none() {
                            continue;
                        }
                        let value = expected[at];
                        expected[at] = match shape.operation(step, chain) {
                            Operation::Multiply => value * self.factors[at],
                            Operation::Add => value + self.addends[at],
                            Operation::MultiplyAdd => value * self.factors[at] + self.addends[at],
                            Operation::AddNext => value + expected[at + tile],
                        };
                    }
                }
            }
        }
        expected
    }
}

fn task_id(task: u64) -> TaskId {
    TaskId::from_index(u32::try_from(task).expect("at most MAX_TASKS tasks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkloadError;

    fn shape(tasks: u64, chains: u64) -> Shape {
        let options = VectorOptions {
            tasks,
            tile: 4,
            chains,
        };
        Vector::new(options).expect("sizes that can be").shape
    }

    #[test]
    fn every_edge_goes_forward_in_steps_or_to_the_next_chain() {
        for (tasks, chains) in [(1, 1), (7, 3), (960, 96), (961, 96), (97, 96), (50, 1)] {
            let shape = shape(tasks, chains);
            let mut chained = 0;
            shape.edges(|from, to| {
                assert!(from < to && to < tasks, "{from} -> {to} of {tasks}");
                chained += u64::from(shape.place(from).1 == shape.place(to).1);
            });
            assert_eq!(chained, tasks - chains);
        }
    }

    #[test]
    fn pairs_of_chains_cross() {
        let shape = shape(40, 4);
        let mut cross = Vec::new();
        shape.edges(|from, to| {
            let ((from_step, from_chain), (to_step, to_chain)) =
                (shape.place(from), shape.place(to));
            if from_chain != to_chain {
                cross.push((from_step, from_chain, to_step, to_chain));
            }
        });
        assert!(cross.contains(&(2, 1, 3, 0)), "read");
        assert!(
            cross.contains(&(3, 0, 3, 1)),
            "overwritten after it was read"
        );
        assert!(cross.iter().all(|&(_, from, _, to)| from / 2 == to / 2));
    }

    #[test]
    fn the_values_stay_bounded() {
        let shape = shape(4000, 4);
        let expected = Inputs::new(&shape).expected(&shape);
        assert!(
            expected.iter().all(|value| value.abs() < 8.0),
            "{expected:?}"
        );
    }

    #[test]
    fn no_task_and_no_element_are_refused() {
        for (tasks, tile) in [(0, 4), (4, 0), (u64::MAX, 4), (4, u64::MAX)] {
            let options = VectorOptions {
                tasks,
                tile,
                chains: 2,
            };
            let error = Vector::new(options).expect_err("refused");
            assert!(matches!(error, WorkloadError::Size { .. }), "{error}");
        }
    }
}
