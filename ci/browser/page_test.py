"""What the page shows is what is in the capture: in a real browser, by mouse and keyboard."""

import csv
import io
import json
import os
import signal
import subprocess
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from browser import LANESCOPE, RUNS, Browser, lanescope, page_of, settle

PLATFORMS = ["a2a3sim", "a5sim"]
IMAGES = os.environ.get("LANESCOPE_IMAGES")

# Every task as the page's model has it, in microseconds from the reference's begin.
MODEL = """() => {
  const { run } = lanescope;
  const { tasks, scheduler } = run;
  const times = [...tasks.start, ...tasks.dispatch.filter(Boolean), ...scheduler.start];
  const base = times.reduce((least, time) => Math.min(least, time));
  const us = (time) => (time ? (run.nanoseconds(time - base) / 1000).toFixed(3) : "0.000");
  return {
    tasks: Array.from({ length: run.count }, (_, row) => ({
      row,
      task_id: run.idOf(row),
      func_id: run.functions[tasks.func[row]].id,
      core_id: run.coreOf(row),
      core_type: run.facts.cores[run.coreOf(row)].kind,
      start: us(tasks.start[row]),
      end: us(tasks.end[row]),
      dispatch: us(tasks.dispatch[row]),
      finish: us(tasks.finish[row]),
      fanout: Array.from(run.successors(row), (to) => run.idOf(to)),
      counters: run.counters && run.counters.places[row] >= 0
        ? [run.counters.cycles, ...run.counters.columns.map((_, column) => run.countsOf(column))].map((column) => column[run.counters.places[row]])
        : null,
    })),
    phases: Array.from(scheduler.start, (start, item) => ({
      thread: run.scheduler.firsts.findIndex((first, i) => item < run.scheduler.firsts[i + 1]),
      phase: lanescope.paints.phaseName("scheduler", item),
      start: us(start),
      end: us(scheduler.end[item]),
      loop: scheduler.round[item],
      tasks: scheduler.tasks[item],
    })),
  };
}"""


def setUpModule():
    global BROWSER
    BROWSER = Browser()


def tearDownModule():
    BROWSER.close()


class PageTest(unittest.TestCase):
    """Opens pages, and at the end of every test no page has complained or asked for anything."""

    def open(self, path, **options):
        page = BROWSER.open(path, **options)
        self.pages.append((page, path))
        return page

    def open_run(self, name, **options):
        return self.open(page_of(RUNS / name, name), **options)

    def setUp(self):
        self.pages = []

    def tearDown(self):
        for page, path in self.pages:
            own = path if "://" in str(path) else f"file://{path}"
            self.assertEqual(page.complaints, [])
            self.assertEqual(page.requests, [own])
            page.context.close()


