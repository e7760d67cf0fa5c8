//! Settings that the device process is told: their names, their values, and what they mean.
//!
//! # Errors
//!
//! A name or a value that means nothing is a [`SettingError`] that says what would have been
//! understood; nothing has changed then.

mod parse;

use parse::{SLOTS, Value, aicpu_error, corrupt, no_buffer, stale_line, which};

/// What the next launch runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSettings {
    /// `seed`: 0 is the cost model exactly; any other perturbs it.
    pub seed: u64,
    /// `late-host`: a returned buffer becomes visible so many µs after its ready entry.
    pub late_host_us: Option<u64>,
    /// `host-patience`: how many ms of wall time the host may take to return a buffer.
    pub host_patience_ms: Option<u64>,
    /// `no-buffer`: the host returns no buffer, or no more than so many.
    pub no_buffer: Option<NoBuffer>,
    /// `dead-core`: the core with this index never answers.
    pub dead_core: Option<u32>,
    /// `hung-kernel`: the first kernel of the core with this index never ends.
    pub hung_kernel: Option<u32>,
    /// `kill-at`: the process ends so many µs after the start of an AICore task.
    pub kill_at_us: Option<u64>,
    /// `close-at`: the process goes silent so many µs after the start of an AICore task.
    pub close_at_us: Option<u64>,
    /// `late-slot`: slots that reach memory only after their FIN was seen.
    pub late_slot: Option<Which>,
    /// `torn-slot`: slots of which a part reaches memory.
    pub torn_slot: Option<Which>,
    /// `lost-slot`: slots that never reach memory.
    pub lost_slot: Option<Which>,
    /// `stale-line`: lines whose invalidation does nothing.
    pub stale_line: Option<StaleLine>,
    /// `corrupt`: a word of the device that is stored wrong.
    pub corrupt: Option<Corrupt>,
    /// `aicpu-error`: an entry of the AICPU program that returns an error.
    pub aicpu_error: Option<AicpuError>,
    /// `no-pmu`: the cores have no hardware counters.
    pub no_pmu: bool,
    /// `threads`: agents are real threads. Counts when the device is opened.
    pub threads: bool,
}

/// What a fault that may strike anywhere strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `all`: everything.
    All,
    /// `CORE`: whatever belongs to the core with this index.
    Core(u32),
    /// `CORE:TOKEN`: what belongs to one token of a core.
    Token(u32, u32),
    /// `1/N`: one in so many, chosen by the seed.
    OneIn(u64),
}

/// A lane that runs out of buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBuffer {
    /// The lane; all of them when `None`.
    pub lane: Option<u32>,
    /// How many buffers the host returns before.
    pub after: u32,
}

/// Lines that a reader keeps although it invalidates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleLine {
    /// What they hold.
    pub words: StaleWords,
    /// Of which core; never of one token.
    pub which: Which,
}

/// A word that an AICPU thread stores wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Which.
    pub word: CorruptWord,
    /// Of which lane, or, for [`CorruptWord::Dispatched`], of which core; of all when `None`.
    pub index: Option<u32>,
    /// The first store that is wrong, counted from 1; all later ones are as well.
    pub from: u64,
}

/// An entry of the AICPU program that returns an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AicpuError {
    /// Which entry, and when.
    pub when: AicpuEntry,
    /// What it returns.
    pub code: i32,
    /// The thread that does; all of them when `None`.
    pub thread: Option<u32>,
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident: $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As a setting names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }

            fn names() -> String {
                Self::ALL.iter().map(|known| known.name()).collect::<Vec<_>>().join(", ")
            }
        }
    };
}

named! {
    /// What a line holds that a reader keeps although it invalidates it.
    StaleWords {
        /// A staging slot, as the AICPU reads it.
        Slot: "slot",
        /// A core's answer line, as the AICPU reads it.
        Answer: "answer",
        /// The host's line of a lane, as the AICPU reads it.
        Host: "host",
        /// A core's order line, as that core reads it.
        Order: "order",
        /// A payload, as its core reads it.
        Payload: "payload",
    }
}

named! {
    /// A word that an AICPU thread stores wrong.
    CorruptWord {
        /// `ready_tail` of the lane's line.
        ReadyTail: "ready-tail",
        /// `free_head` of the lane's line.
        FreeHead: "free-head",
        /// The pair of `filling_buffer` and `filling_count`.
        Filling: "filling",
        /// `sequence` of the lane's line.
        Sequence: "sequence",
        /// The buffer of a ready entry.
        EntryBuffer: "entry-buffer",
        /// The count of a ready entry.
        EntryCount: "entry-count",
        /// The sequence number of a ready entry.
        EntrySequence: "entry-sequence",
        /// `total` of the commit counters.
        Total: "total",
        /// `mismatched` of the commit counters.
        Mismatched: "mismatched",
        /// `dropped` of the commit counters, for want of a buffer.
        Dropped: "dropped",
        /// `dispatched` of a core's order line.
        Dispatched: "dispatched",
        /// A payload in an arena, once the mark behind it stands.
        Payload: "payload",
    }
}

named! {
    /// When an AICPU entry returns an error.
    AicpuEntry {
        /// The delivery of the program.
        Init: "init",
        /// A run, before the entry has done anything.
        Main: "main",
        /// A run, after the entry has done everything.
        End: "end",
    }
}

/// A setting that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No setting has this name.
    #[error("no setting is called {name:?}; known: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names there are.
        known: String,
    },
    /// The value is none of this setting.
    #[error("{name}={value}: {expected} expected")]
    Value {
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// What would have been understood.
        expected: String,
    },
}

