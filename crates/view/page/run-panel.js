// The panel of the run: its facts, the verdict over its records, and where some are missing.

class RunPanel extends Panel {
  show() {
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
    if (run.timeless) notes.push(`${grouped(run.timeless)} items have no known time and are not drawn`);
    if (run.crowded) notes.push(`${grouped(run.crowded)} items lie deeper than the ${MOST_LANES} lanes of their track and are not drawn`);
    const list = (title, texts) => texts.length && element("div", {}, element("h3", {}, title), ...texts.map((text) => element("p", {}, text)));
    this.fill(element("h2", {}, facts.workload || facts.platform || "Run"), table, this.verdict(facts.verdict), this.lossList(), list("Notes", notes) || null);
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
    const most = 100;
    for (const loss of run.losses.slice(0, most)) {
      const where = loss.ofThread ? `thread ${loss.track}` : run.facts.cores[loss.track].name;
      const button = element("button", { type: "button", className: "row mark" }, element("span"), element("b", { title: loss.text }, loss.text), element("small", {}, where));
      button.onclick = () => page.goToLoss(loss);
      box.append(button);
    }
    if (run.losses.length > most) box.append(element("p", { className: "sub" }, `and ${grouped(run.losses.length - most)} more`));
    return box;
  }
}
