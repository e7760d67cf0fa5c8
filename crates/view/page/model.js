// The run: its tasks, edges, phases and marks as columns, and its tracks.
//
// Times are ticks from one before the run's first known time, so that 0 is a time that is not known.

class Run {
  constructor(facts, columns) {
    this.facts = facts;
    this.functions = namedFunctions(facts.functions);
    this.span = facts.span_ticks;
    this.Times = this.span + 2 < 2 ** 32 ? Uint32Array : Float64Array;
    this.readTasks(columns);
    later(this, "lead", () => this.readLead(columns));
    later(this, "successorTable", () => this.readEdges(columns));
    later(this, "predecessorTable", () => reversed(this.successorTable));
    this.blockRows = null;
    this.scheduler = this.readPhases(columns, "scheduler", ["phase", "tasks", "hits", "misses"]);
    this.scheduler.round = columns.steps("scheduler_round", Float64Array, this.scheduler.firsts);
    this.orchestrator = this.readPhases(columns, "orchestrator", ["phase", "submit", "id_low", "id_high"]);
    this.readCounters(columns);
    this.readLosses(columns);
    this.readPath(columns);
    /** Items in no lane: without a time, and deeper than there are lanes. */
    this.timeless = 0;
    this.crowded = 0;
    columns.rest();
    this.makeGroups();
    later(this, "pathGroup", () => pathGroup(this));
  }

  readTasks(columns) {
    const { cores } = this.facts;
    const firsts = firstsOf(cores.map((core) => core.tasks));
    const count = firsts[cores.length];
    const start = columns.steps("start", this.Times, firsts);
    const end = columns.beside("end", start, 1);
    this.firsts = firsts;
    this.count = count;
    this.tasks = {
      start,
      end,
      dispatch: columns.beside("dispatch", start, -1),
      finish: columns.beside("finish", end, 1),
      func: columns.plain("func", this.functions.length > 0xffff ? Uint32Array : Uint16Array),
    };
    // The lanes can be drawn without the rest.
    later(this.tasks, "receive", () => columns.beside("receive", start, -1));
    later(this.tasks, "token", () => columns.steps("token", Uint32Array, firsts));
    later(this.tasks, "idLow", () => columns.steps("id_low", Uint32Array, firsts));
    later(this.tasks, "idHigh", () => columns.steps("id_high", Uint32Array, firsts));
  }

  /** The first row of each row's task; `null` when no task has several, as in most runs. */
  readLead(columns) {
    if (columns.isAll("lead", 0)) return null;
    return columns.plain("lead", Uint32Array).map((back, row) => row - back);
  }

  readEdges(columns) {
    const { count } = this;
    const offsets = new Uint32Array(count + 1);
    if (columns.rows("fanout")) {
      const fanout = columns.raw("fanout");
      for (let row = 0; row < count; row++) offsets[row + 1] = offsets[row] + fanout[row];
    }
    const targets = new Uint32Array(offsets[count]);
    if (targets.length) {
      const raw = columns.raw("successor");
      for (let row = 0; row < count; row++) {
        for (let i = offsets[row]; i < offsets[row + 1]; i++) targets[i] = row + unfold(raw[i]);
      }
    }
    return { offsets, targets };
  }

  readPhases(columns, kind, names) {
    const firsts = firstsOf(this.facts.threads.map((thread) => thread[kind]));
    const start = columns.steps(`${kind}_start`, this.Times, firsts);
    const lengths = columns.raw(`${kind}_length`);
    const out = { firsts, start, end: start.map((time, item) => time + lengths[item]) };
    for (const name of names) out[name] = columns.plain(`${kind}_${name}`, Float64Array);
    return out;
  }

  readCounters(columns) {
    const { counters } = this.facts;
    this.counters = null;
    if (!counters || !columns.rows("pmu_row")) return;
    const raw = columns.raw("pmu_row");
    const rows = new Int32Array(this.count).fill(-1);
    let row = 0;
    raw.forEach((step, place) => {
      row += step;
      rows[row] = place;
    });
    this.counters = {
      ...counters,
      places: rows,
      cycles: columns.plain("pmu_cycles", Float64Array),
    };
    this.counts = counters.columns.map(() => null);
    this.readCounts = (column) => columns.plain(`pmu_${column}`, Uint32Array);
  }

  /** The counts of a counter, by place. */
  countsOf(column) {
    return (this.counts[column] ??= this.readCounts(column));
  }

  /** The critical path: its rows, first to last, and the wait before each, in parts. */
  readPath(columns) {
    this.path = null;
    if (!this.facts.path) return;
    const rows = columns.steps("path_row", Uint32Array, [0, columns.rows("path_row")]);
    const waits = WAITS.map(([name]) => columns.plain(`path_${name}`, Float64Array));
    this.path = { ...this.facts.path, rows, waits };
  }

  readLosses(columns) {
    const names = ["track", "kind", "at", "count"];
    const [track, kind, at, count] = names.map((name) => columns.plain(`loss_${name}`, Float64Array));
    this.losses = Array.from(track, (number, i) => ({
      number: i,
      ofThread: kind[i] >= this.facts.thread_losses_from,
      track: number,
      at: at[i],
      count: count[i],
      text: countText(count[i], this.facts.losses[kind[i]]),
    }));
  }

