// Draws what changes without the lanes: the pointer, the choice, its arrows, and the critical path.

class Overlay {
  constructor(canvas, viewport) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.viewport = viewport;
    this.isBlank = true;
  }

  resize(width, height, ratio) {
    this.ratio = ratio;
    this.isBlank = true;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  draw(theme, { selected, hovered, path, pointer, stretch, measured }) {
    const { context, viewport } = this;
    const isBlank = !(selected || hovered || path || pointer || stretch || measured);
    if (isBlank && this.isBlank) return;
    this.isBlank = isBlank;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, viewport.width, viewport.height);
    if (pointer && pointer.x >= GUTTER) {
      context.fillStyle = theme.shade;
      context.fillRect(pointer.x, 0, 1, viewport.height);
    }
    if (stretch) {
      const [from, to] = [stretch.from, stretch.to].map((x) => Math.max(GUTTER, x));
      context.fillStyle = theme.shade;
      context.fillRect(Math.min(from, to), 0, Math.abs(to - from), viewport.height);
    }
    if (measured) this.measured(theme, measured);
    context.save();
    context.beginPath();
    context.rect(GUTTER, RULER, viewport.plotWidth, viewport.height - RULER);
    context.clip();
    if (path) this.path(theme, path);
    if (hovered) this.outline(this.placeOfItem(hovered), theme.mutedCss, 1);
    if (selected?.kind === "task") this.task(theme, selected.item);
    else if (selected) this.outline(this.placeOfItem(selected), theme.textCss, 2);
    context.restore();
  }

  /** A stretch that was measured: its borders, and its length on the ruler. */
  measured(theme, { from, to }) {
    const { context, viewport } = this;
    const [left, right] = [from, to].map((time) => Math.min(viewport.width, Math.max(GUTTER, viewport.xOf(time))));
    if (left === right) return;
    context.globalAlpha = 0.12;
    context.fillStyle = theme.accentCss;
    context.fillRect(left, 0, right - left, viewport.height);
    context.globalAlpha = 1;
    context.fillRect(left, 0, 1, viewport.height);
    context.fillRect(right - 1, 0, 1, viewport.height);
    const text = viewport.run.duration(to - from);
    context.font = `600 11px ${theme.sans}`;
    const width = context.measureText(text).width + 10;
    const x = Math.min(viewport.width - width, Math.max(GUTTER, (left + right - width) / 2));
    context.fillRect(x, 4, width, 17);
    context.fillStyle = theme.groundCss;
    context.textBaseline = "middle";
    context.fillText(text, x + 5, 13);
  }

  placeOfItem({ track, item, kind }) {
    const { viewport } = this;
    if (kind === "loss") return this.placeOfLoss(track, viewport.run.losses[item]);
    if (kind === "task" && track.kind !== "counter") return viewport.placeOf(item, track.kind);
    const row = viewport.rows.find((row) => row.track === track);
    if (!row) return null;
    for (let index = 0; index < track.lanes.length; index++) {
      const lane = track.lanes[index];
      const place = lane.items ? lane.items.indexOf(item) : item - lane.first;
      if (place < 0 || place >= lane.count) continue;
      return {
        x: viewport.xOf(lane.starts[place]),
        right: viewport.xOf(lane.ends[place]),
        y: row.y - viewport.scroll + index * row.lane,
        height: row.lane,
      };
    }
    return null;
  }

  placeOfLoss(track, loss) {
    const place = this.viewport.placeOfTrack(track);
    const x = this.viewport.xOf(loss.at);
    return place && { x: x - MARK, right: x + MARK, y: place.y, height: place.lane };
  }

  outline(place, colour, width) {
    if (!place) return;
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(place.x - width / 2, place.y - width / 2, Math.max(2, place.right - place.x) + width - 1, place.height - 1 + width);
  }

  /** A task with the tasks it waited for and those that waited for it. */
  task(theme, row) {
    const { viewport } = this;
    const { run } = viewport;
    const lead = run.leadOf(row);
    for (const from of capped(run.predecessors(row))) {
      this.arrow(run.lastRow(from), run.firstRow(lead), theme.before);
    }
    for (const to of capped(run.successors(row))) {
      this.arrow(run.lastRow(lead), run.firstRow(to), theme.after);
    }
    this.outline(viewport.placeOf(row, "stay"), theme.mutedCss, 1);
    for (const block of run.rowsOf(lead)) this.outline(viewport.placeOf(block), theme.textCss, block === row ? 2 : 1);
  }

  arrow(from, to, colour) {
    const { context, viewport } = this;
    const [start, end] = [viewport.placeOf(from), viewport.placeOf(to)];
    if (!start || !end) return;
    const [x0, y0] = [start.right, start.y + start.height / 2];
    const [x1, y1] = [end.x, end.y + end.height / 2];
    const bend = Math.min(80, Math.max(14, Math.abs(x1 - x0) / 2));
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x0, y0);
    context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 5, y1);
    context.stroke();
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x1 - 7, y1 - 3.5);
    context.lineTo(x1 - 7, y1 + 3.5);
    context.fill();
  }

  /** Joins the steps in sight, unless there are so many that lines would hide what they join. */
  path(theme, track) {
    const { context, viewport } = this;
    const { rows } = viewport.run.path;
    const [first, behind] = stepsInSight(viewport, track);
    if (behind - first > MOST_JOINED) return;
    context.strokeStyle = theme.textCss;
    context.lineWidth = 1.25;
    context.beginPath();
    for (let step = Math.max(1, first); step < behind; step++) {
      const [from, to] = [viewport.placeOf(rows[step - 1]), viewport.placeOf(rows[step])];
      if (!from || !to) continue;
      context.moveTo(from.right, from.y + from.height / 2);
      context.lineTo(to.x, to.y + to.height / 2);
    }
    context.stroke();
  }
}

