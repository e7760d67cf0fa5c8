// What is in sight: a stretch of time, and tracks one below the other.

const GUTTER = 132;
const RULER = 26;
const HEAD = 22;
const GAP = 2;
const NAME_HEIGHT = 11;
/** How high the head of a mark is, and how far it reaches to either side. */
const MARK = 6;
/** Of tracks that are not as high as can be read, by the height of the cores' kernels. */
const LANE_HEIGHTS = {
  path: () => 18,
  kernel: (height) => height,
  counter: (height) => Math.max(22, height),
  stay: (height) => Math.max(5, Math.round(height * 0.6)),
};
/** How much of a stretch lies outside the run at most, on either side. */
const MARGIN = 0.03;

class Viewport {
  constructor(run) {
    this.run = run;
    /** What there is to show, from top to bottom. */
    this.groups = run.groups;
    this.width = 1;
    this.height = 1;
    this.scroll = 0;
    /** How many pixels of the screen the lanes are wide. */
    this.columns = 1;
    this.laneHeight = 0;
    this.rows = [];
    this.total = 0;
    this.showAll();
  }

  get plotWidth() {
    return Math.max(1, this.width - GUTTER);
  }

  showAll() {
    const margin = Math.max(1, this.run.span) * MARGIN;
    this.from = 1 - margin;
    this.to = this.run.span + 1 + margin;
  }

  get isWhole() {
    return this.to - this.from >= Math.max(1, this.run.span) * (1 + 2 * MARGIN) - 1e-6;
  }

  /** Shows a stretch, no shorter than a few ticks and no longer than the run. */
  show(from, to) {
    const span = Math.max(1, this.run.span);
    const margin = span * MARGIN;
    const length = Math.min(span + 2 * margin, Math.max(8, to - from));
    const middle = (from + to) / 2;
    const lowest = 1 - margin;
    const highest = Math.max(lowest, span + 1 + margin - length);
    this.from = Math.min(highest, Math.max(lowest, middle - length / 2));
    this.to = this.from + length;
  }

  zoom(factor, x = GUTTER + this.plotWidth / 2) {
    const at = this.timeAt(x);
    const length = Math.max(8, (this.to - this.from) * factor);
    const part = (at - this.from) / (this.to - this.from);
    this.show(at - length * part, at + length * (1 - part));
  }

  /** Moves by whole pixels, so that what stays in sight stays as it was drawn. */
  pan(ticks, from = this.from, to = this.to) {
    const length = (to - from) / this.columns;
    const moved = Math.round(ticks / length) * length;
    this.show(from + moved, to + moved);
  }

  /** Brings a time into sight without a change of scale, when it is out of sight. */
  reveal(from, to) {
    const length = this.to - this.from;
    if (to - from > length) this.show(from - (to - from) * 0.1, to + (to - from) * 0.1);
    else if (from < this.from || to > this.to) this.show((from + to - length) / 2, (from + to + length) / 2);
  }

  timeAt(x) {
    return this.from + ((x - GUTTER) / this.plotWidth) * (this.to - this.from);
  }

  xOf(time) {
    return GUTTER + ((time - this.from) / (this.to - this.from)) * this.plotWidth;
  }

  /** Places heads and tracks; a lane is as high as lets the cores fit, within reason. */
  arrange() {
    const { groups } = this;
    const cores = groups.find((group) => group.key === "aicore")?.tracks ?? [];
    const lanes = cores.reduce((sum, track) => sum + track.lanes.length, 0);
    const room = this.height - RULER - HEAD * groups.length - 90;
    const fitting = Math.floor(room / Math.max(1, lanes)) - GAP;
    const height = this.laneHeight || Math.min(22, Math.max(5, fitting));
    this.rows = [];
    this.rowsByTrack = new Map();
    let y = RULER;
    for (const group of groups) {
      this.rows.push({ group, track: null, y, height: HEAD });
      y += HEAD;
      if (!group.isOpen) continue;
      // Names of low tracks stand at every second or third of them.
      let named = -Infinity;
      for (const track of group.tracks) {
        const lane = LANE_HEIGHTS[track.kind]?.(height) ?? Math.max(12, height);
        const high = lane * track.lanes.length + GAP;
        const isNamed = y - named >= NAME_HEIGHT;
        if (isNamed) named = y;
        const row = { group, track, y, height: high, lane, isNamed };
        this.rows.push(row);
        this.rowsByTrack.set(`${track.kind} ${track.core ?? track.thread}`, row);
        y += high;
      }
      y += 4;
    }
    this.total = y + 8;
  }

