// ---- main.js: the page ----

const data = JSON.parse(byId("data").textContent);
const { panels, scale, clock } = data;
const timed = panels.some((panel) => panel.timed);
const SPEEDS = [
  ["box", 1],
  ["box", 4],
  ["box", 15],
  ["box", 60],
  ["step", 1],
  ["step", 3],
  ["step", 10],
];

/** The colours of the scale as classes; on a dark page the scale is turned round, so that faint stays faint. */
function addColours() {
  const { colours } = scale;
  const rules = colours.map(([fill, ink], i) => {
    const [darkFill, darkInk] = colours[colours.length - 1 - i];
    return `.s${i}{--c:${fill};--i:${ink}}[data-theme=dark] .s${i}{--c:${darkFill};--i:${darkInk}}`;
  });
  document.head.append(html("style", { text: `:root{--nonfinite:${scale.nonfinite}}${rules.join("")}` }));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function listenToTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  );
}

// ---- the legend ----

function makeLegend() {
  const { decades, colours } = scale;
  const every = Math.max(1, Math.round(decades / 6));
  const swatches = Array.from({ length: decades + 1 }, (_, i) => {
    const shade = Math.round((i / decades) * (colours.length - 1));
    const text = i === decades ? `≤ 1e-${i}` : i % every ? "" : i ? `1e-${i}` : "≥ 1";
    return html("span", { class: `swatch s${shade}` }, html("i"), html("b", { text }));
  });
  const names = new Set(panels.map((panel) => panel.reference.name));
  const [only] = names;
  const relative =
    names.size > 1 ? ", relative to the last state, or the loss" : only === "L" ? "" : `, relative to ‖∂L/∂${only}‖`;
  const looks = [
    ["exploded s0", `over ${scale.exploded}×`],
    ["zero", "exactly 0"],
    ["nonfinite", "NaN or Inf"],
    ["valued", "not computed (yet)"],
    ["not-required", "not required"],
    ["gathering", "n of m messages came"],
    ["valued now", "has its turn"],
  ];
  byId("legend").append(
    html(
      "span",
      { class: "scale" },
      html("span", { class: "scale-name", text: `size of the gradient${relative}` }),
      html("span", { class: "swatches" }, ...swatches),
    ),
    ...looks.map(([name, text]) => html("span", { class: "look" }, legendBox(name), text)),
  );
}

function legendBox(name) {
  return svg(
    "svg",
    { width: 26, height: 18, "aria-hidden": "true" },
    svg(
      "g",
      { class: `box ${name}`, "data-now": name.endsWith("now") ? "" : null },
      ...(name.startsWith("exploded")
        ? [svg("rect", { class: "ring", x: 1, y: 1, width: 24, height: 16, rx: 5 })]
        : []),
      svg("rect", { class: "body", x: 4, y: 4, width: 18, height: 10, rx: 3 }),
      ...(name === "gathering" ? [svg("rect", { class: "meter", x: 5, y: 10, width: 9, height: 3 })] : []),
    ),
  );
}

// ---- the panels ----

function makePanel(panel, i) {
  prepare(panel);
  panel.number = i;
  const graph = new Graph(panel, page);
  const weights = panel.weights.length ? new Weights(panel, page) : null;
  const now = html("p", { class: "now-text" });
  const button = (text, title, action) => {
    const made = html("button", {
      type: "button",
      title,
      "aria-label": `${title}${panel.name && `, ${panel.name}`}`,
      text,
    });
    made.addEventListener("click", () => action(made));
    return made;
  };
  graph.followButton = button("Follow", "move the graph along with the passes", () => graph.setFollow(!graph.follow));
  graph.setFollow(true);
  const tools = [
    graph.followButton,
    button("−", "zoom out", () => graph.view.zoomBy(0.8)),
    button("+", "zoom in", () => graph.view.zoomBy(1.25)),
    button("Fit", "show the whole graph", () => graph.view.fit()),
  ];
  const heading = html("h2", { text: panel.name || "The graph" });
  const notes = panel.findings.map((text) => html("p", { class: "finding", text }));
  if (!panel.measured) {
    notes.push(
      html("p", {
        class: "finding",
        text: "Values were not measured: gradient_flow(losses, statistics=True) shows them.",
      }),
    );
  }
  const section = html(
    "section",
    { class: "panel", "data-panel": panel.name },
    html("div", { class: "head" }, heading, html("div", { class: "tools" }, ...tools)),
    ...notes,
    graph.root,
    now,
  );
  now.hidden = panels.length === 1; // the line above says it
  if (weights) section.append(weights.element);
  byId("panels").append(section);
  return { panel, graph, weights, now, section };
}

