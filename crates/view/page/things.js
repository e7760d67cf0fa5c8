// What can be pointed at and chosen: tasks, phases, steps of the path, marks of lost records. Where each lies, and what it is in a line.
//
// A thing has a kind, its number among those of its kind, and the track that it was found on.

class Things {
  constructor(run, viewport, paints) {
    this.run = run;
    this.viewport = viewport;
    this.paints = paints;
  }

  /** What is drawn at a point: a mark before what it stands on. */
  at({ x, y }) {
    const marked = this.viewport.lossAt(x, y);
    if (marked) return { kind: "loss", item: marked.loss.number, track: marked.track };
    const hit = this.viewport.itemAt(x, y);
    if (!hit) return null;
    const isTask = ["kernel", "stay", "counter"].includes(hit.track.kind);
    return { kind: isTask ? "task" : hit.track.kind, item: hit.item, track: hit.track };
  }

  /** A thing on the track where it is at home: a task on its core's, a step of the path as its task. */
  atHome(thing) {
    const { run } = this;
    if (thing.kind === "path") return this.atHome({ kind: "task", item: this.taskOfPiece(thing) });
    if (thing.kind === "loss" || thing.kind === "totals") return thing;
    if (thing.kind !== "task") return { ...thing, track: run.trackOf(thing.kind, run.threadOf(thing.kind, thing.item)) };
    return { kind: "task", item: thing.item, track: run.trackOf("kernel", run.coreOf(thing.item)) };
  }

  taskOfPiece({ item, track }) {
    return this.run.path.rows[track.steps[item]];
  }

  /** From where to where it is drawn on that track; `null` when no time is known. */
  stretchOf({ kind, item, track }) {
    const { run } = this;
    if (kind === "loss") return { from: run.losses[item].at, to: run.losses[item].at };
    if (kind === "totals") return { from: track.lanes[0].starts[0], to: track.lanes[0].ends[0] };
    if (kind !== "task") return { from: run[kind].start[item], to: run[kind].end[item] };
    const { start, end, dispatch } = run.tasks;
    const from = start[item] || dispatch[item] || end[item];
    return from ? { from, to: Math.max(from, end[item]) } : null;
  }

  /** All that is known of it: of a task, from dispatch to finish. */
  wholeOf(thing) {
    if (thing.kind !== "task") return this.stretchOf(thing);
    const { start, end, dispatch, finish } = this.run.tasks;
    const known = [start, end, dispatch, finish].map((times) => times[thing.item]).filter(Boolean);
    return known.length ? { from: Math.min(...known), to: Math.max(...known) } : null;
  }

  describe(thing) {
    if (thing.kind === "task") return this.describeTask(thing);
    const { run } = this;
    const { kind, item, track } = thing;
    if (kind === "loss") return `${run.losses[item].text} · ${track.name}`;
    if (kind === "path") return this.describePiece(thing);
    const { from, to } = this.stretchOf(thing);
    return `${this.paints.phaseName(kind, item)} · ${track.name} · ${run.duration(to - from)}`;
  }

  describePiece({ item, track }) {
    const task = this.describeTask({ item: this.taskOfPiece({ item, track }) });
    if (track.kinds[item] === RUNS) return task;
    const { starts, ends } = track.lanes[0];
    return `${WAITS[track.kinds[item]][1]} ${this.run.duration(ends[item] - starts[item])}, before ${task}`;
  }

  describeTask({ item, track }) {
    const { run, paints } = this;
    const ticks = Run.between(run.tasks.start[item], run.tasks.end[item]);
    const parts = [`${run.functionName(item)} ${run.shortName(item)}`, run.facts.cores[run.coreOf(item)].name];
    parts.push(`ran ${ticks === null ? "for an unknown time" : run.duration(ticks)}`);
    const rate = track?.kind === "counter" ? run.rate(item, paints.column) : null;
    if (rate !== null) parts.push(rateText(rate, run.counters.columns[paints.column].unit));
    return parts.join(" · ");
  }
}
