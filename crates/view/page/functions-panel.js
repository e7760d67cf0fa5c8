// The panel of functions: their run times, and how these spread.

/** How many functions are listed at first, and how many more each time that more are asked for. */
const FUNCTIONS_LISTED = 200;

/** What functions can be listed by: the text of it, and the larger first. */
const ORDERS = {
  sum: ["run time", (a, b) => b.sum - a.sum || a.id - b.id],
  count: ["tasks", (a, b) => b.count - a.count || b.sum - a.sum],
  mean: ["mean run time", (a, b) => meanOf(b) - meanOf(a) || b.sum - a.sum],
  name: ["name", (a, b) => a.text.localeCompare(b.text, "en", { numeric: true })],
};
const meanOf = ({ sum, known }) => (known ? sum / known : 0);

class FunctionsPanel extends Panel {
  constructor(page, id) {
    super(page, id);
    /** The function whose spread is shown. */
    this.function = null;
    this.part = "";
    this.order = "sum";
    this.most = FUNCTIONS_LISTED;
    this.list = element("div");
    this.fill(this.controls(), this.list);
  }

  /** A part of the names to list, and what to list by. */
  controls() {
    const part = element("input", { type: "search", placeholder: "Part of a name", ariaLabel: "List functions whose name has this part", autocomplete: "off", spellcheck: false });
    part.oninput = () => this.choose({ part: part.value.trim().toLowerCase(), most: FUNCTIONS_LISTED });
    const options = Object.entries(ORDERS).map(([value, [text]]) => element("option", { value }, text));
    const order = element("select", { ariaLabel: "List functions by" }, ...options);
    order.onchange = () => this.choose({ order: order.value });
    return element("div", { className: "controls" }, part, order);
  }

  choose(choice) {
    Object.assign(this, choice);
    this.show();
  }

  show() {
    const { totals } = this.page;
    const found = totals.filter(({ text }) => text.toLowerCase().includes(this.part)).sort(ORDERS[this.order][1]);
    const of = found.length < totals.length ? ` of ${grouped(totals.length)}` : "";
    const title = element("h3", {}, `Functions by ${ORDERS[this.order][0]} (${grouped(found.length)}${of})`);
    const whole = totals.reduce((sum, total) => sum + total.sum, 0);
    const rows = found.slice(0, this.most).flatMap((total) => {
      const row = this.functionRow(total, whole);
      return this.function === total.place ? [row, this.spread(total)] : [row];
    });
    if (!totals.length) rows.push(element("p", { className: "sub" }, "No task was recorded."));
    if (found.length > this.most) rows.push(this.moreButton(found.length - this.most));
    this.list.replaceChildren(title, ...rows);
  }

  functionRow(total, whole) {
    const { run, page } = this;
    const share = whole ? total.sum / whole : 0;
    const colour = page.functionCss(total.place);
    const mean = total.known ? run.duration(meanOf(total)) : "unknown";
    const button = element(
      "button",
      { type: "button", className: "row", ariaPressed: String(this.function === total.place) },
      swatch(colour),
      nameOf(total.short, total.text),
      element("small", {}, `${grouped(total.count)} × ${mean} · ${(share * 100).toFixed(1)} %`),
      element("span", { className: "bar" }, element("i", { style: { width: `${share * 100}%`, background: colour } })),
    );
    button.dataset.function = String(total.id);
    button.onclick = () => {
      this.choose({ function: this.function === total.place ? null : total.place });
      this.list.querySelector(`[data-function="${total.id}"]`).focus();
    };
    return button;
  }

  moreButton(left) {
    const button = element("button", { type: "button", className: "more" }, `${grouped(Math.min(left, FUNCTIONS_LISTED))} more of ${grouped(left)}`);
    button.onclick = () => this.choose({ most: this.most + FUNCTIONS_LISTED });
    return button;
  }

  /** How the run times of a function spread. */
  spread(total) {
    const { run } = this;
    const { times, slowest } = runTimes(run, total.place);
    const box = element("div", { className: "spread" });
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
      ["Together", total.sum],
    ];
    for (const [name, ticks] of rows) table.append(this.line(name, run.duration(ticks)));
    if (total.count > total.known) table.append(this.line("Unknown", `${grouped(total.count - total.known)} tasks`));
    const longest = this.tasks("Slowest", slowest.map(({ row }) => row), (row) => run.duration(run.tasks.end[row] - run.tasks.start[row]));
    box.append(this.histogram(total.place, times), table, longest);
    return box;
  }

  /** How many tasks took how long; a bar chooses its tasks in the lanes. */
  histogram(place, times) {
    const bins = histogram(times, 40);
    const most = Math.max(...bins.map((bin) => bin.count));
    const [width, height] = [324, 92];
    const each = width / bins.length;
    const plot = drawn("svg", { class: "histogram", viewBox: `0 0 ${width} ${height + 16}`, role: "group", "aria-label": `Histogram of ${times.length} run times` });
    bins.forEach((bin, i) => {
      const high = bin.count ? Math.max(2, (bin.count / most) * (height - 4)) : 0;
      const ground = drawn("rect", { class: "ground", x: i * each, y: 0, width: each, height });
      const bar = drawn("rect", { x: i * each, y: height - high, width: Math.max(1, each - 1), height: high, fill: this.page.functionCss(place) });
      plot.append(this.bar(place, bin, ground, bar));
    });
    const label = (x, anchor, ticks) => drawn("text", { x, y: height + 12, "text-anchor": anchor }, this.run.duration(ticks));
    plot.append(drawn("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }), label(0, "start", times[0]), label(width, "end", times[times.length - 1]));
    return plot;
  }

  bar(place, bin, ...rects) {
    const { run, page } = this;
    const text = `${numberOf(bin.count, "task")}, ${run.duration(bin.from)} to ${run.duration(bin.to)}`;
    const group = drawn("g", { "data-count": bin.count, role: "button", "aria-label": text }, drawn("title", {}, text), ...rects);
    if (bin.count) group.setAttribute("tabindex", "0");
    const choose = () => page.finder.chooseRunTimes(place, bin.from, bin.to, text);
    group.addEventListener("click", choose);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") choose();
    });
    return group;
  }
}
