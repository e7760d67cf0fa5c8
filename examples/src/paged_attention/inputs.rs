//! The cache, the block table and the queries, and the plain attention over them.

use super::{NAME, PagedAttentionOptions, TOLERANCE};
use crate::check::Comparison;
use crate::content::{Sequence, floats, floats_in, index};
use crate::{Check, Result};

/// What the tensors hold before the run.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) q: Vec<f32>,
    pub(super) k_pool: Vec<f32>,
    pub(super) v_pool: Vec<f32>,
    /// Block in the pool, by sequence and place in the sequence.
    pub(super) table: Vec<u32>,
}

impl Inputs {
    pub(super) fn new(shape: &PagedAttentionOptions) -> Self {
        let mut sequence = Sequence::new(0x5eed_0003);
        let q = floats(index(shape.batch * shape.heads * shape.head_dim), || {
            sequence.unit()
        });
        let pool_floats = index(shape.pool_blocks() * shape.block_floats());
        let mut inputs = Self {
            q,
            k_pool: vec![f32::NAN; pool_floats],
            v_pool: vec![f32::NAN; pool_floats],
            table: vec![u32::MAX; index(shape.batch * shape.table_entries())],
        };
        let mut free = shuffled(shape.pool_blocks(), &mut sequence);
        for row in 0..shape.batch {
            for block in 0..shape.blocks(row) {
                let entry = free.pop().expect("the pool has a block for each");
                inputs.table[index(row * shape.table_entries() + block)] = entry;
            }
            for token in 0..shape.length(row) {
                let at = inputs.token(shape, row, token);
                for element in at..at + index(shape.head_dim) {
                    inputs.k_pool[element] = sequence.unit();
                    inputs.v_pool[element] = sequence.unit();
                }
            }
        }
        inputs
    }

    /// Which block of the pools is that block of a sequence.
    pub(super) fn entry(&self, shape: &PagedAttentionOptions, sequence: u64, block: u64) -> u64 {
        self.table[index(sequence * shape.table_entries() + block)].into()
    }

    /// Where a token of a sequence is in the pools.
    fn token(&self, shape: &PagedAttentionOptions, sequence: u64, token: u64) -> usize {
        let (block, place) = (token / shape.block_size, token % shape.block_size);
        index((self.entry(shape, sequence, block) * shape.block_size + place) * shape.head_dim)
    }

    pub(super) fn compare(&self, shape: &PagedAttentionOptions, found: &[u8]) -> Result<Check> {
        let mut comparison = Comparison::new(NAME, "out", TOLERANCE);
        let mut found = floats_in(found);
        for sequence in 0..shape.batch {
            for head in 0..shape.heads {
                let expected = self.attention(shape, sequence, head);
                for (element, (expected, found)) in expected.iter().zip(&mut found).enumerate() {
                    comparison.float(found, *expected, || {
                        format!("sequence {sequence}, head {head}, element {element}")
                    });
                }
            }
        }
        comparison.finish()
    }

    /// The plain softmax attention of one head over one sequence.
    fn attention(&self, shape: &PagedAttentionOptions, sequence: u64, head: u64) -> Vec<f64> {
        let head_dim = index(shape.head_dim);
        let query = &self.q[index(sequence * shape.heads + head) * head_dim..][..head_dim];
        let tokens: Vec<usize> = (0..shape.length(sequence))
            .map(|token| self.token(shape, sequence, token))
            .collect();
        let mut weights: Vec<f64> = tokens
            .iter()
            .map(|&at| dot(query, &self.k_pool[at..][..head_dim]) * shape.scale())
            .collect();
        let maximum = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for weight in &mut weights {
            *weight = (*weight - maximum).exp();
        }
        let sum: f64 = weights.iter().sum();
        let mut result = vec![0.0; head_dim];
        for (&at, weight) in tokens.iter().zip(weights) {
            for (result, &value) in result.iter_mut().zip(&self.v_pool[at..][..head_dim]) {
                *result += weight / sum * f64::from(value);
            }
        }
        result
    }
}

fn dot(one: &[f32], two: &[f32]) -> f64 {
    one.iter()
        .zip(two)
        .map(|(&one, &two)| f64::from(one) * f64::from(two))
        .sum()
}

/// 0..count in an order that depends on the sequence.
fn shuffled(count: u64, sequence: &mut Sequence) -> Vec<u32> {
    let count = u32::try_from(count).expect("as many blocks as a quarter of the tasks at most");
    let mut order: Vec<u32> = (0..count).collect();
    for place in (1..order.len()).rev() {
        let other = index(sequence.bits() % (place as u64 + 1));
        order.swap(place, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_the_pool_belongs_to_one_sequence() {
        let shape = PagedAttentionOptions::default();
        let inputs = Inputs::new(&shape);
        let mut used: Vec<u32> = inputs
            .table
            .iter()
            .copied()
            .filter(|&entry| entry != u32::MAX)
            .collect();
        assert_ne!(used[..4], [0, 1, 2, 3], "not in order");
        used.sort_unstable();
        let pool = u32::try_from(shape.pool_blocks()).unwrap();
        assert!(used.iter().copied().eq(0..pool));
    }

    #[test]
    fn one_token_is_its_own_value() {
        let shape = PagedAttentionOptions {
            batch: 1,
            context: 1,
            ..PagedAttentionOptions::default()
        };
        let inputs = Inputs::new(&shape);
        let result = inputs.attention(&shape, 0, 3);
        let values = inputs.v_pool[..64].iter().map(|&value| f64::from(value));
        assert!(result.into_iter().eq(values));
    }
}
