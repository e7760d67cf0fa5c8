// The panels beside the lanes. Every text of a run is set as text, never as markup.

/** An element with properties, attributes and children. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "style") Object.assign(made.style, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const swatch = (colour) => element("i", { className: "swatch", style: { background: colour } });

class Panels {
  constructor(page) {
    this.page = page;
    this.run = page.run;
    this.tabs = [...document.querySelectorAll("[role=tab]")];
    this.tabs.forEach((tab, place) => {
      tab.onclick = () => this.open(tab);
      tab.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.stopPropagation();
        const next = this.tabs[(place + step + this.tabs.length) % this.tabs.length];
        this.open(next);
        next.focus();
      };
    });
    this.totals = functionTotals(this.run);
    this.function = null;
    this.open(this.tabs[0]);
  }

  open(chosen) {
    if (chosen === "tab-path" || chosen.id === "tab-path") this.showPath();
    for (const tab of this.tabs) {
      const isChosen = tab === chosen || tab.id === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }

  refresh() {
    this.showSelection(this.page.selected);
    this.showFunctions();
    if (!document.getElementById("panel-path").hidden) this.showPath();
    this.showRun();
  }

  fill(id, ...children) {
    const panel = document.getElementById(id);
    panel.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  }

  showSelection(selected) {
    if (!selected) {
      this.fill("panel-task", element("p", { className: "sub" }, "Choose a task in the lanes, or search for one. Press ? for all keys."), this.legend());
    } else if (selected.kind === "task") this.showTask(selected.item);
    else this.showPhase(selected);
  }

  legend() {
    const box = element("div", { className: "legend" });
    const most = 24;
    for (const total of this.totals.slice(0, most)) {
      box.append(element("span", {}, swatch(this.page.functionCss(total.place)), total.text));
    }
    if (this.totals.length > most) box.append(element("span", {}, `and ${this.totals.length - most} more`));
    return element("div", {}, element("h3", {}, "Functions"), box, this.phaseLegend() ?? "");
  }

  phaseLegend() {
    const { run, page } = this;
    const names = run.facts.scheduler_phases;
    const used = new Set(run.scheduler.phase);
    if (!used.size) return null;
    const box = element("div", { className: "legend" });
    names.forEach((name, phase) => {
      if (used.has(phase)) box.append(element("span", {}, swatch(css(page.paints.scheduler.colours[phase])), name));
    });
    return element("div", {}, element("h3", {}, "Scheduler phases"), box);
  }

  showTask(row) {
    const { run, page } = this;
    const { tasks } = run;
    const core = run.coreOf(row);
    const facts = run.facts.cores[core];
    const lead = run.leadOf(row);
    const blocks = run.rowsOf(lead);
    this.fill(
      "panel-task",
      element("h2", {}, swatch(page.functionCss(tasks.func[row])), run.functionName(row)),
      element("p", { className: "sub" }, `${run.shortName(row)} · id ${run.idOf(row)} · ${facts.name}${facts.thread === null ? "" : ` · AICPU thread ${facts.thread}`}`),
      this.stretches(row),
      this.times(row),
      this.counterTable(row),
      blocks.length > 1 ? this.list("Blocks of this task", blocks.filter((block) => block !== row), (block) => run.facts.cores[run.coreOf(block)].name) : null,
      this.list("Waited for", Array.from(run.predecessors(row), (from) => run.lastRow(from)), (from) => this.slack(from, run.firstRow(lead))),
      this.list("Waited for by", Array.from(run.successors(row), (to) => run.firstRow(to)), (to) => this.slack(run.lastRow(lead), to)),
      this.list("On this core", this.besides(row, core), (other) => (other < row ? "before" : "after")),
      this.identity(row),
    );
  }

  /** From the end of one task to the start of another. */
  slack(from, to) {
    const { start, end } = this.run.tasks;
    if (!end[from] || !start[to]) return "time unknown";
    const ticks = start[to] - end[from];
    return ticks < 0 ? `overlaps by ${this.run.duration(-ticks)}` : `${this.run.duration(ticks)} between`;
  }

  besides(row, core) {
    const { firsts } = this.run;
    return [row - 1, row + 1].filter((other) => other >= firsts[core] && other < firsts[core + 1]);
  }

  /** Where the time of a task went, as one bar. */
  stretches(row) {
    const { run, page } = this;
    const { dispatch, receive, start, end, finish } = run.tasks;
    const parts = [
      ["to the core", Run.between(dispatch[row], receive[row]), page.theme.headCss],
      [receive[row] ? "on the core before start" : "from dispatch to start", Run.between(receive[row] || dispatch[row], start[row]), page.theme.waitCss],
      ["run", Run.between(start[row], end[row]), page.functionCss(run.tasks.func[row])],
      ["until seen finished", Run.between(end[row], finish[row]), page.theme.tailCss],
    ].filter(([, ticks]) => ticks !== null);
    const whole = parts.reduce((sum, [, ticks]) => sum + ticks, 0);
    if (!whole) return null;
    const bar = element("div", { className: "stretch", role: "img", ariaLabel: parts.map(([name, ticks]) => `${name} ${run.duration(ticks)}`).join(", ") });
    const legend = element("div", { className: "legend" });
    for (const [name, ticks, colour] of parts) {
      bar.append(element("i", { title: `${name}: ${run.duration(ticks)}`, style: { width: `${(ticks / whole) * 100}%`, background: colour } }));
      legend.append(element("span", {}, swatch(colour), `${name} ${run.duration(ticks)}`));
    }
    return element("div", {}, bar, legend);
  }

  times(row) {
    const { run } = this;
    const { tasks } = run;
    const table = element("table");
    const point = (name, ticks) => table.append(this.line(name, ticks ? run.time(ticks) : null, ticks ? `tick ${this.tickText(ticks)}` : ""));
    point("Dispatched", tasks.dispatch[row]);
    point("Received", tasks.receive[row]);
    point("Started", tasks.start[row]);
    point("Ended", tasks.end[row]);
    point("Seen finished", tasks.finish[row]);
    const lengths = element("table");
    const length = (name, from, to) => {
      const ticks = Run.between(tasks[from][row], tasks[to][row]);
      lengths.append(this.line(name, ticks === null ? null : run.duration(ticks), ticks === null ? "" : `${grouped(ticks)} ticks`));
    };
    length("Run", "start", "end");
    length("Head wait", "dispatch", "start");
    length("Tail wait", "end", "finish");
    length("Dispatch to finish", "dispatch", "finish");
    return element("div", {}, element("h3", {}, "Times"), table, element("h3", {}, "Lengths"), lengths);
  }

  /** The raw tick that the device wrote. */
  tickText(ticks) {
    return (BigInt(this.run.facts.origin_ticks) + BigInt(ticks - 1)).toString();
  }

  line(name, value, small = "") {
    const cell = value === null ? element("td", { className: "unknown" }, "unknown") : element("td", {}, value, small ? " " : "", small ? element("small", {}, small) : "");
    return element("tr", {}, element("th", { scope: "row" }, name), cell);
  }

  counterTable(row) {
    const { counters } = this.run;
    const place = counters?.places[row] ?? -1;
    if (place < 0) return null;
    const table = element("table", {}, this.line("cycles", grouped(counters.cycles[place])));
    counters.columns.forEach(({ name, unit }, column) => {
      table.append(this.line(name, grouped(this.run.countsOf(column)[place]), rateText(this.run.rate(row, column), unit)));
    });
    return element("div", {}, element("h3", {}, `Counters · ${counters.name}`), table);
  }

  identity(row) {
    const { run } = this;
    const table = element("table", {}, this.line("Function id", String(run.functions[run.tasks.func[row]].id)), this.line("Token", run.tasks.token[row] ? grouped(run.tasks.token[row]) : null), this.line("Task id", `0x${BigInt(run.idOf(row)).toString(16)}`));
    return element("div", {}, element("h3", {}, "Identity"), table);
  }

  list(title, rows, noteOf, most = 50) {
    if (!rows.length) return null;
    const box = element("div", {}, element("h3", {}, `${title} (${grouped(rows.length)})`));
    for (const row of rows.slice(0, most)) box.append(this.taskButton(row, noteOf(row)));
    if (rows.length > most) box.append(element("p", { className: "sub" }, `and ${grouped(rows.length - most)} more`));
    return box;
  }

  taskButton(row, note) {
    const { run, page } = this;
    const button = element("button", { type: "button", className: "row" }, swatch(page.functionCss(run.tasks.func[row])), element("b", {}, `${run.functionName(row)} ${run.shortName(row)}`), element("small", {}, note));
    button.dataset.row = String(row);
    button.onclick = () => page.select({ kind: "task", item: row }, true);
    return button;
  }

  showPhase({ kind, item, track }) {
    const { run, page } = this;
    const phases = run[kind];
    const table = element("table");
    const title = page.phaseName(kind, item);
    if (phases) {
      table.append(this.line("Begin", run.time(phases.start[item])), this.line("End", run.time(phases.end[item])), this.line("Length", run.duration(phases.end[item] - phases.start[item])));
    }
    if (kind === "scheduler") {
      table.append(this.line("Round", grouped(phases.round[item])), this.line("Tasks", grouped(phases.tasks[item])));
      if (phases.hits[item]) table.append(this.line("Queue hits", grouped(phases.hits[item] - 1)), this.line("Queue misses", grouped(phases.misses[item] - 1)));
    } else if (kind === "orchestrator") {
      table.append(this.line("Submission", grouped(phases.submit[item])), this.line("Task id", wide(phases.id_low[item], phases.id_high[item])));
    } else {
      table.append(this.line("Tasks submitted", grouped(run.facts.orchestrator.submits)));
    }
    this.fill("panel-task", element("h2", {}, swatch(css(page.paints[kind].colours[page.paints[kind].classes[item]])), title), element("p", { className: "sub" }, track.name), element("h3", {}, "Phase"), table);
  }

  showFunctions() {
    const { run, page, totals } = this;
    const whole = totals.reduce((sum, total) => sum + total.sum, 0);
    const list = element("div", {}, element("h3", {}, `Functions by run time (${grouped(totals.length)})`));
    const most = 200;
    for (const total of totals.slice(0, most)) {
      const share = whole ? total.sum / whole : 0;
      const button = element(
        "button",
        { type: "button", className: "row", ariaPressed: String(this.function === total.place) },
        swatch(page.functionCss(total.place)),
        element("b", { title: total.text }, total.text),
        element("small", {}, `${grouped(total.count)} × ${total.known ? run.duration(total.sum / total.known) : "unknown"} · ${(share * 100).toFixed(1)} %`),
        element("span", { className: "bar" }, element("i", { style: { width: `${share * 100}%`, background: page.functionCss(total.place) } })),
      );
      button.dataset.function = String(total.id);
      button.onclick = () => {
        this.function = this.function === total.place ? null : total.place;
        this.showFunctions();
        document.querySelector(`[data-function="${total.id}"]`).focus();
      };
      list.append(button);
    }
    if (totals.length > most) list.append(element("p", { className: "sub" }, `and ${grouped(totals.length - most)} more`));
    const empty = totals.length ? null : element("p", { className: "sub" }, "No task was recorded.");
    this.fill("panel-functions", empty ?? list, this.function === null ? null : this.spread(this.function));
  }

  spread(place) {
    const { run } = this;
    const total = totalOf(this.totals, place);
    const { times, slowest } = runTimes(run, place);
    const box = element("div", {}, element("h3", {}, `Run times of ${total.text}`));
    if (!times.length) {
      box.append(element("p", { className: "sub" }, "No run time is known."));
      return box;
    }
    const table = element("table");
    const rows = [
      ["Shortest", times[0]],
      ["Median", quantile(times, 0.5)],
      ["99 of 100 within", quantile(times, 0.99)],
      ["Longest", times[times.length - 1]],
    ];
    for (const [name, ticks] of rows) table.append(this.line(name, run.duration(ticks)));
    table.append(this.line("Together", run.duration(total.sum)));
    if (total.count > total.known) table.append(this.line("Unknown", `${grouped(total.count - total.known)} tasks`));
    box.append(this.histogram(place, times), table, this.list("Slowest", slowest.map(({ row }) => row), (row) => run.duration(run.tasks.end[row] - run.tasks.start[row])));
    return box;
  }

  /** How many tasks took how long; a bar chooses its tasks in the lanes. */
  histogram(place, times) {
    const { run, page } = this;
    const bins = histogram(times, 40);
    const most = Math.max(...bins.map((bin) => bin.count));
    const [width, height] = [324, 92];
    const each = width / bins.length;
    const plot = drawn("svg", { class: "histogram", viewBox: `0 0 ${width} ${height + 16}`, role: "img", "aria-label": `Histogram of ${times.length} run times` });
    bins.forEach((bin, i) => {
      const high = bin.count ? Math.max(2, (bin.count / most) * (height - 4)) : 0;
      const text = `${numberOf(bin.count, "task")}, ${run.duration(bin.from)} to ${run.duration(bin.to)}`;
      const group = drawn(
        "g",
        { "data-count": bin.count },
        drawn("title", {}, text),
        drawn("rect", { class: "ground", x: i * each, y: 0, width: each, height }),
        drawn("rect", { x: i * each, y: height - high, width: Math.max(1, each - 1), height: high, fill: page.functionCss(place) }),
      );
      group.addEventListener("click", () => page.chooseRunTimes(place, bin.from, bin.to, text));
      plot.append(group);
    });
    const label = (x, anchor, ticks) => drawn("text", { x, y: height + 12, "text-anchor": anchor }, run.duration(ticks));
    plot.append(drawn("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }), label(0, "start", times[0]), label(width, "end", times[times.length - 1]));
    return plot;
  }

  showPath() {
    const { run, page } = this;
    const { path } = run;
    if (!path) {
      const text = run.successorTable.targets.length ? "No task has a known start and end." : "The run has no recorded edges, so what waited for what is not known.";
      this.fill("panel-path", element("p", { className: "sub" }, text));
      return;
    }
    const { rows, waits } = path;
    const sum = (values) => values.reduce((sum, value) => sum + value, 0);
    const running = sum(Array.from(rows, (row) => run.tasks.end[row] - run.tasks.start[row]));
    const parts = [
      ["kernels run", running, page.theme.accentCss],
      ["until the AICPU saw the end", sum(waits[0]), page.theme.tailCss],
      ["until the next was dispatched", sum(waits[1]), page.theme.waitCss],
      ["from dispatch to start", sum(waits[2]), page.theme.headCss],
      ["wait of unknown kind", sum(waits[3]), page.theme.lineCss],
      ["after the last end", path.tail_ticks, page.theme.mutedCss],
    ].filter(([, ticks]) => ticks > 0);
    const whole = sum(parts.map(([, ticks]) => ticks));
    const bar = element("div", { className: "stretch" });
    const table = element("table");
    for (const [name, ticks, colour] of parts) {
      const share = `${((ticks / whole) * 100).toFixed(1)} %`;
      bar.append(element("i", { title: `${name}: ${share}`, style: { width: `${(ticks / whole) * 100}%`, background: colour } }));
      const line = this.line(name, run.duration(ticks), share);
      line.firstChild.prepend(swatch(colour));
      table.append(line);
    }
    table.append(this.line("Makespan", run.duration(whole)), this.line("Floor", run.duration(path.floor_ticks), `${((path.floor_ticks / whole) * 100).toFixed(1)} %`));
    const places = new Map(Array.from(rows, (row, place) => [row, place]));
    const note = (row) => {
      const wait = sum(waits.map((part) => part[places.get(row)]));
      return `+${run.duration(wait)} · ${run.duration(run.tasks.end[row] - run.tasks.start[row])}`;
    };
    this.fill(
      "panel-path",
      element("p", { className: "sub" }, "The chain that the end of the run hung on: from the task that ended last back, each time to the producer that ended last."),
      bar,
      table,
      element("p", { className: "sub" }, "No schedule of these tasks is shorter than the floor, the longest chain of run times."),
      this.list("Steps · wait, then run", Array.from(rows), note, 300),
    );
  }

  showRun() {
    const { run } = this;
    const { facts } = run;
    const table = element("table");
    const line = (name, value) => value !== null && value !== undefined && table.append(this.line(name, value));
    line("Platform", facts.platform || "not named");
    line("Workload", facts.workload || null);
    line("From first to last time", run.duration(run.span));
    line("Tasks", grouped(run.count));
    line("Edges", grouped(facts.edges));
    line("Cores", `${run.facts.cores.filter((core) => core.tasks).length} of ${facts.cores.length} used`);
    line("Scheduler phases", run.scheduler.start.length ? grouped(run.scheduler.start.length) : null);
    line("Orchestrator phases", run.orchestrator.start.length ? grouped(run.orchestrator.start.length) : null);
    line("Counter", `${grouped(facts.ticks_per_second)} ticks/s`);
    line("First tick", facts.origin_ticks);
    line("Swimlane level", facts.level === null ? null : String(facts.level));
    line("Ring size", facts.ring_size === null ? null : String(facts.ring_size));
    line("Issue depth", facts.issue_depth === null ? null : String(facts.issue_depth));
    line("Seed", facts.seed);
    const notes = [...facts.notes];
    if (run.undrawn) notes.push(`${grouped(run.undrawn)} items have no known time, or overlap too deep, and are not drawn`);
    const list = (title, texts) => texts.length && element("div", {}, element("h3", {}, title), ...texts.map((text) => element("p", {}, text)));
    this.fill("panel-run", element("h2", {}, facts.workload || facts.platform || "Run"), table, this.verdict(facts.verdict), this.lossList(), list("Notes", notes) || null);
  }

  verdict(verdict) {
    if (!verdict) return element("div", {}, element("h3", {}, "Records"), element("p", { className: "sub" }, "The source has no verdict: whether records were lost is not known."));
    const table = element("table");
    for (const name of ["dispatched", "total", "collected", "dropped", "mismatched"]) table.append(this.line(name, grouped(verdict[name])));
    const texts = [...verdict.findings, ...verdict.abandoned].slice(0, 100);
    return element("div", {}, element("h3", {}, "Records"), element("p", { className: verdict.outcome }, `Verdict: ${verdict.outcome}`), table, ...texts.map((text) => element("p", { className: "mark" }, text)));
  }

  lossList() {
    const { run, page } = this;
    if (!run.losses.length) return null;
    const box = element("div", {}, element("h3", {}, `Marks of lost records (${grouped(run.losses.length)})`));
    for (const loss of run.losses.slice(0, 100)) {
      const where = loss.ofThread ? `thread ${loss.track}` : run.facts.cores[loss.track].name;
      const button = element("button", { type: "button", className: "row mark" }, element("span"), element("b", { title: loss.text }, loss.text), element("small", {}, where));
      button.onclick = () => page.revealTime(loss.at);
      box.append(button);
    }
    return box;
  }
}

const totalOf = (totals, place) => totals.find((total) => total.place === place);

/** A rate in its unit, as the report prints it. */
function rateText(rate, unit) {
  if (unit === "utilisation") return `${(rate * 100).toFixed(1)} %`;
  return `${rate >= 100 ? rate.toFixed(0) : rate.toFixed(2)} ${unit}`;
}