/** Give all graphs one height, and open them. */
function openViews() {
  const wanted = parts.map(({ panel, graph }) => {
    const zoom = Math.min(graph.root.clientWidth / panel.width, 1.25);
    return zoom < TINY ? 420 : panel.height * zoom + 12 + LETTERS;
  });
  const high = Math.min(Math.max(...wanted, 150), Math.max(innerHeight * 0.8, 420));
  for (const { graph } of parts) graph.root.style.height = `${Math.round(high)}px`;
  for (const { graph } of parts) graph.view.measure();
  for (const { graph } of parts) if (!graph.view.moved) graph.view.open();
}

// ---- what is pointed at ----

/** Lags of the cell's states from steps: as far before the last step, in every panel. */
function lagsOf(panel, steps) {
  const known = panel.states[0]?.steps;
  if (!known) return null;
  const lags = steps.map((step) => known.indexOf(step));
  return lags.includes(-1) ? null : lags;
}

const page = {
  over(panel, thing, element) {
    const done = eventsAt(panel, player.tick);
    const isBox = thing.kind !== undefined;
    card.show(
      isBox ? placed(thing) : "Message",
      isBox ? boxFacts(panel, thing, done) : arrowFacts(panel, thing, done),
      element,
    );
    const steps = isBox ? (thing.fold ?? (thing.step === undefined ? null : [thing.step, thing.step])) : null;
    page.hot(panel, steps);
  },
  out() {
    card.hide();
    page.hot(null, null);
  },
  /** Highlight steps of a panel, and what lies as far before the last step in the others. */
  hot(panel, steps) {
    const lags = steps && lagsOf(panel, steps);
    for (const part of parts) {
      const own = part.panel === panel;
      const there = lags && lags.map((lag) => part.panel.states[0]?.steps[lag]);
      const range = own ? steps : there?.includes(undefined) ? null : there;
      const sorted = range && [Math.min(...range), Math.max(...range)];
      part.graph.hot(sorted);
      part.gates?.mark(sorted);
    }
    curves.mark(lags);
  },
  lag(lag, event) {
    const facts = curves.series.map(({ panel, state }) => {
      const share = state.shares[lag];
      const step = state.steps[lag];
      return [
        `${panel.name} ∂L/∂${state.kind}`,
        step === undefined ? "no such step" : `${number(share)} of the last, t=${step}`,
      ];
    });
    card.show(`${count(lag, "step")} before the last`, facts, {
      getBoundingClientRect: () => new DOMRect(event.clientX + 12, event.clientY, 0, 0),
    });
    const owner = curves.series.find(({ state }) => state.steps[lag] !== undefined);
    if (owner) page.hot(owner.panel, [owner.state.steps[lag], owner.state.steps[lag]]);
  },
  goToLag(lag) {
    const owner = curves.series.find(({ state }) => state.steps[lag] !== undefined);
    if (owner) player.goToStep(owner.state.steps[lag]);
  },
  step(panel, step, event) {
    const facts = panel.gates.map((gate) => {
      const i = gate.steps.indexOf(step);
      return [
        gate.label,
        i < 0 ? "no value" : `${number(gate.mean[i])} (${number(gate.low[i])} … ${number(gate.high[i])})`,
      ];
    });
    card.show(`${panel.name && `${panel.name}, `}t=${step}`, facts, {
      getBoundingClientRect: () => new DOMRect(event.clientX + 12, event.clientY, 0, 0),
    });
    page.hot(panel, [step, step]);
  },
  part(panel, weight, place, element) {
    const step = panel.steps[place];
    const facts = [
      ["this step adds", `‖·‖ = ${number(weight.per_step[place])}`],
      ["sum until then", number(weight.running[place])],
      ["sum of all steps", number(weight.total)],
    ];
    const arrived = weight.events[place] < eventsAt(panel, player.tick);
    card.show(`${weight.name}, t=${step}`, arrived ? facts : [["", "not arrived yet"]], element);
    page.hot(panel, [step, step]);
  },
  say(text) {
    byId("live").textContent = text;
  },
};

// ---- moving through the passes ----

function move(tick, how) {
  const stretch = player.stretch();
  for (const part of parts) {
    const { panel, graph, weights, now, gates } = part;
    const done = eventsAt(panel, tick);
    const event = panel.events[done - 1];
    graph.show(done, tick === clock.ticks || !event ? null : event.box);
    if (weights) weights.show(done);
    now.textContent = whatHappened(panel, tick, event, stretch, how);
    gates?.markNow(stretch && !stretch.forward ? stretch.step : null);
  }
  const lags =
    stretch &&
    !stretch.forward &&
    stretch.step !== null &&
    panels.map((panel) => lagsOf(panel, [stretch.step])).find(Boolean);
  curves.markNow(lags ? lags[0] : null);
  byId("slider").value = tick;
  const text = liveText(tick, stretch);
  byId("slider").setAttribute("aria-valuetext", text);
  page.say(text);
  // Not "disabled": a disabled button loses the focus.
  for (const id of ["start", "step-back", "box-back"]) byId(id).setAttribute("aria-disabled", tick === 0);
  for (const id of ["end", "step-forward", "box-forward"])
    byId(id).setAttribute("aria-disabled", tick === clock.ticks);
}

