//! Attention over a paged key-value cache, with an online softmax.
//!
//! All heads of a sequence share one head of keys and values. The cache is a pool of blocks in no
//! order; each sequence has a row of the block table that says where its blocks are, which the
//! kernels read on the device. For each block of keys a cube core computes scores, a vector core
//! weights, a cube core the weighted sum of the values, and a vector core folds it into the
//! running result. Sequences differ in length, and what lies behind the end of a sequence in its
//! last block is not a number, so that reading it shows.
//!
//! The host computes the plain softmax of the whole sequence in f64.

mod inputs;

use crate::content::{FLOAT_BYTES, bytes_of};
use crate::describe::Describe;
use crate::options::{expect_between, expect_few, expect_fits};
use crate::workload::ResultTensor;
use crate::{Built, Result, Target, Tolerance, Workload};
use inputs::Inputs;
use lanescope_abi::{CoreType, LINE_BYTES};
use lanescope_runtime::{Arg, FunctionId, Graph, Role, TaskId, TensorId};

const NAME: &str = "paged-attention";
/// Results lie in -1..=1. f32 sums of the lengths that are allowed stay well inside this.
const TOLERANCE: Tolerance = Tolerance::Absolute(1e-5);
/// Bytes of an entry of the block table.
const ENTRY_BYTES: u64 = 4;

/// Sizes of a [`PagedAttention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct PagedAttentionOptions {
    /// Number of sequences
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub batch: u64,
    /// Query heads; they share one head of keys and values
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub heads: u64,
    /// Elements of a head
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub head_dim: u64,
    /// Tokens in a block of the cache
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub block_size: u64,
    /// Tokens of the longest sequence; the others are shorter, down to half of it
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub context: u64,
    /// Query heads in one task
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub head_tile: u64,
}

impl Default for PagedAttentionOptions {
    fn default() -> Self {
        Self {
            batch: 8,
            heads: 32,
            head_dim: 64,
            block_size: 32,
            context: 256,
            head_tile: 16,
        }
    }
}

/// Attention over a paged key-value cache.
#[derive(Clone, Copy, Debug)]
pub struct PagedAttention {
    shape: PagedAttentionOptions,
}

