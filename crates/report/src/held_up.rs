//! What the edges say: what held the run up, and the critical path.

use crate::dependencies::Dependencies;
use crate::limits::{self, Limits, Moments};
use crate::path::{Chain, CriticalPath, PathRows, PathSearch};
use crate::sorted::{Lower, Sorted};
use crate::threads::{self, in_threads, joined};
use lanescope_trace::{Tasks, Trace};

/// Two passes over the tasks.
pub(crate) fn held_up(trace: &Trace) -> (Option<Limits>, Option<CriticalPath>) {
    let Some(bounds) = trace.task_bounds_ticks() else {
        return (None, None);
    };
    let mut dependencies = Dependencies::new(trace.edges());
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
    let way = Way {
        trace,
        bounds,
        stretches,
        dependencies,
        chain,
    };
    let can_sweep = limits::can_sweep(bounds);
    match can_sweep && Sorted::<u32>::holds(limits::largest_moment(bounds)) {
        true => way.again::<u32>(can_sweep),
        false => way.again::<u64>(can_sweep),
    }
}

/// What the second pass of [`held_up`] goes by.
struct Way<'a> {
    trace: &'a Trace,
    bounds: (u64, u64),
    /// Rows for each thread, and where those before them end, by core.
    stretches: Vec<(Tasks<'a>, Vec<u64>)>,
    dependencies: Dependencies<'a>,
    chain: Option<Chain>,
}

impl Way<'_> {
    /// The second pass: each thread takes a stretch of the tasks.
    fn again<L: Lower>(&self, can_sweep: bool) -> (Option<Limits>, Option<CriticalPath>) {
        let threads = threads::available();
        std::thread::scope(|scope| {
            let floor = scope.spawn(|| self.dependencies.floor(self.bounds.0));
            let stretches = self.stretches.clone();
            let rows = usize::try_from(self.trace.task_count()).unwrap_or(0) / stretches.len();
            let found = in_threads(stretches, |(tasks, ended)| {
                let moments = can_sweep.then(|| Moments::<L>::new(self.bounds, rows, ended));
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

    fn stretch<L: Lower>(
        &self,
        tasks: Tasks<'_>,
        mut moments: Option<Moments<L>>,
    ) -> (Option<Moments<L>>, PathRows) {
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
