// ---- charts.js: the gradient through time, and the gates ----

const MARGIN = { left: 58, right: 16, top: 10, bottom: 34 };

/** The frame of a chart: from numbers to places, and the axes. */
class Axes {
  constructor(host, high, [x0, x1], [y0, y1], label, margin = MARGIN) {
    const wide = Math.max(host.clientWidth, 260);
    Object.assign(this, { wide, high, x0, x1, y0, y1, margin });
    this.svg = svg("svg", {
      class: "chart",
      width: wide,
      height: high,
      viewBox: `0 0 ${wide} ${high}`,
      role: "img",
      "aria-label": label,
    });
  }

  x(value) {
    const room = this.wide - this.margin.left - this.margin.right;
    return this.margin.left + (room * (value - this.x0)) / (this.x1 - this.x0 || 1);
  }

  y(value) {
    const room = this.high - this.margin.top - this.margin.bottom;
    return this.margin.top + (room * (this.y1 - value)) / (this.y1 - this.y0 || 1);
  }

  /** The whole number on the x axis nearest to the mouse. */
  at(event) {
    const room = this.wide - this.margin.left - this.margin.right;
    const share = (event.clientX - this.svg.getBoundingClientRect().left - this.margin.left) / room;
    const value = Math.round(this.x0 + Math.min(1, Math.max(0, share)) * (this.x1 - this.x0));
    return value;
  }

  draw(xs, ys, xText, yText, title) {
    const { wide, high } = this;
    for (const value of ys) {
      const y = this.y(value);
      this.svg.append(
        svg("line", { class: "grid", x1: this.margin.left, x2: wide - this.margin.right, y1: y, y2: y }),
        svg("text", { class: "tick", x: this.margin.left - 6, y: y + 4, "text-anchor": "end", text: yText(value) }),
      );
    }
    for (const value of xs) {
      const x = this.x(value);
      this.svg.append(svg("text", { class: "tick", x, y: high - 18, "text-anchor": "middle", text: xText(value) }));
    }
    this.svg.append(
      svg("text", { class: "axis", x: (wide + this.margin.left) / 2, y: high - 3, "text-anchor": "middle", text: title }),
    );
  }

  /** A stripe from side to side, where the scale of colours has an edge. */
  stripe(name, low, high) {
    if (high <= low) return;
    const { left, right } = this.margin;
    const [y, bottom] = [this.y(high), this.y(low)];
    this.svg.append(svg("rect", { class: name, x: left, width: this.wide - left - right, y, height: bottom - y }));
  }

  /** A band over steps that are marked, hidden until then. */
  band(name) {
    const band = svg("rect", {
      class: name,
      y: this.margin.top,
      height: this.high - this.margin.top - this.margin.bottom,
      width: 0,
    });
    this.svg.append(band);
    return band;
  }

  /** Put a band over the places from `first` to `last`; null hides it. */
  place(band, range) {
    band.classList.toggle("shown", Boolean(range));
    if (!range) return;
    const half = Math.min(3, Math.abs(this.x(1) - this.x(0)) / 2);
    const [left, right] = range.map((value) => this.x(value)).sort((a, b) => a - b);
    band.setAttribute("x", left - half);
    band.setAttribute("width", right - left + 2 * half);
  }
}

/** At most about `most` round numbers between two. */
function ticks(first, last, most) {
  const span = Math.abs(last - first);
  const step =
    [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].find((size) => span / size <= most) ?? Math.ceil(span / most);
  const found = [];
  for (let value = Math.ceil(Math.min(first, last) / step) * step; value <= Math.max(first, last); value += step)
    found.push(value);
  return found;
}

/** A line through points that breaks where there is no number. */
function linePath(axes, values, x) {
  let pen = "M";
  return values
    .map((value, i) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const command = `${pen}${axes.x(x(i)).toFixed(1)} ${axes.y(value).toFixed(1)}`;
      pen = "L";
      return command;
    })
    .join("");
}

/** How the curve of a state is dashed: the first is a plain line. */
function dashes(panel, state) {
  return ["", "second", "third"][panel.states.indexOf(state)] ?? "third";
}

/** The curves G_t / G_T of all panels over the lag T - t, each point below the step of the strips that it is about. */
class Curves {
  constructor(host, panels, page) {
    Object.assign(this, { host, page, now: Infinity });
    this.series = panels
      .flatMap((panel) => panel.states.map((state) => ({ panel, state, colour: panel.colour })))
      .filter(({ state }) => state.shares.some((share) => share !== null));
    const what = html("span", { text: "Size, that at the last step being 1:" });
    const before = html("span", { class: "before", text: "pale: with the initial weights" });
    this.key = html("p", { class: "key" }, what, ...this.series.map((series) => this.keyOf(series)), before);
    this.draw();
  }

  get empty() {
    return this.series.length === 0;
  }

