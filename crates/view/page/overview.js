// The strip on top: the whole run, and what of it is in sight.

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

  *countCores(portion) {
    this.mostAtOnce = yield* mostAtOnce(this.viewport.run, portion);
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
