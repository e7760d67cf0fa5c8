// The page: one run, one viewport, what is chosen, and who draws what when.

class Page {
  constructor(run) {
    this.run = run;
    this.viewport = new Viewport(run);
    this.selected = null;
    this.hovered = null;
    this.pointer = null;
    this.isPathShown = false;
    /** From when to when was measured. */
    this.measured = null;
    this.isMeasuring = false;
    this.totals = functionTotals(run);
    this.paints = new Paints(run, this.totals);
    this.drawing = new Drawing(document.getElementById("lanes"), this.viewport, this.paints);
    this.overlay = new Overlay(document.getElementById("overlay"), this.viewport);
    this.overview = new Overview(document.getElementById("overview"), this.viewport);
    this.stage = document.getElementById("stage");
    this.frames = { count: 0, ms: [] };
    this.things = new Things(run, this.viewport, this.paints);
    this.finder = new Finder(this);
    this.panels = new Panels(this);
    this.input = new Input(this);
    this.fillHeader();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    this.setTheme(dark.matches);
    dark.addEventListener("change", () => this.setTheme(dark.matches));
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.resize();
    this.address = new Address(this);
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
    const counter = document.getElementById("counter");
    counter.append(...counters.map(({ name }, column) => element("option", { value: String(column) }, name)));
    counter.value = String(this.paints.column);
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
    const waits = waitColours(dark);
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
      waits,
      waitsCss: waits.map(css),
    };
    this.paints.setTheme(this.theme, dark);
    this.panels.refresh();
    this.changed();
  }

  functionCss(place) {
    return css(this.paints.functionColours[place]);
  }

  /** Tasks that stand out: those that were searched for, or else those on the critical path. */
  chooseTasks() {
    let chosen = this.finder.matches?.chosen ?? null;
    if (!chosen && this.isPathShown) {
      chosen = new Uint8Array(this.run.count);
      for (const row of this.run.path.rows) chosen[row] = 1;
    }
    this.paints.choose(chosen, this.finder.matches?.phases);
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
    const path = this.isPathShown ? this.run.pathGroup.tracks[0] : null;
    this.overlay.draw(this.theme, { selected: this.selected, hovered: this.hovered, path, pointer: this.pointer, stretch: this.drag, measured: this.measured });
    this.address.note();
    if (this.frames.count === 0) passed("drawn");
    this.frames.count++;
    this.frames.ms.push(performance.now() - began);
    if (this.frames.ms.length > 600) this.frames.ms.shift();
  }

  *countCores() {
    yield* this.overview.countCores();
    this.changed();
  }

  describeWindow() {
    const { run, viewport } = this;
    if (!run.groups.length) return;
    const [from, to] = [Math.max(0, viewport.from - 1), Math.min(run.span, viewport.to - 1)];
    document.getElementById("window").textContent = `${run.duration(from)} to ${run.duration(to)} · ${run.duration(to - from)} in sight`;
  }

  point(pointer) {
    this.pointer = pointer;
    this.hovered = pointer && this.things.at(pointer);
    const head = pointer && this.viewport.rowAt(pointer.y);
    const rest = this.isMeasuring ? "crosshair" : "default";
    document.getElementById("overlay").style.cursor = this.hovered || (head && !head.track) ? "pointer" : rest;
    const time = pointer && pointer.x >= GUTTER ? this.run.time(Math.round(this.viewport.timeAt(pointer.x))) : "";
    document.getElementById("pointer").textContent = [time, this.hovered ? this.things.describe(this.hovered) : ""].filter(Boolean).join(" · ");
    this.overlayChanged();
  }

  /** Chooses a thing, and brings it into sight when asked to. */
  select(selected, reveal) {
    this.choose(selected);
    if (!selected) return;
    this.panels.open("tab-task");
    document.getElementById("announcement").textContent = this.things.describe(this.selected);
    if (reveal) this.reveal(this.selected);
  }

  choose(selected) {
    this.selected = selected && this.things.atHome(selected);
    this.panels.task.show(this.selected);
    this.overlayChanged();
  }

  /** Moves to where a thing lies, without a change of scale. */
  reveal(thing) {
    const stretch = this.things.stretchOf(thing);
    if (!stretch) return;
    this.viewport.reveal(stretch.from, stretch.to);
    this.revealTrack(this.things.atHome(thing).track, thing);
    this.changed();
  }

  revealTrack(track, thing) {
    const { viewport, stage } = this;
    const group = viewport.groups.find((group) => group.tracks.includes(track));
    if (!group.isOpen) this.toggle(group);
    const place = thing.kind === "task" ? viewport.placeOf(thing.item) : viewport.placeOfTrack(track);
    if (!place || (place.y >= RULER && place.y + place.height <= viewport.height)) return;
    stage.scrollTop += place.y - viewport.height / 2;
    viewport.scroll = stage.scrollTop;
  }

  /** Shows a stretch while it is dragged. */
  stretch(stretch) {
    this.drag = stretch;
    this.overlayChanged();
  }

  overviewStretch(stretch) {
    this.overviewDrag = stretch;
    this.changed();
  }

  /** Sums up a stretch of time; `null` forgets it. */
  measure(measured) {
    const { span } = this.run;
    this.measured = measured && { from: Math.max(1, Math.round(measured.from)), to: Math.min(span + 1, Math.round(measured.to)) };
    if (this.measured && this.measured.from >= this.measured.to) this.measured = null;
    this.panels.stretch.show();
    if (this.measured) this.panels.open("tab-stretch");
    this.overlayChanged();
  }

  /** Whether drags measure. */
  toggleMeasuring(isMeasuring = !this.isMeasuring) {
    this.isMeasuring = isMeasuring;
    document.getElementById("measure").setAttribute("aria-pressed", String(isMeasuring));
    this.point(this.pointer);
  }

  /** Goes to a mark of lost records: close enough to see what it stands between. */
  goToLoss(loss) {
    const { run, viewport } = this;
    this.choose({ kind: "loss", item: loss.number, track: run.trackOfLoss(loss) });
    const half = Math.min(viewport.to - viewport.from, run.span / 20) / 2;
    viewport.show(loss.at - half, loss.at + half);
    this.reveal(this.selected);
  }

  fitSelection() {
    const { selected, viewport } = this;
    if (selected?.kind === "loss") return this.goToLoss(this.run.losses[selected.item]);
    const whole = selected && this.things.wholeOf(selected);
    if (!whole) return;
    const margin = Math.max(4, (whole.to - whole.from) * 0.6);
    viewport.show(whole.from - margin, whole.to + margin);
    this.reveal(selected);
  }

  clear() {
    this.finder.clear();
    this.measure(null);
    this.toggleMeasuring(false);
    this.select(null, false);
  }

  showAll() {
    this.viewport.showAll();
    this.changed();
  }

  colourBy(kind) {
    this.paints.colouring = kind;
    this.paints.paintTasks();
    this.changed();
  }

  chooseCounter(column) {
    this.paints.column = column;
    this.paints.paintCounter();
    this.changed();
  }

  togglePath() {
    this.isPathShown = !this.isPathShown && this.run.path !== null;
    document.getElementById("path-toggle").setAttribute("aria-pressed", String(this.isPathShown));
    if (this.isPathShown) this.panels.open("tab-path");
    if (this.isPathShown && !this.paints.path) this.paints.paintPath();
    this.viewport.groups = this.isPathShown ? [this.run.pathGroup, ...this.run.groups] : this.run.groups;
    this.chooseTasks();
    this.arrange();
  }

  toggleTheme() {
    this.setTheme(!this.isDark);
  }

  toggle(group) {
    group.isOpen = !group.isOpen;
    this.arrange();
  }

  /** Closes the groups with these keys, and opens all others. */
  close(keys) {
    for (const group of this.run.groups) group.isOpen = !keys.includes(group.key);
    this.arrange();
  }

  laneHeight(step) {
    const { viewport } = this;
    viewport.laneHeight = step === 0 ? 0 : Math.max(5, Math.min(60, viewport.currentLaneHeight + 4 * step));
    this.arrange();
  }
}
