// The panel of a stretch of time that was measured: what ran in it, and how busy the cores were.

class StretchPanel extends Panel {
  show() {
    const { run, page } = this;
    if (!page.measured) {
      this.fill(element("p", { className: "sub" }, "Drag with Alt, or press m and drag, to measure a stretch of time."));
      return;
    }
    const sums = stretchSums(run, page.measured);
    this.fill(this.facts(sums), this.functionList(sums), this.coreList(sums));
  }

  facts({ from, to, tasks, begun, ended, kinds }) {
    const { run } = this;
    const table = element("table", {}, this.line("From", run.time(from)), this.line("To", run.time(to)), this.line("Length", run.duration(to - from), `${grouped(to - from)} ticks`));
    table.append(this.line("Tasks that run in it", grouped(tasks), `${grouped(begun)} start, ${grouped(ended)} end`));
    for (const { name, cores, busy } of kinds) {
      const idle = cores * (to - from) - busy;
      const share = (ticks) => shareText(ticks, cores * (to - from));
      table.append(this.line(`${name}, ${numberOf(cores, "core")}: busy`, run.duration(busy), share(busy)), this.line(`${name}: idle`, run.duration(idle), share(idle)));
    }
    return element("div", {}, element("h2", {}, "Stretch"), table);
  }

  functionList({ functions, busy }) {
    const { run, page } = this;
    const rows = functions.map(({ place, count, ticks }) =>
      this.barRow(page.functionCss(place), nameOf(run.functions[place].short, run.functions[place].text), `${grouped(count)} × · ${run.duration(ticks)} · ${shareText(ticks, busy)}`, ticks / (busy || 1)),
    );
    return this.listOf("Run time by function", rows);
  }

  coreList({ cores, from, to }) {
    const { run, page } = this;
    const rows = cores.map(({ core, busy }) =>
      this.barRow(page.theme.accentCss, element("b", {}, run.facts.cores[core].name), `${run.duration(busy)} · ${shareText(busy, to - from)}`, busy / (to - from)),
    );
    return this.listOf("Busy cores", rows);
  }

  barRow(colour, name, note, part) {
    const bar = element("i", { style: { width: `${Math.min(1, part) * 100}%`, background: colour } });
    return element("div", { className: "row" }, swatch(colour), name, element("small", {}, note), element("span", { className: "bar" }, bar));
  }

  listOf(title, rows, most = 100) {
    const box = element("div", {}, element("h3", {}, `${title} (${grouped(rows.length)})`), ...rows.slice(0, most));
    if (rows.length > most) box.append(element("p", { className: "sub" }, `and ${grouped(rows.length - most)} more`));
    return box;
  }
}

const shareText = (part, whole) => `${(whole ? (part / whole) * 100 : 0).toFixed(1)} %`;
