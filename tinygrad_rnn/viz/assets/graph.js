// ---- graph.js: one graph, drawn once; each event touches only what it changes ----

const GUTTER = 62; // pixels at the left of a graph for the names of its rows
const NARROW = /[ .,:;'|!iljtfr()[\]-]/g; // letters about half as wide as others, which are about 0.56 of their size

class Graph {
  /** `page` is told what the mouse or the focus is on, over(panel, thing, element), out(), hot(panel, steps), and what
   * steps are in sight: seen(panel, steps). */
  constructor(panel, page) {
    const done = panel.events.length; // it is drawn complete: the page opens at the end
    Object.assign(this, { panel, page, done, lit: null, follow: true, hotFrames: [], skip: 1 });
    this.layer = svg("g");
    this.root = svg("svg", { class: "graph", role: "group", "aria-label": this.title() }, this.layer);
    this.tiles = new Tiles(this.layer, ["frames", "arrows", "boxes", "flags"]);
    this.rows = this.drawRows();
    const mouse = "overview: too small to read; choose fewer steps on the strip, or zoom in";
    const advice = matchMedia("(pointer: coarse)").matches ? "overview: tap where you want to read" : mouse;
    this.root.append(svg("text", { class: "overview", x: GUTTER + 8, y: "100%", dy: -6, text: advice }));
    this.view = new View(this.root, this.layer, panel.width, panel.height, this.rows.length ? GUTTER : 0, {
      onZoom: (zoom) => this.onZoom(zoom),
      onMove: () => this.drawWhatIsSeen(),
    });
    this.frames = panel.frames.map((frame) => this.drawFrame(frame));
    this.arrows = panel.arrows.map((arrow) => this.drawArrow(arrow));
    this.boxes = panel.boxes.map((box) => this.drawBox(box));
    this.flags = panel.flags.map((flag) => this.drawFlag(flag));
    this.totals = panel.boxes.filter((box) => box.weight);
    this.columns = columnsOf(panel.boxes);
    this.setActive(this.columns[0][0]);
    this.listen();
  }

  title() {
    const { name, boxes } = this.panel;
    return (
      `Graph${name && ` of ${name}`}, ${count(boxes.length, "box").replace("boxs", "boxes")}. Up and down arrows ` +
      "go from box to box, Enter lights up the paths to the loss."
    );
  }

  // ---- drawing it, once ----

  drawFrame(frame) {
    const { x, y, w, h } = frame;
    const label = svg("text", { class: "frame-label", x, y, text: frame.label });
    const rectangle = svg("rect", { x, y, width: w, height: h, rx: 4 });
    const group = svg("g", { class: frame.inner ? "frame inner" : "frame" }, rectangle, label);
    this.tiles.add("frames", group, x, x + w);
    return { frame, group, label };
  }

  /** What stands in the same row of every step, and keeps its name in sight wherever the graph is moved. */
  drawRows() {
    const rows = new Map();
    for (const box of this.panel.boxes) if (box.step !== undefined && box.kind !== "fold") rows.set(box.y, rowName(box));
    if (!rows.size) return [];
    const sorted = [...rows].sort((a, b) => a[0] - b[0]);
    const drawn = sorted.map(([y, text]) => ({ y, text: svg("text", { x: GUTTER - 6, text }) }));
    this.gutter = svg("rect", { width: GUTTER, height: "100%" });
    this.root.append(svg("g", { class: "rows", "aria-hidden": "true" }, this.gutter, ...drawn.map(({ text }) => text)));
    return drawn;
  }

  placeRows() {
    let before = -Infinity;
    for (const { y, text } of this.rows) {
      const at = y * this.view.zoom + this.view.y + 4;
      text.style.display = at - before < 10 ? "none" : "";
      if (at - before >= 10) before = at;
      text.setAttribute("y", at.toFixed(1));
    }
  }

  drawArrow(arrow) {
    const d = pathOf(arrow.points);
    const dashes = arrow.dashes ? `;stroke-dasharray:${arrow.dashes}` : ""; // against all that arrives
    const line = svg("path", { d, style: `--w:${arrow.width}${dashes}` });
    const target = svg("path", { d, class: "target", "data-arrow": arrow.index });
    const xs = arrow.points.filter((_, i) => i % 2 === 0);
    for (const path of [line, target]) this.tiles.add("arrows", path, Math.min(...xs), Math.max(...xs));
    paint(line, arrowClass(arrow, this.done));
    return line;
  }

  drawBox(box) {
    const { x, y, w, h } = box;
    const [left, top] = [x - w / 2, y - h / 2];
    const group = svg("g", { "data-box": box.index, role: "button", tabindex: -1 });
    if (box.look === "exploded") {
      group.append(svg("rect", { class: "ring", x: left - 3.5, y: top - 3.5, width: w + 7, height: h + 7, rx: 6 }));
    }
    const square = box.kind === "parameter" || box.kind === "total";
    group.append(svg("rect", { class: "body", x: left, y: top, width: w, height: h, rx: square ? 1 : 5 }));
    if (box.level) {
      const [from, to] = box.level;
      const bar = { x: left + 1 + from * (w - 2), width: Math.max((to - from) * (w - 2), 1) };
      group.append(svg("rect", { class: "level", ...bar, y: top + 1, height: h - 2 }));
      if (box.open) group.append(svg("rect", { class: "level low", ...bar, y: top + h - 4, height: 3 }));
    }
    if (box.messages.length > 1 || box.weight) {
      group.append(svg("rect", { class: "meter", x: left + 2, y: top + h - 5, width: 0, height: 3 }));
    }
    const size = box.kind === "state" ? 13.75 : 11;
    const rows = Math.max(box.room, 1);
    const texts = Array.from({ length: rows }, (_, i) => {
      const at = y + size * 0.35 + (i - (rows - 1) / 2) * size * 1.18;
      return svg("text", { x, y: at.toFixed(1), "font-size": size });
    });
    group.append(...texts);
    const tile = this.tiles.add("boxes", group, left, left + w);
    const drawn = { group, tile, texts, size, meter: group.querySelector(".meter") };
    this.render(box, this.done, drawn);
    return drawn;
  }

  drawFlag(flag) {
    const pole = svg("line", { x1: flag.x, x2: flag.x, y1: flag.y + 8, y2: flag.foot });
    const text = svg("text", { x: flag.x, y: flag.y + 4, text: flag.text });
    const group = svg("g", { class: "flag" }, pole, text);
    this.tiles.add("flags", group, 0, this.panel.width); // its letters reach far
    return { flag, group, text };
  }

  drawWhatIsSeen() {
    const { view, active } = this;
    this.placeRows();
    this.page.seen(this.panel, this.inSight());
    const kept = active && this.boxes[active.index].tile; // what is not drawn cannot have the focus
    this.tiles.show(-view.x / view.zoom, (view.size[0] - view.x) / view.zoom, kept);
    this.flags?.forEach((drawn) => this.placeFlag(drawn));
  }

  /** The first and the last of the steps that are in sight; null if none are. */
  inSight() {
    const { view } = this;
    const middle = (thing) => (thing.x + (thing.fold ? 0 : thing.w / 2)) * view.zoom + view.x;
    const seen = this.columnsOfTime().filter(({ thing }) => middle(thing) >= view.left && middle(thing) <= view.size[0]);
    if (!seen.length) return null;
    return [Math.min(...seen.map(({ steps }) => steps[0])), Math.max(...seen.map(({ steps }) => steps[1]))];
  }

  /**
   * The part of the graph that has these boxes, with the names of their frames. "box" and "step" are where the first box
   * begins and the last of a step ends; "gutter" is the room for the names of its rows.
   */
  around(boxes) {
    const [all, steps] = [[...boxes], [...boxes].filter(({ step }) => step !== undefined)];
    const least = (these, begin) => Math.min(...these.map(begin));
    const most = (these, end) => Math.max(...these.map(end));
    const box = least(all, ({ x, w }) => x - w / 2) - 4;
    const frames = this.panel.frames.filter(({ x, w }) => x <= box && x + w > box).map(({ x }) => x - 2);
    const [top, bottom] = [least(all, ({ y, h }) => y - h / 2) - 26, most(all, ({ y, h }) => y + h / 2) + 8];
    const names = this.rows.filter(({ y }) => y > top && y < bottom).map(({ text }) => text.textContent.length);
    return {
      box,
      from: Math.min(box, ...frames),
      to: most(all, ({ x, w }) => x + w / 2) + 4,
      step: most(steps, ({ x, w }) => x + w / 2) + 28, // there arrows go round at the right
      top,
      bottom,
      gutter: names.length ? 10 + 6 * Math.max(...names) : 0,
    };
  }

  /** Show nothing but the part that was cut out, and be as high as that is. */
  openCut() {
    const { cut, view, root } = this;
    view.part(cut);
    root.style.height = `${Math.round((cut.bottom - cut.top) * view.zoom) + 8}px`;
    view.measure();
    this.drawWhatIsSeen();
  }

  /** Make room for the names of all rows, or of states and gates alone. */
  setGutter(wide) {
    if (!this.rows.length) return;
    this.view.left = wide;
    this.gutter.setAttribute("width", wide);
    this.rows.forEach(({ text }) => text.setAttribute("x", wide - 6));
  }

  /** The frames and folds, with the first and the last step of each. */
  columnsOfTime() {
    const frames = this.panel.frames.filter((frame) => frame.step !== null && !frame.inner);
    const folds = this.panel.boxes.filter((box) => box.fold);
    return [
      ...frames.map((thing) => ({ thing, steps: [thing.step, thing.step], from: thing.x, to: thing.x + thing.w })),
      ...folds.map((thing) => ({ thing, steps: thing.fold, from: thing.x - thing.w / 2, to: thing.x + thing.w / 2 })),
    ];
  }

  /** Show the steps from one to another, with what lies beside them at the ends of time. */
  showSteps([first, last]) {
    const all = this.columnsOfTime();
    const inside = all.filter(({ steps }) => steps[0] <= last && steps[1] >= first);
    if (!inside.length) return;
    const [from, to] = [Math.min(...inside.map((each) => each.from)), Math.max(...inside.map((each) => each.to))];
    const ends = all.every((each) => each.to <= to) ? this.panel.width : to;
    this.view.between(all.every((each) => each.from >= from) ? 0 : from, ends);
  }

  /** Put the letters of a flag inside the window as long as its pole is. */
  placeFlag({ flag, text }) {
    const { view } = this;
    const [pole, wide] = [flag.x * view.zoom + view.x, view.size[0]];
    const long = flag.text.length * 7.2 * Math.max(view.zoom, 1);
    const left = pole - long / 2;
    const free = view.left + 4;
    const inside = pole < view.left || pole > wide ? left : Math.max(free, Math.min(left, wide - 4 - long));
    text.setAttribute("x", ((inside - view.x) / view.zoom).toFixed(1));
  }

  // ---- what changes with the events ----

  /** Show the graph as it is after so many events. */
  show(done, current) {
    const { events } = this.panel;
    const [from, to] = [Math.min(done, this.done), Math.max(done, this.done)];
    const boxes = new Set();
    const arrows = new Set();
    for (let i = from; i < to; i += 1) {
      const { box, forward } = events[i];
      boxes.add(box);
      if (forward) box.readers.forEach((arrow) => arrows.add(arrow));
      else
        for (const arrow of box.inputs) {
          arrows.add(arrow);
          boxes.add(arrow.parent);
        }
    }
    if (to > this.panel.forward.length) this.totals.forEach((box) => boxes.add(box));
    for (const box of boxes) this.render(box, done, this.boxes[box.index]);
    for (const arrow of arrows) paint(this.arrows[arrow.index], arrowClass(arrow, done));
    for (const { flag, group } of this.flags) {
      group.classList.toggle("raised", flag.event + this.panel.forward.length < done);
    }
    this.done = done;
    this.mark(current);
  }

  /** Ring the box whose turn it is. */
  mark(box) {
    if (this.current) this.boxes[this.current.index].group.removeAttribute("data-now");
    this.current = box;
    if (!box) return;
    this.boxes[box.index].group.setAttribute("data-now", "");
    if (this.follow) this.view.reveal(box);
  }

  render(box, done, drawn) {
    const state = stageOf(box, done);
    const look = state.stage === "done" ? lookClass(box) : state.stage;
    const free = box.look === "not required" && state.stage !== "waiting" ? " not-required" : "";
    paint(drawn.group, `box ${box.kind} ${look}${free}`);
    const gathering = state.expected !== undefined;
    if (drawn.meter)
      drawn.meter.setAttribute("width", gathering ? ((box.w - 4) * state.arrived) / state.expected : 0);
    const lines = linesOf(box, state);
    drawn.texts.forEach((text, i) => write(text, lines[i] ?? "", box.w - 6, drawn.size));
    const left = lines[0] === box.caption ? "" : lines[0];
    const said = [placed(box), ...lines.slice(1), left, gathering ? "arrived" : ""].filter(Boolean).join(", ");
    drawn.group.setAttribute("aria-label", said);
  }

  // ---- what the mouse and the keyboard do ----

  listen() {
    const { root, page, panel, view } = this;
    let drag = null;
    const fingers = new Map();
    root.addEventListener("pointerdown", (event) => {
      if (event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false };
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    root.addEventListener("pointermove", (event) => {
      if (fingers.size === 2 && fingers.has(event.pointerId)) {
        drag = null;
        return this.pinch(fingers, event);
      }
      if (!drag) return this.point(event);
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      if (!drag.moved && Math.hypot(dx, dy) < 4) return undefined;
      if (!drag.moved) root.setPointerCapture(event.pointerId);
      view.moveBy(dx, dy);
      drag = { x: event.clientX, y: event.clientY, moved: true };
      this.setFollow(false);
      return page.out();
    });
    root.addEventListener("pointerup", (event) => {
      const box = this.boxAt(event.target);
      if (drag && !drag.moved) {
        if (event.pointerType === "touch") this.tap(event);
        else this.light(box === this.lit ? null : box);
      }
      drag = null;
      fingers.delete(event.pointerId);
    });
    root.addEventListener("pointercancel", (event) => {
      drag = null;
      fingers.delete(event.pointerId);
    });
    root.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") page.out(); // a finger leaves whenever it is lifted
    });
    root.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls; pinching comes with ctrlKey
        event.preventDefault();
        const place = root.getBoundingClientRect();
        view.zoomBy(Math.exp(-event.deltaY * 0.0015), event.clientX - place.left, event.clientY - place.top);
      },
      { passive: false },
    );
    root.addEventListener("focusin", (event) => {
      const box = this.boxAt(event.target);
      if (!box) return;
      this.setActive(box);
      if (!event.target.matches(":focus-visible")) return;
      view.reveal(box);
      page.over(panel, box, event.target);
    });
    root.addEventListener("focusout", (event) => {
      // From box to box the card is replaced, or a finger on the second would lose it.
      if (!root.contains(event.relatedTarget)) page.out();
    });
    root.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Two fingers zoom as far as they part, about the place between them, and move the graph along. */
  pinch(fingers, event) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = [...fingers.values()];
    const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    const middle = ([a, b], axis) => (a[axis] + b[axis]) / 2;
    const place = this.root.getBoundingClientRect();
    const at = [middle(before, 0) - place.left, middle(before, 1) - place.top];
    this.view.zoomBy(apart(after) / apart(before), ...at);
    this.view.moveBy(middle(after, 0) - middle(before, 0), middle(after, 1) - middle(before, 1));
    this.setFollow(false);
  }

  /** A finger is on something: its card, or where letters are too small, those become readable there. */
  tap(event) {
    if (!this.far) return this.point(event);
    const place = this.root.getBoundingClientRect();
    this.page.out();
    this.setFollow(false);
    return this.view.read(event.clientX - place.left, event.clientY - place.top);
  }

  /** The mouse is over a box, an arrow, a frame, or nothing. */
  point(event) {
    const { page, panel } = this;
    const box = this.boxAt(event.target);
    const arrow = panel.arrows[event.target.dataset.arrow];
    if (box) page.over(panel, box, event.target.closest("[data-box]"));
    else if (arrow) page.over(panel, arrow, beside(event));
    else {
      page.out();
      const place = this.root.getBoundingClientRect();
      const x = (event.clientX - place.left - this.view.x) / this.view.zoom;
      const inside = panel.frames.find((frame) => frame.step !== null && x >= frame.x && x <= frame.x + frame.w);
      if (inside) page.hot(panel, [inside.step, inside.step]);
    }
  }

  boxAt(element) {
    const group = element.closest("[data-box]");
    return group && this.panel.boxes[group.dataset.box];
  }

  onKey(event) {
    const moves = { ArrowUp: -1, ArrowDown: 1 };
    if (event.key in moves) this.focusOn(this.neighbour(moves[event.key], event.shiftKey));
    else if (event.key === "Enter") this.light(this.active === this.lit ? null : this.active);
    else if (event.key === "+" || event.key === "=") this.view.zoomBy(1.25);
    else if (event.key === "-") this.view.zoomBy(0.8);
    else if (event.key === "0") this.view.fit();
    else return;
    event.preventDefault();
  }

  /** The next box below or above, past the end of a column in the next one; or in the next column at this height. */
  neighbour(by, across) {
    const { columns, active } = this;
    const place = columns.findIndex((column) => column.includes(active));
    const column = columns[place];
    const other = columns[place + by];
    if (across) return other ? nearest(other, active) : active;
    return column[column.indexOf(active) + by] ?? (other ? other.at(by > 0 ? 0 : -1) : active);
  }

  /** One box of the graph is in the order of the Tab key. */
  setActive(box) {
    if (this.active) this.boxes[this.active.index].group.setAttribute("tabindex", -1);
    this.active = box;
    this.boxes[box.index].group.setAttribute("tabindex", 0);
    this.drawWhatIsSeen();
  }

  focusOn(box) {
    this.setActive(box);
    this.boxes[box.index].group.focus({ preventScroll: true });
  }

  setFollow(follow) {
    this.follow = follow;
    if (this.followButton) this.followButton.setAttribute("aria-pressed", follow);
  }

  /** Light up the paths of a box to the loss, and say so unless told not to; null puts them out. */
  light(box, tell = true) {
    this.lit = box;
    this.root.classList.toggle("lit", Boolean(box));
    const { boxes, arrows } = box ? pathsToLoss(this.panel, box) : { boxes: new Set(), arrows: new Set() };
    this.boxes.forEach(({ group }, i) => group.toggleAttribute("data-on", boxes.has(this.panel.boxes[i])));
    this.boxes.forEach(({ group }, i) => group.toggleAttribute("data-start", this.panel.boxes[i] === box));
    this.arrows.forEach((line, i) => line.toggleAttribute("data-on", arrows.has(this.panel.arrows[i])));
    if (box && tell) this.page.say(this.litText(box, boxes.size - 1));
  }

  /** Ring the boxes with these names at the last step that is taken. */
  ring(names) {
    const last = this.panel.strip?.steps.at(-1);
    this.boxes.forEach(({ group }, i) => {
      const { caption, step } = this.panel.boxes[i];
      group.toggleAttribute("data-ringed", step === last && names.includes(caption.split(" ").at(-1)));
    });
  }

  litText(box, others) {
    if (others === 0) return `${placed(box)} has no path to the loss in this picture.`;
    const through = `${others} other ${others === 1 ? "box" : "boxes"}`;
    return `${placed(box)}: its paths to the loss lead through ${through}. Escape puts them out.`;
  }

  /** Highlight the frames of steps; null for none. */
  hot(steps) {
    this.hotFrames.forEach((group) => group.classList.remove("hot"));
    this.hotFrames = steps ? this.framesOf(steps) : [];
    this.hotFrames.forEach((group) => group.classList.add("hot"));
  }

  framesOf([first, last]) {
    const frames = this.frames.filter(
      ({ frame }) => frame.step !== null && frame.step >= first && frame.step <= last,
    );
    const folds = this.panel.boxes.filter((box) => box.fold && box.fold[0] <= last && box.fold[1] >= first);
    return [...frames.map(({ group }) => group), ...folds.map((box) => this.boxes[box.index].group)];
  }

  /** Far away, letters in boxes are left out and those of frames and flags stay as large as they are. */
  onZoom(zoom) {
    const far = zoom < READABLE;
    this.root.classList.toggle("far", far);
    // Only where it is used: a change at the root would let the browser look at everything again.
    for (const layer of ["frames", "flags"])
      this.tiles.groups.get(layer).style.setProperty("--pixel", 1 / Math.min(zoom, 1));
    const frames = this.frames.filter(({ frame }) => frame.step !== null && !frame.inner);
    this.frames.forEach(({ frame, label }) => {
      if (frame.step === null && !frame.inner) label.textContent = far ? "" : frame.label;
    });
    const pitch = frames.length > 1 ? (frames[1].frame.x - frames[0].frame.x) * zoom : 100;
    const skip = far ? Math.ceil(28 / Math.max(pitch, 1)) : 1;
    if (skip === this.skip && far === this.far) return;
    Object.assign(this, { skip, far });
    frames.forEach(({ frame, label }, i) => {
      label.textContent = i % skip ? "" : far ? frame.step : frame.label;
    });
  }
}

