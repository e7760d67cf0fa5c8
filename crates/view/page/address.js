// The view as the fragment of the page's address, so that a link opens what its sender saw.

/** How long the view rests before its address is written: a browser takes few of them. */
const REST_MS = 400;

class Address {
  constructor(page) {
    this.page = page;
    this.read();
    window.addEventListener("hashchange", () => this.read());
  }

  /** The view may have changed. */
  note() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.write(), REST_MS);
  }

  write() {
    const text = this.text();
    if (text !== location.hash.slice(1)) history.replaceState(null, "", `#${text}`);
  }

  text() {
    const { viewport, paints, selected, measured, isPathShown, run } = this.page;
    const parts = {};
    const closed = run.groups.filter((group) => !group.isOpen).map(({ key }) => key);
    const query = document.getElementById("query").value;
    if (!viewport.isWhole) parts.window = stretchText(viewport);
    if (selected) parts.chosen = `${selected.kind}-${selected.item}`;
    if (measured) parts.measured = stretchText(measured);
    if (query) parts.search = query;
    if (isPathShown) parts.path = "shown";
    if (paints.colouring !== "function") parts.colour = paints.colouring;
    if (run.counters && paints.column !== busiestCounter(run)) parts.counter = String(paints.column);
    if (closed.length) parts.closed = closed.join(" ");
    return new URLSearchParams(parts).toString();
  }

  /** Shows what an address says, as far as this run has it. */
  read() {
    const { page } = this;
    const parts = new URLSearchParams(location.hash.slice(1));
    if (!parts.size) return;
    page.close((parts.get("closed") ?? "").split(" "));
    this.chooseOption("colouring", parts.get("colour") ?? "function", (value) => page.colourBy(value));
    if (parts.has("counter")) this.chooseOption("counter", parts.get("counter"), (value) => page.chooseCounter(Number(value)));
    document.getElementById("query").value = parts.get("search") ?? "";
    page.finder.search(parts.get("search") ?? "");
    if (parts.has("path") !== page.isPathShown) page.togglePath();
    const chosen = thingOfText(page.run, parts.get("chosen"));
    if (chosen) page.select(chosen, true);
    const measured = stretchOfText(parts.get("measured"));
    if (measured) page.measure(measured);
    const window = stretchOfText(parts.get("window"));
    if (window) page.viewport.show(window.from, window.to);
    page.changed();
  }

  chooseOption(id, value, act) {
    const choice = document.getElementById(id);
    if (![...choice.options].some((option) => option.value === value)) return;
    choice.value = value;
    act(value);
  }
}

const stretchText = ({ from, to }) => `${from.toFixed(1)}_${to.toFixed(1)}`;

function stretchOfText(text) {
  const [from, to] = (text ?? "").split("_").map(Number);
  return Number.isFinite(from) && Number.isFinite(to) && from < to ? { from, to } : null;
}

/** A task, a phase or a mark by its number; `null` when the run has none. */
function thingOfText(run, text) {
  const [, kind, digits] = /^(task|scheduler|orchestrator|loss)-(\d{1,9})$/.exec(text ?? "") ?? [];
  const item = Number(digits);
  if (kind === "loss") return run.losses[item] ? { kind, item, track: run.trackOfLoss(run.losses[item]) } : null;
  const count = kind === "task" ? run.count : (run[kind]?.start.length ?? 0);
  return item < count ? { kind, item } : null;
}
