// ---- course.js: the course of the two passes through one panel, without any drawing ----

/** Number the events of a panel, and tell each box which are its own and which messages it waits for. */
function prepare(panel) {
  const { boxes, arrows } = panel;
  const turns = (list, forward) => list.map(([box, tick]) => ({ box: boxes[box], tick, forward }));
  panel.events = [...turns(panel.forward, true), ...turns(panel.backward, false)];
  boxes.forEach((box, i) => Object.assign(box, { index: i, inputs: [], readers: [], messages: [] }));
  panel.events.forEach((event, i) => {
    event.box[event.forward ? "valueEvent" : "gradientEvent"] = i;
  });
  measureValues(boxes);
  const labels = panel.strip?.labels;
  if (labels)
    for (const frame of panel.frames) {
      const place = frame.inner ? -1 : panel.strip.steps.indexOf(frame.step);
      if (place >= 0) frame.label += `  reads ${labels[place]}`;
    }
  const originals = new Map();
  for (const box of boxes) if (box.node !== undefined && box.step === undefined) originals.set(box.node, box);
  arrows.forEach((arrow, i) => {
    const [tail, head] = [boxes[arrow.tail], boxes[arrow.head]];
    Object.assign(arrow, { index: i, tail, head });
    tail.readers.push(arrow);
    head.inputs.push(arrow);
    // A copy stands for a value outside time: its messages are summed there.
    arrow.parent = (tail.kind === "copy" && originals.get(tail.node)) || tail;
    if (arrow.look !== "not required") arrow.parent.messages.push(arrow);
  });
  for (const weight of panel.weights) {
    weight.events = weight.events.map((event) => event + panel.forward.length);
    weight.turns = backwardOrder(weight);
    const total = originals.get(weight.node);
    if (total && total.kind === "total") total.weight = weight;
  }
}

/**
 * Tell boxes of what is computed where their values lie: "level" has the ends of a bar, from 0 to 1 across the box. Of
 * what is between 0 and 1, such as a gate, it is filled up to the mean; of all else it covers the middle 80%, and the
 * same value of other steps has the same scale, with 0 in the middle.
 */
function measureValues(boxes) {
  const rows = new Map();
  for (const box of boxes) {
    if (!box.values || box.values.includes(null) || !["gate", "state", "op"].includes(box.kind)) continue;
    const row = `${box.caption} ${box.y}`;
    rows.set(row, [...(rows.get(row) ?? []), box]);
  }
  for (const row of rows.values()) {
    const open = row.every(({ kind, values }) => kind === "gate" && values[4] >= 0 && values[5] <= 1);
    const most = Math.max(...row.flatMap(({ values }) => [Math.abs(values[2]), Math.abs(values[3])])) || 1;
    const across = (value) => 0.5 + value / most / 2;
    for (const box of row) {
      const [mean, , low, high] = box.values;
      box.open = open;
      box.level = open ? [0, mean] : [across(low), across(high)];
    }
  }
}

/** The places of a weight's steps in the order in which their parts arrive. */
function backwardOrder(weight) {
  const falling = weight.events[0] >= weight.events.at(-1);
  const places = weight.events.map((_, i) => i);
  return places.sort((a, b) => weight.events[a] - weight.events[b] || (falling ? b - a : a - b));
}

/** How many events of a panel have happened at a tick of the clock. */
function eventsAt(panel, tick) {
  let [low, high] = [0, panel.events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (panel.events[middle].tick <= tick) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many steps have added to a weight's gradient after so many events. */
function stepsArrived(weight, done) {
  return weight.events.filter((event) => event < done).length;
}

/** How far a box has come: "waiting", "valued", "gathering" its messages until its turn, or "done". */
function stageOf(box, done) {
  if (!(box.valueEvent < done)) return { stage: "waiting" };
  if (box.gradientEvent < done) return { stage: "done" };
  if (box.gradientEvent === undefined) return { stage: "valued" };
  const expected = box.weight ? box.weight.events.length : box.messages.length;
  const arrived = box.weight
    ? stepsArrived(box.weight, done)
    : box.messages.filter((arrow) => sent(arrow, done)).length;
  return arrived ? { stage: "gathering", arrived, expected } : { stage: "valued" };
}

/** Whether the message along an arrow has been sent. */
function sent(arrow, done) {
  return arrow.head.gradientEvent < done && arrow.look !== "not required";
}

/** The boxes and arrows on the ways from a box to the loss. */
function pathsToLoss(panel, start) {
  const forward = reached(startsOf(panel, start), (box) => box.readers.map((arrow) => arrow.head));
  const losses = panel.boxes.filter((box) => box.kind === "loss" || (box.readers.length === 0 && box.inputs.length));
  const backward = reached(losses, (box) => box.inputs.map((arrow) => arrow.tail));
  const boxes = new Set([start, ...[...forward].filter((box) => backward.has(box))]);
  const arrows = panel.arrows.filter((arrow) => boxes.has(arrow.tail) && boxes.has(arrow.head));
  return { boxes, arrows: new Set(arrows) };
}

/** A value that stands outside time is read where its copies are; a weight by what has it, though no arrow shows it. */
function startsOf(panel, box) {
  const readers = panel.readers[box.node];
  if (readers && box.readers.length === 0)
    return readers.map((i) => panel.boxes[i]).filter(({ step }) => box.step === undefined || step === box.step);
  if (box.step !== undefined || box.node === undefined) return [box];
  return panel.boxes.filter((other) => other.node === box.node);
}

function reached(starts, next) {
  const found = new Set(starts);
  for (const box of found) next(box).forEach((other) => found.add(other)); // a Set hands out what is added meanwhile
  return found;
}
