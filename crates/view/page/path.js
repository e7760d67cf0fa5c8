// The critical path as a track of its own: waits and runs, one behind the other.

/** The parts of a wait, in the order in which they follow one another. */
const WAITS = [
  ["notice", "until the AICPU saw the end"],
  ["queue", "until the next was dispatched"],
  ["head", "from dispatch to start"],
  ["unknown", "wait of unknown kind"],
];
/** The kind of a piece in which a kernel runs; others are places in `WAITS`. */
const RUNS = WAITS.length;

/** The group that the track is in; each piece has a kind, and the step that it belongs to. */
function pathGroup(run) {
  const pieces = pathPieces(run);
  const lane = new Lane(Float64Array.from(pieces.starts), Float64Array.from(pieces.ends), null, 0);
  const track = { kind: "path", name: "Steps", losses: [], lanes: [lane], steps: Uint32Array.from(pieces.steps), kinds: Uint8Array.from(pieces.kinds) };
  return { key: "path", name: "Critical path", tracks: [track], isOpen: true };
}

function pathPieces(run) {
  const { rows, waits } = run.path;
  const { start, end } = run.tasks;
  const pieces = { starts: [], ends: [], steps: [], kinds: [] };
  let latest = 0;
  const add = (step, kind, to) => {
    if (to <= latest) return;
    pieces.starts.push(latest);
    pieces.ends.push(to);
    pieces.steps.push(step);
    pieces.kinds.push(kind);
    latest = to;
  };
  rows.forEach((row, step) => {
    const lengths = waits.map((wait) => wait[step]);
    // A wait is told back from the start.
    latest = Math.max(latest, start[row] - lengths.reduce((sum, ticks) => sum + ticks, 0));
    lengths.forEach((ticks, kind) => add(step, kind, Math.min(start[row], latest + ticks)));
    latest = Math.max(latest, start[row]);
    add(step, RUNS, end[row]);
  });
  return pieces;
}
