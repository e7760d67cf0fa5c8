// The page: one run, one viewport, what is chosen, and who draws what when.

class Page {
  constructor(run) {
    this.run = run;
    this.viewport = new Viewport(run);
    this.selected = null;
    this.hovered = null;
    this.pointer = null;
    this.matches = null;
    this.match = -1;
    this.isPathShown = false;
    this.colouring = "function";
    this.counter = 0;
    this.paints = { noteOf: (group) => this.noteOf(group) };
    this.drawing = new Drawing(document.getElementById("lanes"), this.viewport, this.paints);
    this.overlay = new Overlay(document.getElementById("overlay"), this.viewport);
    this.overview = new Overview(document.getElementById("overview"), this.viewport);
    this.stage = document.getElementById("stage");
    this.frames = { count: 0, ms: [] };
    this.panels = new Panels(this);
    this.input = new Input(this);
    this.fillHeader();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    this.setTheme(dark.matches);
    dark.addEventListener("change", () => this.setTheme(dark.matches));
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.resize();
  }

  fillHeader() {
    const { run } = this;
    const { facts } = run;
    document.getElementById("title").textContent = facts.workload || facts.platform || "Run";
    const used = facts.cores.filter((core) => core.tasks).length;
    const parts = [facts.workload ? facts.platform : "", numberOf(run.count, "task"), numberOf(used, "core"), run.groups.length ? run.duration(run.span) : ""];
    const summary = document.getElementById("summary");
    summary.textContent = parts.filter(Boolean).join(" · ");
    if (facts.verdict) {
      const { outcome } = facts.verdict;
      const lost = facts.lost_records ? `, ${numberOf(facts.lost_records, "record")} lost` : "";
      summary.append(" · ", element("span", { className: outcome }, `${outcome}${lost}`));
    }
    const options = [
      ["function", "function"],
      ["run", "run time"],
      ["head", "head wait"],
      ["tail", "tail wait"],
    ];
    const counters = run.counters?.columns ?? [];
    counters.forEach(({ name }, column) => options.push([`counter ${column}`, name]));
    const choice = document.getElementById("colouring");
    choice.append(...options.map(([value, text]) => element("option", { value }, text)));
    document.getElementById("counter-choice").hidden = !counters.length;
    document.getElementById("counter").append(...counters.map(({ name }, column) => element("option", { value: String(column) }, name)));
    document.getElementById("path-toggle").disabled = !run.path;
    const empty = document.getElementById("empty");
    empty.hidden = run.groups.length > 0;
    empty.textContent = "This run has nothing to draw: no task, no phase. What its source says of itself is under “Run”.";
  }

  setTheme(dark) {
    this.isDark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(`--${name}`).trim();
    const packed = (name) => pixel([1, 3, 5].map((at) => Number.parseInt(value(name).slice(at, at + 2), 16)));
    const colour = (...parts) => css(pixel(oklch(...parts)));
    this.theme = {
      ground: packed("ground"),
      faint: packed("faint"),
      groundCss: value("ground"),
      raisedCss: value("raised"),
      lineCss: value("line"),
      mutedCss: value("muted"),
      textCss: value("text"),
      accentCss: value("accent"),
      bad: value("bad"),
      shade: dark ? "rgb(255 255 255 / 14%)" : "rgb(20 30 45 / 12%)",
      veil: dark ? "rgb(18 21 26 / 62%)" : "rgb(255 255 255 / 66%)",
      sans: value("sans"),
      before: colour(dark ? 0.75 : 0.55, 0.16, 55),
      after: colour(dark ? 0.75 : 0.5, 0.15, 255),
      aic: colour(dark ? 0.66 : 0.6, 0.11, 255),
      aiv: colour(dark ? 0.48 : 0.82, 0.07, 220),
      headCss: colour(dark ? 0.5 : 0.8, 0.02, 250),
      waitCss: colour(dark ? 0.6 : 0.72, 0.06, 60),
      tailCss: colour(dark ? 0.42 : 0.87, 0.02, 250),
    };
    this.functionColours = Uint32Array.from(this.run.functions, (_, place) => functionColour(this.orderOf(place), dark));
    this.paintPhases();
    this.paintTasks();
    this.panels.refresh();
    this.changed();
  }

  /** Functions by run time take the colours that differ most. */
  orderOf(place) {
    this.orders ??= new Map(this.panels.totals.map((total, order) => [total.place, order]));
    return this.orders.get(place);
  }

