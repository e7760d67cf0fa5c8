// What every panel beside the lanes is made of: lines of a table, and lists of tasks.

class Panel {
  constructor(page, id) {
    this.page = page;
    this.run = page.run;
    this.box = document.getElementById(id);
  }

  fill(...children) {
    this.box.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  }

  line(name, value, small = "") {
    const cell = value === null ? element("td", { className: "unknown" }, "unknown") : element("td", {}, value, small ? " " : "", small ? element("small", {}, small) : "");
    return element("tr", {}, element("th", { scope: "row" }, name), cell);
  }

  tasks(title, rows, noteOf, most = 50) {
    if (!rows.length) return null;
    const box = element("div", {}, element("h3", {}, `${title} (${grouped(rows.length)})`));
    for (const row of rows.slice(0, most)) box.append(this.taskButton(row, noteOf(row)));
    if (rows.length > most) box.append(element("p", { className: "sub" }, `and ${grouped(rows.length - most)} more`));
    return box;
  }

  taskButton(row, note) {
    const { run, page } = this;
    const cells = [swatch(page.functionCss(run.tasks.func[row])), nameOf(run.shortFunctionName(row), run.functionName(row)), element("span", {}, run.shortName(row)), element("small", {}, note)];
    const button = element("button", { type: "button", className: "row task" }, ...cells);
    button.dataset.row = String(row);
    button.onclick = () => page.select({ kind: "task", item: row }, true);
    return button;
  }
}
