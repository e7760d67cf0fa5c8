//! Where the tables of a run lie among those of thousands of others.
//!
//! `<table>/host=<host>/device=<device>/run=<run>/<table>.parquet`: the folder of a table is one table of every
//! run to any engine that knows Hive's partitions, which take `host`, `device` and `run` from the path, so no file
//! repeats them. `docs/parquet.md` has the rules.
//!
//! A run is named by a fingerprint of its contents unless it is given a name: exported again it takes its own
//! place.

use crate::tables::Table;
use lanescope_trace::Trace;
use std::path::PathBuf;

/// The columns that a path tells, in its order.
pub const PARTITIONS: [&str; 3] = ["host", "device", "run"];
/// The device of a run that does not say: engines take a partition for a number only when all its values are.
pub const UNKNOWN_DEVICE: i32 = -1;
/// The host of a run that does not say.
pub const UNKNOWN_HOST: &str = "unknown";

/// Where a run lies in a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    /// The host's name.
    pub host: String,
    /// The logical device id, or [`UNKNOWN_DEVICE`].
    pub device: i32,
    /// The run's name.
    pub run: String,
}

impl Partition {
    /// Of a trace; `host` and `run` in place of what it says.
    #[must_use]
    pub fn of(trace: &Trace, host: Option<&str>, run: Option<&str>) -> Self {
        let session = trace.session();
        let device = session.device.and_then(|device| i32::try_from(device).ok());
        Self {
            host: match host.unwrap_or(&session.host) {
                "" => UNKNOWN_HOST.to_owned(),
                name => plain(name),
            },
            device: device.unwrap_or(UNKNOWN_DEVICE),
            run: match run {
                Some(name) if !name.is_empty() => plain(name),
                _ => format!("r{:016x}", fingerprint(trace)),
            },
        }
    }

    /// The file of a table, below the dataset's folder.
    #[must_use]
    pub fn file(&self, table: Table) -> PathBuf {
        let Self { host, device, run } = self;
        let name = table.name();
        PathBuf::from(format!(
            "{name}/host={host}/device={device}/run={run}/{name}.parquet"
        ))
    }
}

/// A name without characters that mean something in a path or to an engine: each byte of those is `@` and its two
/// hexadecimal digits. So is a first one that is no letter, since an engine takes `0012` for a number. Different
/// names stay different.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for byte in name.bytes() {
        let is_plain = match plain.is_empty() {
            true => byte.is_ascii_alphabetic(),
            false => byte.is_ascii_alphanumeric() || b"._-".contains(&byte),
        };
        match is_plain {
            true => plain.push(char::from(byte)),
            false => plain.push_str(&format!("@{byte:02X}")),
        }
    }
    plain
}

/// A number of what tells runs apart: where and what ran, its clock readings, its tasks and counters.
fn fingerprint(trace: &Trace) -> u64 {
    let session = trace.session();
    let mut hash = Hash::new();
    for text in [
        &session.platform,
        &session.workload,
        &session.host,
        &session.boot,
    ] {
        for byte in text.bytes() {
            hash.add(u64::from(byte));
        }
        hash.add(u64::MAX);
    }
    let (first, last) = trace.bounds_ticks().unwrap_or_default();
    hash.add(session.device.map_or(u64::MAX, u64::from));
    hash.add(session.seed.unwrap_or(u64::MAX));
    hash.add(first);
    hash.add(last);
    hash.add(trace.edges().len() as u64);
    for clock in trace.clocks() {
        hash.add(clock.host_ns);
        hash.add(clock.device_ticks);
    }
    for task in trace.tasks() {
        hash.add(task.task_id);
        hash.add(u64::from(task.core) << 32 | u64::from(task.func_id));
        hash.add(task.start_ticks);
        hash.add(task.end_ticks);
    }
    for row in trace.pmu_rows() {
        hash.add(row.task_id);
        hash.add(row.total_cycles);
    }
    hash.0
}

/// Stirs words together; no guard against those who want two runs to be one.
struct Hash(u64);

impl Hash {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn add(&mut self, word: u64) {
        let stirred = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = stirred ^ (stirred >> 29);
    }
}
