// The tracks of a run, in groups: what is drawn on each, and how many items find no place.

class Tracks {
  constructor(run) {
    this.run = run;
    this.groups = [];
    /** Items in no lane: without a time, and deeper than there are lanes. */
    this.timeless = 0;
    this.crowded = 0;
    this.makeGroups();
  }

  makeGroups() {
    const { run } = this;
    const cores = run.facts.cores.map((core, index) => ({ ...core, index }));
    // A core that lost all its records has a track for the mark that says so.
    const kernels = cores.map((core) => this.kernelTrack(core)).filter((track) => track.losses.length || run.facts.cores[track.core].tasks);
    const counted = run.counters ? kernels.filter((track) => this.hasCounters(track.core)) : [];
    const add = (key, name, tracks) => tracks.length && this.groups.push({ key, name, tracks, isOpen: true });
    add("orchestrator", "Orchestrator", this.orchestratorTracks());
    add("scheduler", "AICPU scheduler", this.phaseTracks("scheduler"));
    add("aicore", "AICore · start to end", kernels);
    add("counters", "Counters", counted.map(counterTrack));
    add("aicpu", "AICPU · dispatch to finish", cores.filter((core) => this.hasStays(core.index)).map((core) => this.stayTrack(core)));
  }

  /** The track of a core's kernels; a task of which one of start and end is known is a point. */
  kernelTrack(core) {
    const { run } = this;
    const { start, end } = run.tasks;
    const [first, behind] = [run.firsts[core.index], run.firsts[core.index + 1]];
    let isPlain = true;
    for (let row = first, latest = 1; row < behind && isPlain; row++) {
      isPlain = start[row] >= latest && end[row] >= start[row];
      latest = end[row];
    }
    const track = { kind: "kernel", core: core.index, name: core.name, losses: this.lossesOf(core.index, false) };
    if (isPlain) {
      track.lanes = [new Lane(start.subarray(first, behind), end.subarray(first, behind), null, first)];
      return track;
    }
    const starts = start.slice(first, behind);
    const ends = end.slice(first, behind);
    for (let place = 0; place < starts.length; place++) {
      starts[place] ||= ends[place];
      if (ends[place] < starts[place]) ends[place] = starts[place];
    }
    return this.dealt(track, starts, ends, first);
  }

  stayTrack(core) {
    const { run } = this;
    const { dispatch, finish } = run.tasks;
    const [first, behind] = [run.firsts[core.index], run.firsts[core.index + 1]];
    const starts = dispatch.slice(first, behind);
    const ends = finish.subarray(first, behind);
    for (let place = 0; place < starts.length; place++) if (ends[place] < starts[place]) starts[place] = 0;
    const track = { kind: "stay", core: core.index, name: core.name, losses: [] };
    return this.dealt(track, starts, ends, first);
  }

  hasCounters(core) {
    const { places } = this.run.counters;
    return this.hasRow(core, (row) => places[row] >= 0);
  }

  hasStays(core) {
    const { dispatch, finish } = this.run.tasks;
    return this.hasRow(core, (row) => dispatch[row] && finish[row]);
  }

  hasRow(core, isMeant) {
    const { firsts } = this.run;
    for (let row = firsts[core]; row < firsts[core + 1]; row++) if (isMeant(row)) return true;
    return false;
  }

  phaseTracks(kind) {
    const phases = this.run[kind];
    const tracks = [];
    for (let thread = 0; thread + 1 < phases.firsts.length; thread++) {
      const [first, behind] = [phases.firsts[thread], phases.firsts[thread + 1]];
      const losses = kind === "scheduler" ? this.lossesOf(thread, true) : [];
      if (first === behind && !losses.length) continue;
      const track = { kind, thread, name: kind === "scheduler" ? `Thread ${thread}` : `Orch ${thread}`, losses };
      tracks.push(this.dealt(track, phases.start.subarray(first, behind), phases.end.subarray(first, behind), first));
    }
    return tracks;
  }

  /** Its phases, or else its totals as one span. */
  orchestratorTracks() {
    const tracks = this.phaseTracks("orchestrator");
    const totals = this.run.facts.orchestrator;
    if (tracks.length || !totals) return tracks;
    const lane = new Lane(Float64Array.of(totals.start), Float64Array.of(totals.end), null, 0);
    return [{ kind: "totals", name: "Orchestrator", losses: [], lanes: [lane] }];
  }

  dealt(track, starts, ends, first) {
    const { lanes, timeless, crowded } = dealLanes(starts, ends, first);
    // Many sources know of no stay, and the panel of each task says so.
    if (track.kind !== "stay") this.timeless += timeless;
    this.crowded += crowded;
    return { ...track, crowded, lanes: lanes.length ? lanes : [new Lane([], [], null, 0)] };
  }

  /** The marks of a core or thread, in order of time. */
  lossesOf(track, ofThread) {
    return this.run.losses.filter((loss) => loss.ofThread === ofThread && loss.track === track).sort((a, b) => a.at - b.at);
  }
}

/** The lowest lane of a core's kernels again, for the counters of what runs there. */
const counterTrack = (track) => ({ ...track, kind: "counter", lanes: track.lanes.slice(0, 1), losses: [], crowded: 0 });
