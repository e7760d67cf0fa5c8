// Draws the lanes: pixel by pixel into memory, so that a frame costs what the screen has, not the run.

class Drawing {
  constructor(canvas, viewport, paints) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.viewport = viewport;
    this.paints = paints;
    this.textWidths = new Map();
  }

  resize(width, height, ratio) {
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.line = new Uint32Array(this.canvas.width);
    this.bare = new Uint32Array(this.canvas.width);
    this.sums = new Float64Array(4 * this.canvas.width);
  }

  /** How many pixels the lanes are wide. */
  get columns() {
    return Math.max(1, this.canvas.width - Math.round(GUTTER * this.ratio));
  }

  draw(theme) {
    this.theme = theme;
    this.labels = [];
    this.grid = gridOf(this.viewport);
    this.pixels.fill(theme.ground);
    this.prepareBare();
    const rows = [...this.viewport.inSight()];
    for (const row of rows) {
      if (row.track) this.track(row);
    }
    this.context.putImageData(this.image, 0, 0);
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.writeLabels();
    for (const row of rows) this.marks(row);
    for (const row of rows) this.gutter(row);
    this.ruler();
  }

  /** A row of pixels with the grid alone. */
  prepareBare() {
    const { bare, theme } = this;
    bare.fill(theme.ground);
    for (const { x } of this.grid.lines) {
      const at = Math.round(x * this.ratio);
      if (at >= GUTTER * this.ratio && at < bare.length) bare[at] = theme.faint;
    }
  }

  track({ track, y, lane: height }) {
    track.lanes.forEach((lane, index) => {
      const top = y + index * height;
      if (track.kind === "counter") return this.bars(lane, top, height - 1);
      this.line.set(this.bare);
      this.lane(lane, this.paints[track.kind], top, height - 1);
      this.stamp(top, height - 1);
    });
  }

  /** Copies the line to every row of pixels of a lane. */
  stamp(y, height) {
    const { canvas, line, pixels } = this;
    const top = Math.max(Math.round(RULER * this.ratio), Math.round(y * this.ratio));
    const bottom = Math.min(canvas.height, Math.round((y + height) * this.ratio));
    for (let at = top; at < bottom; at++) pixels.set(line, at * canvas.width);
  }

  lane(lane, paint, top, height) {
    const { viewport } = this;
    const left = Math.round(GUTTER * this.ratio);
    const columns = this.canvas.width - left;
    const length = (viewport.to - viewport.from) / columns;
    const first = lane.firstEndingAfter(viewport.from - 1);
    const behind = lane.firstEndingAfter(viewport.to, first);
    if (behind - first > columns / 3) this.means(lane, paint, length, left);
    else this.items(lane, paint, first, length, left, top, height);
  }

  /** Every column the mean of what lies in it; a picture that only moved is drawn anew at its edge alone. */
  means(lane, paint, length, left) {
    const { line, viewport } = this;
    const { from } = viewport;
    const columns = line.length - left;
    const old = lane.picture;
    const isLike = old && old.version === paint.version && old.colours.length === columns && Math.abs(old.length - length) < 1e-9 * length;
    const way = isLike ? (from - old.from) / length : Infinity;
    const shift = Math.round(way);
    const colours = old?.colours.length === columns ? old.colours : new Uint32Array(columns);
    if (Math.abs(way - shift) < 1e-3 && Math.abs(shift) < columns) {
      colours.copyWithin(Math.max(0, -shift), Math.max(0, shift), Math.min(columns, columns + shift));
      if (shift > 0) this.meanColours(lane, paint, length, colours, columns - shift, columns);
      if (shift < 0) this.meanColours(lane, paint, length, colours, 0, -shift);
    } else this.meanColours(lane, paint, length, colours, 0, columns);
    lane.picture = { version: paint.version, from, length, colours };
    for (let x = 0; x < columns; x++) if (colours[x] !== 0) line[left + x] = colours[x];
  }

  /** Fills some columns; 0 where nothing lies. */
  meanColours(lane, paint, length, colours, first, behind) {
    const { ground } = this.theme;
    const [red, green, blue] = [ground & 255, (ground >> 8) & 255, (ground >> 16) & 255];
    const sums = this.sums.subarray(0, 4 * (behind - first)).fill(0);
    lane.measure(paint, this.viewport.from + first * length, length, sums);
    for (let at = 0, x = first; x < behind; at += 4, x++) {
      const cover = sums[at];
      if (cover === 0) {
        colours[x] = 0;
        continue;
      }
      // What is there at all stays visible.
      const part = Math.max(0.22, Math.min(1, cover / length));
      const own = part / cover;
      const under = 1 - part;
      colours[x] =
        (255 << 24) |
        ((blue * under + sums[at + 3] * own) << 16) |
        ((green * under + sums[at + 2] * own) << 8) |
        (red * under + sums[at + 1] * own);
    }
  }

  /** Item by item; of those in one column, one. */
  items(lane, paint, first, length, left, top, height) {
    const { line, viewport } = this;
    const right = line.length;
    for (let place = first; place < lane.count && lane.starts[place] <= viewport.to; ) {
      const from = Math.max(left, left + Math.floor((lane.starts[place] - viewport.from) / length));
      const to = Math.min(right, Math.max(from + 1, left + Math.floor((lane.ends[place] - viewport.from) / length)));
      const colour = paint.colour(lane.item(place));
      const behind = to - from >= 4 && to < right ? to - 1 : to;
      if (behind - from > 12) line.fill(colour, from, behind);
      else for (let x = from; x < behind; x++) line[x] = colour;
      if (to - from > 26 * this.ratio && height >= 11) {
        this.labels.push({ from: from / this.ratio, to: to / this.ratio, top, height, colour, paint, item: lane.item(place) });
      }
      place++;
      if (to - from === 1 && place < lane.count) {
        const next = viewport.from + (from + 1 - left) * length;
        if (lane.ends[place] <= next) place = lane.firstEndingAfter(next, place);
      }
    }
  }

  /** Bars as high as the chosen counter's rate; a column is as high as the highest of what lies in it. */
  bars(lane, top, height) {
    const { counter } = this.paints;
    const { viewport, canvas, pixels, ratio, bare } = this;
    const left = Math.round(GUTTER * ratio);
    const length = (viewport.to - viewport.from) / (canvas.width - left);
    const rows = Math.max(1, Math.round(height * ratio));
    const heights = new Uint8Array(canvas.width);
    const first = lane.firstEndingAfter(viewport.from - 1);
    for (let place = first; place < lane.count && lane.starts[place] <= viewport.to; place++) {
      const value = counter.values[lane.item(place)];
      if (!(value >= 0)) continue;
      const from = Math.max(left, left + Math.floor((lane.starts[place] - viewport.from) / length));
      const to = Math.min(canvas.width, Math.max(from + 1, left + Math.floor((lane.ends[place] - viewport.from) / length)));
      const high = Math.min(rows, 1 + Math.round(value * (rows - 1)));
      for (let x = from; x < to; x++) if (heights[x] < high) heights[x] = high;
    }
    const y = Math.round(top * ratio);
    const lowest = Math.round(RULER * ratio);
    for (let row = 0; row < rows; row++) {
      const at = y + row;
      if (at < lowest || at >= canvas.height) continue;
      const base = at * canvas.width;
      pixels.set(bare, base);
      for (let x = left; x < canvas.width; x++) if (heights[x] >= rows - row) pixels[base + x] = counter.colour;
    }
  }

  writeLabels() {
    const { context } = this;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.font = `11px ${this.theme.sans}`;
    for (const { from, to, top, height, colour, paint, item } of this.labels) {
      const text = this.fitting(paint.label(item), to - from - 7);
      if (!text || top + height <= RULER) continue;
      context.fillStyle = inkOn(colour);
      context.fillText(text, from + 4, top + height / 2 + 0.5);
    }
  }

  /** As much of a text as a width has room for; nothing when that is next to nothing. */
  fitting(text, width) {
    const whole = this.widthOf(text);
    if (whole <= width) return text;
    for (let letters = Math.min(text.length - 1, Math.floor((width / whole) * text.length)); letters >= 3; letters--) {
      const cut = `${text.slice(0, letters)}…`;
      if (this.widthOf(cut) <= width) return cut;
    }
    return "";
  }

  widthOf(text) {
    let width = this.textWidths.get(text);
    if (width === undefined) {
      if (this.textWidths.size > 20000) this.textWidths.clear();
      width = this.context.measureText(text).width;
      this.textWidths.set(text, width);
    }
    return width;
  }

  /** Where records are missing. */
  marks({ track, y, lane: height }) {
    if (!track?.losses.length) return;
    const { context, viewport, theme } = this;
    context.fillStyle = theme.bad;
    let latest = -Infinity;
    for (const loss of track.losses) {
      const x = viewport.xOf(loss.at);
      if (x < GUTTER || x > viewport.width || x - latest < 2) continue;
      latest = x;
      context.fillRect(x - 0.75, y, 1.5, height);
      context.beginPath();
      context.moveTo(x - 4, y);
      context.lineTo(x + 4, y);
      context.lineTo(x, y + MARK);
      context.fill();
    }
  }

  gutter({ group, track, y, height, isNamed }) {
    const { context, viewport, theme } = this;
    context.fillStyle = theme.raisedCss;
    if (!track) {
      context.fillRect(0, y, viewport.width, height);
      context.fillStyle = theme.mutedCss;
      context.font = `600 11px ${theme.sans}`;
      context.textAlign = "left";
      context.fillText(`${group.isOpen ? "▾" : "▸"}  ${group.name}`, 8, y + height / 2 + 0.5);
      const note = this.paints.noteOf(group);
      if (!note) return;
      context.font = `11px ${theme.sans}`;
      context.textAlign = "right";
      context.fillText(note, viewport.width - 10, y + height / 2 + 0.5);
      const colours = this.paints.barOf(group);
      if (colours) this.colourBar(colours, viewport.width - 18 - context.measureText(note).width, y + height / 2);
      return;
    }
    context.fillRect(0, y, GUTTER, height);
    context.fillStyle = theme.lineCss;
    context.fillRect(GUTTER - 1, y, 1, height);
    if (!isNamed) return;
    context.fillStyle = theme.textCss;
    context.textAlign = "right";
    context.font = `${Math.min(11, Math.max(9, height - GAP))}px ${theme.sans}`;
    context.fillText(track.name, GUTTER - 9, y + (height - GAP) / 2 + 0.5);
  }

  /** From 0 at the left to what is written at its right. */
  colourBar(colours, right, middle) {
    const { context } = this;
    const width = 96;
    const [left, top] = [Math.round(right - width), Math.round(middle - 5)];
    for (let x = 0; x < width; x++) {
      context.fillStyle = css(colours[Math.round((x / (width - 1)) * (colours.length - 1))]);
      context.fillRect(left + x, top, 1, 10);
    }
    context.fillStyle = this.theme.mutedCss;
    context.fillText("0", left - 6, middle + 0.5);
  }

  ruler() {
    const { context, viewport, theme } = this;
    context.fillStyle = theme.raisedCss;
    context.fillRect(0, 0, viewport.width, RULER);
    context.fillStyle = theme.lineCss;
    context.fillRect(0, RULER - 1, viewport.width, 1);
    context.font = `11px ${theme.sans}`;
    context.textAlign = "left";
    for (const { x, text } of this.grid.lines) {
      if (x < GUTTER) continue;
      context.fillStyle = theme.lineCss;
      context.fillRect(Math.round(x), RULER - 8, 1, 8);
      context.fillStyle = theme.mutedCss;
      if (x + 4 + context.measureText(text).width < viewport.width) context.fillText(text, x + 4, RULER / 2);
    }
    context.fillStyle = theme.raisedCss;
    context.fillRect(0, 0, GUTTER, RULER - 1);
  }
}

/** Round times, about a hundred pixels apart. */
function gridOf(viewport) {
  const { run } = viewport;
  if (!run.groups.length) return { lines: [] };
  const perTick = 1e9 / run.facts.ticks_per_second;
  const [from, to] = [(viewport.from - 1) * perTick, (viewport.to - 1) * perTick];
  const rough = ((to - from) / viewport.plotWidth) * 110;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
  const lines = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) {
    lines.push({ x: viewport.xOf((i * step) / perTick + 1), text: gridText(i * step, step) });
  }
  return { lines };
}

/** A round time with as many decimals as its step needs. */
function gridText(ns, step) {
  const size = Math.max(Math.abs(ns), step);
  const [unit, name] = size >= 1e9 ? [1e9, "s"] : size >= 1e6 ? [1e6, "ms"] : size >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const digits = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
  return `${(ns / unit).toFixed(Math.min(6, digits))}\u202f${name}`;
}
