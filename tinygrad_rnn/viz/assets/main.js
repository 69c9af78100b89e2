// ---- main.js: the page, from its data ----

const data = JSON.parse(byId("data").textContent);
const { panels, scale, clock } = data;
if (data.language) speak(data.language);
const timed = panels.some((panel) => panel.timed);
// ---- the panels ----

function makePanel(panel, i) {
  prepare(panel);
  panel.number = i;
  const graph = new Graph(panel, page);
  const strip = panel.strip && new Strip(panel, page, most);
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
  if (panel.why) notes.push(whyOf(`${panel.why}\nWhat that means: ${meanings(panel)}.`));
  if (!panel.measured) {
    notes.push(
      html("p", {
        class: "unmeasured",
        text: "Values were not measured: gradient_flow(losses, statistics=True) shows them.",
      }),
    );
  }
  const section = html(
    "section",
    { class: "panel", "data-panel": panel.name },
    html("div", { class: "head" }, heading, ...notes, html("div", { class: "tools" }, ...tools)),
    graph.root,
    now,
  );
  const beside = html("p", { class: "beside", hidden: "" });
  heading.after(beside);
  now.hidden = panels.length === 1; // the line above says it
  if (weights) section.append(weights.element);
  byId("panels").append(section);
  if (strip) byId("strips").append(strip.element);
  return { panel, graph, strip, weights, now, beside, section };
}

/** What the words of its verdict, and of the changes, mean. */
function meanings(panel) {
  const used = ([word]) => word === panel.verdict || panel.why.includes(word.slice(0, 5)); // "it would explode"
  return Object.entries(verdictsText()).filter(used).map(([, text]) => text).join("; ");
}

/** The sentences on why, the first line of which is there at once: all of them would push the graph out of sight. */
function whyOf(text) {
  const [first, ...more] = text.split("\n");
  const rest = more.map((line) => html("p", { text: line }));
  const summary = html("summary", { title: "the whole of it, and what would have to be changed" }, html("span", { text: first }));
  return html("details", { class: "why" }, summary, ...rest);
}

/** Put graphs one above the other unless all can be read side by side. */
function arrange() {
  const fits = ({ panel, graph }) => (graph.root.clientWidth - graph.view.left - 12) / panel.width >= READABLE;
  if (panels.length > 1 && !parts.every(fits)) byId("stack").click();
}

/** Give graphs that stand side by side one height, and open them. */
function openViews() {
  for (const { graph, section } of parts) {
    const { cut } = graph;
    graph.setGutter(cut ? cut.gutter : GUTTER);
    section.style.flexBasis = cut ? `${Math.ceil((cut.to - cut.from) * READABLE) + cut.gutter + 18}px` : "";
  }
  const wanted = parts.map(({ panel, graph }) => {
    const zoom = Math.min((graph.root.clientWidth - graph.view.left) / panel.width, 1.25);
    return panel.height * Math.max(zoom, READABLE) + 12 + (zoom < READABLE ? 0 : LETTERS);
  });
  const { classList } = byId("panels");
  const stacked = classList.contains("stacked") && !classList.contains("compared");
  const beside = wanted.filter((_, i) => parts[i].section.offsetParent); // those that are shown
  parts.forEach(({ graph }, i) => {
    if (graph.cut) return;
    const high = Math.min(stacked ? wanted[i] : Math.max(...beside, 150), Math.max(innerHeight * 0.8, 420));
    graph.root.style.height = `${Math.round(high)}px`;
  });
  for (const { graph } of parts) graph.view.measure();
  for (const { graph } of parts) {
    if (graph.view.moved) continue;
    if (graph.cut) graph.openCut();
    else graph.view.open();
  }
}

// ---- moving through the passes ----

function move(tick, how) {
  const stretch = player.stretch();
  for (const part of parts) {
    const { panel, graph, strip, weights, now, gates } = part;
    const done = eventsAt(panel, tick);
    const event = panel.events[done - 1];
    strip?.show(done);
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
  const pass = passAt(tick);
  if (lags) curves.markNow(lags[0]);
  else curves.markNow(tick === clock.ticks || (pass === "backward" && player.afterTime()) ? Infinity : -1);
  document.documentElement.dataset.pass = pass;
  byId("pass").textContent = PASSES[pass];
  byId("slider").value = tick;
  const text = liveText(tick, stretch, how);
  byId("slider").setAttribute("aria-valuetext", text);
  page.say(text);
  // Not "disabled": a disabled button loses the focus.
  for (const id of ["start", "step-back", "box-back"]) byId(id).setAttribute("aria-disabled", tick === 0);
  for (const id of ["end", "step-forward", "box-forward"])
    byId(id).setAttribute("aria-disabled", tick === clock.ticks);
}

const PASSES = {
  start: "Start",
  forward: "Forward: values",
  turn: "The turn",
  backward: "Backward: gradients",
  end: "End",
};

function passAt(tick) {
  if (tick === 0) return "start";
  if (tick === clock.ticks) return "end";
  return tick === clock.turn ? "turn" : tick < clock.turn ? "forward" : "backward";
}

function whatHappened(panel, tick, event, stretch, how) {
  if (tick === 0 || !event) return "Nothing is computed yet.";
  if (tick === clock.ticks) return "All gradients are complete.";
  if (how === "step" && stretch && !stretch.forward && stretch.step !== null && panel.states.length)
    return stepText(panel, stretch.step);
  return eventText(panel, event);
}

function liveText(tick, stretch, how) {
  if (tick === 0) return "The start: nothing is computed yet. Press Play, or → for one box.";
  if (tick === clock.ticks)
    return "The end: all gradients are complete. Press Play to watch from the start, or ← to go back box by box.";
  const pass =
    tick === clock.turn
      ? "The turning point: all values are computed, no gradient yet"
      : stretch.forward
        ? "Forward pass"
        : "Backward pass";
  if (parts.length === 1) return `${pass}. ${parts[0].now.textContent}`;
  const after = how === "step" && stretch && !stretch.forward && stretch.step !== null;
  const alone = byId("tabs").offsetParent && parts.filter(({ section }) => section.classList.contains("chosen"));
  const said = (alone || parts).map(({ panel, now }) => `${panel.name}: ${(after && restText(panel, stretch.step)) || now.textContent}`);
  return `${pass}. ${said.join(" | ")}`;
}

// ---- the start ----

document.documentElement.classList.toggle("several", panels.length > 1);
addColours();
listenToTheme();
const card = new Card(byId("card"));
const player = new Player(clock, move, (playing) => {
  byId("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
  document.documentElement.classList.toggle("playing", playing);
  byId("live").setAttribute("aria-live", playing ? "off" : "polite"); // nobody can listen that fast
});
const most = Math.max(...panels.map((panel) => panel.strip?.steps.length ?? 0));
const parts = [];
for (const panel of panels) parts.push(makePanel(panel, parts.length));
makeLegend();
byId("verdicts").textContent = Object.values(verdictsText()).join("; ");
const strips = parts.map((part) => part.strip).filter(Boolean);
byId("strip-section").hidden = strips.length === 0;
strips.forEach((strip, i) => {
  strip.lettered = !strips[i + 1]?.readsAs(strip); // once is enough
  strip.draw();
});
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
makeTabs();
listenToPrinting();
setSpeed();
arrange();
openViews();
player.go(clock.ticks);
const tour = new Tour(data.tour);
tour.fromLink();
if (matchMedia("print").matches) dispatchEvent(new Event("beforeprint")); // opened on paper: no event tells