class Contents(PageTest):
    def test_every_task_edge_and_phase_is_that_of_the_records_export(self):
        for platform in PLATFORMS:
            with self.subTest(platform):
                records = json.loads(lanescope("export", RUNS / platform, "--format", "records-json", "-o", "-"))
                model = self.open_run(platform).evaluate(MODEL)
                shown = {
                    (
                        int(task["task_id"]),
                        task["func_id"],
                        task["core_id"],
                        task["core_type"],
                        task["start"],
                        task["end"],
                        task["dispatch"],
                        task["finish"],
                        tuple(map(int, task["fanout"])),
                    )
                    for task in model["tasks"]
                }
                us = "{:.3f}".format
                recorded = {
                    (
                        task["task_id"],
                        task["func_id"],
                        task["core_id"],
                        task["core_type"],
                        us(task["start_time_us"]),
                        us(task["end_time_us"]),
                        us(task["dispatch_time_us"]),
                        us(task["finish_time_us"]),
                        tuple(task["fanout"]),
                    )
                    for task in records["tasks"]
                }
                self.assertGreater(len(recorded), 400)
                self.assertEqual(shown, recorded)
                self.assertEqual(len(model["tasks"]), len(records["tasks"]))
                phases = [
                    (thread, phase["phase"], us(phase["start_time_us"]), us(phase["end_time_us"]), phase["loop_iter"])
                    for thread, rows in enumerate(records["aicpu_scheduler_phases"])
                    for phase in rows
                ]
                shown = [(p["thread"], p["phase"], p["start"], p["end"], p["loop"]) for p in model["phases"]]
                self.assertGreater(len(phases), 40)
                # The export has the reference's phases alone, so ours may be more.
                self.assertLessEqual(set(phases), set(shown))

    def test_counters_are_those_of_the_csv_export(self):
        for platform in PLATFORMS:
            with self.subTest(platform):
                rows = list(csv.reader(io.StringIO(lanescope("export", RUNS / platform, "--format", "pmu-csv", "-o", "-"))))
                recorded = sorted((int(row[2], 16), int(row[1]), *map(int, row[5:-1])) for row in rows[1:])
                page = self.open_run(platform)
                shown = sorted(
                    (int(task["task_id"]), task["core_id"], *task["counters"])
                    for task in page.evaluate(MODEL)["tasks"]
                    if task["counters"]
                )
                self.assertGreater(len(recorded), 400)
                self.assertEqual(shown, recorded)
                names = page.evaluate("lanescope.run.counters.columns.map((column) => column.name)")
                self.assertEqual(names, rows[0][6:-1])

    def test_the_orchestrator_and_tasks_of_several_blocks_are_those_of_the_file(self):
        data = Path(__file__).parents[2] / "crates/export/tests/data/swimlane/voting/l2_perf_records.json"
        records = json.loads(data.read_text())
        # The producer of an edge runs on a second core, too.
        producer = next(task for task in records["tasks"] if task["fanout"])
        core = 1 + max(task["core_id"] for task in records["tasks"])
        records["tasks"].append({**producer, "core_id": core})
        source = RUNS / "pages" / "blocks.json"
        source.parent.mkdir(exist_ok=True)
        source.write_text(json.dumps(records))
        page = self.open(page_of(source, "blocks"))
        recorded = [
            [
                thread,
                phase["phase"].replace("orch_", ""),
                phase["submit_idx"],
                str(phase["task_id"]),
                f"{phase['end_time_us'] - phase['start_time_us']:.3f}",
            ]
            for thread, rows in enumerate(records["aicpu_orchestrator_phases"])
            for phase in rows
        ]
        shown = page.evaluate(
            """() => {
              const { run } = lanescope;
              const { firsts, start, end, submit, id_low, id_high } = run.orchestrator;
              return Array.from(start, (_, item) => [
                firsts.findIndex((first, i) => item >= first && item < firsts[i + 1]),
                lanescope.paints.phaseName("orchestrator", item),
                submit[item],
                ((BigInt(id_high[item]) << 32n) | BigInt(id_low[item])).toString(),
                (run.nanoseconds(end[item] - start[item]) / 1000).toFixed(3),
              ]);
            }"""
        )
        self.assertGreater(len(recorded), 5)
        self.assertEqual(shown, recorded)
        blocks = page.evaluate(
            """(id) => {
              const { run } = lanescope;
              const rows = [...run.tasks.start.keys()].filter((row) => run.idOf(row) === id);
              return {
                cores: rows.map((row) => run.coreOf(row)),
                together: rows.map((row) => run.rowsOf(run.leadOf(row)).length),
                successors: rows.map((row) => run.successors(row).length),
              };
            }""",
            str(producer["task_id"]),
        )
        self.assertEqual(sorted(blocks["cores"]), sorted([producer["core_id"], core]))
        self.assertEqual(blocks["together"], [2, 2])
        self.assertEqual(blocks["successors"], [len(producer["fanout"])] * 2)

    def test_tasks_in_flight_have_a_lane_each_and_what_finds_none_is_told(self):
        for flight in [16, 20]:
            with self.subTest(flight):
                tasks = [
                    task_of(place, core=0, start=10 + 10 * place, end=15 + 10 * place, dispatch=1 + place / 100, finish=900)
                    for place in range(flight)
                ]
                page = self.open(page_of(records_of(f"flight-{flight}", tasks), f"flight-{flight}"))
                lanes = page.evaluate("lanescope.run.groups.find((group) => group.key === 'aicpu').tracks[0].lanes.map((lane) => lane.count)")
                self.assertEqual(lanes, [1] * 16)
                page.click("#tab-run")
                note = f"{flight - 16} items lie deeper than the 16 lanes"
                self.assertEqual(note in page.inner_text("#panel-run"), flight > 16)

    def test_lost_records_are_marked_and_counted(self):
        page = self.open_run("lossy")
        verdict = json.loads((RUNS / "lossy" / "verdict.json").read_text())
        dropped = sum(verdict["totals"]["dropped"].values())
        self.assertGreater(dropped, 0)
        marked = page.evaluate("lanescope.run.losses.reduce((sum, loss) => sum + loss.count, 0)")
        self.assertEqual(marked, dropped)
        self.assertIn("lossy", page.inner_text("#summary"))
        # A mark has the colour of loss at its place, and says what it is.
        x, y = page.evaluate(
            """() => {
              const row = lanescope.viewport.rows.find((row) => row.track?.losses.length);
              return [lanescope.viewport.xOf(row.track.losses[0].at), row.y - lanescope.viewport.scroll + 2];
            }"""
        )
        self.assertEqual(pixel(page, x, y), theme_colour(page, "--bad"))
        box = page.locator("#overlay").bounding_box()
        page.mouse.move(box["x"] + x, box["y"] + y)
        self.assertRegex(page.inner_text("#pointer"), r"\d .*records? lost")
        page.mouse.click(box["x"] + x, box["y"] + y)
        self.assertRegex(page.inner_text("#panel-task"), r"^\d+ .*records? lost")

    def test_cores_and_threads_that_lost_all_records_have_their_marks(self):
        page = self.open_run("lost")
        verdict = json.loads((RUNS / "lost" / "verdict.json").read_text())
        lost = sum(verdict["totals"]["dropped"].values())
        silent = [row["core"] for row in verdict["cores"] if row["kind"] == "task" and not row["collected"]]
        self.assertGreater(len(silent), 5)
        marked = page.evaluate(
            """() => {
              const tracks = lanescope.run.groups.flatMap((group) => group.tracks);
              return {
                sum: tracks.flatMap((track) => track.losses).reduce((sum, loss) => sum + loss.count, 0),
                cores: tracks.filter((track) => track.kind === "kernel" && track.losses.length).map((track) => track.core),
              };
            }"""
        )
        self.assertEqual(marked["sum"], lost)
        self.assertLessEqual(set(silent), set(marked["cores"]))
        # The header and the panel say the same number.
        digits = lambda text: text.replace("\u202f", "")
        self.assertIn(f"{lost} records lost", digits(page.inner_text("#summary")))
        page.click("#tab-run")
        self.assertRegex(digits(page.inner_text("#panel-run")), rf"dropped\s+{lost}\b")

    def test_an_entry_of_the_list_of_marks_leads_to_its_mark(self):
        page = self.open_run("lossy", height=420)
        page.click("#tab-run")
        losses = page.evaluate("lanescope.run.losses.length")
        self.assertGreater(losses, 100)
        self.assertIn(f"and {losses - 100} more", page.inner_text("#panel-run"))
        page.evaluate("() => { for (const group of lanescope.run.groups) lanescope.toggle(group); }")
        entry = page.locator("#panel-run button.mark").nth(60)
        entry.click()
        settle(page)
        found = page.evaluate(
            """() => {
              const { viewport, run } = lanescope;
              const loss = run.losses[60];
              const row = [...viewport.inSight()].find((row) => row.track?.losses.includes(loss));
              return { y: row?.y, height: viewport.height, x: viewport.xOf(loss.at), width: viewport.width, part: (viewport.to - viewport.from) / run.span };
            }"""
        )
        self.assertIsNotNone(found["y"])
        self.assertTrue(132 < found["x"] < found["width"] and 26 <= found["y"] < found["height"], found)
        self.assertLess(found["part"], 0.1)
        self.assertGreater(overlay_pixels(page), 20)
        # The list stays open for the next.
        self.assertTrue(entry.is_visible())


