// Mouse, wheel and keys.

const KEYS = [
  [["w", "s"], "zoom in and out"],
  [["a", "d"], "earlier and later; also ← →"],
  [["↑", "↓"], "scroll through the tracks"],
  [["0"], "the whole run"],
  [["f"], "fit what is chosen: a task, a phase, a mark"],
  [["n", "p"], "next and previous match from the window; without a search, task of the core or phase of the thread"],
  [["/"], "search by function, task id (17, 0x11, t17, r2t17), core (AIC_3) or phase (dump); Enter and Shift-Enter step"],
  [["c"], "critical path"],
  [["[", "]", "="], "lower lanes, higher lanes, lanes that fit"],
  [["1", "…", "9"], "close or open a group of tracks"],
  [["m"], "measure: a drag sums up a stretch of time; Alt-drag does so at any time"],
  [["t"], "light or dark"],
  [["Esc"], "forget choice, search and measured stretch"],
  [["drag"], "move; with Shift, or on the ruler and the strip above: zoom into a stretch"],
  [["Ctrl wheel"], "zoom; with Shift alone: earlier and later"],
  [["double click"], "fit a task, a phase or a mark"],
];

class Input {
  constructor(page) {
    this.page = page;
    this.viewport = page.viewport;
    this.stage = document.getElementById("stage");
    this.overlay = document.getElementById("overlay");
    this.drag = null;
    this.stage.addEventListener("scroll", () => page.scrolled());
    this.overlay.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.overlay.addEventListener("pointerdown", (event) => this.down(event));
    this.overlay.addEventListener("pointermove", (event) => this.move(event));
    this.overlay.addEventListener("pointerup", (event) => this.up(event));
    this.overlay.addEventListener("pointercancel", () => this.cancel());
    this.overlay.addEventListener("pointerleave", () => page.point(null));
    this.overlay.addEventListener("dblclick", (event) => this.twice(event));
    this.strip(document.getElementById("overview"));
    this.controls();
    document.addEventListener("keydown", (event) => this.key(event));
  }

