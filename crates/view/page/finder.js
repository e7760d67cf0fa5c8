// What a search or a bar of a histogram found, and the way from one find to the next.
//
// Finds are numbers, so that a million of them take little room: tasks by row, then the phases of the
// scheduler, then those of the orchestrator.

class Finder {
  constructor(page) {
    this.page = page;
    this.run = page.run;
    this.matches = null;
    this.match = -1;
  }

  search(text) {
    this.set(search(this.run, text));
  }

  set(matches) {
    this.matches = matches;
    this.match = -1;
    this.page.chooseTasks();
    this.show();
    this.page.changed();
  }

  show() {
    const count = this.matches?.finds.length ?? 0;
    const output = document.getElementById("matches");
    if (!this.matches) output.textContent = "";
    else if (!count) output.textContent = "no match";
    else output.textContent = this.match < 0 ? grouped(count) : `${grouped(this.match + 1)} of ${grouped(count)}`;
    for (const id of ["next-match", "previous-match"]) document.getElementById(id).disabled = !count;
  }

  clear() {
    document.getElementById("query").value = "";
    this.set(null);
  }

  /** Tasks of a function whose run time lies in a stretch, as a bar of the histogram has them. */
  chooseRunTimes(place, from, to, text) {
    const { start, end, func } = this.run.tasks;
    const chosen = new Uint8Array(this.run.count);
    for (let row = 0; row < this.run.count; row++) {
      const ticks = Run.between(start[row], end[row]);
      if (func[row] === place && ticks !== null && ticks >= from && ticks < to) chosen[row] = 1;
    }
    document.getElementById("query").value = "";
    this.set({ chosen, ...findsOf(this.run, chosen, {}) });
    document.getElementById("announcement").textContent = text;
  }

  /** The next match from where the window is; without a search, the next of what is chosen. */
  step(by) {
    const { page, matches } = this;
    if (!matches) return this.stepBeside(by);
    const count = matches.finds.length;
    if (!count) return;
    const { from, to } = page.viewport;
    const isInSight = this.match >= 0 && matches.times[this.match] >= from && matches.times[this.match] <= to;
    if (isInSight) this.match += by;
    else this.match = by > 0 ? firstAtLeast(matches.times, from) : firstAtLeast(matches.times, to) - 1;
    this.match = (this.match + count) % count;
    this.show();
    page.select(thingOf(this.run, matches.finds[this.match]), true);
  }

  /** The next task of the core, phase of the thread, or mark of the track. */
  stepBeside(by) {
    const { run, page } = this;
    const { selected } = page;
    if (!selected) return run.count ? page.select({ kind: "task", item: 0 }, true) : undefined;
    const next = selected.kind === "loss" ? this.lossBeside(selected, by) : selected.item + by;
    if (run.isBeside(selected, next)) page.select({ ...selected, item: next }, true);
  }

  lossBeside({ item, track }, by) {
    return track.losses[track.losses.indexOf(this.run.losses[item]) + by]?.number;
  }
}

/** The thing that a find is the number of. */
function thingOf(run, find) {
  if (find < run.count) return { kind: "task", item: find };
  const phase = find - run.count;
  const scheduled = run.scheduler.start.length;
  return phase < scheduled ? { kind: "scheduler", item: phase } : { kind: "orchestrator", item: phase - scheduled };
}

/** The place of the first number that is no less, of numbers in rising order. */
function firstAtLeast(sorted, least) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