/** Boxes by the column they stand in, from left to right and from top to bottom. */
function columnsOf(boxes) {
  const columns = new Map();
  for (const box of boxes) columns.set(box.x, [...(columns.get(box.x) ?? []), box]);
  const sorted = [...columns.values()].sort((a, b) => a[0].x - b[0].x);
  return sorted.map((column) => column.sort((a, b) => a.y - b.y));
}

function nearest(column, box) {
  return column.reduce((best, other) => (Math.abs(other.y - box.y) < Math.abs(best.y - box.y) ? other : best));
}

/** What the row of a box is called: a short name beside all of them. */
function rowName(box) {
  const words = box.caption.split(" ");
  const name = box.kind === "op" ? box.caption : words.at(-1).replace(/_l\d+(_reverse)?$/, "");
  return name.length > 9 ? `${name.slice(0, 8)}…` : name;
}

/** The path of an arrow: a Bezier curve, and its head as two strokes. */
function pathOf(points) {
  const n = points.length;
  const [x, y] = [points[n - 2], points[n - 1]];
  const angle = Math.atan2(y - points[n - 3], x - points[n - 4]);
  const wing = (turn) =>
    `${(x - 6 * Math.cos(angle + turn)).toFixed(1)} ${(y - 6 * Math.sin(angle + turn)).toFixed(1)}`;
  return `M${points[0]} ${points[1]}C${points.slice(2).join(" ")}M${wing(0.5)}L${x} ${y}L${wing(-0.5)}`;
}

