// What the panels say in numbers: functions, their spread, heat, and what ran in a stretch of time.

/** Of each function: tasks, how many have a known run time, and the sum of these. */
function functionTotals(run) {
  const { start, end, func } = run.tasks;
  const totals = run.functions.map((facts, place) => ({ ...facts, place, count: 0, known: 0, sum: 0 }));
  for (let row = 0; row < run.count; row++) {
    const total = totals[func[row]];
    total.count++;
    if (start[row] && end[row] >= start[row]) {
      total.known++;
      total.sum += end[row] - start[row];
    }
  }
  return totals.sort((a, b) => b.sum - a.sum || a.id - b.id);
}

/** The most cores that run a kernel at one moment; counted bit by bit, in stretches of time with about `portion` tasks. */
function* mostAtOnce(run, portion = 1 << 15) {
  const cores = [];
  for (let core = 0; core + 1 < run.firsts.length; core++) cores.push(new CoreRuns(run, run.firsts[core], run.firsts[core + 1]));
  const stretches = Math.ceil(run.count / portion);
  let running = 0;
  let most = 0;
  for (let stretch = 1; stretch <= stretches; stretch++) {
    const until = stretch === stretches ? Infinity : 1 + (run.span * stretch) / stretches;
    const begins = [];
    const ends = [];
    for (const core of cores) core.until(until, begins, ends);
    const ended = Float64Array.from(ends).sort();
    let over = 0;
    for (const begin of Float64Array.from(begins).sort()) {
      for (; ended[over] <= begin; over++) running--;
      most = Math.max(most, ++running);
    }
    running -= ended.length - over;
    yield;
  }
  return most;
}

/** From when to when one core runs; kernels that overlap are one stretch. */
class CoreRuns {
  constructor(run, row, last) {
    const { start, end } = run.tasks;
    Object.assign(this, { start, end, row, last, runsTo: 0 });
  }

  /** Adds what begins before a time, and what ends up to it. */
  until(time, begins, ends) {
    const { start, end, last } = this;
    for (;;) {
      if (!this.runsTo) {
        while (this.row < last && !(start[this.row] && end[this.row] > start[this.row])) this.row++;
        if (this.row === last || start[this.row] >= time) return;
        begins.push(start[this.row]);
        this.runsTo = end[this.row++];
      }
      for (; this.row < last && start[this.row] <= this.runsTo; this.row++) {
        if (start[this.row]) this.runsTo = Math.max(this.runsTo, end[this.row]);
      }
      if (this.runsTo > time) return;
      ends.push(this.runsTo);
      this.runsTo = 0;
    }
  }
}

/** What ran in a stretch of time, by function and by core, and how busy the cores of each type were. */
function stretchSums(run, { from, to }) {
  const { start, end, func } = run.tasks;
  const sums = { from, to, tasks: 0, begun: 0, ended: 0, busy: 0 };
  const functions = run.functions.map((_, place) => ({ place, count: 0, ticks: 0 }));
  for (let row = 0; row < run.count; row++) {
    if (!start[row] || end[row] < start[row] || start[row] >= to || end[row] <= from) continue;
    const ticks = Math.min(end[row], to) - Math.max(start[row], from);
    sums.tasks++;
    sums.begun += start[row] >= from;
    sums.ended += end[row] <= to;
    sums.busy += ticks;
    functions[func[row]].count++;
    functions[func[row]].ticks += ticks;
  }
  const cores = busyCores(run, from, to);
  return {
    ...sums,
    functions: functions.filter(({ count }) => count).sort((a, b) => b.ticks - a.ticks || a.place - b.place),
    cores: cores.filter(({ busy }) => busy).sort((a, b) => b.busy - a.busy || a.core - b.core),
    kinds: busyKinds(run, cores),
  };
}

/** How long each core that the run uses was busy in a stretch; kernels that overlap count once. */
function busyCores(run, from, to) {
  const { start, end } = run.tasks;
  const cores = [];
  for (let core = 0; core + 1 < run.firsts.length; core++) {
    if (run.firsts[core] === run.firsts[core + 1]) continue;
    let busy = 0;
    let latest = from;
    for (let row = run.firsts[core]; row < run.firsts[core + 1]; row++) {
      if (!start[row] || end[row] <= latest || start[row] >= to) continue;
      busy += Math.min(end[row], to) - Math.max(start[row], latest);
      latest = Math.min(end[row], to);
    }
    cores.push({ core, busy });
  }
  return cores;
}

function busyKinds(run, cores) {
  const kinds = new Map();
  for (const { core, busy } of cores) {
    const name = run.facts.cores[core].kind.toUpperCase();
    const kind = kinds.get(name) ?? { name, cores: 0, busy: 0 };
    kinds.set(name, { name, cores: kind.cores + 1, busy: kind.busy + busy });
  }
  return [...kinds.values()];
}

/** Run times of a function's tasks in rising order, and the rows that took longest. */
function runTimes(run, place, slowest = 5) {
  const { start, end, func } = run.tasks;
  const times = [];
  let rows = [];
  for (let row = 0; row < run.count; row++) {
    if (func[row] !== place || !start[row] || end[row] < start[row]) continue;
    const time = end[row] - start[row];
    times.push(time);
    if (rows.length < slowest || time > rows[rows.length - 1].time) {
      rows.push({ row, time });
      rows.sort((a, b) => b.time - a.time || a.row - b.row);
      rows = rows.slice(0, slowest);
    }
  }
  return { times: Float64Array.from(times).sort(), slowest: rows };
}

/** The value that a part of all lies at or below: nearest rank. */
function quantile(sorted, part) {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

/** How many values lie in each of some equally long stretches. */
function histogram(sorted, most) {
  const low = sorted[0];
  const high = sorted[sorted.length - 1];
  const count = Math.max(1, Math.min(most, high - low + 1));
  const width = (high - low + 1) / count;
  const bins = Array.from({ length: count }, (_, i) => ({ from: low + i * width, to: low + (i + 1) * width, count: 0 }));
  for (const value of sorted) bins[Math.min(count - 1, Math.floor((value - low) / width))].count++;
  return bins;
}

/**
 * A byte for each row, 0 calm and 255 hot, of what `valueOf` says; rows without a value are 0. Hot is the value
 * that 99 of 100 lie within: few long tasks would leave all others calm.
 */
function heatClasses(run, valueOf) {
  const values = new Float32Array(run.count);
  let known = 0;
  for (let row = 0; row < run.count; row++) {
    const value = valueOf(row);
    values[row] = value ?? -1;
    if (value !== null) known++;
  }
  // Values that are not known come first.
  const sorted = values.slice().sort().subarray(run.count - known);
  const most = known ? sorted[known - 1] : 0;
  const hot = (known && quantile(sorted, 0.99)) || most;
  const classes = new Uint8Array(run.count);
  if (hot > 0) for (let row = 0; row < run.count; row++) classes[row] = Math.round(Math.min(1, Math.max(0, values[row] / hot)) * 255);
  return { classes, hot, most };
}

/** A rate in its unit, as the report prints it. */
function rateText(rate, unit) {
  if (unit === "utilisation") return `${(rate * 100).toFixed(1)} %`;
  return `${rate >= 100 ? rate.toFixed(0) : rate.toFixed(2)} ${unit}`;
}
