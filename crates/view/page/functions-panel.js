// The panel of functions: their run times, and how these spread.

class FunctionsPanel extends Panel {
  constructor(page, id) {
    super(page, id);
    /** The function whose spread is shown. */
    this.function = null;
  }

  show() {
    const { run, page } = this;
    const { totals } = page;
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
        this.show();
        document.querySelector(`[data-function="${total.id}"]`).focus();
      };
      list.append(button);
    }
    if (totals.length > most) list.append(element("p", { className: "sub" }, `and ${grouped(totals.length - most)} more`));
    const empty = totals.length ? null : element("p", { className: "sub" }, "No task was recorded.");
    this.fill(empty ?? list, this.function === null ? null : this.spread(this.function));
  }

  spread(place) {
    const { run } = this;
    const total = totalOf(this.page.totals, place);
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
      group.addEventListener("click", () => page.finder.chooseRunTimes(place, bin.from, bin.to, text));
      plot.append(group);
    });
    const label = (x, anchor, ticks) => drawn("text", { x, y: height + 12, "text-anchor": anchor }, run.duration(ticks));
    plot.append(drawn("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }), label(0, "start", times[0]), label(width, "end", times[times.length - 1]));
    return plot;
  }
}

const totalOf = (totals, place) => totals.find((total) => total.place === place);
