"""Prints how fast the page of a large run opens and moves; it decides nothing."""

import statistics
import sys
import time

from browser import RUNS, Browser, lanescope, page_of

PAN = """async (part) => {
  const page = lanescope;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  page.showAll();
  page.viewport.zoom(part);
  page.changed();
  await frame();
  await frame();
  page.frames.ms.length = 0;
  const began = performance.now();
  let frames = 0;
  for (; performance.now() - began < 3000; frames++) {
    const step = (page.viewport.to - page.viewport.from) / 100;
    page.viewport.pan(frames % 80 < 40 ? step : -step);
    page.changed();
    await frame();
  }
  const ms = page.frames.ms.toSorted((a, b) => a - b);
  return { frames, rate: (frames * 1000) / (performance.now() - began), median: ms[ms.length >> 1], worst: ms.at(-1) };
}"""

# Each picture is another one, so none can be kept from the frame before.
ZOOM = """async () => {
  const page = lanescope;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  page.showAll();
  page.frames.ms.length = 0;
  const began = performance.now();
  for (let frames = 0; frames < 120; frames++) {
    page.viewport.zoom(frames < 60 ? 0.9 : 1 / 0.9);
    page.changed();
    await frame();
  }
  const ms = page.frames.ms.toSorted((a, b) => a - b);
  return { frames: 120, rate: 120000 / (performance.now() - began), median: ms[ms.length >> 1], worst: ms.at(-1) };
}"""

# When each step on the way to the first frame was done, in seconds from the start of the navigation.
MARKS = """() => performance.getEntriesByType("mark")
  .filter(({ name }) => name.startsWith("lanescope "))
  .map(({ name, startTime }) => [name.slice(10), startTime / 1000])"""

OPENED = 5


def count_thread_time(page):
    page.session = page.context.new_cdp_session(page)
    page.session.send("Performance.enable", {"timeDomain": "threadTicks"})


def thread_seconds(page):
    """How long the page's main thread has worked; other work on the machine is not in it."""
    metrics = page.session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")


def opened(browser, path):
    """The page, how long it took to the first frame, the work of its thread, and the steps of the way."""
    began = time.monotonic()
    page = browser.open(path, prepare=count_thread_time)
    return page, time.monotonic() - began, thread_seconds(page), page.evaluate(MARKS)


def print_opening(openings):
    seconds, work = ([opening[i] for opening in openings] for i in (1, 2))
    print(
        f"open to first frame, {len(openings)} times: median {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}); work of the page's thread {statistics.median(work):.2f} s"
    )
    steps = {}
    for *_, marks in openings:
        before = 0
        for name, at in marks:
            steps.setdefault(name, []).append(at - before)
            before = at
    print("  of these " + ", ".join(f"{name} {statistics.median(times):.2f} s" for name, times in steps.items()))


def moved(page, script, *arguments):
    began = thread_seconds(page)
    found = page.evaluate(script, *arguments)
    work = (thread_seconds(page) - began) * 1000 / found["frames"]
    return (
        f"{found['rate']:.0f} frames/s, work {work:.1f} ms a frame, "
        f"of it script {found['median']:.1f} ms (worst {found['worst']:.1f})"
    )


def main(tasks):
    source = RUNS / "pages" / f"synth-{tasks}"
    lanescope("synth", "--tasks", tasks, "--out", source)
    began = time.monotonic()
    path = page_of(source, f"synth-{tasks}")
    print(f"{tasks} tasks: page written in {time.monotonic() - began:.2f} s, {path.stat().st_size / tasks:.1f} bytes a task")
    browser = Browser()
    openings = []
    for _ in range(OPENED):
        if openings:
            openings[-1][0].context.close()
        openings.append(opened(browser, path))
    print_opening(openings)
    page = openings[-1][0]
    for part in [1, 0.1, 0.01, 0.001]:
        print(f"pan with {part:g} of the run in sight: {moved(page, PAN, part)}")
    print(f"zoom from the whole run and back: {moved(page, ZOOM)}")
    browser.close()


if __name__ == "__main__":
    for tasks in sys.argv[1:]:
        main(int(tasks))