  makeGroups() {
    const { facts, tasks } = this;
    const cores = facts.cores.map((core, index) => ({ ...core, index }));
    const used = cores.filter((core) => core.tasks > 0);
    const groups = [];
    const add = (key, name, tracks) => tracks.length && groups.push({ key, name, tracks, isOpen: true });
    add("orchestrator", "Orchestrator", this.orchestratorTracks());
    add("scheduler", "AICPU scheduler", this.phaseTracks("scheduler"));
    const kernels = cores.map((core) => this.kernelTrack(core)).filter((track) => track.losses.length || facts.cores[track.core].tasks);
    add("aicore", "AICore · start to end", kernels);
    if (this.counters) {
      const counted = kernels.filter((track) => this.hasCounters(track.core));
      add("counters", "Counters", counted.map((track) => ({ ...track, kind: "counter", lanes: track.lanes.slice(0, 1), losses: [] })));
    }
    const stays = used.filter((core) => {
      for (let row = this.firsts[core.index]; row < this.firsts[core.index + 1]; row++) {
        if (tasks.dispatch[row] && tasks.finish[row]) return true;
      }
      return false;
    });
    add("aicpu", "AICPU · dispatch to finish", stays.map((core) => this.stayTrack(core)));
    this.groups = groups;
  }

  /** The track of a core's kernels; a task of which one of start and end is known is a point. */
  kernelTrack(core) {
    const { start, end } = this.tasks;
    const [first, behind] = [this.firsts[core.index], this.firsts[core.index + 1]];
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
    const { dispatch, finish } = this.tasks;
    const [first, behind] = [this.firsts[core.index], this.firsts[core.index + 1]];
    const starts = dispatch.slice(first, behind);
    const ends = finish.subarray(first, behind);
    for (let place = 0; place < starts.length; place++) if (ends[place] < starts[place]) starts[place] = 0;
    const track = { kind: "stay", core: core.index, name: core.name, losses: [] };
    return this.dealt(track, starts, ends, first);
  }

  hasCounters(core) {
    for (let row = this.firsts[core]; row < this.firsts[core + 1]; row++) {
      if (this.counters.places[row] >= 0) return true;
    }
    return false;
  }

  phaseTracks(kind) {
    const phases = this[kind];
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
    const totals = this.facts.orchestrator;
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
    return this.losses.filter((loss) => loss.ofThread === ofThread && loss.track === track).sort((a, b) => a.at - b.at);
  }

  /** Whether a number is that of a thing on the same core, thread or track as another. */
  isBeside({ kind, item }, other) {
    if (kind === "loss") return other !== undefined;
    if (kind === "totals") return false;
    const firsts = kind === "task" ? this.firsts : this[kind].firsts;
    return other >= 0 && other < firsts[firsts.length - 1] && partOf(firsts, other) === partOf(firsts, item);
  }

  /** Of phases of a kind, by number. */
  phaseNames(kind) {
    if (kind === "scheduler") return this.facts.scheduler_phases;
    return this.facts.orchestrator_phases.map((name) => name.replace("orch_", ""));
  }

  /** The track of a kind that belongs to a core or thread. */
  trackOf(kind, number) {
    const tracks = this.groups.flatMap((group) => group.tracks);
    return tracks.find((track) => track.kind === kind && (track.core ?? track.thread) === number);
  }

  trackOfLoss({ ofThread, track }) {
    return this.trackOf(ofThread ? "scheduler" : "kernel", track);
  }

  coreOf(row) {
    return partOf(this.firsts, row);
  }

  /** The AICPU thread of a phase. */
  threadOf(kind, item) {
    return partOf(this[kind].firsts, item);
  }

  /** Its name, fit to stand in a line with other text. */
  functionName(row) {
    return this.functions[this.tasks.func[row]].text;
  }

  /** The same, as short as tells it from the others. */
  shortFunctionName(row) {
    return this.functions[this.tasks.func[row]].short;
  }

  /** The whole id in digits. */
  idOf(row) {
    return wide(this.tasks.idLow[row], this.tasks.idHigh[row]);
  }

  /** The short name of a task: `t7`, or `r2t7` for ring 2. */
  shortName(row) {
    const ring = this.tasks.idHigh[row] & 0xff;
    return ring ? `r${ring}t${this.tasks.idLow[row]}` : `t${this.tasks.idLow[row]}`;
  }

  /** The row that edges of a row's task meet. */
  leadOf(row) {
    return this.lead ? this.lead[row] : row;
  }

  /** All rows of a task, by its first. */
  rowsOf(lead) {
    if (!this.lead) return [lead];
    if (!this.blockRows) {
      this.blockRows = new Map();
      this.lead.forEach((first, row) => {
        if (first === row) return;
        if (!this.blockRows.has(first)) this.blockRows.set(first, [first]);
        this.blockRows.get(first).push(row);
      });
    }
    return this.blockRows.get(lead) ?? [lead];
  }

