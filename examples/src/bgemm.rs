//! Tiled batched matrix multiplication: partial products on cube cores, sums on vector cores.
//!
//! Inputs are multiples of 1/16 in -1..=1. Every product is then a multiple of 1/256 and every sum
//! of up to 65536 of them is exact in f32, whatever the order, so that the host's plain f64 sum is
//! equal bit for bit.

use crate::check::Comparison;
use crate::content::{FLOAT_BYTES, Sequence, bytes_of, floats, floats_in, index};
use crate::describe::Describe;
use crate::options::{expect_between, expect_few, expect_fits};
use crate::workload::ResultTensor;
use crate::{Built, Check, Result, Target, Tolerance, Workload};
use lanescope_abi::CoreType;
use lanescope_runtime::{Arg, Graph, Role, TaskId};

const NAME: &str = "bgemm";
/// The inputs are multiples of one over this.
const STEPS: u16 = 16;
/// The longest sum that is exact: 24 bits, of which a product has 8 behind the point.
const MAX_K: u64 = (1 << 24) / (STEPS as u64 * STEPS as u64);
const MAX_EDGE: u64 = 1 << 14;

/// Sizes of a [`Bgemm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct BgemmOptions {
    /// Number of independent products
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub batch: u64,
    /// Rows of A and C
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub m: u64,
    /// Columns of B and C
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub n: u64,
    /// Columns of A and rows of B
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub k: u64,
    /// Edge of a tile; tiles at an end are smaller
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub tile: u64,
}

impl Default for BgemmOptions {
    fn default() -> Self {
        Self {
            batch: 4,
            m: 128,
            n: 128,
            k: 128,
            tile: 32,
        }
    }
}

/// Tiled batched matrix multiplication.
#[derive(Clone, Copy, Debug)]
pub struct Bgemm {
    shape: BgemmOptions,
}