  get currentLaneHeight() {
    return this.rows.find((row) => row.track?.kind === "kernel")?.lane ?? 14;
  }

  /** Heads and tracks in sight, with their places on the screen. */
  *inSight() {
    for (const row of this.rows) {
      const y = row.y - this.scroll;
      if (y + row.height <= RULER) continue;
      if (y >= this.height) return;
      yield { ...row, y };
    }
  }

  /** What lies at a point: a head, or a track with a lane, or nothing. */
  rowAt(y) {
    if (y < RULER) return null;
    for (const row of this.inSight()) {
      if (y < row.y || y >= row.y + row.height) continue;
      const lane = row.track ? Math.min(row.track.lanes.length - 1, Math.floor((y - row.y) / row.lane)) : -1;
      return { ...row, laneIndex: lane };
    }
    return null;
  }

  /** The item at a point; within `slack` pixels the nearest. */
  itemAt(x, y, slack = 3) {
    const row = this.rowAt(y);
    if (!row?.track || x < GUTTER) return null;
    const lane = row.track.lanes[row.laneIndex];
    const time = this.timeAt(x);
    const reach = ((this.to - this.from) / this.plotWidth) * slack;
    let best = null;
    let place = lane.firstEndingAfter(time - reach);
    // A point ends where it starts, so it lies just before the first that ends behind.
    if (place > 0 && lane.ends[place - 1] >= time - reach) place--;
    for (; place < lane.count && lane.starts[place] <= time + reach; place++) {
      const away = Math.max(lane.starts[place] - time, time - lane.ends[place], 0);
      if (!best || away < best.away) best = { away, place };
      if (away === 0) break;
    }
    return best && { ...row, lane, place: best.place, item: lane.item(best.place) };
  }

  /** The mark of lost records at a point: the nearest of those whose head is there. */
  lossAt(x, y) {
    const row = this.rowAt(y);
    if (!row?.track?.losses.length || x < GUTTER || y >= row.y + Math.min(MARK, row.lane)) return null;
    let best = null;
    for (const loss of row.track.losses) {
      const away = Math.abs(this.xOf(loss.at) - x);
      if (away <= MARK && (!best || away < best.away)) best = { away, loss };
    }
    return best && { ...row, loss: best.loss };
  }

  /** Where a track is on the screen; `null` when its group is closed. */
  placeOfTrack(track) {
    const row = this.rows.find((row) => row.track === track);
    return row ? { y: row.y - this.scroll, height: row.height, lane: row.lane } : null;
  }

  /** Where an item of a track of tasks is on the screen; `null` when its group is closed. */
  placeOf(row, kind = "kernel") {
    const { run } = this;
    const core = run.coreOf(row);
    const { start, end, dispatch, finish } = run.tasks;
    const from = kind === "stay" ? dispatch[row] : start[row] || end[row];
    const to = kind === "stay" ? finish[row] : Math.max(from, end[row]);
    const found = this.rowsByTrack.get(`${kind} ${core}`);
    if (!found || !from) return null;
    const { lanes } = found.track;
    const lane = lanes.length === 1 ? 0 : Math.max(0, lanes.findIndex((lane) => lane.placeOf(row, from) >= 0));
    return {
      x: this.xOf(from),
      right: this.xOf(to),
      y: found.y - this.scroll + lane * found.lane,
      height: found.lane,
    };
  }
}