function whatHappened(panel, tick, event, stretch, how) {
  if (tick === 0 || !event) return "Nothing is computed yet.";
  if (tick === clock.ticks) return "All gradients are complete.";
  if (how === "step" && stretch && !stretch.forward && stretch.step !== null && panel.states.length)
    return stepText(panel, stretch.step);
  return eventText(panel, event);
}

function liveText(tick, stretch) {
  if (tick === 0) return "The start: nothing is computed yet. Press Play, or → for one box.";
  if (tick === clock.ticks)
    return "The end: all gradients are complete. Press Play to watch the passes from the start, or ← to go back box by box.";
  const pass =
    tick === clock.turn
      ? "The turning point: all values are computed, no gradient yet"
      : stretch.forward
        ? "Forward pass"
        : "Backward pass";
  const said = parts.map(({ panel, now }) =>
    panel.name && parts.length > 1 ? `${panel.name}: ${now.textContent}` : now.textContent,
  );
  return `${pass}. ${said.join(" | ")}`;
}

function makeControls() {
  const actions = {
    start: () => player.go(0),
    "step-back": () => player.step(-1),
    "box-back": () => player.box(-1),
    "box-forward": () => player.box(1),
    "step-forward": () => player.step(1),
    turn: () => player.go(clock.turn),
    end: () => player.go(clock.ticks),
    play: () => player.play(),
  };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener("click", () => {
      if (id !== "play") player.play(false);
      action();
    });
  }
  const slider = byId("slider");
  slider.max = clock.ticks;
  slider.addEventListener("input", () => {
    player.play(false);
    player.go(Number(slider.value));
  });
  byId("passes").style.setProperty("--turn", clock.ticks ? clock.turn / clock.ticks : 0.5);
  const speeds = SPEEDS.filter(([unit]) => timed || unit === "box");
  byId("speed").append(
    ...speeds.map(([unit, rate]) =>
      html("option", {
        value: `${unit} ${rate}`,
        text: `${rate} ${unit === "box" && rate > 1 ? "boxes" : unit}${unit === "step" && rate > 1 ? "s" : ""}/s`,
      }),
    ),
  );
  byId("speed").addEventListener("change", setSpeed);
  byId("speed").value = timed && clock.ticks > 150 ? "step 3" : "box 4";
  for (const id of ["step-back", "step-forward"]) byId(id).hidden = !timed;
  byId("stack").hidden = panels.length === 1;
  byId("stack").addEventListener("click", () => {
    byId("stack").setAttribute("aria-pressed", byId("panels").classList.toggle("stacked"));
    openViews();
  });
  let wide = document.documentElement.clientWidth;
  addEventListener("resize", () => {
    if (wide === document.documentElement.clientWidth) return;
    wide = document.documentElement.clientWidth;
    openViews();
    curves.draw();
    parts.forEach(({ gates }) => gates?.draw());
    player.go(player.tick);
  });
  document.addEventListener("keydown", onKey);
  return actions;
}

function setSpeed() {
  const [unit, rate] = byId("speed").value.split(" ");
  Object.assign(player, { unit, rate: Number(rate) });
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || ownsKey(event.target, event.key)) return;
  if (event.key === "Escape") {
    card.hide();
    parts.forEach(({ graph }) => graph.light(null));
    return;
  }
  const keys = {
    " ": "play",
    Home: "start",
    End: "end",
    t: "turn",
    T: "turn",
    PageUp: "step-back",
    PageDown: "step-forward",
    ArrowLeft: event.shiftKey ? "step-back" : "box-back",
    ArrowRight: event.shiftKey ? "step-forward" : "box-forward",
  };
  const id = keys[event.key];
  if (!id) return;
  event.preventDefault();
  if (!byId(id).hidden) byId(id).click();
}

// ---- the start ----

addColours();
listenToTheme();
makeLegend();
const card = new Card(byId("card"));
const player = new Player(clock, move, (playing) => {
  byId("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
  document.documentElement.classList.toggle("playing", playing);
  byId("live").setAttribute("aria-live", playing ? "off" : "polite"); // nobody can listen that fast
});
const parts = panels.map(makePanel);
const curves = new Curves(byId("curves"), panels, page);
byId("curve-section").hidden = curves.empty;
const gated = parts.filter(({ panel }) => panel.gates.length);
byId("gate-section").hidden = gated.length === 0;
byId("gates").append(
  ...gated.map((part) => {
    part.gateHost = html("div", { class: "gates" });
    return part.gateHost;
  }),
);
for (const part of gated) part.gates = new Gates(part.gateHost, part.panel, page);
makeControls();
setSpeed();
openViews();
player.go(clock.ticks);