  /** Of the rows of a task, the one that ends last: its successors wait for it. */
  lastRow(lead) {
    const { end } = this.tasks;
    return this.rowsOf(lead).reduce((last, row) => (end[row] > end[last] ? row : last));
  }

  /** Of the rows of a task, the one that starts first. */
  firstRow(lead) {
    const { start } = this.tasks;
    const before = (row, first) => start[row] && (!start[first] || start[row] < start[first]);
    return this.rowsOf(lead).reduce((first, row) => (before(row, first) ? row : first));
  }

  /** The first rows of the tasks that wait for a row's task. */
  successors(row) {
    const { offsets, targets } = this.successorTable;
    const lead = this.leadOf(row);
    return targets.subarray(offsets[lead], offsets[lead + 1]);
  }

  /** The first rows of the tasks that a row's task waits for. */
  predecessors(row) {
    const { offsets, targets } = this.predecessorTable;
    const lead = this.leadOf(row);
    return targets.subarray(offsets[lead], offsets[lead + 1]);
  }

  /** What a counter of a row is by cycle, in the counter's unit; `null` when nothing was counted. */
  rate(row, column) {
    const place = this.counters?.places[row] ?? -1;
    if (place < 0) return null;
    const cycles = this.counters.cycles[place];
    return cycles ? (this.countsOf(column)[place] / cycles) * this.counters.columns[column].scale : 0;
  }

  /** From one known time to a later one, else `null`. */
  static between(from, to) {
    return from && to && to >= from ? to - from : null;
  }

  nanoseconds(ticks) {
    return (ticks * 1e9) / this.facts.ticks_per_second;
  }

  /** A length of time in the unit that fits it. */
  duration(ticks) {
    return durationText(this.nanoseconds(ticks));
  }

  /** A time from the run's first, to the tick: in microseconds, with the decimals that a tick has. */
  time(ticks) {
    const decimals = Math.min(6, Math.max(0, Math.ceil(Math.log10(this.facts.ticks_per_second / 1e6) - 1e-9)));
    return `${grouped(this.nanoseconds(ticks - 1) / 1e3, decimals)}\u202fµs`;
  }

  /** The raw tick that the device wrote. */
  tickText(ticks) {
    return (BigInt(this.facts.origin_ticks) + BigInt(ticks - 1)).toString();
  }
}

/** The part that a row lies in, of parts that begin at `firsts`; the last of these is the number of all rows. */
function partOf(firsts, row) {
  let low = 0;
  let high = firsts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (firsts[middle] <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

function firstsOf(counts) {
  const firsts = new Uint32Array(counts.length + 1);
  counts.forEach((count, i) => {
    firsts[i + 1] = firsts[i] + count;
  });
  return firsts;
}

function reversed({ offsets, targets }) {
  const count = offsets.length - 1;
  const back = new Uint32Array(count + 1);
  for (const target of targets) back[target + 1]++;
  for (let row = 0; row < count; row++) back[row + 1] += back[row];
  const cursors = back.slice();
  const sources = new Uint32Array(targets.length);
  for (let row = 0; row < count; row++) {
    for (let i = offsets[row]; i < offsets[row + 1]; i++) sources[cursors[targets[i]]++] = row;
  }
  return { offsets: back, targets: sources };
}

/** A name without letters that break a line or turn its direction, for these would move what stands beside it. */
const shown = (name) => name.replace(/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");

/** Functions with their names fit to be shown, and as short as tells them apart. */
function namedFunctions(functions) {
  const named = functions.map((own) => ({ ...own, text: shown(own.name) }));
  const bare = named.map(({ text }) => bareName(text));
  const counts = new Map();
  for (const name of bare) counts.set(name, (counts.get(name) ?? 0) + 1);
  return named.map((own, place) => ({ ...own, short: counts.get(bare[place]) === 1 ? bare[place] : own.text }));
}

/** The name in a signature of C++, without what it returns, its namespaces, and what it takes. */
function bareName(text) {
  if (text.length > 400) return text;
  return /^(?:.*::|.* )?(\w+)(?:<.*>)?\(.*\)(?: const)?$/.exec(text)?.[1] ?? text;
}

/** A number of things. */
const numberOf = (count, thing) => `${grouped(count)} ${thing}${count === 1 ? "" : "s"}`;

/** A count and what is counted, which is named in the plural. */
const countText = (count, things) => `${grouped(count)} ${count === 1 ? things.replace("records", "record") : things}`;

const wide = (low, high) => (high ? ((BigInt(high) << 32n) | BigInt(low)).toString() : String(low));

/** Digits in groups of three. */
function grouped(number, decimals = 0) {
  const [whole, parts] = number.toFixed(decimals).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return parts ? `${digits}.${parts}` : digits;
}

/** Four digits and a unit; below a microsecond, whole nanoseconds. */
function durationText(ns) {
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
  ];
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? [1, "ns"];
  const value = ns / size;
  const digits = unit === "ns" ? (Number.isInteger(value) ? 0 : 2) : Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  return `${value.toFixed(Math.min(3, digits))}\u202f${unit}`;
}