impl DeviceSettings {
    /// Every name, in the order of the documentation.
    pub const NAMES: [&str; 16] = [
        "seed",
        "late-host",
        "host-patience",
        "no-buffer",
        "dead-core",
        "hung-kernel",
        "kill-at",
        "close-at",
        "late-slot",
        "torn-slot",
        "lost-slot",
        "stale-line",
        "corrupt",
        "aicpu-error",
        "no-pmu",
        "threads",
    ];

    /// Takes one setting; an empty value, or `off`, takes it back.
    ///
    /// # Errors
    ///
    /// [`SettingError`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let text = Value { name, value };
        match name {
            "seed" => self.seed = text.number(u64::MAX, "an unsigned number")?.unwrap_or(0),
            "late-host" => self.late_host_us = text.number(u64::MAX, "a number of µs")?,
            "host-patience" => self.host_patience_ms = text.number(600_000, "at most 600000 ms")?,
            "no-buffer" => self.no_buffer = text.read("all, LANE or LANE:BUFFERS", no_buffer)?,
            "no-pmu" => self.no_pmu = text.number(1, "0 or 1")? == Some(1),
            "threads" => self.threads = text.number(1, "0 or 1")? == Some(1),
            "dead-core" => self.dead_core = text.core()?,
            "hung-kernel" => self.hung_kernel = text.core()?,
            "kill-at" => self.kill_at_us = text.number(u64::MAX, "a number of µs")?,
            "close-at" => self.close_at_us = text.number(u64::MAX, "a number of µs")?,
            "late-slot" => self.late_slot = text.read(SLOTS, which)?,
            "torn-slot" => self.torn_slot = text.read(SLOTS, which)?,
            "lost-slot" => self.lost_slot = text.read(SLOTS, which)?,
            "stale-line" => {
                let expected = format!(
                    "LINE, LINE:CORE or LINE:1/N with LINE one of {}",
                    StaleWords::names()
                );
                self.stale_line = text.read(&expected, stale_line)?;
            }
            "corrupt" => {
                let expected = format!(
                    "WORD, WORD:LANE or WORD:LANE:N with WORD one of {}",
                    CorruptWord::names()
                );
                self.corrupt = text.read(&expected, corrupt)?;
            }
            "aicpu-error" => {
                let expected = format!(
                    "WHEN:CODE or WHEN:CODE:THREAD with WHEN one of {} and CODE not 0",
                    AicpuEntry::names()
                );
                self.aicpu_error = text.read(&expected, aicpu_error)?;
            }
            _ => {
                return Err(SettingError::Unknown {
                    name: name.to_owned(),
                    known: Self::NAMES.join(", "),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_and_undone() {
        let mut settings = DeviceSettings::default();
        for (name, value) in [
            ("seed", "3"),
            ("late-host", "50"),
            ("no-buffer", "1:4"),
            ("dead-core", "7"),
            ("torn-slot", "5:16"),
            ("lost-slot", "1/1000"),
            ("late-slot", "all"),
            ("stale-line", "slot:5"),
            ("corrupt", "ready-tail:2:3"),
            ("aicpu-error", "main:-5:1"),
            ("no-pmu", "1"),
        ] {
            settings.set(name, value).unwrap();
        }
        let after = 4;
        assert_eq!(settings.seed, 3);
        assert_eq!(settings.late_host_us, Some(50));
        let lane = Some(1);
        assert_eq!(settings.no_buffer, Some(NoBuffer { lane, after }));
        assert_eq!(settings.dead_core, Some(7));
        assert_eq!(settings.torn_slot, Some(Which::Token(5, 16)));
        assert_eq!(settings.lost_slot, Some(Which::OneIn(1000)));
        assert_eq!(settings.late_slot, Some(Which::All));
        let stale = settings.stale_line.unwrap();
        assert_eq!(
            (stale.words, stale.which),
            (StaleWords::Slot, Which::Core(5))
        );
        let corrupt = settings.corrupt.unwrap();
        assert_eq!(corrupt.word, CorruptWord::ReadyTail);
        assert_eq!((corrupt.index, corrupt.from), (Some(2), 3));
        let error = settings.aicpu_error.unwrap();
        assert_eq!((error.when, error.code), (AicpuEntry::Main, -5));
        assert_eq!(error.thread, Some(1));
        assert!(settings.no_pmu);
        for name in DeviceSettings::NAMES {
            settings.set(name, "off").unwrap();
        }
        assert_eq!(settings, DeviceSettings::default());
    }

    #[test]
    fn what_means_nothing_is_refused_and_says_what_would() {
        for (name, value, expected) in [
            ("sed", "3", "known: seed, late-host"),
            ("seed", "-1", "unsigned"),
            ("dead-core", "108", "index of a core"),
            ("torn-slot", "1/0", "CORE:TOKEN"),
            ("torn-slot", "all:3", "CORE:TOKEN"),
            ("no-buffer", "16", "LANE:BUFFERS"),
            ("stale-line", "slots", "slot, answer, host, order, payload"),
            ("stale-line", "slot:5:16", "LINE:CORE"),
            ("corrupt", "ready-tail:0:0", "ready-tail, free-head"),
            ("corrupt", "ready-tail:0:1:2", "ready-tail, free-head"),
            ("aicpu-error", "main:0", "init, main, end"),
            ("aicpu-error", "main", "init, main, end"),
        ] {
            let mut settings = DeviceSettings::default();
            let text = settings.set(name, value).unwrap_err().to_string();
            assert!(text.contains(expected), "{name}={value}: {text}");
            assert_eq!(settings, DeviceSettings::default());
        }
    }
}