/** More lines between steps than this hide what they join. */
const MOST_JOINED = 150;

/** The first step of which something is in sight, and the first behind. */
function stepsInSight(viewport, { lanes, steps }) {
  const first = lanes[0].firstEndingAfter(viewport.from);
  const behind = lanes[0].firstEndingAfter(viewport.to, first);
  return [steps[first] ?? viewport.run.path.rows.length, (steps[behind] ?? viewport.run.path.rows.length - 1) + 1];
}

/** More arrows than this hide what they show. */
const MOST_ARROWS = 200;
const capped = (rows) => (rows.length > MOST_ARROWS ? rows.subarray(0, MOST_ARROWS) : rows);

/** The whole run in a strip: how many cores run a kernel, over time, as high as at most, and what is in sight. */
class Overview {
  constructor(canvas, viewport) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.viewport = viewport;
    /** The most cores that run at one moment, once they were counted; a column shows the mean of its time. */
    this.mostAtOnce = null;
  }

  resize(width, height, ratio) {
    this.ratio = ratio;
    this.height = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.shape = null;
    this.pictured = null;
  }

  countCores() {
    this.mostAtOnce = mostAtOnce(this.viewport.run);
    this.pictured = null;
  }

  /** For each pixel of the strip, how many cores run a kernel, by type of core. */
  measure(paint) {
    const { run, plotWidth } = this.viewport;
    const columns = Math.floor(plotWidth);
    const shapes = { aic: new Float32Array(columns), aiv: new Float32Array(columns) };
    const tracks = run.groups.find((group) => group.key === "aicore")?.tracks ?? [];
    const perColumn = (run.span + 1) / columns;
    const sums = new Float64Array(4 * columns);
    for (const track of tracks) {
      const shape = shapes[run.facts.cores[track.core].kind] ?? shapes.aiv;
      track.lanes[0].measure(paint, 1, perColumn, sums.fill(0));
      for (let x = 0; x < columns; x++) shape[x] += sums[4 * x] / perColumn;
    }
    let most = 0;
    for (let x = 0; x < columns; x++) most = Math.max(most, shapes.aic[x] + shapes.aiv[x]);
    this.shape = { shapes, columns, most };
  }

  draw(theme, paint, stretch) {
    if (!this.shape) this.measure(paint);
    if (this.pictured !== theme) this.picture(theme);
    const { context, viewport, height } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.background, 0, 0);
    if (!viewport.run.groups.length) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const at = (time) => GUTTER + ((time - 1) / Math.max(1, viewport.run.span)) * viewport.plotWidth;
    const [from, to] = [Math.max(GUTTER, at(viewport.from)), Math.min(viewport.width, at(viewport.to))];
    context.fillStyle = theme.veil;
    context.fillRect(GUTTER, 0, from - GUTTER, height);
    context.fillRect(to, 0, viewport.width - to, height);
    context.strokeStyle = theme.accentCss;
    context.lineWidth = 1.5;
    context.strokeRect(from + 0.75, 0.75, Math.max(3, to - from - 1.5), height - 1.5);
    if (stretch) {
      context.fillStyle = theme.shade;
      context.fillRect(Math.min(stretch.from, stretch.to), 0, Math.abs(stretch.to - stretch.from), height);
    }
  }

  /** What does not change while lanes move. */
  picture(theme) {
    this.pictured = theme;
    this.background = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    const context = this.background.getContext("2d");
    const { viewport, height } = this;
    const { shapes, columns, most } = this.shape;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = theme.groundCss;
    context.fillRect(0, 0, viewport.width, height);
    const high = height - 12;
    const area = (of, colour) => {
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(GUTTER, height);
      for (let x = 0; x < columns; x++) context.lineTo(GUTTER + x, height - (of(x) / (most || 1)) * high);
      context.lineTo(GUTTER + columns, height);
      context.fill();
    };
    area((x) => shapes.aic[x] + shapes.aiv[x], theme.aiv);
    area((x) => shapes.aic[x], theme.aic);
    context.fillStyle = theme.raisedCss;
    context.fillRect(0, 0, GUTTER, height);
    context.fillStyle = theme.mutedCss;
    context.font = `11px ${theme.sans}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    if (!viewport.run.groups.length) return;
    if (this.mostAtOnce !== null) context.fillText(`at most ${numberOf(this.mostAtOnce, "core")} run`, GUTTER - 9, 16);
    context.font = `10px ${theme.sans}`;
    const legend = [
      ["AIV", theme.aiv, GUTTER - 9],
      ["AIC", theme.aic, GUTTER - 48],
    ];
    for (const [name, colour, right] of legend) {
      context.fillStyle = theme.mutedCss;
      context.fillText(name, right, 34);
      context.fillStyle = colour;
      context.fillRect(right - context.measureText(name).width - 11, 30, 7, 7);
    }
  }

  timeAt(x) {
    return 1 + ((x - GUTTER) / this.viewport.plotWidth) * this.viewport.run.span;
  }
}
