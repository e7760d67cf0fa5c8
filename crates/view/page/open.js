// From the file to the first frame: the data is inflated, the run is read, the page is made.

/** A moment of the way from the file to the first frame, for whoever measures it. */
const passed = (moment) => performance.mark(`lanescope ${moment}`);

async function openPage() {
  passed("parsed");
  const data = document.getElementById("data");
  if (!data) throw new Error("its file is cut short");
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const texts = Array.from(data.childNodes, (part) => part.data);
  // The texts are as large as the run; nothing needs them any more.
  data.remove();
  const bytes = await inflated(texts, Columns.bytes(facts.columns)).catch((cause) => {
    throw new Error(`its file is cut short or damaged (${cause.message})`);
  });
  passed("inflated");
  const columns = new Columns(facts.columns, bytes);
  const run = new Run(facts, columns);
  passed("decoded");
  const page = new Page(run);
  document.getElementById("loading").remove();
  // For scripts in the console, and for tests: the run, and what the page shows of it.
  window.lanescope = page;
  readOn(page, columns);
}

/** Reads what the first frame did without, while nothing else is to do: the first choice need not wait for it. */
function readOn(page, columns) {
  const parts = reading(page, columns);
  // Not every browser says when nothing is to do.
  const soon = (act) =>
    setTimeout(() => {
      const until = performance.now() + 10;
      act({ timeRemaining: () => until - performance.now() });
    }, 10);
  const whenIdle = window.requestIdleCallback ?? soon;
  const next = (deadline) => {
    do {
      if (parts.next().done) return;
    } while (deadline.timeRemaining() > 1);
    whenIdle(next);
  };
  whenIdle(next);
}

/** A column at a time, and what takes longer bit by bit. */
function* reading(page, columns) {
  const { run } = page;
  yield run.tasks.idLow;
  yield run.tasks.idHigh;
  yield run.tasks.receive;
  yield run.tasks.token;
  yield run.lead;
  yield run.successorTable;
  yield* run.readPredecessors();
  yield* page.countCores();
  columns.rest();
}

openPage().catch((error) => {
  const loading = document.getElementById("loading");
  loading.className = "failure";
  loading.textContent = `The run cannot be shown: ${error.message}`;
  throw error;
});
