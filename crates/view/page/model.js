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
    later(this, "predecessorTable", () => finished(reversing(this.successorTable)));
    this.blockRows = null;
    this.scheduler = this.readPhases(columns, "scheduler", ["phase", "tasks", "hits", "misses"]);
    this.scheduler.round = columns.steps("scheduler_round", Float64Array, this.scheduler.firsts);
    this.orchestrator = this.readPhases(columns, "orchestrator", ["phase", "submit", "id_low", "id_high"]);
    this.readCounters(columns);
    this.readLosses(columns);
    this.readPath(columns);
    columns.rest();
    const { groups, timeless, crowded } = new Tracks(this);
    Object.assign(this, { groups, timeless, crowded });
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

  /** Makes the table of producers bit by bit; whoever asks for it before has it at once. */
  *readPredecessors() {
    const isMade = () => !Object.getOwnPropertyDescriptor(this, "predecessorTable").get;
    const steps = reversing(this.successorTable);
    while (!isMade()) {
      const { done, value } = steps.next();
      if (done) Object.defineProperty(this, "predecessorTable", { value });
      else yield;
    }
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

/** Edges by where they lead, of those by where they come from; bit by bit. */
function* reversing({ offsets, targets }) {
  const count = offsets.length - 1;
  const back = new Uint32Array(count + 1);
  for (const { from, to } of portions(targets.length)) {
    for (let i = from; i < to; i++) back[targets[i] + 1]++;
    yield;
  }
  for (let row = 0; row < count; row++) back[row + 1] += back[row];
  const cursors = back.slice();
  const sources = new Uint32Array(targets.length);
  for (const { from, to } of portions(count)) {
    for (let row = from; row < to; row++) {
      for (let i = offsets[row]; i < offsets[row + 1]; i++) sources[cursors[targets[i]]++] = row;
    }
    yield;
  }
  return { offsets: back, targets: sources };
}

/** Numbers up to `count`, as many at a time as take a few milliseconds. */
function* portions(count) {
  const length = 1 << 15;
  for (let from = 0; from < count; from += length) yield { from, to: Math.min(count, from + length) };
}

/** What comes of work that is done bit by bit. */
function finished(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