function arrowClass(arrow, done) {
  if (!(arrow.tail.valueEvent < done)) return "arrow waiting";
  if (arrow.look === "not required") return "arrow not-required";
  return sent(arrow, done) ? `arrow ${lookClass(arrow)}` : "arrow valued";
}

/** The lines in a box: its name, its value, and its gradient when that is complete. */
function linesOf(box, { stage, arrived, expected }) {
  if (box.kind === "fold") return stage === "done" ? box.lines : box.lines.slice(0, 2);
  if (stage === "waiting") return [box.caption];
  const gathered = expected > 1 ? `${arrived} of ${expected} ${box.weight ? "steps" : "messages"}` : "";
  const gradient = { done: sizeText(box), gathering: gathered }[stage];
  if (box.value !== undefined) {
    const signed = stage === "done" && box.gradient !== undefined ? number(box.gradient) : gradient;
    return [box.caption, `value ${number(box.value)}`, signed && (stage === "done" ? `grad ${signed}` : signed)];
  }
  const value = valueText(box);
  if (box.room === 1) return [box.caption]; // its card says the rest
  const said = gradient && (stage === "done" ? `grad ${gradient}` : gradient);
  if (box.room > 2) return [stage === "done" ? captionText(box) : box.caption, value, said];
  const short = isWeight(box) ? "" : value.split(" ±")[0]; // there is room for little
  return [box.caption, said ?? short];
}

/** The name of a state, with how much of the gradient at the last step is left there: what its colour shows. */
function captionText({ kind, caption, share, against }) {
  const told = kind === "state" && share !== undefined && against?.endsWith("_T") && !caption.includes("=");
  return told ? `${caption}: ${leftText(share)} left` : caption;
}

/** Write a line of text, squeezed if it is too long. */
function write(text, line, room, size) {
  if (text.textContent === line) return;
  text.textContent = line;
  const narrow = line.match(NARROW)?.length ?? 0;
  if ((line.length - narrow / 2) * 0.56 * size > room) text.setAttribute("textLength", room);
  else text.removeAttribute("textLength");
}

function paint(element, names) {
  element.setAttribute("class", names);
}

/** The classes of a look: "finite" is all that has a place on the scale. */
function lookClass({ look, shade }) {
  return shade === undefined ? slug(look) : `finite ${slug(look)} s${shade}`;
}

/** The name of a look as a class: "not-computed". */
function slug(look) {
  return look.replace(" ", "-");
}
