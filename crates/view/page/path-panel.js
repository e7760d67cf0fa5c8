// The panel of the critical path: where its time went, and its steps.

class PathPanel extends Panel {
  show() {
    const { run, page } = this;
    const { path } = run;
    if (!path) {
      const text = run.successorTable.targets.length ? "No task has a known start and end." : "The run has no recorded edges, so what waited for what is not known.";
      this.fill(element("p", { className: "sub" }, text));
      return;
    }
    const { rows, waits } = path;
    const sum = (values) => values.reduce((sum, value) => sum + value, 0);
    const running = sum(Array.from(rows, (row) => run.tasks.end[row] - run.tasks.start[row]));
    const parts = [
      ["kernels run", running, page.theme.accentCss],
      ...WAITS.map(([, text], kind) => [text, sum(waits[kind]), page.theme.waitsCss[kind]]),
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
      element("p", { className: "sub" }, "The chain that the end of the run hung on: from the task that ended last back, each time to the producer that ended last."),
      bar,
      table,
      element("p", { className: "sub" }, "No schedule of these tasks is shorter than the floor, the longest chain of run times."),
      this.tasks("Steps · wait, then run", Array.from(rows), note, 300),
    );
  }
}