  functionCss(place) {
    return css(this.functionColours[place]);
  }

  paintTasks() {
    const { run, theme } = this;
    const { tasks } = run;
    const [kind, column] = this.colouring.split(" ");
    const lengths = { run: ["start", "end"], head: ["dispatch", "start"], tail: ["end", "finish"] };
    let paint;
    this.heat = null;
    if (kind === "function") paint = new Paint(tasks.func, this.functionColours, theme.ground);
    else {
      const valueOf = lengths[kind] ? (row) => Run.between(tasks[lengths[kind][0]][row], tasks[lengths[kind][1]][row]) : (row) => run.rate(row, Number(column));
      const { classes, most } = heatClasses(run, valueOf);
      this.heat = { most, text: lengths[kind] ? run.duration(most) : rateText(most, run.counters.columns[Number(column)].unit) };
      paint = new Paint(classes, heatColours(this.isDark), theme.ground);
    }
    paint.label = (row) => this.run.functionName(row);
    this.paints.kernel = paint;
    this.paints.stay = paint;
    this.chooseTasks();
    this.paintCounter();
  }

  /** Tasks that stand out: those that were searched for, or else those on the critical path. */
  chooseTasks() {
    let chosen = this.matches?.chosen ?? null;
    if (!chosen && this.isPathShown) {
      chosen = new Uint8Array(this.run.count);
      for (const row of this.run.path.rows) chosen[row] = 1;
    }
    this.paints.kernel.choose(chosen);
  }

  paintCounter() {
    const { run } = this;
    if (!run.counters) return;
    const values = new Float32Array(run.count).fill(-1);
    let most = 0;
    for (let row = 0; row < run.count; row++) {
      const rate = run.rate(row, this.counter);
      if (rate === null) continue;
      values[row] = rate;
      if (rate > most) most = rate;
    }
    const { unit } = run.counters.columns[this.counter];
    const full = unit === "utilisation" ? 1 : most || 1;
    for (let row = 0; row < run.count; row++) if (values[row] >= 0) values[row] /= full;
    this.paints.counter = { values, most, full, unit, colour: pixel(oklch(this.isDark ? 0.7 : 0.62, 0.12, 190)) };
  }

  paintPhases() {
    const { run, theme, isDark } = this;
    const { facts } = run;
    const unknown = (names) => [...names, "unknown"];
    const colours = (names) => Uint32Array.from(unknown(names), (name, place) => phaseColour(name, place, isDark));
    const classes = (phases, first, names) => Uint8Array.from(phases, (phase) => (phase >= first && phase < first + names.length ? phase - first : names.length));
    const scheduler = new Paint(classes(run.scheduler.phase, 0, facts.scheduler_phases), colours(facts.scheduler_phases), theme.ground);
    const orchestrator = new Paint(classes(run.orchestrator.phase, facts.orchestrator_first, facts.orchestrator_phases), colours(facts.orchestrator_phases), theme.ground);
    const totals = new Paint(Uint8Array.of(0), Uint32Array.of(phaseColour("dispatch", 0, isDark)), theme.ground);
    Object.assign(this.paints, { scheduler, orchestrator, totals });
    for (const kind of ["scheduler", "orchestrator", "totals"]) this.paints[kind].label = (item) => this.phaseName(kind, item);
  }

  phaseName(kind, item) {
    const { facts } = this.run;
    if (kind === "totals") return `Orchestrator (${numberOf(facts.orchestrator.submits, "task")})`;
    const names = kind === "scheduler" ? facts.scheduler_phases : facts.orchestrator_phases;
    return names[this.paints[kind].classes[item]]?.replace("orch_", "") ?? "unknown";
  }

  noteOf(group) {
    if (group.key === "aicore" && this.heat) return `full colour: ${this.heat.text}`;
    if (group.key === "counters") {
      const { full, unit, most } = this.paints.counter;
      const { name } = this.run.counters.columns[this.counter];
      return `${name} · full height: ${rateText(full, unit)} · most: ${rateText(most, unit)}`;
    }
    return group.isOpen ? "" : numberOf(group.tracks.length, "track");
  }

