//! A graph whose one task runs until the host opens a gate: what is true in between stays true.

use crate::Stand;
use lanescope::{Arg, CoreType, Device, Graph, Mapping, MappingExt};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const LINE_BYTES: u64 = 64;
const ENTERED: u64 = 0;
const GATE: u64 = LINE_BYTES;
const ANSWER: u64 = 2 * LINE_BYTES;

/// Looks at the gate after which the kernel gives up; some seconds.
const LOOKS: u64 = 1 << 33;
/// A kernel that has not begun by now never will.
const HANG: Duration = Duration::from_secs(60);

/// A graph of one task that waits for the host, and the words it shares with it.
#[derive(Debug)]
pub struct Gate {
    mapping: Box<dyn Mapping>,
    graph: Graph,
}

impl Gate {
    /// A shut gate.
    ///
    /// # Errors
    ///
    /// When the kernel was not built, or there is no memory for the words.
    pub fn new(stand: &Stand, device: &Arc<dyn Device>) -> Result<Self, Box<dyn Error>> {
        let memory = device.allocate(4096)?;
        let mapping = device.map(&memory, 4096)?;
        mapping.write_bytes(0, &[0; 4096]);
        mapping.flush(0..4096)?;
        let word = |offset| Arg::Scalar(memory.address().offset(offset).0);
        let mut graph = Graph::new("gate");
        let function = graph.function("gate", 0, stand.build().kernel("gate")?);
        let args = [word(ENTERED), word(GATE), word(ANSWER), Arg::Scalar(LOOKS)];
        graph.task(function, CoreType::Aiv, &args);
        Ok(Self { mapping, graph })
    }

    /// The graph. A run of it ends when the gate is opened, and soon after that.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Waits until the task runs.
    ///
    /// # Errors
    ///
    /// When it does not begin, or the device cannot be read.
    pub fn wait_until_entered(&self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + HANG;
        while self.word(ENTERED)? == 0 {
            if Instant::now() > deadline {
                return Err(format!("no kernel at the gate after {HANG:?}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Lets the task end.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn open(&self, number: u64) -> Result<(), Box<dyn Error>> {
        self.mapping.store64(GATE, number, Ordering::Release);
        Ok(self.mapping.flush(GATE..GATE + 8)?)
    }

    /// What the task answered: the number it saw plus one, or 0 if it has seen none.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn answer(&self) -> Result<u64, Box<dyn Error>> {
        self.word(ANSWER)
    }

    /// Shuts it again, for another run.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn shut(&self) -> Result<(), Box<dyn Error>> {
        for word in [ENTERED, GATE, ANSWER] {
            self.mapping.store64(word, 0, Ordering::Release);
            self.mapping.flush(word..word + 8)?;
        }
        Ok(())
    }

    fn word(&self, offset: u64) -> Result<u64, Box<dyn Error>> {
        self.mapping.invalidate(offset..offset + 8)?;
        Ok(self.mapping.load64(offset, Ordering::Acquire))
    }
}
