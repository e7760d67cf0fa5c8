// What a search or a bar of a histogram found, and the way from one find to the next.

class Finder {
  constructor(page) {
    this.page = page;
    this.run = page.run;
    this.matches = null;
    this.match = -1;
  }

  search(text) {
    this.set(search(this.run, text));
  }

  set(matches) {
    this.matches = matches;
    this.match = -1;
    this.page.chooseTasks();
    this.show();
    this.page.changed();
  }

  show() {
    const count = this.matches?.rows.length ?? 0;
    const output = document.getElementById("matches");
    if (!this.matches) output.textContent = "";
    else if (!count) output.textContent = "no match";
    else output.textContent = this.match < 0 ? grouped(count) : `${grouped(this.match + 1)} of ${grouped(count)}`;
    for (const id of ["next-match", "previous-match"]) document.getElementById(id).disabled = !count;
  }

  clear() {
    document.getElementById("query").value = "";
    this.set(null);
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
    this.set({ chosen, rows });
    document.getElementById("announcement").textContent = text;
  }

  /** The next match, or without a search the next task of the core. */
  step(by) {
    const { run, page, matches } = this;
    if (matches) {
      if (!matches.rows.length) return;
      this.match = (this.match + by + matches.rows.length) % matches.rows.length;
      if (by < 0 && this.match === -1) this.match = matches.rows.length - 1;
      this.show();
      return page.select({ kind: "task", item: matches.rows[this.match] }, true);
    }
    const { selected } = page;
    if (selected?.kind !== "task") return run.count ? page.select({ kind: "task", item: 0 }, true) : undefined;
    const next = selected.item + by;
    if (next >= 0 && next < run.count && run.coreOf(next) === run.coreOf(selected.item)) page.select({ kind: "task", item: next }, true);
  }
}
