// ---- pointing.js: what the mouse or the focus is on, in graphs and charts alike ----

/** Lags of the cell's states from steps: as far before the last step, in every panel. */
function lagsOf(panel, steps) {
  const known = panel.states[0]?.steps;
  if (!known) return null;
  const lags = steps.map((step) => known.indexOf(step));
  return lags.includes(-1) ? null : lags;
}

/** A place without a size beside the mouse. */
function beside(event) {
  return { getBoundingClientRect: () => new DOMRect(event.clientX + 12, event.clientY, 0, 0) };
}

/** Below a step of a strip, and below all strips, so that none is covered. */
function below(strip, place) {
  const { left, width } = strip.drawn[place].getBoundingClientRect();
  const { top, height } = byId("strips").getBoundingClientRect();
  return { getBoundingClientRect: () => new DOMRect(left, top, width, height) };
}

/** What graphs, weights and charts tell of what the mouse or the focus is on. */
const page = {
  /** On a box or an arrow. */
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
      part.strip?.mark(sorted);
      part.gates?.mark(sorted);
    }
    curves.mark(lags);
  },
  /** On a step of a strip. */
  onStrip(strip, place) {
    const { panel, steps, labels } = strip;
    const label = labels ? `, “${labels[place]}”` : "";
    card.show(`${panel.name && `${panel.name}, `}t=${steps[place]}${label}`, stepFacts(strip, place), below(strip, place));
    page.hot(panel, [steps[place], steps[place]]);
  },
  /** A window of a strip was chosen: all graphs show what lies as far before the last step. */
  brush(strip, [from, to]) {
    const back = strip.steps.length - 1;
    for (const part of parts) {
      if (!part.strip) continue;
      const { steps } = part.strip;
      const ends = [from, to].map((place) => steps[Math.max(steps.length - 1 - back + place, 0)]);
      part.graph.showSteps([Math.min(...ends), Math.max(...ends)]);
    }
  },
  /** A graph shows these steps, or none. */
  seen(panel, steps) {
    const strip = parts.find((part) => part.panel === panel)?.strip;
    if (!strip?.root) return;
    const places = steps && steps.map((step) => strip.steps.indexOf(step));
    strip.frame(places && !places.includes(-1) ? [Math.min(...places), Math.max(...places)] : null);
  },
  /** On the curves. */
  lag(lag, event) {
    const facts = curves.series.map(({ panel, state }) => {
      const share = state.shares[lag];
      const step = state.steps[lag];
      return [
        `${panel.name} ∂L/∂${state.kind}`,
        step === undefined ? "no such step" : `${number(share)} of the last, t=${step}`,
      ];
    });
    const { top, height } = curves.axes.svg.getBoundingClientRect(); // below the curves, which it is to be read beside
    const place = { getBoundingClientRect: () => new DOMRect(event.clientX + 12, top, 0, height) };
    card.show(`${count(lag, "step")} before the last`, facts, place);
    const owner = curves.series.find(({ state }) => state.steps[lag] !== undefined);
    if (owner) page.hot(owner.panel, [owner.state.steps[lag], owner.state.steps[lag]]);
  },
  /** Go to where the backward pass reaches a lag. */
  goToLag(lag) {
    const owner = curves.series.find(({ state }) => state.steps[lag] !== undefined);
    if (!owner) return;
    const step = owner.state.steps[lag];
    player.goToStep(step, owner.panel.boxes.find(({ fold }) => fold && step >= fold[0] && step <= fold[1])?.fold);
  },
  /** On the gates. */
  step(panel, step, event) {
    const facts = panel.gates.map((gate) => {
      const i = gate.steps.indexOf(step);
      return [
        gate.label,
        i < 0 ? "no value" : `${number(gate.mean[i])} (${number(gate.low[i])} … ${number(gate.high[i])})`,
      ];
    });
    card.show(`${panel.name && `${panel.name}, `}t=${step}`, facts, beside(event));
    page.hot(panel, [step, step]);
  },
  /** On the bar of a step's part of a weight's gradient. */
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
