// Draws what changes without the lanes: the pointer, the choice, its arrows, the critical path, and what was measured.

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
