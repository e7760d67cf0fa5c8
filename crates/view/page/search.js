// What a search means, and what it finds.

/**
 * What a search means: tasks whose function has the text in its name, whose id it is or whose core it names,
 * and phases whose name begins with it; a byte for each. `null` without a text.
 */
function search(run, text) {
  const query = text.trim().toLowerCase();
  if (!query) return null;
  const chosen = new Uint8Array(run.count);
  chooseFunctions(run, query, chosen);
  chooseId(run, idOfQuery(query), chosen);
  run.facts.cores.forEach(({ name }, core) => {
    if (name.toLowerCase() === query) chosen.fill(1, run.firsts[core], run.firsts[core + 1]);
  });
  const phases = {};
  for (const kind of ["scheduler", "orchestrator"]) {
    const bytes = chosenPhases(run, kind, query);
    if (bytes) phases[kind] = bytes;
  }
  return { chosen, phases, ...findsOf(run, chosen, phases) };
}

function chooseFunctions(run, query, chosen) {
  const functions = run.functions.map(({ name }) => name.toLowerCase().includes(query));
  if (!functions.includes(true)) return;
  const { func } = run.tasks;
  for (let row = 0; row < run.count; row++) if (functions[func[row]]) chosen[row] = 1;
}

function chooseId(run, id, chosen) {
  if (!id) return;
  const { idLow, idHigh } = run.tasks;
  for (let row = 0; row < run.count; row++) {
    if (idLow[row] !== id.low) continue;
    if (id.high === null ? (idHigh[row] & 0xff) === id.ring : idHigh[row] === id.high) chosen[row] = 1;
  }
}

/** Phases that three letters or more name; `null` when none is meant. */
function chosenPhases(run, kind, query) {
  const isNamed = run.phaseNames(kind).map((name) => query.length >= 3 && name.startsWith(query));
  if (!isNamed.includes(true)) return null;
  const first = kind === "orchestrator" ? run.facts.orchestrator_first : 0;
  return Uint8Array.from(run[kind].phase, (phase) => (isNamed[phase - first] ? 1 : 0));
}

/** What was chosen as finds in order of time, and these times. */
function findsOf(run, chosen, phases) {
  const finds = [];
  const { start, dispatch, end } = run.tasks;
  const { scheduler, orchestrator } = phases;
  const scheduled = run.scheduler.start.length;
  const timeOf = (find) => {
    if (find < run.count) return start[find] || dispatch[find] || end[find];
    const phase = find - run.count;
    return phase < scheduled ? run.scheduler.start[phase] : run.orchestrator.start[phase - scheduled];
  };
  chosen.forEach((byte, row) => byte && finds.push(row));
  scheduler?.forEach((byte, item) => byte && finds.push(run.count + item));
  orchestrator?.forEach((byte, item) => byte && finds.push(run.count + scheduled + item));
  finds.sort((a, b) => timeOf(a) - timeOf(b) || a - b);
  return { finds, times: Float64Array.from(finds, timeOf) };
}

/** `17`, `0x11`, `t17` or `r2t17`. */
function idOfQuery(query) {
  const short = /^(?:r(\d{1,3}))?t(\d{1,10})$/.exec(query);
  if (short) return { low: Number(short[2]), high: null, ring: Number(short[1] ?? 0) };
  if (!/^(\d{1,20}|0x[0-9a-f]{1,16})$/.test(query)) return null;
  const whole = BigInt(query);
  return { low: Number(whole & 0xffffffffn), high: Number(whole >> 32n) };
}
