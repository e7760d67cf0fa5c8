// The panel of what is chosen: a task or a phase, or else what the colours mean.

class TaskPanel extends Panel {
  show(selected) {
    if (!selected) {
      this.fill(element("p", { className: "sub" }, "Choose a task in the lanes, or search for one. Press ? for all keys."), this.legend());
    } else if (selected.kind === "task") this.showTask(selected.item);
    else if (selected.kind === "loss") this.showLoss(selected);
    else this.showPhase(selected);
  }

  legend() {
    const box = element("div", { className: "legend" });
    const most = 24;
    for (const total of this.page.totals.slice(0, most)) {
      box.append(element("span", {}, swatch(this.page.functionCss(total.place)), total.short));
    }
    if (this.page.totals.length > most) box.append(element("span", {}, `and ${this.page.totals.length - most} more`));
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
      element("h2", {}, swatch(page.functionCss(tasks.func[row])), run.functionName(row)),
      element("p", { className: "sub" }, `${run.shortName(row)} · id ${run.idOf(row)} · ${facts.name}${facts.thread === null ? "" : ` · AICPU thread ${facts.thread}`}`),
      this.stretches(row),
      this.times(row),
      this.counterTable(row),
      blocks.length > 1 ? this.tasks("Blocks of this task", blocks.filter((block) => block !== row), (block) => run.facts.cores[run.coreOf(block)].name) : null,
      this.tasks("Waited for", Array.from(run.predecessors(row), (from) => run.lastRow(from)), (from) => this.slack(from, run.firstRow(lead))),
      this.tasks("Waited for by", Array.from(run.successors(row), (to) => run.firstRow(to)), (to) => this.slack(run.lastRow(lead), to)),
      this.tasks("On this core", this.besides(row, core), (other) => (other < row ? "before" : "after")),
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
      ["to the core", Run.between(dispatch[row], receive[row]), page.theme.waitsCss[2]],
      [receive[row] ? "on the core before start" : "from dispatch to start", Run.between(receive[row] || dispatch[row], start[row]), page.theme.waitsCss[1]],
      ["run", Run.between(start[row], end[row]), page.functionCss(run.tasks.func[row])],
      ["until seen finished", Run.between(end[row], finish[row]), page.theme.waitsCss[0]],
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
    const point = (name, ticks) => table.append(this.line(name, ticks ? run.time(ticks) : null, ticks ? `tick ${run.tickText(ticks)}` : ""));
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

  showLoss({ item, track }) {
    const { run } = this;
    const { text, at, count } = run.losses[item];
    const table = element("table", {}, this.line("Records", grouped(count)), this.line("At", run.time(at), `tick ${run.tickText(at)}`));
    this.fill(element("h2", { className: "mark" }, text), element("p", { className: "sub" }, track.name), table);
  }

  showPhase({ kind, item, track }) {
    const { run, page } = this;
    const phases = run[kind];
    const table = element("table");
    const title = page.paints.phaseName(kind, item);
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
    this.fill(element("h2", {}, swatch(css(page.paints[kind].colours[page.paints[kind].classes[item]])), title), element("p", { className: "sub" }, track.name), element("h3", {}, "Phase"), table);
  }
}