  keyOf({ panel, state, colour }) {
    const horizon = state.horizon === null ? "" : `: below ${number(panel.threshold)} from ${state.horizon} back`;
    const line = svg(
      "svg",
      { width: 30, height: 10, "aria-hidden": "true" },
      svg("line", { class: `curve c${colour % 6} ${dashes(panel, state)}`, x1: 1, x2: 29, y1: 5, y2: 5 }),
    );
    const name = ` ${panel.name && `${panel.name} `}∂L/∂${state.kind}`;
    return html("span", {}, line, name, html("span", { class: "told", text: horizon }));
  }

  draw() {
    if (this.empty) return;
    const lags = Math.max(...this.series.map(({ state }) => state.steps.length - 1), 1);
    const logs = this.series.map(({ state }) => state.shares.map((share) => (share ? Math.log10(share) : null)));
    const known = logs.flat().filter((value) => value !== null);
    const [low, high] = [Math.floor(Math.min(...known, -3)), Math.ceil(Math.max(...known, 0))];
    const axes = new Axes(this.host, 150, [lags + 0.5, -0.5], [low, high], this.label(), this.margin());
    axes.draw(
      ticks(0, lags, axes.wide / 90),
      ticks(low, high, 8),
      String,
      (value) => (value === 0 ? "1" : `1e${value}`),
      "lag T − t (steps back from the loss)",
    );
    const thresholds = new Set(this.series.map(({ panel }) => panel.threshold));
    axes.stripe("ghosts", low, Math.log10(Math.min(...thresholds)));
    axes.stripe("grown", 0, high);
    this.band = axes.band("hot-band");
    this.nowBand = axes.band("now-band");
    this.known = svg("rect", { y: 0, height: axes.high, width: axes.wide });
    const lines = svg("g", { "clip-path": "url(#known)" });
    axes.svg.append(svg("clipPath", { id: "known" }, this.known), lines);
    this.series.forEach((series, i) => this.drawSeries(axes, lines, series, logs[i]));
    for (const value of thresholds) {
      const y = axes.y(Math.log10(value));
      const { text, at } = this.besideLine(axes, y, `${number(100 * value)}%`, logs);
      axes.svg.append(
        svg("line", { class: "threshold", x1: axes.margin.left, x2: axes.wide - axes.margin.right, y1: y, y2: y }),
        svg("text", { class: "tick halo", x: axes.margin.left + 4, y: at, text }),
      );
    }
    axes.svg.addEventListener("pointermove", (event) => this.page.lag(axes.at(event), event));
    axes.svg.addEventListener("pointerleave", () => this.page.out());
    axes.svg.addEventListener("click", (event) => this.page.goToLag(axes.at(event)));
    this.axes = axes;
    this.host.replaceChildren(this.key, axes.svg);
    this.mark(null);
    this.markNow(this.now);
  }

  /** What is written at the left end of a line, and where: as much of it as no curve and no pole passes through. */
  besideLine(axes, y, percent, logs) {
    const curves = logs.flatMap((series) =>
      series.flatMap((value, lag) => (value === null ? [] : [[axes.x(lag), axes.y(value)]])),
    );
    const poles = this.series.map(({ state }) => state.horizon).filter((lag) => lag !== null);
    const choices = ["below this it counts as vanished", "vanished below", ""].flatMap((rest) => {
      const text = rest ? `${percent}: ${rest}` : percent;
      const end = axes.margin.left + 8 + text.length * 6.5;
      const free = (low, high) => !curves.some(([x, at]) => x <= end && at > low && at < high);
      const clear = poles.every((lag) => axes.x(lag) > end);
      return [
        { text, at: y + 13, fits: clear && free(y, y + 18) },
        { text, at: y - 5, fits: free(y - 18, y) },
      ];
    });
    return choices.find(({ fits }) => fits) ?? choices.at(-2);
  }

  /** As wide at both sides as what stands beside the strips, where there is room for that. */
  margin() {
    const [own, row] = [this.host, byId("strips").querySelector(".strip-host")].map((each) => each?.getBoundingClientRect());
    if (!row || row.left - own.left < MARGIN.left) return MARGIN;
    return { ...MARGIN, left: row.left - own.left, right: own.right - row.right + LOSS };
  }