  resize() {
    const { viewport, stage } = this;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    viewport.width = stage.clientWidth;
    viewport.height = stage.clientHeight;
    if (!viewport.width || !viewport.height) return;
    this.drawing.resize(viewport.width, viewport.height, ratio);
    viewport.columns = this.drawing.columns;
    this.overlay.resize(viewport.width, viewport.height, ratio);
    this.overview.resize(viewport.width, 50, ratio);
    this.arrange();
  }

  arrange() {
    this.viewport.arrange();
    const beyond = this.viewport.total - this.viewport.height;
    document.getElementById("spacer").style.height = `${Math.max(0, beyond)}px`;
    this.scrolled();
  }

  scrolled() {
    this.viewport.scroll = this.stage.scrollTop;
    this.changed();
  }

  /** Something that the lanes show has changed: they are drawn once before the next frame. */
  changed() {
    this.isStale = true;
    this.overlayChanged();
  }

  overlayChanged() {
    this.frame ??= requestAnimationFrame(() => this.drawFrame());
  }

  drawFrame() {
    this.frame = null;
    if (!this.drawing.image) return;
    const began = performance.now();
    if (this.isStale) {
      this.isStale = false;
      this.drawing.draw(this.theme);
      this.overview.draw(this.theme, this.paints.kernel, this.overviewDrag);
      this.describeWindow();
    }
    const path = this.isPathShown ? this.run.path.rows : null;
    this.overlay.draw(this.theme, { selected: this.selected, hovered: this.hovered, path, pointer: this.pointer, stretch: this.drag });
    if (this.frames.count === 0) passed("drawn");
    this.frames.count++;
    this.frames.ms.push(performance.now() - began);
    if (this.frames.ms.length > 600) this.frames.ms.shift();
  }

  describeWindow() {
    const { run, viewport } = this;
    if (!run.groups.length) return;
    const [from, to] = [Math.max(0, viewport.from - 1), Math.min(run.span, viewport.to - 1)];
    document.getElementById("window").textContent = `${run.duration(from)} to ${run.duration(to)} · ${run.duration(to - from)} in sight`;
  }

  point(pointer) {
    this.pointer = pointer;
    const hit = pointer && this.viewport.itemAt(pointer.x, pointer.y);
    this.hovered = hit ? this.itemOf(hit) : null;
    const head = pointer && this.viewport.rowAt(pointer.y);
    document.getElementById("overlay").style.cursor = this.hovered || (head && !head.track) ? "pointer" : "default";
    const time = pointer && pointer.x >= GUTTER ? this.run.time(Math.round(this.viewport.timeAt(pointer.x))) : "";
    document.getElementById("pointer").textContent = [time, this.hovered ? this.describe(this.hovered) : ""].filter(Boolean).join(" · ");
    this.overlayChanged();
  }

  itemOf({ track, item }) {
    const isTask = ["kernel", "stay", "counter"].includes(track.kind);
    return { kind: isTask ? "task" : track.kind, item, track };
  }

  describe({ kind, item, track }) {
    const { run } = this;
    if (kind !== "task") {
      const phases = run[kind];
      const length = phases ? ` · ${run.duration(phases.end[item] - phases.start[item])}` : "";
      return `${this.phaseName(kind, item)} · ${track.name}${length}`;
    }
    const ticks = Run.between(run.tasks.start[item], run.tasks.end[item]);
    const core = run.facts.cores[run.coreOf(item)].name;
    const rate = track?.kind === "counter" ? run.rate(item, this.counter) : null;
    const counted = rate === null ? "" : ` · ${rateText(rate, run.counters.columns[this.counter].unit)}`;
    return `${run.functionName(item)} ${run.shortName(item)} · ${core} · ran ${ticks === null ? "for an unknown time" : run.duration(ticks)}${counted}`;
  }

  /** Chooses a task or phase, and brings it into sight when asked to. */
  select(selected, reveal) {
    if (selected?.kind === "task" && selected.track?.kind !== "kernel") {
      const core = this.run.coreOf(selected.item);
      const cores = this.run.groups.find((group) => group.key === "aicore");
      selected = { ...selected, track: cores.tracks.find((track) => track.core === core) };
    }
    this.selected = selected;
    this.panels.showSelection(selected);
    if (selected) {
      this.panels.open("tab-task");
      document.getElementById("announcement").textContent = this.describe(selected);
    }
    if (selected && reveal) this.revealTask(selected.item);
    this.overlayChanged();
  }