  at(event) {
    const box = this.overlay.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  wheel(event) {
    const { page, viewport } = this;
    const unit = [1, 16, 400][event.deltaMode];
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      viewport.zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY * unit)) * 0.004), this.at(event).x);
      page.changed();
      return;
    }
    const sideways = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
    if (!sideways) return;
    event.preventDefault();
    viewport.pan((sideways * unit * (viewport.to - viewport.from)) / viewport.plotWidth);
    page.changed();
  }

  down(event) {
    if (event.button !== 0) return;
    const { x, y } = this.at(event);
    this.overlay.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
    const measures = event.altKey || (this.page.isMeasuring && !event.shiftKey && y >= RULER);
    const chooses = measures || event.shiftKey || y < RULER;
    this.drag = { x, y, chooses, measures, from: this.viewport.from, to: this.viewport.to, scroll: this.stage.scrollTop, isMoved: false };
  }

  move(event) {
    const { page, viewport, drag } = this;
    const { x, y } = this.at(event);
    if (!drag) return page.point({ x, y });
    if (!drag.isMoved && Math.hypot(x - drag.x, y - drag.y) < 4) return;
    drag.isMoved = true;
    if (drag.chooses) return page.stretch({ from: drag.x, to: x });
    const ticks = ((drag.x - x) * (drag.to - drag.from)) / viewport.plotWidth;
    viewport.pan(ticks, drag.from, drag.to);
    this.stage.scrollTop = drag.scroll + drag.y - y;
    page.changed();
  }

  up(event) {
    const { page, viewport, drag } = this;
    this.drag = null;
    if (!drag) return;
    const { x, y } = this.at(event);
    if (!drag.isMoved) return this.click(x, y);
    if (!drag.chooses) return;
    page.stretch(null);
    if (Math.abs(x - drag.x) < 4) return;
    const [from, to] = [viewport.timeAt(Math.min(x, drag.x)), viewport.timeAt(Math.max(x, drag.x))];
    if (drag.measures) return page.measure({ from, to });
    viewport.show(from, to);
    page.changed();
  }

  cancel() {
    this.drag = null;
    this.page.stretch(null);
  }

  click(x, y) {
    const row = this.viewport.rowAt(y);
    if (row && !row.track) return this.page.toggle(row.group);
    this.page.select(this.page.things.at({ x, y }), false);
  }

  twice(event) {
    const { x, y } = this.at(event);
    if (this.page.things.at({ x, y })) this.page.fitSelection();
  }

  /** Dragging in the strip chooses a stretch, a click moves there. */
  strip(canvas) {
    const { page, viewport } = this;
    let from = null;
    const at = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      from = at(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from !== null) page.overviewStretch({ from, to: at(event) });
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const to = at(event);
      const times = [Math.min(from, to), Math.max(from, to)].map((x) => page.overview.timeAt(x));
      const middle = (times[0] + times[1]) / 2;
      const half = (viewport.to - viewport.from) / 2;
      if (Math.abs(to - from) < 4) viewport.show(middle - half, middle + half);
      else viewport.show(...times);
      from = null;
      page.overviewStretch(null);
      page.changed();
    });
  }

  controls() {
    const { page } = this;
    const on = (id, type, act) => document.getElementById(id).addEventListener(type, act);
    on("query", "input", (event) => page.finder.search(event.target.value));
    on("query", "keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      page.finder.step(event.shiftKey ? -1 : 1);
    });
    on("search", "submit", (event) => event.preventDefault());
    on("next-match", "click", () => page.finder.step(1));
    on("previous-match", "click", () => page.finder.step(-1));
    on("colouring", "change", (event) => page.colourBy(event.target.value));
    on("counter", "change", (event) => page.chooseCounter(Number(event.target.value)));
    on("fit", "click", () => page.showAll());
    on("path-toggle", "click", () => page.togglePath());
    on("measure", "click", () => page.toggleMeasuring());
    on("theme", "click", () => page.toggleTheme());
    on("help-open", "click", () => this.help());
    const keys = document.getElementById("keys");
    for (const [names, text] of KEYS) {
      keys.append(element("dt", {}, ...names.flatMap((name, i) => [i ? " " : "", name === "…" ? "…" : element("kbd", {}, name)])), element("dd", {}, text));
    }
  }

  help() {
    document.getElementById("help").showModal();
  }

  key(event) {
    const { page, viewport } = this;
    if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
    const isField = event.target.matches("input, select, textarea");
    if (event.key === "Escape") {
      page.clear();
      if (isField) this.stage.focus();
      return;
    }
    if (isField) return;
    const length = viewport.to - viewport.from;
    const acts = {
      w: () => viewport.zoom(0.75, page.pointer?.x),
      s: () => viewport.zoom(1 / 0.75, page.pointer?.x),
      a: () => viewport.pan(-length / 8),
      d: () => viewport.pan(length / 8),
      ArrowLeft: () => viewport.pan(-length / 8),
      ArrowRight: () => viewport.pan(length / 8),
      ArrowUp: () => this.stage.scrollBy(0, -60),
      ArrowDown: () => this.stage.scrollBy(0, 60),
      0: () => page.showAll(),
      f: () => page.fitSelection(),
      n: () => page.finder.step(1),
      p: () => page.finder.step(-1),
      c: () => page.togglePath(),
      m: () => page.toggleMeasuring(),
      t: () => page.toggleTheme(),
      "[": () => page.laneHeight(-1),
      "]": () => page.laneHeight(1),
      "=": () => page.laneHeight(0),
      "/": () => document.getElementById("query").select(),
      "?": () => this.help(),
    };
    const group = page.run.groups[Number(event.key) - 1];
    const act = acts[event.key] ?? (group && (() => page.toggle(group)));
    if (!act || (event.target.closest("aside") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    act();
    page.changed();
  }
}
