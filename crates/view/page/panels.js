// The panels beside the lanes, of which one is open.

class Panels {
  constructor(page) {
    this.task = new TaskPanel(page, "panel-task");
    this.functions = new FunctionsPanel(page, "panel-functions");
    this.path = new PathPanel(page, "panel-path");
    this.stretch = new StretchPanel(page, "panel-stretch");
    this.run = new RunPanel(page, "panel-run");
    this.page = page;
    this.tabs = [...document.querySelectorAll("[role=tab]")];
    this.tabs.forEach((tab, place) => {
      tab.onclick = () => this.open(tab.id);
      tab.onkeydown = (event) => this.step(event, place);
    });
    this.open("tab-task");
  }

  /** From tab to tab by the arrow keys. */
  step(event, place) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.stopPropagation();
    const next = this.tabs[(place + step + this.tabs.length) % this.tabs.length];
    this.open(next.id);
    next.focus();
  }

  open(id) {
    if (id === "tab-path") this.path.show();
    for (const tab of this.tabs) {
      const isChosen = tab.id === id;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }

  refresh() {
    this.task.show(this.page.selected);
    this.functions.show();
    if (!this.path.box.hidden) this.path.show();
    this.stretch.show();
    this.run.show();
  }
}