  revealTask(row) {
    const { viewport, run, stage } = this;
    const { start, end, dispatch } = run.tasks;
    const from = start[row] || dispatch[row] || end[row];
    if (!from) return;
    viewport.reveal(from, Math.max(from, end[row]));
    const group = run.groups.find((group) => group.key === "aicore");
    if (!group.isOpen) this.toggle(group);
    const place = viewport.placeOf(row);
    if (place && (place.y < RULER || place.y + place.height > viewport.height)) {
      stage.scrollTop += place.y - viewport.height / 2;
      viewport.scroll = stage.scrollTop;
    }
    this.changed();
  }

  revealTime(time) {
    this.viewport.reveal(time, time);
    this.changed();
  }

  fitSelection() {
    if (this.selected?.kind !== "task") return;
    const { start, end, dispatch, finish } = this.run.tasks;
    const row = this.selected.item;
    const known = [start[row], end[row], dispatch[row], finish[row]].filter(Boolean);
    const [from, to] = [Math.min(...known), Math.max(...known)];
    const margin = Math.max(4, (to - from) * 0.6);
    this.viewport.show(from - margin, to + margin);
    this.revealTask(row);
  }

  search(text) {
    this.setMatches(search(this.run, text));
  }

  setMatches(matches) {
    this.matches = matches;
    this.match = -1;
    this.chooseTasks();
    this.showMatches();
    this.changed();
  }

  showMatches() {
    const count = this.matches?.rows.length ?? 0;
    const output = document.getElementById("matches");
    if (!this.matches) output.textContent = "";
    else if (!count) output.textContent = "no match";
    else output.textContent = this.match < 0 ? grouped(count) : `${grouped(this.match + 1)} of ${grouped(count)}`;
    for (const id of ["next-match", "previous-match"]) document.getElementById(id).disabled = !count;
  }

  /** Tasks of a function whose run time lies in a stretch, as a bar of the histogram has them. */
  chooseRunTimes(place, from, to, text) {
    const { start, end, func } = this.run.tasks;
    const chosen = new Uint8Array(this.run.count);
    const rows = [];
    for (let row = 0; row < this.run.count; row++) {
      const ticks = Run.between(start[row], end[row]);
      if (func[row] !== place || ticks === null || ticks < from || ticks >= to) continue;
      chosen[row] = 1;
      rows.push(row);
    }
    rows.sort((a, b) => start[a] - start[b] || a - b);
    document.getElementById("query").value = "";
    this.setMatches({ chosen, rows });
    document.getElementById("announcement").textContent = text;
  }

  /** The next match, or without a search the next task of the core. */
  step(by) {
    const { run, matches } = this;
    if (matches) {
      if (!matches.rows.length) return;
      this.match = (this.match + by + matches.rows.length) % matches.rows.length;
      if (by < 0 && this.match === -1) this.match = matches.rows.length - 1;
      this.showMatches();
      return this.select({ kind: "task", item: matches.rows[this.match] }, true);
    }
    if (this.selected?.kind !== "task") return run.count ? this.select({ kind: "task", item: 0 }, true) : undefined;
    const next = this.selected.item + by;
    if (next >= 0 && next < run.count && run.coreOf(next) === run.coreOf(this.selected.item)) this.select({ kind: "task", item: next }, true);
  }

  clear() {
    document.getElementById("query").value = "";
    this.setMatches(null);
    this.select(null, false);
  }

  showAll() {
    this.viewport.showAll();
    this.changed();
  }

  colourBy(kind) {
    this.colouring = kind;
    this.paintTasks();
    this.changed();
  }

  chooseCounter(column) {
    this.counter = column;
    this.paintCounter();
    this.changed();
  }

  togglePath() {
    this.isPathShown = !this.isPathShown && this.run.path !== null;
    document.getElementById("path-toggle").setAttribute("aria-pressed", String(this.isPathShown));
    if (this.isPathShown) this.panels.open("tab-path");
    this.chooseTasks();
    this.changed();
  }

  toggleTheme() {
    this.setTheme(!this.isDark);
  }

  toggle(group) {
    group.isOpen = !group.isOpen;
    this.arrange();
  }

  laneHeight(step) {
    const { viewport } = this;
    viewport.laneHeight = step === 0 ? 0 : Math.max(5, Math.min(60, viewport.currentLaneHeight + 4 * step));
    this.arrange();
  }
}
