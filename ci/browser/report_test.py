"""Pages of reports and comparisons, in a real browser: the numbers shown are those of the JSON."""

import json
import unittest

from browser import RUNS, Browser, lanescope

PLATFORMS = ["a2a3sim", "a5sim"]

# Every table by the heading above it, as texts.
TABLES = """() => {
  const tables = {};
  for (const table of document.querySelectorAll("table")) {
    let above = table.parentElement;
    while (above.tagName !== "H2") above = above.previousElementSibling;
    const rows = Array.from(table.rows, (row) => Array.from(row.cells, (cell) => cell.textContent));
    let name = above.textContent;
    // Further tables below one heading.
    while (name in tables) name += " +";
    tables[name] = { header: rows[0], rows: rows.slice(1) };
  }
  return tables;
}"""

# Every bar: the core it is of, its part, and how wide it is on the screen.
BARS = """() => Array.from(document.querySelectorAll("svg[aria-label^='parts'] rect"), (rect) => ({
  text: rect.querySelector("title").textContent,
  part: rect.getAttribute("class"),
  width: rect.getBoundingClientRect().width,
}))"""

# The least contrast of any text with the page behind it, as WCAG counts it.
CONTRAST = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((value) => value / 255)
      .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const texts = Array.from(document.querySelectorAll("h1, h2, p, th, td"));
  const ratios = texts.map((text) => luminance(getComputedStyle(text).color))
    .map((ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
  return { paper, least: Math.min(...ratios) };
}"""


def setUpModule():
    global BROWSER
    BROWSER = Browser()


def tearDownModule():
    BROWSER.close()


def written(name, *arguments, code=0):
    """A page that a command writes, in a folder of their own."""
    path = RUNS / "pages" / f"{name}.html"
    path.parent.mkdir(exist_ok=True)
    lanescope(*arguments, "--format", "html", "--output", path, code=code)
    return path


def grouped(number):
    return f"{number:,}"


def us(ns):
    """Whole nanoseconds as the pages write microseconds."""
    return "-" if ns is None else f"{ns // 1000}.{ns % 1000:03}"


def mean(ns):
    return "-" if ns is None else f"{ns / 1000:.3f}"


def per_cent(share):
    return f"{share * 100:.1f} %"


class PageTest(unittest.TestCase):
    """What all of these pages keep to."""

    def open(self, path, dark=False):
        page = BROWSER.open_still(path, dark=dark)
        self.addCleanup(page.context.close)
        return page

    def assert_readable(self, path):
        papers = []
        for dark in (False, True):
            page = self.open(path, dark)
            self.assertEqual(page.requests, [f"file://{path}"])
            self.assertEqual(page.complaints, [])
            seen = page.evaluate(CONTRAST)
            papers.append(seen["paper"])
            self.assertGreaterEqual(seen["least"], 4.5, "texts are to be told from the page")
            self.assertTrue(
                page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
                "the page is wider than the window",
            )
        light, dark = papers
        self.assertGreater(light, 0.8)
        self.assertLess(dark, 0.1)


class Reports(PageTest):
    def test_numbers_are_those_of_the_json(self):
        for platform in PLATFORMS:
            with self.subTest(platform):
                report = json.loads(lanescope("report", RUNS / platform, "--json"))
                path = written(f"report-{platform}", "report", RUNS / platform)
                self.assert_readable(path)
                page = self.open(path)
                tables = page.evaluate(TABLES)
                self.check_functions(report, tables["Functions, in µs"])
                self.check_limits(report, tables)
                self.check_stragglers(report, tables)
                self.check_bars(report, page.evaluate(BARS))
                self.check_path(report, tables)
                self.check_counters(report, tables)
                text = page.evaluate("document.body.innerText")
                self.assertIn(f"makespan {us(report['makespan_ns'])} µs", text)
                self.assertIn(f"{grouped(report['session']['tasks'])} tasks", text)
                verdict = report["verdict"]
                collected = f"{grouped(verdict['collected'])} of {grouped(verdict['total'])} records"
                self.assertIn(f"{verdict['outcome']} ({collected}", text)

    def check_functions(self, report, table):
        expected = [
            [
                function["name"],
                grouped(function["count"]),
                per_cent(function["share"]),
                mean(function["run"]["mean_ns"]),
                us(function["run"]["p50_ns"]),
                us(function["run"]["p99_ns"]),
                us(function["run"]["max_ns"]),
                mean(function["head_wait"]["mean_ns"]),
                us(function["head_wait"]["p99_ns"]),
                mean(function["tail_wait"]["mean_ns"]),
                us(function["tail_wait"]["p99_ns"]),
                *(grouped(function[wait]["unknown"]) for wait in ["run", "head_wait", "tail_wait"]),
            ]
            for function in report["functions"]
        ]
        self.assertEqual(table["rows"], expected)
        self.assertEqual(len(set(table["header"])), len(expected[0]), "columns of one name")

    def check_limits(self, report, tables):
        limits = report["limits"]
        parts = ["dependencies_ns", "cores_ns", "scheduler_ns", "nothing_ran_ns"]
        rows = tables["What held the run up"]["rows"]
        self.assertEqual([row[1] for row in rows], [us(limits[part]) for part in parts])
        idle = [
            [cores["core_type"], us(cores["beside_waiting_ns"]), us(cores["without_waiting_ns"])]
            for cores in limits["idle"]
        ]
        self.assertEqual([row[:3] for row in tables["What held the run up +"]["rows"]], idle)

    def check_stragglers(self, report, tables):
        expected = [
            [function["name"], grouped(function["stragglers"]["count"]), us(function["stragglers"]["excess_ns"])]
            for function in report["functions"]
            if function["stragglers"]["count"]
        ]
        found = tables.get("Stragglers: more than twice the median of their function", {"rows": []})
        self.assertEqual([row[:3] for row in found["rows"]], expected)

    def check_bars(self, report, bars):
        names = ["run", "head_wait", "tail_wait", "starved", "blocked", "unknown"]
        classes = ["run", "head", "tail", "starved", "blocked", "unknown"]
        expected = [
            (core["name"], part, core["parts"][f"{name}_ns"])
            for core in report["cores"]
            for name, part in zip(names, classes)
            if core["parts"][f"{name}_ns"]
        ]
        self.assertEqual(len(bars), len(expected))
        widest = max(bar["width"] for bar in bars) / max(ns for _, _, ns in expected)
        for bar, (core, part, ns) in zip(bars, expected):
            self.assertEqual(bar["part"], part)
            self.assertTrue(bar["text"].startswith(f"{core}: "))
            self.assertIn(f" {us(ns)} µs", bar["text"])
            # Widths are whole hundredths of a unit.
            self.assertAlmostEqual(bar["width"], ns * widest, delta=0.1)

    def check_path(self, report, tables):
        path = report["critical_path"]
        rows = [
            [function["name"], grouped(function["steps"]), us(function["run_ns"]), us(function["wait_ns"])]
            for function in path["functions"]
        ]
        self.assertEqual(tables["Critical path"]["rows"], rows)
        starts = {us(step["start_ns"]) for step in path["steps"]}
        self.assertLessEqual({row[2] for row in tables["Longest waits on the path"]["rows"]}, starts)
        slowest = [us(task["run_ns"]) for task in report["slowest"]]
        self.assertEqual([row[3] for row in tables["Slowest tasks"]["rows"]], slowest)

    def check_counters(self, report, tables):
        pmu = report["pmu"]
        rows = [
            [function["name"], counter["column"], grouped(counter["sum"]), f"{counter['rate']:.4f}", counter["unit"]]
            for function in pmu["functions"]
            for counter in function["counters"]
        ]
        self.assertEqual(tables[f"Hardware counters: {pmu['event_name']}"]["rows"], rows)

    def test_a_lossy_run_says_so(self):
        page = self.open(written("report-lossy", "report", RUNS / "lossy", code=1))
        self.assertIn("lossy (", page.evaluate("document.body.innerText"))


class Comparisons(PageTest):
    def test_rows_are_those_of_the_json(self):
        sides = [RUNS / platform for platform in PLATFORMS]
        found = json.loads(lanescope("diff", *sides, "--format", "json"))
        path = written("diff", "diff", *sides)
        self.assert_readable(path)
        table = self.open(path).evaluate(TABLES)["What changed"]
        changed = [change["name"] for change in found["metrics"] if change["verdict"] in ("better", "worse")]
        self.assertTrue(changed, "the two chips differ")
        shown = [row[0] for row in table["rows"]]
        self.assertEqual([metric for metric in shown if metric in set(changed)], changed)
        markdown = lanescope("diff", *sides, "--format", "markdown")
        for metric in changed:
            self.assertIn(metric.replace("_", "\\_"), markdown)


if __name__ == "__main__":
    unittest.main()
