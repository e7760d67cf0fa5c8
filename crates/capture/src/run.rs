//! One run of a capture, decoded as far as a reader of any kind needs it.

use crate::error::{CaptureError, Result};
use crate::format::{BlockKind, Clock, Edge, EndOfRun};
use crate::{Block, Capture, FunctionName, SessionInfo, Verdict};
use lanescope_abi::{Kind, TaskRecord};
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// The blocks of one run. Records, edges and ids stay where they are in the file.
#[derive(Clone, Debug)]
pub struct CaptureRun<'a> {
    session: SessionInfo,
    functions: Vec<FunctionName>,
    verdict: Option<Verdict>,
    blocks: Vec<Block<'a>>,
    is_ended: bool,
}

impl<'a> Capture<'a> {
    /// The runs of the file, each once, in the order in which they began.
    #[must_use]
    pub fn run_ids(&self) -> Vec<u32> {
        let mut seen = HashSet::new();
        self.blocks()
            .iter()
            .filter(|block| block.kind() == BlockKind::Session)
            .map(|block| block.header.run_id)
            .filter(|&run_id| seen.insert(run_id))
            .collect()
    }

    /// The run with this id, or `None` when the file has no session block for it.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Malformed`] when a JSON block is not what its kind demands.
    pub fn run(&self, run_id: u32) -> Result<Option<CaptureRun<'a>>> {
        let of_run = |block: &&Block<'a>| block.header.run_id == run_id;
        CaptureRun::of(self.blocks().iter().filter(of_run).copied().collect())
    }

    /// Every run of the file; one pass, however many there are.
    ///
    /// # Errors
    ///
    /// As for [`Capture::run`].
    pub fn runs(&self) -> Result<Vec<CaptureRun<'a>>> {
        let mut blocks: HashMap<u32, Vec<Block<'a>>> = HashMap::new();
        for block in self.blocks() {
            blocks.entry(block.header.run_id).or_default().push(*block);
        }
        let mut runs = Vec::new();
        for run_id in self.run_ids() {
            runs.extend(CaptureRun::of(blocks.remove(&run_id).unwrap_or_default())?);
        }
        Ok(runs)
    }
}

impl<'a> CaptureRun<'a> {
    /// The run whose blocks these are; `None` when there is no session block.
    fn of(blocks: Vec<Block<'a>>) -> Result<Option<Self>> {
        let Some((block, session)) = first_json::<SessionInfo>(&blocks, BlockKind::Session)? else {
            return Ok(None);
        };
        check_run(&block, session.run_id)?;
        let verdict = first_json::<Verdict>(&blocks, BlockKind::Verdict)?;
        if let Some((block, verdict)) = &verdict {
            check_run(block, verdict.run_id)?;
        }
        Ok(Some(Self {
            session,
            functions: all_functions(&blocks)?,
            verdict: verdict.map(|(_, verdict)| verdict),
            is_ended: is_ended(&blocks),
            blocks,
        }))
    }

    /// The facts of the run.
    #[must_use]
    pub const fn session(&self) -> &SessionInfo {
        &self.session
    }

    /// The names of its functions.
    #[must_use]
    pub fn functions(&self) -> &[FunctionName] {
        &self.functions
    }

    /// Its verdict; `None` when the file ends before it.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Whether the end-of-run block is there and agrees with the blocks before it.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Its blocks, in file order.
    #[must_use]
    pub fn blocks(&self) -> &[Block<'a>] {
        &self.blocks
    }

    /// Record blocks of one kind, in file order: those of a lane are in lane order.
    pub fn record_blocks(&self, kind: Kind) -> impl Iterator<Item = &Block<'a>> {
        self.of_kind(BlockKind::Records(kind))
    }

    /// Task records, a slice per buffer.
    pub fn task_records(&self) -> impl Iterator<Item = &'a [TaskRecord]> {
        self.items(BlockKind::Records(Kind::TASK))
    }

    /// Edges, a slice per block.
    pub fn edges(&self) -> impl Iterator<Item = &'a [Edge]> {
        self.items(BlockKind::Edges)
    }

    /// Task ids in graph order, a slice per block; nothing when every id is its index.
    pub fn task_ids(&self) -> impl Iterator<Item = &'a [u64]> {
        self.items(BlockKind::TaskIds)
    }

    /// Clock pairs, a slice per block.
    pub fn clocks(&self) -> impl Iterator<Item = &'a [Clock]> {
        self.items(BlockKind::Clocks)
    }

    fn of_kind(&self, kind: BlockKind) -> impl Iterator<Item = &Block<'a>> {
        self.blocks.iter().filter(move |block| block.kind() == kind)
    }

    fn items<T>(&self, kind: BlockKind) -> impl Iterator<Item = &'a [T]>
    where
        T: FromBytes + Immutable + KnownLayout + 'a,
    {
        self.of_kind(kind).map(|block| items_of(block))
    }
}

fn items_of<'a, T: FromBytes + Immutable + KnownLayout>(block: &Block<'a>) -> &'a [T] {
    <[T]>::ref_from_bytes(block.payload)
        .expect("a checked block holds whole items of its kind at a multiple of 8")
}

fn first_json<'a, T: DeserializeOwned>(
    blocks: &[Block<'a>],
    kind: BlockKind,
) -> Result<Option<(Block<'a>, T)>> {
    let block = blocks.iter().find(|block| block.kind() == kind);
    block
        .map(|block| from_json(block).map(|value| (*block, value)))
        .transpose()
}

fn all_functions(blocks: &[Block<'_>]) -> Result<Vec<FunctionName>> {
    let mut functions = Vec::new();
    for block in blocks {
        if block.kind() == BlockKind::Functions {
            functions.extend(from_json::<Vec<FunctionName>>(block)?);
        }
    }
    Ok(functions)
}

fn from_json<T: DeserializeOwned>(block: &Block<'_>) -> Result<T> {
    serde_json::from_slice(block.payload).map_err(|reason| malformed(block, reason.to_string()))
}

/// A JSON block speaks of the run that its header names.
fn check_run(block: &Block<'_>, run_id: u32) -> Result<()> {
    let expected = block.header.run_id;
    if run_id == expected {
        return Ok(());
    }
    let reason = format!("it speaks of run {run_id}, expected run {expected} as in its header");
    Err(malformed(block, reason))
}

fn malformed(block: &Block<'_>, reason: String) -> CaptureError {
    CaptureError::Malformed {
        ordinal: block.header.ordinal,
        kind: block.kind().name(),
        offset: block.offset,
        reason,
    }
}

fn is_ended(blocks: &[Block<'_>]) -> bool {
    let Some((last, before)) = blocks.split_last() else {
        return false;
    };
    if last.kind() != BlockKind::EndOfRun {
        return false;
    }
    let records = before
        .iter()
        .filter(|block| matches!(block.kind(), BlockKind::Records(_)))
        .map(|block| u64::from(block.header.count))
        .sum::<u64>();
    items_of::<EndOfRun>(last)
        == [EndOfRun {
            blocks: before.len() as u64,
            records,
        }]
}