impl Bgemm {
    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Size`](crate::WorkloadError::Size).
    pub fn new(options: BgemmOptions) -> Result<Self> {
        let BgemmOptions {
            batch,
            m,
            n,
            k,
            tile,
        } = options;
        expect_between(NAME, "--batch", batch, 1, 1 << 16)?;
        expect_between(NAME, "--m", m, 1, MAX_EDGE)?;
        expect_between(NAME, "--n", n, 1, MAX_EDGE)?;
        expect_between(NAME, "--k", k, 1, MAX_K)?;
        expect_between(NAME, "--tile", tile, 1, 1 << 12)?;
        expect_few(NAME, "--tile", tile, options.partials() * 2)?;
        let floats = batch * (m * k + k * n + m * n) + options.partials() * tile * tile;
        expect_fits(NAME, "--batch", batch, floats * FLOAT_BYTES)?;
        Ok(Self { shape: options })
    }
}

impl BgemmOptions {
    /// Number of partial products.
    fn partials(&self) -> u64 {
        let tiles = |edge: u64| edge.div_ceil(self.tile);
        self.batch * tiles(self.m) * tiles(self.n) * tiles(self.k)
    }

    /// The tiles along an edge: where each begins and how long it is.
    fn tiles(&self, edge: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
        let tile = self.tile;
        (0..edge.div_ceil(tile)).map(move |place| {
            let begin = place * tile;
            (begin, tile.min(edge - begin))
        })
    }
}

impl Workload for Bgemm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let BgemmOptions {
            batch,
            m,
            n,
            k,
            tile,
        } = self.shape;
        format!(
            "{batch} products of {m}x{k} by {k}x{n} f32 in tiles of {tile}, {} tasks",
            self.shape.partials() * 2
        )
    }

    fn build(&self, target: &Target<'_>) -> Result<Built> {
        let shape = self.shape;
        let inputs = Inputs::new(&shape);
        let mut graph = Graph::new(NAME);
        let multiply = target.function(NAME, &mut graph, 0, "gemm_tile", "gemm_tile")?;
        let accumulate = target.function(NAME, &mut graph, 1, "accumulate", "gemm_accumulate")?;
        let a = graph.tensor_from("a", &bytes_of(&inputs.a));
        let b = graph.tensor_from("b", &bytes_of(&inputs.b));
        let tile_bytes = shape.tile * shape.tile * FLOAT_BYTES;
        let partials = graph.tensor("partials", shape.partials() * tile_bytes);
        let c = graph.tensor("c", shape.batch * shape.m * shape.n * FLOAT_BYTES);
        let BgemmOptions { batch, m, n, k, .. } = shape;
        let mut partial_count = 0;
        for product in 0..batch {
            for (row, rows) in shape.tiles(m) {
                for (column, columns) in shape.tiles(n) {
                    let mut before: Option<TaskId> = None;
                    for (inner, depth) in shape.tiles(k) {
                        let partial = Arg::TensorAt(partials, partial_count * tile_bytes);
                        partial_count += 1;
                        let a_at = (product * m + row) * k + inner;
                        let b_at = (product * k + inner) * n + column;
                        let c_at = (product * m + row) * n + column;
                        let product_task = graph.task(
                            multiply,
                            CoreType::Aic,
                            &[
                                partial,
                                Arg::TensorAt(a, a_at * FLOAT_BYTES),
                                Arg::Scalar(k),
                                Arg::TensorAt(b, b_at * FLOAT_BYTES),
                                Arg::Scalar(n),
                                Arg::Scalar(rows),
                                Arg::Scalar(columns),
                                Arg::Scalar(depth),
                            ],
                        );
                        let sum_task = graph.task(
                            accumulate,
                            CoreType::Aiv,
                            &[
                                Arg::TensorAt(c, c_at * FLOAT_BYTES),
                                Arg::Scalar(n),
                                partial,
                                Arg::Scalar(rows),
                                Arg::Scalar(columns),
                                Arg::Scalar(u64::from(before.is_none())),
                            ],
                        );
                        Describe::new(&mut graph, product_task)
                            .dense(0, Role::Output, &[rows, columns])
                            .rows(1, Role::Input, [rows, depth], k)
                            .rows(3, Role::Input, [depth, columns], n);
                        let c_role = match before {
                            None => Role::Output,
                            Some(_) => Role::Inout,
                        };
                        Describe::new(&mut graph, sum_task)
                            .rows(0, c_role, [rows, columns], n)
                            .dense(2, Role::Input, &[rows, columns]);
                        graph.edge(product_task, sum_task);
                        if let Some(before) = before {
                            graph.edge(before, sum_task);
                        }
                        before = Some(sum_task);
                    }
                }
            }
        }
        let compare = move |found: &[u8]| inputs.compare(&shape, found);
        Ok(Built {
            graph,
            warnings: Vec::new(),
            results: vec![ResultTensor {
                name: "c",
                tensor: c,
                compare: Box::new(compare),
            }],
            workload: NAME,
        })
    }
}

/// The matrices, product after product, row-major.
#[derive(Debug)]
struct Inputs {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Inputs {
    fn new(shape: &BgemmOptions) -> Self {
        let mut sequence = Sequence::new(0x5eed_0002);
        let mut matrices =
            |elements: u64| floats(index(shape.batch * elements), || sequence.step(STEPS));
        Self {
            a: matrices(shape.m * shape.k),
            b: matrices(shape.k * shape.n),
        }
    }

    fn compare(&self, shape: &BgemmOptions, found: &[u8]) -> Result<Check> {
        let mut comparison = Comparison::new(NAME, "c", Tolerance::Exact);
        let (m, n, k) = (index(shape.m), index(shape.n), index(shape.k));
        let mut found = floats_in(found);
        let mut expected = vec![0f64; n];
        for product in 0..index(shape.batch) {
            for row in 0..m {
                let left = &self.a[(product * m + row) * k..][..k];
                expected.fill(0.0);
                for (inner, &left) in left.iter().enumerate() {
                    let right = &self.b[(product * k + inner) * n..][..n];
                    for (sum, &right) in expected.iter_mut().zip(right) {
                        *sum += f64::from(left) * f64::from(right);
                    }
                }
                for (column, (&expected, found)) in expected.iter().zip(&mut found).enumerate() {
                    // A sum that cancels out is +0 on both sides unless every term was -0.
                    comparison.float(found + 0.0, expected + 0.0, || {
                        format!("product {product}, row {row}, column {column}")
                    });
                }
            }
        }
        comparison.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkloadError;

    #[test]
    fn tiles_cover_an_edge_once() {
        let shape = BgemmOptions {
            tile: 32,
            ..BgemmOptions::default()
        };
        let tiles: Vec<_> = shape.tiles(70).collect();
        assert_eq!(tiles, [(0, 32), (32, 32), (64, 6)]);
        assert_eq!(shape.tiles(32).count(), 1);
    }

    #[test]
    fn a_sum_that_would_round_is_refused() {
        let options = BgemmOptions {
            k: MAX_K + 1,
            ..BgemmOptions::default()
        };
        let error = Bgemm::new(options).expect_err("refused").to_string();
        assert_eq!(error, "bgemm: --k is 65537, expected 1 to 65536");
    }

    #[test]
    fn too_many_tiles_and_too_many_bytes_are_refused() {
        let few_bytes = BgemmOptions {
            tile: 1,
            ..BgemmOptions::default()
        };
        let few_tasks = BgemmOptions {
            batch: 1 << 16,
            tile: 128,
            ..BgemmOptions::default()
        };
        for options in [few_bytes, few_tasks] {
            let error = Bgemm::new(options).expect_err("refused");
            assert!(matches!(error, WorkloadError::Size { .. }), "{error}");
        }
    }
}