class Drawing(PageTest):
    def test_a_click_where_a_task_is_drawn_shows_that_task(self):
        for platform in PLATFORMS:
            page = self.open_run(platform)
            count = page.evaluate("lanescope.run.count")
            for row in range(0, count, 37):
                with self.subTest(platform=platform, row=row):
                    task = self.bring_into_sight(page, row)
                    self.assertEqual(pixel(page, task["x"], task["y"]), task["colour"])
                    page.keyboard.press("Escape")
                    box = page.locator("#overlay").bounding_box()
                    page.mouse.click(box["x"] + task["x"], box["y"] + task["y"])
                    panel = page.inner_text("#panel-task")
                    self.assertTrue(panel.startswith(task["name"]), panel)
                    self.assertIn(f"id {task['id']} ", panel)
                    self.assertIn(task["core"], panel)
                    self.assertIn(f"tick {task['start']}", panel)

    def bring_into_sight(self, page, row):
        page.evaluate(
            "(row) => { lanescope.select({ kind: 'task', item: row }, true); lanescope.fitSelection(); lanescope.clear(); }",
            row,
        )
        settle(page)
        return page.evaluate(
            """(row) => {
              const { run, viewport } = lanescope;
              const place = viewport.placeOf(row);
              return {
                x: Math.round((place.x + place.right) / 2),
                y: Math.round(place.y + 2),
                name: run.functionName(row),
                id: run.idOf(row),
                core: run.facts.cores[run.coreOf(row)].name,
                start: run.tickText(run.tasks.start[row]),
                colour: lanescope.functionCss(run.tasks.func[row]),
              };
            }""",
            row,
        )

    def test_every_task_is_found_at_its_place(self):
        for name in [*PLATFORMS, "lossy"]:
            with self.subTest(name):
                page = self.open_run(name)
                missed = page.evaluate(
                    """() => {
                      const { run, viewport } = lanescope;
                      const missed = [];
                      for (let row = 0; row < run.count; row++) {
                        viewport.show(run.tasks.start[row] - 200, run.tasks.end[row] + 200);
                        lanescope.reveal({ kind: 'task', item: row });
                        const place = viewport.placeOf(row);
                        const hit = viewport.itemAt((place.x + place.right) / 2, place.y + place.height / 2);
                        if (hit?.item !== row) missed.push(row);
                      }
                      return missed;
                    }"""
                )
                self.assertEqual(missed, [])

    def test_from_afar_a_column_is_as_busy_as_its_core(self):
        """Where a core runs nothing there is ground, where it runs there is colour."""
        source = RUNS / "pages" / "dense"
        lanescope("synth", "--tasks", 40_000, "--cores", 3, "--out", source)
        page = self.open(page_of(source, "dense"))
        wrong = page.evaluate(
            """() => {
              const { run, viewport, drawing, theme } = lanescope;
              const row = viewport.rows.find((row) => row.track?.kind === "kernel");
              const lane = row.track.lanes[0];
              const y = Math.round(row.y + 3);
              let [busy, wrong] = [0, 0];
              for (let x = GUTTER_WIDTH + 1; x < viewport.width; x++) {
                const [from, to] = [viewport.timeAt(x), viewport.timeAt(x + 1)];
                const place = lane.firstEndingAfter(from);
                const isBusy = place < lane.count && lane.starts[place] < to;
                const isDrawn = drawing.pixels[y * drawing.canvas.width + x] !== drawing.bare[x];
                busy += isBusy;
                wrong += isBusy !== isDrawn;
              }
              return { busy, wrong };
            }""".replace("GUTTER_WIDTH", "132")
        )
        self.assertGreater(wrong["busy"], 500)
        # A stretch of the coarser picture may reach over a border by a column.
        self.assertLessEqual(wrong["wrong"], 4)

    def test_from_afar_every_column_has_what_lies_in_it(self):
        """The sums that columns are drawn from, against one tick after the other, at several scales."""
        source = RUNS / "pages" / "dense"
        lanescope("synth", "--tasks", 40_000, "--cores", 3, "--out", source)
        page = self.open(page_of(source, "dense"))
        found = page.evaluate(
            """() => {
              const { run, viewport, paints } = lanescope;
              const columns = 900;
              const found = [];
              const lanes = ["aicore", "aicpu"].flatMap((key) => run.groups.find((group) => group.key === key).tracks.flatMap((track) => track.lanes));
              for (const part of [1, 0.37, 0.11, 0.04]) {
                viewport.showAll();
                viewport.zoom(part);
                const length = (viewport.to - viewport.from) / columns;
                let [worst, all, measured] = [0, 0, 0];
                for (const lane of lanes) {
                  const sums = new Float64Array(4 * columns);
                  lane.measure(paints.kernel, viewport.from, length, sums);
                  const exact = new Float64Array(columns);
                  for (let place = 0; place < lane.count; place++) {
                    const [start, end] = [lane.starts[place], Math.max(lane.ends[place], lane.starts[place] + 1)].map((time) => time - viewport.from);
                    for (let x = Math.max(0, Math.floor(start / length)); x < columns && x * length < end; x++) {
                      exact[x] += Math.min(end, (x + 1) * length) - Math.max(start, x * length);
                    }
                  }
                  for (let x = 0; x < columns; x++) {
                    worst = Math.max(worst, Math.abs(sums[4 * x] - exact[x]) / length);
                    all += exact[x];
                    measured += sums[4 * x];
                  }
                }
                found.push({ part, worst, share: measured / all });
              }
              return found;
            }"""
        )
        for scale in found:
            with self.subTest(scale["part"]):
                # A block over a border is divided by time: its gaps are at most half a column.
                self.assertLessEqual(scale["worst"], 0.5)
                self.assertAlmostEqual(scale["share"], 1, places=3)

    def test_a_picture_that_moved_is_the_one_drawn_anew(self):
        source = RUNS / "pages" / "dense"
        lanescope("synth", "--tasks", 40_000, "--cores", 3, "--out", source)
        page = self.open(page_of(source, "dense"))
        found = page.evaluate(
            """() => {
              const { run, viewport, drawing, theme } = lanescope;
              const lanes = run.groups.flatMap((group) => group.tracks.flatMap((track) => track.lanes));
              const found = { pictures: 0, pixels: 0, away: 0, border: 0 };
              for (const part of [1, 0.3]) {
                viewport.showAll();
                viewport.zoom(part);
                drawing.draw(theme);
                for (const pixels of [7, 41, -90, 300, -3]) {
                  viewport.pan((pixels * (viewport.to - viewport.from)) / viewport.columns);
                  drawing.draw(theme);
                  const moved = drawing.pixels.slice();
                  for (const lane of lanes) {
                    found.pictures += lane.picture !== null;
                    lane.picture = null;
                  }
                  drawing.draw(theme);
                  const ground = (pixel) => pixel === theme.ground || pixel === theme.faint;
                  moved.forEach((own, i) => {
                    const other = drawing.pixels[i];
                    if (ground(own) && ground(other)) return;
                    found.pixels++;
                    found.border += ground(own) !== ground(other);
                    for (const shift of [0, 8, 16]) found.away += Math.abs(((own >> shift) & 255) - ((other >> shift) & 255)) > 24;
                  });
                }
              }
              return found;
            }"""
        )
        self.assertGreater(found["pictures"], 30)
        self.assertGreater(found["pixels"], 100_000)
        # Where a walk over the tasks begins, blocks may be divided at other borders.
        self.assertLessEqual(found["border"], found["pixels"] / 2000)
        self.assertLessEqual(found["away"], found["pixels"] / 200)

    def test_a_task_far_longer_than_all_others_leaves_them_their_colours(self):
        tasks = [
            task_of(place, core=0, start=100 * place + 1, end=100 * place + 1 + (20_000 if place == 299 else 1 + place % 50))
            for place in range(300)
        ]
        page = self.open(page_of(records_of("heat", tasks), "heat"))
        page.select_option("#colouring", "run")
        settle(page)
        classes = page.evaluate("Array.from(lanescope.paints.kernel.classes)")
        self.assertEqual([classes[0], classes[49], classes[299]], [5, 255, 255])
        group = "lanescope.run.groups.find((group) => group.key === 'aicore')"
        self.assertEqual(page.evaluate(f"lanescope.paints.noteOf({group})"), "≥ 50.00\u202fµs")
        # The bar beside it has the hottest colour at its right.
        y = page.evaluate(f"(() => {{ const row = lanescope.viewport.rows.find((row) => row.group === {group}); return row.y + row.height / 2; }})()")
        width = page.evaluate("lanescope.viewport.width")
        hottest = page.evaluate("css_of(lanescope.paints.kernel.colours[255])".replace("css_of", "((c) => `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`)"))
        self.assertIn(hottest, [pixel(page, x, y) for x in range(width - 120, width - 10)])

    def test_the_counter_shown_first_is_the_busiest_and_fills_its_height(self):
        for platform in PLATFORMS:
            with self.subTest(platform):
                page = self.open_run(platform)
                rates = page.evaluate(
                    """() => {
                      const { run } = lanescope;
                      const cycles = run.counters.cycles.reduce((sum, count) => sum + count, 0);
                      return run.counters.columns.map((_, column) => run.countsOf(column).reduce((sum, count) => sum + count, 0) / cycles);
                    }"""
                )
                chosen = int(page.eval_on_selector("#counter", "(select) => select.value"))
                # Units differ, so counts by cycle are compared.
                self.assertEqual(rates[chosen], max(rates))
                self.assertGreater(rates[chosen], 0)
                self.assertEqual(page.evaluate("Math.max(...lanescope.paints.counter.values)"), 1)
                self.assertEqual(page.evaluate("lanescope.viewport.rows.find((row) => row.track?.kind === 'counter').lane >= 22"), True)

    def test_the_strip_names_the_most_cores_that_run_at_one_moment(self):
        for name in [*PLATFORMS, "lossy"]:
            with self.subTest(name):
                page = self.open_run(name)
                page.wait_for_function("() => lanescope.overview.mostAtOnce !== null")
                tasks = page.evaluate("Array.from(lanescope.run.tasks.start, (start, row) => [start, lanescope.run.tasks.end[row]])")
                changes = sorted(change for start, end in tasks if end > start for change in [(start, 1), (end, -1)])
                running = most = 0
                for _, step in changes:
                    running += step
                    most = max(most, running)
                self.assertEqual(page.evaluate("lanescope.overview.mostAtOnce"), most)
                # A large run is counted in many stretches of time.
                for portion in [1, 2, 7, 50]:
                    counted = page.evaluate(f"() => [...lanescope.overview.countCores({portion})] && lanescope.overview.mostAtOnce")
                    self.assertEqual(counted, most, portion)

    def test_arrows_join_a_task_and_its_neighbours(self):
        page = self.open_run("a2a3sim")
        row = page.evaluate(
            """() => {
              const { run } = lanescope;
              for (let row = 0; row < run.count; row++) {
                if (run.predecessors(row).length && run.successors(row).length) return row;
              }
            }"""
        )
        blank = overlay_pixels(page)
        page.evaluate("(row) => lanescope.select({ kind: 'task', item: row }, true)", row)
        settle(page)
        self.assertGreater(overlay_pixels(page), blank + 200)
        names = page.locator("#panel-task h3").all_inner_texts()
        self.assertTrue(any(name.upper().startswith("WAITED FOR (") for name in names), names)
        # A neighbour's button leads to the neighbour.
        button = page.locator("#panel-task .row").first
        neighbour = int(button.get_attribute("data-row"))
        button.click()
        self.assertEqual(page.evaluate("lanescope.selected.item"), neighbour)


    def test_the_critical_path_is_a_track_and_joins_steps_when_they_are_few(self):
        count = 3000
        tasks = [
            task_of(place, core=place % 2, start=10 * place + 4, end=10 * place + 9, dispatch=10 * place + 2, finish=10 * place + 10,
                    function=place % 2, fanout=[place + 1] if place + 1 < count else [])
            for place in range(count)
        ]
        page = self.open(page_of(records_of("path", tasks), "path"))
        page.keyboard.press("c")
        settle(page)
        self.assertEqual(overlay_pixels(page), 0)
        pieces = page.evaluate(
            """() => {
              const { lanes, kinds } = lanescope.run.pathGroup.tracks[0];
              const sums = [0, 0, 0, 0, 0];
              kinds.forEach((kind, piece) => (sums[kind] += lanes[0].ends[piece] - lanes[0].starts[piece]));
              return sums.map((ticks) => Math.round(lanescope.run.nanoseconds(ticks) / 1000));
            }"""
        )
        self.assertEqual(pieces[4], 5 * count)
        # From the end of a task to its finish, to the dispatch of the next, to its start.
        self.assertEqual(pieces[:4], [count - 1, 2 * (count - 1), 2 * count, 0])
        row = 1001
        page.evaluate(
            """(row) => {
              const { start, end } = lanescope.run.tasks;
              lanescope.viewport.show(start[row] - 10 * (end[row] - start[row]), end[row] + 10 * (end[row] - start[row]));
              lanescope.changed();
            }""",
            row,
        )
        settle(page)
        self.assertGreater(overlay_pixels(page), 200)
        x, y, colour = page.evaluate(
            """(row) => {
              const { viewport, run } = lanescope;
              const track = viewport.placeOfTrack(run.pathGroup.tracks[0]);
              return [(viewport.xOf(run.tasks.start[row]) + viewport.xOf(run.tasks.end[row])) / 2, track.y + 3, lanescope.functionCss(run.tasks.func[row])];
            }""",
            row,
        )
        self.assertEqual(pixel(page, x, y), colour)
        box = page.locator("#overlay").bounding_box()
        page.mouse.click(box["x"] + x, box["y"] + y)
        self.assertEqual(page.evaluate("lanescope.selected.item"), row)
        page.keyboard.press("c")
        self.assertNotIn("path", page.evaluate("lanescope.viewport.groups.map((group) => group.key)"))