impl PagedAttention {
    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Size`](crate::WorkloadError::Size).
    pub fn new(options: PagedAttentionOptions) -> Result<Self> {
        expect_between(NAME, "--batch", options.batch, 1, 1 << 12)?;
        expect_between(NAME, "--heads", options.heads, 1, 1 << 10)?;
        expect_between(NAME, "--head-dim", options.head_dim, 1, 1 << 10)?;
        expect_between(NAME, "--block-size", options.block_size, 1, 1 << 10)?;
        expect_between(NAME, "--context", options.context, 1, 1 << 16)?;
        expect_between(NAME, "--head-tile", options.head_tile, 1, 1 << 10)?;
        let steps = options.steps();
        expect_few(NAME, "--block-size", options.block_size, steps * 4)?;
        let step_floats =
            options.score_floats() * 2 + options.output_floats() + options.stats_floats();
        let cache_floats = options.pool_blocks() * options.block_floats() * 2;
        let query_floats = options.batch * options.heads * options.head_dim * 2;
        let floats = steps * step_floats + cache_floats + query_floats;
        expect_fits(NAME, "--context", options.context, floats * FLOAT_BYTES)?;
        Ok(Self { shape: options })
    }
}

impl PagedAttentionOptions {
    /// Tokens of a sequence.
    fn length(&self, sequence: u64) -> u64 {
        self.context - sequence * (self.context / 2) / self.batch
    }

    /// Blocks of a sequence.
    fn blocks(&self, sequence: u64) -> u64 {
        self.length(sequence).div_ceil(self.block_size)
    }

    /// Blocks of all sequences.
    fn pool_blocks(&self) -> u64 {
        (0..self.batch).map(|sequence| self.blocks(sequence)).sum()
    }

    /// Entries of a row of the block table.
    fn table_entries(&self) -> u64 {
        self.context.div_ceil(self.block_size)
    }

    /// Tokens of a sequence that lie in one of its blocks.
    fn keys(&self, sequence: u64, block: u64) -> u64 {
        self.block_size
            .min(self.length(sequence) - block * self.block_size)
    }

    /// The groups of heads that a task takes: the first head and how many.
    fn head_tiles(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let (heads, tile) = (self.heads, self.head_tile.min(self.heads));
        (0..heads.div_ceil(tile)).map(move |place| {
            let first = place * tile;
            (first, tile.min(heads - first))
        })
    }

    /// Blocks times groups of heads: each takes four tasks.
    fn steps(&self) -> u64 {
        self.pool_blocks() * self.heads.div_ceil(self.head_tile.min(self.heads))
    }

    fn block_floats(&self) -> u64 {
        self.block_size * self.head_dim
    }

    fn score_floats(&self) -> u64 {
        self.head_tile.min(self.heads) * self.block_size
    }

    fn output_floats(&self) -> u64 {
        self.head_tile.min(self.heads) * self.head_dim
    }

    /// A maximum and a sum for each row, on lines of their own.
    fn stats_floats(&self) -> u64 {
        (self.head_tile.min(self.heads) * 2).next_multiple_of(LINE_BYTES / FLOAT_BYTES)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a head has at most 1024 elements"
    )]
    fn scale(&self) -> f64 {
        1.0 / (self.head_dim as f64).sqrt()
    }
}

impl Workload for PagedAttention {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let PagedAttentionOptions {
            batch,
            heads,
            head_dim,
            block_size,
            context,
            ..
        } = self.shape;
        format!(
            "{batch} sequences of up to {context} tokens, {heads} heads of {head_dim} f32, blocks of {block_size}, {} tasks",
            self.shape.steps() * 4
        )
    }

    fn build(&self, target: &Target<'_>) -> Result<Built> {
        let shape = self.shape;
        let inputs = Inputs::new(&shape);
        let mut graph = Graph::new(NAME);
        let functions = Functions {
            qk: target.function(NAME, &mut graph, 0, "QK", "attention_qk")?,
            pv: target.function(NAME, &mut graph, 1, "PV", "attention_pv")?,
            softmax: target.function(NAME, &mut graph, 2, "SF", "attention_softmax")?,
            update: target.function(NAME, &mut graph, 3, "UP", "attention_update")?,
        };
        let tensors = Tensors::new(&shape, &inputs, &mut graph);
        let mut step = 0;
        for sequence in 0..shape.batch {
            for (head, rows) in shape.head_tiles() {
                let mut before = None;
                for block in 0..shape.blocks(sequence) {
                    let place = Place {
                        sequence,
                        head,
                        rows,
                        block,
                        step,
                    };
                    let entry = inputs.entry(&shape, sequence, block);
                    before = Some(add_step(
                        &mut graph, &shape, functions, tensors, place, entry, before,
                    ));
                    step += 1;
                }
            }
        }
        let compare = move |found: &[u8]| inputs.compare(&shape, found);
        Ok(Built {
            graph,
            warnings: Vec::new(),
            results: vec![ResultTensor {
                name: "out",
                tensor: tensors.out,
                compare: Box::new(compare),
            }],
            workload: NAME,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    qk: FunctionId,
    softmax: FunctionId,
    pv: FunctionId,
    update: FunctionId,
}

#[derive(Clone, Copy, Debug)]
struct Tensors {
    q: TensorId,
    k_pool: TensorId,
    v_pool: TensorId,
    table: TensorId,
    /// One piece for each step.
    scores: TensorId,
    weights: TensorId,
    stats: TensorId,
    outputs: TensorId,
    /// One piece for each sequence and group of heads.
    running: TensorId,
    out: TensorId,
}

impl Tensors {
    fn new(shape: &PagedAttentionOptions, inputs: &Inputs, graph: &mut Graph) -> Self {
        let steps = shape.steps();
        let groups = shape.batch * shape.heads;
        let mut scratch = |name: &str, floats: u64| graph.tensor(name, floats * FLOAT_BYTES);
        let scores = scratch("scores", steps * shape.score_floats());
        let weights = scratch("weights", steps * shape.score_floats());
        let stats = scratch("stats", steps * shape.stats_floats());
        let outputs = scratch("outputs", steps * shape.output_floats());
        let running = scratch("running", groups * shape.stats_floats());
        let out = scratch("out", shape.batch * shape.heads * shape.head_dim);
        let table: Vec<u8> = inputs
            .table
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect();
        Self {
            q: graph.tensor_from("q", &bytes_of(&inputs.q)),
            k_pool: graph.tensor_from("k_pool", &bytes_of(&inputs.k_pool)),
            v_pool: graph.tensor_from("v_pool", &bytes_of(&inputs.v_pool)),
            table: graph.tensor_from("block_table", &table),
            scores,
            weights,
            stats,
            outputs,
            running,
            out,
        }
    }
}

/// One block of one sequence for one group of heads.
#[derive(Clone, Copy, Debug)]
struct Place {
    sequence: u64,
    head: u64,
    rows: u64,
    block: u64,
    step: u64,
}

/// Adds the four tasks of a step; returns the last, given that of the block before. `entry` is where
/// the table says that its keys and values are.
fn add_step(
    graph: &mut Graph,
    shape: &PagedAttentionOptions,
    functions: Functions,
    tensors: Tensors,
    place: Place,
    entry: u64,
    before: Option<TaskId>,
) -> TaskId {
    let piece =
        |tensor, number: u64, floats: u64| Arg::TensorAt(tensor, number * floats * FLOAT_BYTES);
    let head = place.sequence * shape.heads + place.head;
    let scores = piece(tensors.scores, place.step, shape.score_floats());
    let weights = piece(tensors.weights, place.step, shape.score_floats());
    let stats = piece(tensors.stats, place.step, shape.stats_floats());
    let output = piece(tensors.outputs, place.step, shape.output_floats());
    let running = piece(tensors.running, head, shape.stats_floats());
    let out = piece(tensors.out, head, shape.head_dim);
    let table = Arg::TensorAt(
        tensors.table,
        place.sequence * shape.table_entries() * ENTRY_BYTES,
    );
    let block = Arg::Scalar(place.block);
    let rows = Arg::Scalar(place.rows);
    let head_dim = Arg::Scalar(shape.head_dim);
    let block_size = Arg::Scalar(shape.block_size);
    let keys = Arg::Scalar(shape.keys(place.sequence, place.block));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the kernel computes in f32"
    )]
    let scale = Arg::Scalar(u64::from((shape.scale() as f32).to_bits()));
    let first = Arg::Scalar(u64::from(before.is_none()));
    let last = Arg::Scalar(u64::from(place.block + 1 == shape.blocks(place.sequence)));

    let q = piece(tensors.q, head, shape.head_dim);
    let k = Arg::Tensor(tensors.k_pool);
    let qk = graph.task(
        functions.qk,
        CoreType::Aic,
        &[
            scores, q, k, table, block, rows, head_dim, block_size, keys, scale,
        ],
    );
    let softmax = graph.task(
        functions.softmax,
        CoreType::Aiv,
        &[weights, stats, scores, rows, block_size, keys],
    );
    let v = Arg::Tensor(tensors.v_pool);
    let pv = graph.task(
        functions.pv,
        CoreType::Aic,
        &[
            output, weights, v, table, block, rows, head_dim, block_size, keys,
        ],
    );
    let update = graph.task(
        functions.update,
        CoreType::Aiv,
        &[out, running, output, stats, rows, head_dim, first, last],
    );
    let tasks = [qk, softmax, pv, update];
    describe_step(graph, shape, tasks, place, entry);
    graph.edge(qk, softmax);
    graph.edge(softmax, pv);
    graph.edge(pv, update);
    if let Some(before) = before {
        graph.edge(before, update);
    }
    update
}

/// Says what the arguments of a step's tasks are. Rows are dense, but for scores and weights of a
/// block that is not full; of the pools only the keys that the step reads are told.
fn describe_step(
    graph: &mut Graph,
    shape: &PagedAttentionOptions,
    [qk, softmax, pv, update]: [TaskId; 4],
    place: Place,
    entry: u64,
) {
    let PagedAttentionOptions {
        head_dim,
        block_size,
        ..
    } = *shape;
    let Place {
        sequence,
        rows,
        block,
        ..
    } = place;
    let keys = shape.keys(sequence, block);
    let blocks = shape.blocks(sequence);
    let pool = [shape.pool_blocks(), block_size, head_dim];
    let (read, begin) = ([1, keys, head_dim], [entry, 0, 0]);
    let stats = [2, rows];
    Describe::new(graph, qk)
        .rows(0, Role::Output, [rows, keys], block_size)
        .dense(1, Role::Input, &[rows, head_dim])
        .window(2, Role::Input, &read, &pool, &begin)
        .indices(3, blocks);
    Describe::new(graph, softmax)
        .rows(0, Role::Output, [rows, keys], block_size)
        .dense(1, Role::Output, &stats)
        .rows(2, Role::Input, [rows, keys], block_size);
    Describe::new(graph, pv)
        .dense(0, Role::Output, &[rows, head_dim])
        .rows(1, Role::Input, [rows, keys], block_size)
        .window(2, Role::Input, &read, &pool, &begin)
        .indices(3, blocks);
    let running = match block {
        0 => Role::Output,
        _ => Role::Inout,
    };
    Describe::new(graph, update)
        .dense(0, running, &[rows, head_dim])
        .dense(1, running, &stats)
        .dense(2, Role::Input, &[rows, head_dim])
        .dense(3, Role::Input, &stats);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkloadError;

    #[test]
    fn sequences_differ_in_length_and_end_inside_a_block() {
        let shape = PagedAttentionOptions::default();
        assert_eq!(shape.length(0), 256);
        assert_eq!(shape.length(1), 240);
        assert_eq!(shape.keys(1, 7), 16);
        assert_eq!(shape.blocks(7), 5);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let nothing = PagedAttentionOptions {
            head_dim: 0,
            ..PagedAttentionOptions::default()
        };
        let error = PagedAttention::new(nothing).expect_err("refused");
        assert!(error.to_string().contains("--head-dim is 0"), "{error}");
        let huge = PagedAttentionOptions {
            batch: 4096,
            context: 1 << 16,
            ..PagedAttentionOptions::default()
        };
        let error = PagedAttention::new(huge).expect_err("refused");
        assert!(matches!(error, WorkloadError::Size { .. }), "{error}");
    }
}
