// ---- weights.js: how the gradients of shared weights add up, step by step ----

const BAR_HEIGHT = 26;

/** A row per weight: the size of the sum so far, and a bar for the part of every step. */
class Weights {
  constructor(panel, page) {
    this.panel = panel;
    this.rows = panel.weights.map((weight) => this.makeRow(weight, page));
    const head = ["parameter", "‖sum so far‖", "part of each step: its height is its size"].map((text) =>
      html("th", { scope: "col", text }),
    );
    head[1].title = "The bar is full where the sum is largest: parts that point apart take from one another.";
    this.element = html(
      "table",
      { class: "weights" },
      html("caption", { text: "Gradients of the weights: every step adds its part" }),
      html("thead", {}, html("tr", {}, ...head)),
      html("tbody", {}, ...this.rows.map((row) => row.element)),
    );
  }

  makeRow(weight, page) {
    const steps = this.panel.steps;
    const most = Math.max(...weight.running.map((size) => size ?? 0), 1e-300);
    const largest = Math.max(...weight.per_step.map((size) => size ?? 0), 1e-300);
    const bars = weight.per_step.map((size, i) => {
      // Colours are logarithmic; heights are not, or all bars would look alike.
      const high = size === null ? BAR_HEIGHT : Math.max(size ? 1.5 : 1, (BAR_HEIGHT * size) / largest);
      return svg("rect", { x: i + 0.1, width: 0.8, y: BAR_HEIGHT - high, height: high, "data-place": i });
    });
    const chart = svg(
      "svg",
      {
        class: "parts",
        style: `height:${BAR_HEIGHT}px`, // where a notebook's own style says "height: auto"
        viewBox: `0 0 ${steps.length} ${BAR_HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `parts of ${count(steps.length, "step")}`,
      },
      ...bars,
    );
    const sum = html("span", { class: "sum" });
    const meter = html("span", { class: "meter" });
    const element = html(
      "tr",
      { "data-weight": weight.name },
      html("th", { scope: "row", text: weight.name }),
      html("td", {}, sum, html("span", { class: "rail" }, meter)),
      html("td", {}, chart),
    );
    chart.addEventListener("pointermove", (event) => {
      const { left, width } = chart.getBoundingClientRect();
      const place = Math.min(Math.max(Math.floor(((event.clientX - left) / width) * steps.length), 0), steps.length - 1);
      page.part(this.panel, weight, place, bars[place]);
    });
    chart.addEventListener("pointerleave", () => page.out());
    return { element, weight, bars, sum, meter, most, shown: 0 };
  }

  /** Show the sums after so many events. */
  show(done) {
    for (const row of this.rows) {
      const { weight, bars } = row;
      const arrived = stepsArrived(weight, done);
      for (let i = Math.min(arrived, row.shown); i < Math.max(arrived, row.shown); i += 1) {
        const place = weight.turns[i];
        paint(
          bars[place],
          i < arrived ? `added s${weight.shades[place]}${weight.per_step[place] === null ? " nonfinite" : ""}` : "",
        );
      }
      const size = arrived ? weight.running[weight.turns[arrived - 1]] : 0;
      const whole = arrived === weight.events.length;
      const shrunk = whole && size !== null && row.most > 1.005 * size; // parts that point apart take from one another
      row.sum.textContent = arrived ? `${number(size)}${shrunk ? `, was ${number(row.most)}` : ""}` : "—";
      row.meter.style.width = `${arrived ? (100 * (size ?? row.most)) / row.most : 0}%`;
      row.shown = arrived;
    }
  }
}
