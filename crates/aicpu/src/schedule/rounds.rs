//! What a thread did when: rounds of the scheduler, told as phases.
//!
//! Below swimlane level 3 no time is taken: one branch a step.

use crate::Failure;
use crate::record::{Phase, Recorder};
use lanescope_abi::{Device, PhaseKind};

/// The rounds of one AICPU thread, and the stretch that is not recorded yet.
///
/// A record of completing or dispatching speaks of one round. Idling, copying and waiting for room go on
/// over many: each is one record, which is committed when something else begins.
#[derive(Debug)]
pub(crate) struct Rounds {
    is_on: bool,
    round: u32,
    /// Where the time that is not told yet begins.
    mark_ticks: u64,
    stretch: Option<Stretch>,
    looks: Looks,
}

/// Looks at a ready queue, by what they found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    pub(crate) hits: u32,
    pub(crate) misses: u32,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    kind: PhaseKind,
    begin_ticks: u64,
    end_ticks: u64,
    round: u32,
    rounds: u32,
}

impl Rounds {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            round: 0,
            mark_ticks: 0,
            stretch: None,
            looks: Looks::default(),
        }
    }

    /// Begins a round.
    #[inline]
    pub(crate) fn begin<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
    ) {
        if !self.is_on {
            return;
        }
        self.round = self.round.wrapping_add(1);
        recorder.enter_round(self.round);
        self.mark_ticks = recorder.control().device().ticks();
        // Whoever idles does so until something else begins.
        if let Some(stretch) = &mut self.stretch
            && stretch.kind != PhaseKind::Dump
        {
            stretch.end_ticks = self.mark_ticks;
        }
    }

    /// Counts a look at a ready queue.
    #[inline]
    pub(crate) fn look(&mut self, is_hit: bool) {
        let looks = &mut self.looks;
        let count = if is_hit {
            &mut looks.hits
        } else {
            &mut looks.misses
        };
        *count = count.wrapping_add(1);
    }

    /// Tells what has just been done for `tasks` tasks; of none there is nothing to tell.
    #[inline]
    pub(crate) fn done<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
        kind: PhaseKind,
        tasks: u32,
    ) -> Result<(), Failure> {
        if !self.is_on || tasks == 0 {
            return Ok(());
        }
        self.finish(recorder)?;
        let begin_ticks = self.mark_ticks;
        self.mark_ticks = recorder.control().device().ticks();
        let stretch = Stretch {
            kind,
            begin_ticks,
            end_ticks: self.mark_ticks,
            round: self.round,
            rounds: tasks,
        };
        self.commit(recorder, &stretch)
    }

    /// Goes on with a stretch of this kind, or begins one.
    #[inline]
    pub(crate) fn stretch<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
        kind: PhaseKind,
    ) -> Result<(), Failure> {
        if !self.is_on {
            return Ok(());
        }
        if self.stretch.is_some_and(|stretch| stretch.kind != kind) {
            self.finish(recorder)?;
        }
        let stretch = self.stretch.get_or_insert(Stretch {
            kind,
            begin_ticks: self.mark_ticks,
            end_ticks: self.mark_ticks,
            round: self.round,
            rounds: 0,
        });
        stretch.rounds = stretch.rounds.wrapping_add(1);
        if kind == PhaseKind::Dump {
            self.mark_ticks = recorder.control().device().ticks();
            stretch.end_ticks = self.mark_ticks;
        }
        Ok(())
    }

    /// Records the stretch that is not recorded yet: something else begins, or the run ends.
    pub(crate) fn finish<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
    ) -> Result<(), Failure> {
        match self.stretch.take() {
            Some(stretch) => self.commit(recorder, &stretch),
            None => Ok(()),
        }
    }

    fn commit<D: Device, const RING: usize>(
        &mut self,
        recorder: &mut Recorder<'_, D, RING>,
        stretch: &Stretch,
    ) -> Result<(), Failure> {
        let looks = match stretch.kind {
            PhaseKind::Complete => Looks::default(),
            _ => core::mem::take(&mut self.looks),
        };
        recorder.phase(&Phase {
            kind: stretch.kind,
            begin_ticks: stretch.begin_ticks,
            end_ticks: stretch.end_ticks,
            round: stretch.round,
            tasks: stretch.rounds,
            hits: looks.hits,
            misses: looks.misses,
            task_id: u64::MAX,
        })
    }
}
