// How lanes are painted: tasks by function or by a measure, phases by name, counters by their rate.

/** What tasks can be coloured by beside their function: the time from one column to another. */
const LENGTHS = { run: ["start", "end"], head: ["dispatch", "start"], tail: ["end", "finish"] };

class Paints {
  /** `totals` are functions by run time: the first take the colours that differ most. */
  constructor(run, totals) {
    this.run = run;
    this.orders = new Map(totals.map((total, order) => [total.place, order]));
    this.colouring = "function";
    this.column = busiestCounter(run);
    /** Bytes of the tasks that stand out; without them all do. */
    this.chosen = null;
    /** Of the critical path, once that was shown. */
    this.path = null;
  }

  setTheme(theme, isDark) {
    this.theme = theme;
    this.isDark = isDark;
    this.functionColours = Uint32Array.from(this.run.functions, (_, place) => functionColour(this.orders.get(place), isDark));
    this.paintPhases();
    if (this.path) this.paintPath();
    this.paintTasks();
    this.paintCounter();
  }

  paintTasks() {
    const { run, theme } = this;
    const [kind, column] = this.colouring.split(" ");
    let paint;
    this.heat = null;
    if (kind === "function") paint = new Paint(run.tasks.func, this.functionColours, theme.ground);
    else {
      const { classes, hot, most } = heatClasses(run, this.measureOf(kind, Number(column)));
      const text = LENGTHS[kind] ? run.duration(hot) : rateText(hot, run.counters.columns[Number(column)].unit);
      paint = new Paint(classes, heatColours(this.isDark), theme.ground);
      this.heat = { text: most > hot ? `≥ ${text}` : text, colours: paint.colours };
    }
    paint.label = (row) => run.shortFunctionName(row);
    this.kernel = paint;
    this.stay = paint;
    paint.choose(this.chosen);
  }

  /** What a row is coloured by, as a function of the row. */
  measureOf(kind, column) {
    const { run } = this;
    if (!LENGTHS[kind]) return (row) => run.rate(row, column);
    const [from, to] = LENGTHS[kind].map((name) => run.tasks[name]);
    return (row) => Run.between(from[row], to[row]);
  }

  /** Tasks and phases that stand out, as a byte each. */
  choose(chosen, phases = {}) {
    this.chosen = chosen;
    this.kernel.choose(chosen);
    for (const kind of ["scheduler", "orchestrator"]) this[kind].choose(phases[kind] ?? null);
  }

  paintCounter() {
    const { run } = this;
    if (!run.counters) return;
    const values = new Float32Array(run.count).fill(-1);
    let most = 0;
    for (let row = 0; row < run.count; row++) {
      const rate = run.rate(row, this.column);
      if (rate === null) continue;
      values[row] = rate;
      if (rate > most) most = rate;
    }
    const { unit } = run.counters.columns[this.column];
    for (let row = 0; row < run.count; row++) if (values[row] >= 0) values[row] /= most || 1;
    this.counter = { values, most, unit, colour: pixel(oklch(this.isDark ? 0.7 : 0.62, 0.12, 190)) };
  }

  paintPhases() {
    const { run, theme, isDark } = this;
    const { facts } = run;
    const unknown = (names) => [...names, "unknown"];
    const colours = (names) => Uint32Array.from(unknown(names), (name, place) => phaseColour(name, place, isDark));
    const classes = (phases, first, names) => Uint8Array.from(phases, (phase) => (phase >= first && phase < first + names.length ? phase - first : names.length));
    this.scheduler = new Paint(classes(run.scheduler.phase, 0, facts.scheduler_phases), colours(facts.scheduler_phases), theme.ground);
    this.orchestrator = new Paint(classes(run.orchestrator.phase, facts.orchestrator_first, facts.orchestrator_phases), colours(facts.orchestrator_phases), theme.ground);
    this.totals = new Paint(Uint8Array.of(0), Uint32Array.of(phaseColour("dispatch", 0, isDark)), theme.ground);
    for (const kind of ["scheduler", "orchestrator", "totals"]) this[kind].label = (item) => this.phaseName(kind, item);
  }

  phaseName(kind, item) {
    const { facts } = this.run;
    if (kind === "totals") return `Orchestrator (${numberOf(facts.orchestrator.submits, "task")})`;
    return this.run.phaseNames(kind)[this[kind].classes[item]] ?? "unknown";
  }

  /** Runs in the colours of their functions, waits in those of their kinds. */
  paintPath() {
    const { run, theme } = this;
    const { steps, kinds } = run.pathGroup.tracks[0];
    const rowOf = (piece) => run.path.rows[steps[piece]];
    const classes = Uint32Array.from(kinds, (kind, piece) => (kind === RUNS ? run.tasks.func[rowOf(piece)] : run.functions.length + kind));
    this.path = new Paint(classes, Uint32Array.from([...this.functionColours, ...theme.waits]), theme.ground);
    this.path.label = (piece) => (kinds[piece] === RUNS ? `${run.shortFunctionName(rowOf(piece))} ${run.shortName(rowOf(piece))}` : WAITS[kinds[piece]][1]);
  }

  /** What stands at the right of a group's head. */
  noteOf(group) {
    const crowded = group.tracks.reduce((sum, track) => sum + (track.crowded ?? 0), 0);
    return [crowded ? `${grouped(crowded)} not drawn for want of lanes` : "", this.scaleOf(group)].filter(Boolean).join(" · ");
  }

  /** The colours of a scale from 0 to a group's note; `null` without one. */
  barOf(group) {
    return (group.key === "aicore" && this.heat?.colours) || null;
  }

  /** What full colour or full height is in a group. */
  scaleOf(group) {
    if (group.key === "path") return numberOf(this.run.path.rows.length, "step");
    if (group.key === "aicore" && this.heat) return this.heat.text;
    if (group.key === "counters") {
      const { unit, most } = this.counter;
      return `${this.run.counters.columns[this.column].name} · full height: ${rateText(most, unit)}, the most`;
    }
    return group.isOpen ? "" : numberOf(group.tracks.length, "track");
  }
}

/** The counter with the highest mean: the one that there is something to see of. */
function busiestCounter(run) {
  // Without their units, as counts by cycle, they can be compared.
  const means = run.counters?.columns.map(({ mean, scale }) => mean / scale) ?? [0];
  return means.indexOf(Math.max(...means));
}