  drawSeries(axes, group, { panel, state, colour }, logs) {
    const name = `c${colour % 6}`;
    group.append(
      svg("path", {
        class: `curve ${name} ${dashes(panel, state)}`,
        d: linePath(axes, logs, (lag) => lag),
        "data-series": `${panel.name} ${state.kind}`,
      }),
    );
    if (state.before) {
      const sizes = state.before.map((share) => (share ? Math.max(Math.log10(share), axes.y0) : null));
      const d = linePath(axes, sizes, (lag) => lag);
      group.append(svg("path", { class: `curve before ${name} ${dashes(panel, state)}`, d }));
    }
    state.shares.forEach((share, lag) => {
      // what has no place on a log axis
      if (share === 0)
        group.append(svg("circle", { class: `zero ${name}`, cx: axes.x(lag), cy: axes.y(axes.y0), r: 2.5 }));
      if (share === null)
        group.append(
          svg("text", { class: "nan", x: axes.x(lag), y: axes.y(axes.y1) + 12, "text-anchor": "middle", text: "×" }),
        );
    });
    const { horizon } = state;
    if (horizon !== null && logs[horizon] !== null) {
      const [x, y] = [axes.x(horizon), axes.y(logs[horizon])];
      group.append(
        svg("circle", { class: `horizon ${name}`, cx: x, cy: y, r: 5 }),
        svg("line", { class: `horizon ${name}`, x1: x, x2: x, y1: y, y2: axes.y(axes.y0) }),
      );
      if (panel.states.length > 1) // which of them it is; that of the longer horizon stands to the left of the other
        group.append(
          svg("text", {
            class: `tick which ${name}`,
            x: panel.horizon.state === state.kind ? x - 8 : x + 8,
            y: y + 14,
            "text-anchor": panel.horizon.state === state.kind ? "end" : "start",
            text: state.kind,
          }),
        );
    }
  }

  label() {
    const ends = this.series.map(({ panel, state: { kind, shares } }) => {
      const steps = count(shares.length - 1, "step");
      return `${panel.name} ${kind}: ${number(shares.at(-1), 2)} at ${steps} before the last`;
    });
    return `Size of the gradient relative to the last step, log axis. ${ends.join("; ")}.`;
  }

  /** Highlight the lags from one to another; null for none. */
  mark(lags) {
    if (!this.empty) this.axes.place(this.band, lags);
  }

  /** Show the curves as far back as the backward pass is: to a lag, none of it (-1), or all of it (Infinity). */
  markNow(lag) {
    this.now = lag;
    if (this.empty) return;
    this.axes.place(this.nowBand, lag < 0 || lag === Infinity ? null : [lag, lag]);
    this.known.setAttribute("x", lag === Infinity ? 0 : this.axes.x(lag + 0.4).toFixed(1));
  }
}

/** The gates of one panel over the steps. */
class Gates {
  constructor(host, panel, page) {
    Object.assign(this, { host, panel, page });
    this.key = html(
      "p",
      { class: "key" },
      html("b", { text: `${panel.name || "Gates"} ` }),
      ...panel.gates.map((gate, i) => {
        const line = svg(
          "svg",
          { width: 22, height: 10, "aria-hidden": "true" },
          svg("line", { class: `curve g${i % 6}`, x1: 1, x2: 21, y1: 5, y2: 5 }),
        );
        return html("span", {}, line, ` ${this.nameOf(gate)}`);
      }),
    );
    this.draw();
  }

  nameOf(gate) {
    const name = gate.name.replaceAll("_", " ");
    const keeps = gate.keeps ? ` (${gate.keeps})` : "";
    return (name === gate.label ? name : `${name} ${gate.label}`) + keeps;
  }

  draw() {
    const { gates, steps } = this.panel;
    const all = gates.flatMap((gate) => [...gate.low, ...gate.high]).filter((value) => value !== null);
    const [low, high] = [Math.floor(Math.min(0, ...all)), Math.ceil(Math.max(1, ...all))];
    const axes = new Axes(this.host, 170, [steps[0], steps.at(-1)], [low, high], this.label());
    const halves = high - low <= 3 ? ticks(2 * low, 2 * high, 8).map((value) => value / 2) : ticks(low, high, 6);
    axes.draw(ticks(steps[0], steps.at(-1), axes.wide / 60), halves, String, String, "step t");
    this.band = axes.band("hot-band");
    this.nowBand = axes.band("now-band");
    gates.forEach((gate, i) => {
      const x = (place) => gate.steps[place];
      const there = gate.steps
        .map((_, place) => place)
        .filter((place) => gate.low[place] !== null && gate.high[place] !== null);
      const spot = (values) => (place) => `${axes.x(x(place)).toFixed(1)} ${axes.y(values[place]).toFixed(1)}`;
      const edge = [...there.map(spot(gate.high)), ...there.reverse().map(spot(gate.low))];
      if (edge.length) axes.svg.append(svg("path", { class: `spread g${i % 6}`, d: `M${edge.join("L")}Z` }));
      axes.svg.append(svg("path", { class: `curve g${i % 6}`, d: linePath(axes, gate.mean, x) }));
    });
    axes.svg.addEventListener("pointermove", (event) => this.page.step(this.panel, axes.at(event), event));
    axes.svg.addEventListener("pointerleave", () => this.page.out());
    this.axes = axes;
    this.host.replaceChildren(this.key, axes.svg);
  }

  label() {
    const ends = this.panel.gates.map(
      (gate) => `${this.nameOf(gate)}: ${number(gate.mean[0], 2)} at first, ${number(gate.mean.at(-1), 2)} at last`,
    );
    return `Mean of the gates. ${ends.join("; ")}.`;
  }

  mark(steps) {
    this.axes.place(this.band, steps);
  }

  markNow(step) {
    this.axes.place(this.nowBand, step === null ? null : [step, step]);
  }
}
