"""Prints how fast the page of a large run opens and moves; it decides nothing."""

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
  return { rate: (frames * 1000) / (performance.now() - began), median: ms[ms.length >> 1], worst: ms.at(-1) };
}"""


def count_thread_time(page):
    page.session = page.context.new_cdp_session(page)
    page.session.send("Performance.enable", {"timeDomain": "threadTicks"})


def thread_seconds(page):
    """How long the page's main thread has worked; other work on the machine is not in it."""
    metrics = page.session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")


def main(tasks):
    source = RUNS / "pages" / f"synth-{tasks}"
    lanescope("synth", "--tasks", tasks, "--out", source)
    began = time.monotonic()
    path = page_of(source, f"synth-{tasks}")
    print(f"{tasks} tasks: page written in {time.monotonic() - began:.2f} s, {path.stat().st_size / tasks:.1f} bytes a task")
    browser = Browser()
    began = time.monotonic()
    page = browser.open(path, prepare=count_thread_time)
    print(f"open to first frame: {time.monotonic() - began:.2f} s; the page's thread worked {thread_seconds(page):.2f} s")
    for part in [1, 0.1, 0.01, 0.001]:
        moved = page.evaluate(PAN, part)
        print(
            f"pan with {part:g} of the run in sight: {moved['rate']:.0f} frames/s, "
            f"script {moved['median']:.1f} ms a frame (worst {moved['worst']:.1f})"
        )
    browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
