//! What the edges say: what held the run up, and the critical path.

use crate::dependencies::{self, Dependencies};
use crate::limits::{self, Limits, Moments};
use crate::path::{Chain, CriticalPath, PathRows, PathSearch};
use crate::sorted::{Lower, Sorted};
use crate::threads::{self, in_threads, joined};
use lanescope_trace::{Tasks, Trace};

/// What is asked for beside the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Path,
    PathAndLimits,
}

/// Two passes over the tasks.
pub(crate) fn held_up(trace: &Trace, wanted: Wanted) -> (Option<Limits>, Option<CriticalPath>) {
    let Some(bounds) = trace.task_bounds_ticks() else {
        return (None, None);
    };
    let sweeps = wanted == Wanted::PathAndLimits && limits::can_sweep(bounds);
    match dependencies::holds::<u32>(bounds) {
        true => Way::<u32>::new(trace, bounds).back(sweeps),
        false => Way::<u64>::new(trace, bounds).back(sweeps),
    }
}

/// What the first pass of [`held_up`] finds and the second goes by; `L` holds the ticks of the run.
struct Way<'a, L> {
    trace: &'a Trace,
    bounds: (u64, u64),
    /// Rows for each thread, and where those before them end, by core.
    stretches: Vec<(Tasks<'a>, Vec<u64>)>,
    dependencies: Dependencies<'a, L>,
    chain: Option<Chain>,
}

impl<'a, L: Lower> Way<'a, L> {
    /// The first pass.
    fn new(trace: &'a Trace, bounds: (u64, u64)) -> Self {
        let mut dependencies = Dependencies::new(trace.edges(), bounds);
        let mut search = PathSearch::default();
        let mut ended = vec![0; trace.session().cores.len()];
        let mut stretches = Vec::new();
        for tasks in trace.task_stretches(threads::available()) {
            stretches.push((tasks.clone(), ended.clone()));
            for task in tasks {
                dependencies.row(&task);
                search.row(&task);
                if task.run_ticks().is_some() {
                    let ended = &mut ended[usize::from(task.core)];
                    *ended = task.end_ticks.max(*ended);
                }
            }
        }
        dependencies.follow();
        let chain = Chain::new(&search, &dependencies);
        Self {
            trace,
            bounds,
            stretches,
            dependencies,
            chain,
        }
    }

    /// The second pass.
    fn back(&self, sweeps: bool) -> (Option<Limits>, Option<CriticalPath>) {
        match Sorted::<u32>::holds(limits::largest_moment(self.bounds)) {
            true => self.again::<u32>(sweeps),
            false => self.again::<u64>(sweeps),
        }
    }

    /// The same, with the moments of the sweep in `M`: each thread takes a stretch of the tasks.
    fn again<M: Lower>(&self, sweeps: bool) -> (Option<Limits>, Option<CriticalPath>) {
        let threads = threads::available();
        std::thread::scope(|scope| {
            let floor = scope.spawn(|| self.dependencies.floor());
            let stretches = self.stretches.clone();
            let rows = usize::try_from(self.trace.task_count()).unwrap_or(0) / stretches.len();
            let found = in_threads(stretches, |(tasks, ended)| {
                let moments = sweeps.then(|| Moments::<M>::new(self.bounds, rows, ended));
                self.stretch(tasks, moments)
            });
            let (moments, rows): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let moments: Option<Vec<_>> = moments.into_iter().collect();
            let session = self.trace.session();
            let limits =
                moments.map(|moments| limits::sweep(moments, session, self.bounds, threads));
            let floor = joined(floor);
            let path = self.chain.as_ref().map(|chain| {
                let mut all = PathRows::of(Some(chain));
                rows.into_iter().for_each(|rows| all.join(rows));
                chain.path(&all, self.bounds, &self.dependencies, floor)
            });
            (limits, path)
        })
    }

    fn stretch<M: Lower>(
        &self,
        tasks: Tasks<'_>,
        mut moments: Option<Moments<M>>,
    ) -> (Option<Moments<M>>, PathRows) {
        let mut rows = PathRows::of(self.chain.as_ref());
        for task in tasks {
            if let Some(moments) = &mut moments {
                moments.row(&task, &self.dependencies);
            }
            if let Some(chain) = &self.chain {
                rows.row(&task, chain, &self.dependencies);
            }
        }
        (moments, rows)
    }
}