class Use(PageTest):
    def test_search_by_function_and_by_id(self):
        page = self.open_run("a2a3sim")
        tasks = page.evaluate(MODEL)["tasks"]
        names = page.evaluate("Object.fromEntries(lanescope.run.functions.map(({ id, name }) => [id, name]))")
        name = names[str(tasks[0]["func_id"])]
        expected = sum(names[str(task["func_id"])] == name for task in tasks)
        page.keyboard.press("/")
        page.keyboard.type(name.lower())
        self.assertEqual(page.inner_text("#matches"), str(expected))
        page.keyboard.press("Enter")
        self.assertEqual(page.inner_text("#matches"), f"1 of {expected}")
        self.assertTrue(page.inner_text("#panel-task").startswith(name))
        first = page.evaluate("lanescope.selected.item")
        page.locator("#stage").focus()
        page.keyboard.press("n")
        self.assertNotEqual(page.evaluate("lanescope.selected.item"), first)
        page.keyboard.press("p")
        self.assertEqual(page.evaluate("lanescope.selected.item"), first)
        page.keyboard.press("Escape")
        self.assertEqual(page.inner_text("#matches"), "")
        self.assertIsNone(page.evaluate("lanescope.selected"))
        for query in ["7", "0x7", "t7"]:
            page.fill("#query", query)
            self.assertEqual(page.inner_text("#matches"), "1", query)
            page.keyboard.press("Enter")
            self.assertIn("id 7 ", page.inner_text("#panel-task"))
        page.fill("#query", "no such function")
        self.assertEqual(page.inner_text("#matches"), "no match")

    def test_a_search_goes_on_from_the_window_and_back(self):
        page = self.open_run("a2a3sim")
        page.fill("#query", page.evaluate("lanescope.totals[0].text"))
        starts = page.evaluate("lanescope.finder.matches.finds.map((row) => lanescope.run.tasks.start[row])")
        chosen = "lanescope.run.tasks.start[lanescope.selected.item]"
        middle = starts[len(starts) // 2]
        page.evaluate("(time) => { lanescope.viewport.show(time - 100, time + 1000); lanescope.changed(); }", middle)
        window = page.evaluate("lanescope.viewport.from")
        later = [start for start in starts if start >= window]
        page.keyboard.press("Enter")
        self.assertTrue(1 < len(later) < len(starts))
        self.assertEqual(page.evaluate(chosen), later[0])
        page.keyboard.press("Enter")
        self.assertEqual(page.inner_text("#matches").split(" of ")[0], str(len(starts) - len(later) + 2))
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+Enter")
        self.assertEqual(page.evaluate(chosen), [start for start in starts if start < window][-1])

    def test_cores_and_phases_are_searched_and_phases_are_fitted(self):
        page = self.open_run("a2a3sim")
        cores = page.evaluate("lanescope.run.facts.cores.map(({ name, tasks }) => [name, tasks])")
        name, count = next((name, tasks) for name, tasks in cores if tasks and name[-2] == "_")
        page.fill("#query", name.lower())
        self.assertEqual(page.inner_text("#matches"), str(count))
        phases = page.evaluate("Array.from(lanescope.run.scheduler.phase, (_, item) => lanescope.paints.phaseName('scheduler', item))")
        page.fill("#query", "dispatch")
        self.assertEqual(page.inner_text("#matches"), str(phases.count("dispatch")))
        page.keyboard.press("Enter")
        self.assertEqual(page.evaluate("lanescope.selected.kind"), "scheduler")
        self.assertTrue(page.inner_text("#panel-task").startswith("dispatch"))
        page.keyboard.press("Escape")
        # Without a search, from phase to phase of the thread.
        box = page.locator("#overlay").bounding_box()
        place = """(item) => {
          const { viewport, run } = lanescope;
          const track = viewport.placeOfTrack(run.trackOf("scheduler", run.threadOf("scheduler", item)));
          return [(viewport.xOf(run.scheduler.start[item]) + viewport.xOf(run.scheduler.end[item])) / 2, track.y + 4];
        }"""
        item = page.evaluate("lanescope.run.scheduler.start.findIndex((start, i) => lanescope.run.scheduler.end[i] - start > lanescope.run.span / 100)")
        x, y = page.evaluate(place, item)
        page.mouse.dblclick(box["x"] + x, box["y"] + y)
        length = page.evaluate("(item) => lanescope.run.scheduler.end[item] - lanescope.run.scheduler.start[item]", item)
        self.assertAlmostEqual(page.evaluate("lanescope.viewport.to - lanescope.viewport.from"), 2.2 * length, delta=length / 100 + 8)
        page.keyboard.press("0")
        page.keyboard.press("n")
        self.assertEqual(page.evaluate("[lanescope.selected.kind, lanescope.selected.item]"), ["scheduler", item + 1])
        # The last one of a thread has none behind it.
        last = page.evaluate("lanescope.run.scheduler.firsts[1] - 1")
        page.evaluate("(item) => lanescope.select({ kind: 'scheduler', item }, true)", last)
        page.keyboard.press("n")
        self.assertEqual(page.evaluate("lanescope.selected.item"), last)

    def test_keys_move_and_zoom(self):
        page = self.open_run("a2a3sim")
        page.locator("#stage").focus()
        window = "[lanescope.viewport.from, lanescope.viewport.to]"
        whole = page.evaluate(window)
        length = lambda: (lambda at: at[1] - at[0])(page.evaluate(window))
        page.keyboard.press("w")
        self.assertAlmostEqual(length(), (whole[1] - whole[0]) * 0.75, places=3)
        at = page.evaluate(window)[0]
        page.keyboard.press("d")
        later = page.evaluate(window)[0]
        self.assertGreater(later, at)
        page.keyboard.press("ArrowLeft")
        self.assertAlmostEqual(page.evaluate(window)[0], at, places=3)
        page.keyboard.press("s")
        page.keyboard.press("0")
        self.assertEqual(page.evaluate(window), whole)
        page.keyboard.press("c")
        self.assertEqual(page.get_attribute("#path-toggle", "aria-pressed"), "true")
        page.keyboard.press("?")
        self.assertTrue(page.locator("#help").is_visible())
        page.keyboard.press("Escape")
        self.assertFalse(page.locator("#help").is_visible())
        rows = page.evaluate("lanescope.viewport.rows.length")
        page.keyboard.press("1")
        self.assertLess(page.evaluate("lanescope.viewport.rows.length"), rows)

    def test_the_wheel_zooms_where_the_pointer_is_and_a_drag_moves(self):
        page = self.open_run("a5sim")
        box = page.locator("#overlay").bounding_box()
        x, y = 600, 300
        page.mouse.move(box["x"] + x, box["y"] + y)
        under = page.evaluate(f"lanescope.viewport.timeAt({x})")
        page.keyboard.down("Control")
        page.mouse.wheel(0, -200)
        page.keyboard.up("Control")
        settle(page)
        before = page.evaluate("lanescope.viewport.to - lanescope.viewport.from")
        self.assertLess(before, page.evaluate("lanescope.run.span"))
        self.assertAlmostEqual(page.evaluate(f"lanescope.viewport.timeAt({x})"), under, places=3)
        page.mouse.down()
        page.mouse.move(box["x"] + x - 120, box["y"] + y, steps=4)
        page.mouse.up()
        self.assertAlmostEqual(page.evaluate(f"lanescope.viewport.timeAt({x - 120})"), under, places=3)

    def test_a_shift_drag_zooms_and_so_does_one_on_the_strip(self):
        page = self.open_run("a2a3sim")
        box = page.locator("#overlay").bounding_box()
        expected = page.evaluate("[lanescope.viewport.timeAt(300), lanescope.viewport.timeAt(500)]")
        page.keyboard.down("Shift")
        drag(page, box["x"] + 300, box["x"] + 500, box["y"] + 200)
        page.keyboard.up("Shift")
        for found, time in zip(page.evaluate("[lanescope.viewport.from, lanescope.viewport.to]"), expected):
            self.assertAlmostEqual(found, time, delta=1)
        page.keyboard.press("0")
        strip = page.locator("#overview").bounding_box()
        drag(page, strip["x"] + 300, strip["x"] + 500, strip["y"] + 20)
        self.assertLess(page.evaluate("lanescope.viewport.to - lanescope.viewport.from"), page.evaluate("lanescope.run.span / 2"))

    def test_a_stretch_that_is_measured_says_what_ran_in_it(self):
        page = self.open_run("a2a3sim")
        box = page.locator("#overlay").bounding_box()
        whole = "[lanescope.viewport.from, lanescope.viewport.to]"
        before = page.evaluate(whole)
        page.keyboard.down("Alt")
        drag(page, box["x"] + 300, box["x"] + 500, box["y"] + 200)
        page.keyboard.up("Alt")
        by_alt = page.evaluate("lanescope.measured")
        page.keyboard.press("Escape")
        self.assertIsNone(page.evaluate("lanescope.measured"))
        page.keyboard.press("m")
        drag(page, box["x"] + 300, box["x"] + 500, box["y"] + 200)
        self.assertEqual(page.evaluate("lanescope.measured"), by_alt)
        self.assertEqual(page.evaluate(whole), before)
        settle(page)
        self.assertGreater(overlay_pixels(page), 10_000)
        sums = page.evaluate("stretch => ({ ...stretch })", by_alt)
        tasks = page.evaluate(
            """() => Array.from(lanescope.run.tasks.start, (start, row) => [
              start, lanescope.run.tasks.end[row], lanescope.run.tasks.func[row], lanescope.run.coreOf(row),
            ])"""
        )
        functions, busy, count = {}, {}, 0
        for start, end, function, core in tasks:
            ticks = min(end, sums["to"]) - max(start, sums["from"])
            if ticks > 0:
                count += 1
                functions[function] = functions.get(function, 0) + ticks
                busy[core] = busy.get(core, 0) + ticks
        self.assertGreater(count, 20)
        panel = page.inner_text("#panel-stretch")
        self.assertRegex(panel, rf"Tasks that run in it\s+{count}\b")
        texts = lambda ticks: page.evaluate("(all) => all.map((ticks) => lanescope.run.duration(ticks))", ticks)
        for text in texts([*functions.values(), *busy.values()]):
            self.assertIn(f"{text} ·", panel)
        cores = page.evaluate("lanescope.run.facts.cores.map(({ kind, tasks }) => [kind, tasks])")
        for kind in ["aic", "aiv"]:
            used = [core for core, (own, tasks) in enumerate(cores) if own == kind and tasks]
            ran = sum(busy.get(core, 0) for core in used)
            idle = len(used) * (sums["to"] - sums["from"]) - ran
            for name, ticks in [(f"{kind.upper()}, {len(used)} cores: busy", ran), (f"{kind.upper()}: idle", idle)]:
                self.assertRegex(panel, rf"{name}\s+{texts([ticks])[0]}")

    def test_kernels_that_overlap_keep_a_core_busy_once(self):
        spans = [(10, 30), (15, 20), (25, 40), (50, 60)]
        tasks = [task_of(place, core=0, start=start, end=end) for place, (start, end) in enumerate(spans)]
        page = self.open(page_of(records_of("overlap", tasks), "overlap"))
        page.evaluate("lanescope.measure({ from: 1, to: lanescope.run.span + 1 })")
        self.assertRegex(page.inner_text("#panel-stretch"), r"AIV, 1 core: busy\s+40\.00\u202fµs 80\.0 %")
        page.wait_for_function("() => lanescope.overview.mostAtOnce !== null")
        self.assertEqual(page.evaluate("lanescope.overview.mostAtOnce"), 1)
        self.assertEqual(page.evaluate("() => [...lanescope.overview.countCores(1)] && lanescope.overview.mostAtOnce"), 1)

    def test_a_link_opens_the_view_that_it_was_made_of(self):
        path = page_of(RUNS / "a2a3sim", "a2a3sim")
        page = self.open(path)
        page.fill("#query", "UP")
        page.select_option("#colouring", "head")
        page.evaluate(
            """() => {
              lanescope.togglePath();
              lanescope.select({ kind: "task", item: 40 }, true);
              lanescope.measure({ from: 100, to: 900 });
              lanescope.toggle(lanescope.run.groups[0]);
              lanescope.viewport.show(500, 2500);
              lanescope.changed();
            }"""
        )
        view = """() => ({
          window: [lanescope.viewport.from, lanescope.viewport.to].map(Math.round),
          chosen: [lanescope.selected?.kind, lanescope.selected?.item],
          measured: lanescope.measured,
          found: document.getElementById("matches").textContent,
          path: lanescope.isPathShown,
          colour: [lanescope.paints.colouring, document.getElementById("colouring").value],
          closed: lanescope.run.groups.filter((group) => !group.isOpen).map((group) => group.key),
        })"""
        page.wait_for_function("() => location.hash.includes('window=')")
        shown = page.evaluate(view)
        fragment = page.evaluate("location.hash")
        other = self.open(path)
        self.assertEqual(other.evaluate("location.hash"), "")
        other.evaluate("(hash) => { location.hash = hash; }", fragment)
        other.wait_for_function("() => lanescope.isPathShown")
        self.assertEqual(other.evaluate(view), shown)
        # One that names what is not there, or is none, changes nothing and is no mistake.
        other.evaluate("() => { location.hash = '#chosen=task-99999999&window=a_b&colour=none&measured=9_1&chosen=loss-3&counter=77'; }")
        settle(other)
        opened = BROWSER.open(f"file://{path}{fragment}")
        self.assertEqual(opened.evaluate(view), shown)
        self.assertEqual(opened.complaints, [])
        opened.context.close()

    def test_light_and_dark(self):
        light = self.open_run("a2a3sim")
        dark = self.open_run("a2a3sim", dark=True)
        for page in [light, dark]:
            self.assertEqual(pixel(page, 140, 40), theme_colour(page, "--raised"))
        self.assertNotEqual(pixel(light, 140, 40), pixel(dark, 140, 40))
        light.keyboard.press("t")
        settle(light)
        self.assertEqual(pixel(light, 140, 40), pixel(dark, 140, 40))

    def test_a_bar_of_the_histogram_chooses_its_tasks(self):
        page = self.open_run("a2a3sim")
        page.click("#tab-functions")
        page.locator("#panel-functions .row").first.click()
        bars = page.locator(".histogram g")
        counts = [int(bar.get_attribute("data-count")) for bar in bars.all()]
        total = page.evaluate("lanescope.totals[0].known")
        self.assertEqual(sum(counts), total)
        place = counts.index(max(counts))
        bars.nth(place).click()
        self.assertEqual(page.inner_text("#matches"), str(counts[place]))

    def test_functions_are_found_ordered_and_spread_where_they_stand(self):
        tasks = [
            task_of(place, core=0, start=10 * place + 1, end=10 * place + 1 + (1 + place % 7), function=place)
            for place in range(500)
        ]
        page = self.open(page_of(records_of("functions", tasks), "functions"))
        page.click("#tab-functions")
        rows = page.locator("#panel-functions .row[data-function]")
        self.assertEqual(rows.count(), 200)
        page.click("#panel-functions .more")
        page.click("#panel-functions .more")
        self.assertEqual(rows.count(), 500)
        page.select_option("#panel-functions select", "name")
        self.assertEqual(rows.first.get_attribute("data-function"), "0")
        page.locator("#panel-functions").get_by_role("searchbox").fill("func_49")
        self.assertEqual(rows.evaluate_all("(rows) => rows.map((row) => row.dataset.function)"), ["49", *map(str, range(490, 500))])
        # Its spread is right below the row.
        rows.nth(4).click()
        self.assertTrue(rows.nth(4).evaluate("(row) => row.nextSibling.classList.contains('spread')"))
        page.locator(".histogram g[tabindex]").first.press("Enter")
        self.assertEqual(page.inner_text("#matches"), "1")

    def test_names_are_shortened_in_the_middle_and_ids_stay_whole(self):
        long = "a_function_with_a_name_that_no_panel_has_room_for_"
        events = [
            {"name": f"{long}{place}", "ph": "X", "pid": 1, "tid": 10, "ts": 10 * place + 1, "dur": 5}
            for place in range(3)
        ]
        source = RUNS / "pages" / "names.json"
        source.parent.mkdir(exist_ok=True)
        source.write_text(json.dumps({"traceEvents": events}))
        page = self.open(page_of(source, "names"))
        page.evaluate("lanescope.select({ kind: 'task', item: 1 }, true)")
        cells = page.evaluate(
            """() => [...document.querySelectorAll("#panel-task .row.task")].map((row) => {
              const [front, back] = row.querySelectorAll(".name span");
              const id = row.children[2];
              return [back.textContent, back.scrollWidth <= back.clientWidth, front.scrollWidth > front.clientWidth, id.textContent, id.scrollWidth <= id.offsetWidth];
            })"""
        )
        self.assertEqual([cell[:3] for cell in cells], [["oom_for_"[1:] + "0", True, True], ["oom_for_"[1:] + "2", True, True]])
        self.assertTrue(all(cell[3].startswith("t") and cell[4] for cell in cells), cells)

    def test_no_window_is_narrower_than_the_page(self):
        page = self.open_run("a5sim")
        for width in [420, 760, 901, 1100, 1280, 1366, 1440]:
            with self.subTest(width):
                page.set_viewport_size({"width": width, "height": 700})
                settle(page)
                reach = "[document.documentElement.scrollWidth, ...['side', 'help-open', 'path-toggle'].map((id) => document.getElementById(id).getBoundingClientRect().right)]"
                self.assertLessEqual(max(page.evaluate(reach)), width)

    def test_every_control_has_a_name(self):
        page = self.open_run("a2a3sim")
        page.evaluate("lanescope.select({ kind: 'task', item: 3 }, true)")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, canvas, [role]")]
              .filter((element) => !element.closest("[hidden]") && !["lanes", "overlay"].includes(element.id))
              .filter((element) => !(element.ariaLabel || element.textContent.trim() || element.labels?.length
                || element.getAttribute("aria-labelledby")))
              .map((element) => element.outerHTML)"""
        )
        self.assertEqual(nameless, [])


class Hostile(PageTest):
    def test_names_of_a_run_are_text_and_nothing_else(self):
        names = ["</script><script>boom()</script>", "<img src=x onerror=boom()>", "\"'&\u2028\u202e\U0001f300", "a" * 5000]
        events = [
            {"name": name, "ph": "X", "pid": 1, "tid": 10 + core, "ts": 10 * place, "dur": 5}
            for core in range(2)
            for place, name in enumerate(names)
        ]
        source = RUNS / "pages" / "hostile.json"
        source.parent.mkdir(exist_ok=True)
        source.write_text(json.dumps({"traceEvents": events}))
        page = self.open(page_of(source, "hostile"))
        for name in names:
            self.assertIn(name, page.evaluate("lanescope.run.functions.map((facts) => facts.name)"))
        # What would turn or break the line that a name stands in is not in it.
        self.assertNotRegex(page.evaluate("lanescope.run.functions.map((facts) => facts.text).join()"), "[\u2028\u202e]")
        self.assertEqual(page.evaluate("document.images.length"), 0)
        for tab in ["functions", "path", "run", "task"]:
            page.click(f"#tab-{tab}")
        page.click("#tab-functions")
        for button in range(len(names)):
            page.locator("#panel-functions .row[data-function]").nth(button).click()
        page.evaluate("lanescope.select({ kind: 'task', item: 1 }, true)")
        settle(page)
        self.assertEqual(page.evaluate("document.images.length"), 0)
        self.assertEqual(page.evaluate("typeof boom"), "undefined")

    def test_a_run_without_tasks_says_so(self):
        source = RUNS / "pages" / "empty.json"
        source.parent.mkdir(exist_ok=True)
        source.write_text(json.dumps({"version": 1, "tasks": []}))
        page = self.open(page_of(source, "empty"))
        self.assertTrue(page.locator("#empty").is_visible())
        box = page.locator("#empty").bounding_box()
        on_top = "([x, y]) => document.elementsFromPoint(x, y).map((element) => element.id)"
        page.add_style_tag(content="#empty { pointer-events: auto !important }")
        self.assertEqual(page.evaluate(on_top, [box["x"] + box["width"] / 2, box["y"] + 5])[0], "empty")
        for key in ["c", "n", "f", "0", "w", "?"]:
            page.keyboard.press(key)

    def test_a_page_that_was_cut_or_damaged_says_so(self):
        whole = page_of(RUNS / "a2a3sim", "a2a3sim").read_text()
        data = whole.index("<!--", whole.index('<div id="data"')) + 4
        broken = {
            "before-the-data": whole[: data - 100],
            "in-the-data": whole[: data + 2000],
            "flipped": whole[: data + 3000] + ("A" if whole[data + 3000] != "A" else "B") + whole[data + 3001 :],
        }
        for name, text in broken.items():
            with self.subTest(name):
                path = RUNS / "pages" / f"{name}.html"
                path.write_text(text)
                page = BROWSER.chromium.new_page()
                page.goto(f"file://{path}")
                page.wait_for_selector("#loading.failure")
                self.assertIn("its file is cut short", page.inner_text("#loading"))
                page.close()


class Server(PageTest):
    def test_the_served_page_is_the_file_and_no_other_host_gets_it(self):
        path = page_of(RUNS / "a2a3sim", "a2a3sim")
        command = [LANESCOPE, "view", str(RUNS / "a2a3sim"), "--serve"]
        # A shell has what it starts in the background ignore the signal, and with it all that comes of that.
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as server:
            try:
                line = server.stderr.readline()
                url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
                self.assertEqual(urllib.request.urlopen(url).read(), path.read_bytes())
                foreign = urllib.request.Request(url, headers={"Host": "elsewhere.example"})
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(foreign)
                self.assertEqual(refused.exception.code, 403)
                refused.exception.close()
                page = self.open(url)
                self.assertEqual(page.evaluate("lanescope.run.count"), 416)
            finally:
                server.send_signal(signal.SIGINT)
            self.assertEqual(server.wait(timeout=20), -signal.SIGINT)


@unittest.skipUnless(IMAGES, "pictures are made when they are asked for")
class Pictures(PageTest):
    def test_pictures_of_paged_attention(self):
        folder = Path(IMAGES)
        folder.mkdir(exist_ok=True)
        for platform, dark in zip(PLATFORMS, [False, True]):
            page = self.open_run(platform, dark=dark, width=1360, height=850)
            page.evaluate(
                """() => {
                  const { run } = lanescope;
                  const middle = run.span / 2;
                  let best = 0;
                  for (let row = 0; row < run.count; row++) {
                    const away = (r) => Math.abs(run.tasks.start[r] - middle);
                    if (run.successors(row).length && run.predecessors(row).length && away(row) < away(best)) best = row;
                  }
                  lanescope.select({ kind: "task", item: best }, false);
                }"""
            )
            settle(page)
            page.screenshot(path=folder / f"view-{platform}.png")
            page.click("#tab-functions")
            page.locator("#panel-functions .row").first.click()
            page.evaluate("lanescope.clear(); lanescope.togglePath()")
            settle(page)
            page.screenshot(path=folder / f"view-{platform}-path.png")


def task_of(number, core, start, end, dispatch=0, finish=0, function=0, fanout=()):
    """A task as a file of records has it; times in microseconds."""
    return {
        "task_id": number,
        "func_id": function,
        "core_id": core,
        "core_type": "aiv",
        "ring_id": 0,
        "start_time_us": start,
        "end_time_us": end,
        "duration_us": end - start,
        "dispatch_time_us": dispatch,
        "finish_time_us": finish,
        "fanout": list(fanout),
        "fanout_count": len(fanout),
    }


def records_of(name, tasks, **more):
    """A file of records with these tasks."""
    source = RUNS / "pages" / f"{name}.json"
    source.parent.mkdir(exist_ok=True)
    source.write_text(json.dumps({"version": 2, "tasks": tasks, **more}))
    return source


def drag(page, from_x, to_x, y):
    page.mouse.move(from_x, y)
    page.mouse.down()
    page.mouse.move(to_x, y, steps=4)
    page.mouse.up()


def pixel(page, x, y):
    """The colour that the lanes' canvas has at a point, as CSS writes it."""
    return page.evaluate(
        """([x, y]) => {
          const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          copy.drawImage(document.getElementById("lanes"), x, y, 1, 1, 0, 0, 1, 1);
          const [red, green, blue] = copy.getImageData(0, 0, 1, 1).data;
          return `rgb(${red} ${green} ${blue})`;
        }""",
        [round(x), round(y)],
    )


def theme_colour(page, name):
    """A colour of the style sheet in the same form."""
    value = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()")
    return "rgb({} {} {})".format(*(int(value[at : at + 2], 16) for at in (1, 3, 5)))


def overlay_pixels(page):
    """How many pixels of the overlay are drawn."""
    return page.evaluate(
        """() => {
          const canvas = document.getElementById("overlay");
          const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, i) => i % 4 === 3 && value > 0).length;
        }"""
    )


if __name__ == "__main__":
    unittest.main()
