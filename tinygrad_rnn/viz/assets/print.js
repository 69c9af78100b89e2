// ---- print.js: on paper there is no window to move, so a graph is cut into rows of steps, one below the other ----

const PAPER = { wide: 700, zoom: 0.68 }; // pixels that A4 has between its margins, and how large the boxes are there
const CHARTS = 700; // as wide are charts: what is wider would make the browser shrink everything

/** Add what is printed in place of the graphs, and take it away afterwards. */
function listenToPrinting() {
  let theme;
  let tick;
  const open = () => {
    if (document.documentElement.classList.contains("printing")) return;
    theme = document.documentElement.dataset.theme;
    tick = player.tick;
    player.go(clock.ticks); // paper cannot be played
    setTheme(data.theme === "print" ? "print" : "light");
    document.body.style.width = `${CHARTS}px`;
    document.documentElement.classList.add("printing");
    drawCharts();
    document.querySelectorAll(".why").forEach((why) => why.setAttribute("open", ""));
    for (const { graph, section } of parts) section.append(html("div", { class: "printed" }, ...rowsOf(graph)));
  };
  const close = () => {
    if (!document.documentElement.classList.contains("printing")) return;
    player.go(tick);
    setTheme(theme);
    document.body.style.width = "";
    document.documentElement.classList.remove("printing");
    drawCharts();
    document.querySelectorAll(".why").forEach((why) => why.removeAttribute("open"));
    document.querySelectorAll(".printed").forEach((rows) => rows.remove());
  };
  addEventListener("beforeprint", open);
  addEventListener("afterprint", close);
  // Not every program that prints a page sends these events; all of them change the medium.
  matchMedia("print").addEventListener("change", (medium) => (medium.matches ? open() : close()));
}

/** Copies of a graph, each with the steps that fit on the paper: both ends of time, and where a flag stands. */
function rowsOf(graph) {
  const { panel } = graph;
  graph.tiles.show(-Infinity, Infinity);
  const room = PAPER.wide / PAPER.zoom;
  const columns = graph.columnsOfTime().sort((a, b) => a.from - b.from);
  const rows = [];
  let to = panel.width;
  while (to > 0) { // from the loss back, which matters most
    const inside = columns.filter((each) => each.from < to && each.from >= to - room);
    // Cut between two steps where one does not fit, unless the rest does.
    const from = to <= room ? 0 : (inside[0]?.from ?? to - room);
    rows.unshift([from, to]);
    to = from;
  }
  const first = rows.findIndex(([, right]) => columns.some((each) => each.to <= right + 1)); // weights may stand before it
  const told = rows.map(([left, right], i) => {
    const end = i <= first || i === rows.length - 1;
    return end || panel.flags.some(({ x }) => x > left && x <= right);
  });
  const layer = graph.layer.cloneNode(true);
  layer.removeAttribute("transform");
  layer.id = `printed-${panel.number}`;
  layer.querySelectorAll("[tabindex]").forEach((box) => box.removeAttribute("tabindex"));
  layer.querySelectorAll(".flag text").forEach((text, i) => {
    const flag = panel.flags[i];
    const [left, right] = rows.find((row) => flag.x <= row[1]) ?? rows.at(-1);
    const long = flag.text.length * 7.2 * Math.max(1 / graph.view.zoom, 1);
    text.setAttribute("x", Math.max(left + 4, Math.min(flag.x - long / 2, right - 4 - long)).toFixed(1)); // in one row
  });
  return rows.map(([left, right], i) => {
    if (!told[i]) return told[i - 1] ? leftOut(columns, left, rows[told.indexOf(true, i)][0]) : "";
    return svg(
      "svg",
      {
        class: "graph",
        viewBox: `${left} 0 ${right - left} ${panel.height}`,
        style: `width:${((right - left) * PAPER.zoom).toFixed(0)}px;height:${(panel.height * PAPER.zoom).toFixed(0)}px`,
      },
      i ? svg("use", { href: `#${layer.id}` }) : layer,
    );
  });
}

/** A line in place of the steps between two places. */
function leftOut(columns, left, right) {
  const steps = columns.filter(({ from, to }) => from >= left && to <= right).flatMap((each) => each.steps);
  const ends = [Math.min(...steps), Math.max(...steps)];
  return html("p", { class: "left-out", text: `… t = ${ends[0]} to ${ends[1]} are on the screen, and not on paper …` });
}
