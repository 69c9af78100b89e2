// ---- strips.js: the gradient at every step of time, one row per panel; a window of it is what the graph shows ----

const CELL = { top: 15, high: 24, foot: 9, letters: 14 }; // at the foot: what the graphs show, and the thin row
const LOSS = 44; // pixels at the right end of a row for the loss

/** The strip of one panel. `page` is told where the mouse, the focus and the brush are. */
class Strip {
  /** `most` is how many steps the longest strip has: the last steps of all stand one above the other. */
  constructor(panel, page, most) {
    Object.assign(this, { panel, page, most, ...panel.strip, cursor: panel.strip.steps.length - 1, anchor: null });
    this.lettered = true; // whether what is read at each step stands below
    this.host = html("div", { class: "strip-host" });
    const [verdict, ...numbers] = this.facts;
    this.element = html(
      "div",
      { class: "strip-row", "data-strip": panel.name },
      html(
        "div",
        { class: "strip-name" },
        html("b", { text: panel.name || "The gradient" }),
        html("span", { text: `${this.place} ‖∂L/∂${this.kind}‖ ` }, html("b", { text: verdict, title: verdictsText()[verdict] })),
      ),
      this.host,
      html("div", { class: "strip-facts" }, ...numbers.map((text) => html("span", { text }))),
    );
  }

  // ---- drawing it ----

  draw() {
    const wide = Math.max(this.host.clientWidth, 200);
    const count = this.steps.length;
    this.pitch = (wide - LOSS) / this.most;
    this.left = wide - LOSS - this.pitch * count;
    const letters = CELL.top + CELL.high + CELL.foot;
    const high = letters + (this.lettered ? CELL.letters : 1);
    this.root = svg("svg", {
      class: "strip",
      width: wide,
      height: high,
      viewBox: `0 0 ${wide} ${high}`,
      role: "slider",
      tabindex: 0,
      "aria-label": `${this.panel.name} gradient at each step. Arrow keys move, with Shift they choose what the graph shows.`,
      "aria-valuemin": 0,
      "aria-valuemax": count - 1,
    });
    this.drawn = this.cells.map((cell, i) =>
      svg("rect", { x: this.x(i), y: CELL.top, width: Math.max(this.pitch - 0.5, 0.5), height: CELL.high, "data-place": i }),
    );
    this.reached = this.reach
      ? this.cells.map((_, i) =>
          svg("rect", { x: this.x(i), y: CELL.top + CELL.high + 1, width: this.pitch, height: 4 }),
        )
      : [];
    this.reachName = svg("text", { class: "reach-name halo", y: CELL.top + CELL.high + 8 });
    this.brush = svg("path", { class: "brush" });
    this.pointer = svg("path", { class: "pointer" });
    this.marks = this.edges.map((edge) => this.drawEdge(edge));
    const end = wide - LOSS;
    const middle = CELL.top + CELL.high / 2;
    this.root.append(
      ...this.drawn,
      ...this.reached,
      ...(this.lettered ? this.letters(letters + 11) : []),
      svg("path", { class: "to-loss", d: `M${end} ${middle}h5` }),
      svg("rect", { class: "strip-loss", x: end + 5, y: middle - 10, width: LOSS - 6, height: 20, rx: 4 }),
      svg("text", { class: "strip-loss-text", x: end + 5 + (LOSS - 6) / 2, y: middle + 4, text: "loss" }),
      this.brush,
      this.pointer,
      this.reachName,
      ...this.marks.flatMap(({ line, said }) => [line, said]),
    );
    this.host.replaceChildren(this.root);
    this.listen();
    this.point(this.cursor, false);
    this.show(this.done ?? Infinity);
    this.mark(this.marked);
    this.frame(this.range);
  }

  x(place) {
    return Number((this.left + place * this.pitch).toFixed(2));
  }

  /** Whether another strip has the same steps, and reads the same at each. */
  readsAs(other) {
    const axis = ({ steps, labels }) => JSON.stringify([steps, labels]);
    return axis(this) === axis(other);
  }

  /** What is read at each step, as far as there is room; else the numbers of some steps. */
  letters(y) {
    const texts = this.labels ?? this.steps.map(String);
    const long = Math.max(...texts.map((text) => [...text].length));
    const size = long === 1 && this.labels ? Math.max(9, Math.min(12, 1.35 * this.pitch)) : 12; // so that letters do not touch
    const wanted = Math.ceil((long * 0.6 * size + (this.labels ? 1 : 12)) / this.pitch);
    const every = this.labels ? wanted : ([1, 2, 5, 10, 20, 50, 100].find((each) => each >= wanted) ?? wanted);
    const last = this.steps.length - 1;
    const shown = (i) => (this.labels ? last - i : this.steps[i]) % every === 0;
    return texts
      .map((text, i) => svg("text", { class: "letter", style: `font-size:${size}px`, x: this.x(i + 0.5), y, text, "data-place": i }))
      .filter((_, i) => shown(i));
  }

  /** Where the gradient has vanished or exploded, going back: a line over the whole row, with what it means. */
  drawEdge({ lag, text, short, name }) {
    const x = this.x(this.steps.length - lag);
    const [before, after] = [x, this.left + this.pitch * this.steps.length + LOSS - x]; // the room on both sides
    const wide = (words) => words.length * 7.2 + 18;
    const words = wide(text) <= Math.max(before, after) ? text : short;
    const back = name !== "other" && (wide(words) <= before || before > after); // the others stand between it and the loss
    const said = svg("text", {
      class: `edge-text ${name}`,
      x: back ? x - 4 : x + 5,
      y: 11,
      "text-anchor": back ? "end" : "start",
      text: name === "other" ? words : `◂ ${words}`,
    });
    if (name === "other" && wide(words) > after - LOSS) said.textContent = "";
    const line = svg("line", { class: `edge ${name}`, x1: x, x2: x, y1: 1, y2: CELL.top + CELL.high + 3 });
    return { lag, line, said };
  }

  // ---- what changes ----

  /** Colour the steps that the backward pass has been through after so many events of the panel. */
  show(done) {
    this.done = done;
    const arrived = done - this.panel.forward.length;
    this.cells.forEach((cell, i) => {
      paint(this.drawn[i], this.events[i] < arrived ? `cell ${lookClass(cell)}` : "cell waiting");
    });
    for (const { lag, line, said } of this.marks)
      for (const each of [line, said])
        each.style.display = this.events[this.steps.length - 1 - lag] < arrived ? "" : "none";
    this.element.classList.toggle("through", this.events.every((event) => event < arrived));
    this.say();
  }

  /** Bracket the steps from one place to another: what the graph shows; null for none. */
  frame(range) {
    this.range = range;
    this.brush.style.display = range ? "" : "none";
    if (!range) return;
    const [y, end] = [CELL.top + CELL.high + 2, this.x(range[1] + 1) - 1];
    this.brush.setAttribute("d", `M${this.x(range[0]) + 1} ${y}v5H${end}v-5`);
  }

  /** Mark the steps that the mouse is on, here or elsewhere; null for none. */
  mark(steps) {
    this.marked = steps;
    const places = steps ? steps.map((step) => this.steps.indexOf(step)).filter((place) => place >= 0) : [];
    if (!places.length) return this.pointer.setAttribute("d", "");
    const [low, high] = [Math.min(...places), Math.max(...places)];
    return this.pointer.setAttribute(
      "d",
      `M${this.x(low)} ${CELL.top - 1}h${((high - low + 1) * this.pitch).toFixed(1)}v${CELL.high + 2}H${this.x(low)}z`,
    );
  }

  /** Put the cursor on a step, and show its card unless told not to. */
  point(place, tell = true) {
    this.cursor = Math.min(Math.max(place, 0), this.steps.length - 1);
    this.say();
    const row = this.reach?.shades[this.cursor];
    this.reached.forEach((rect, i) => {
      const shade = tell && i >= this.cursor ? row[i - this.cursor] : null;
      paint(rect, shade === null ? "reach" : `reach finite s${shade}`);
    });
    const room = this.x(this.cursor) > 110; // beside the row of losses; where there is none, the card names it
    this.reachName.textContent = tell && row && room ? "felt by the losses of:" : "";
    this.reachName.setAttribute("x", this.x(this.cursor) - 4);
    if (tell) this.page.onStrip(this, this.cursor);
  }

  /** Take the card and what it points at away. */
  leave() {
    this.reached.forEach((rect) => paint(rect, "reach"));
    this.reachName.textContent = "";
    this.page.out();
  }

  say() {
    const cell = this.cells[this.cursor];
    const label = this.labels ? `, ${JSON.stringify(this.labels[this.cursor])}` : "";
    const known = this.drawn[this.cursor].classList.contains("waiting")
      ? "not computed yet"
      : `gradient of ${this.kind} ${sizeText(cell)}${cell.share ? `, ${ofText(cell.share, cell.against)}` : ""}`;
    this.root.setAttribute("aria-valuenow", this.cursor);
    this.root.setAttribute("aria-valuetext", `t=${this.steps[this.cursor]}${label}: ${known}`);
  }

  // ---- the mouse and the keyboard ----

  listen() {
    const { root } = this;
    let start = null;
    root.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = { place: this.placeAt(event), x: event.clientX, moved: false };
    });
    root.addEventListener("pointermove", (event) => {
      const place = this.placeAt(event);
      if (start && (start.moved || Math.abs(event.clientX - start.x) > 4)) {
        if (!start.moved) root.setPointerCapture(event.pointerId);
        start.moved = true;
        this.page.brush(this, [Math.min(start.place, place), Math.max(start.place, place)]);
      }
      this.point(place);
    });
    root.addEventListener("pointerup", (event) => {
      if (start && !start.moved) this.centre(this.placeAt(event));
      start = null;
    });
    root.addEventListener("pointercancel", () => {
      start = null;
    });
    root.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") this.leave();
    });
    root.addEventListener("focus", () => {
      if (root.matches(":focus-visible")) this.point(this.cursor);
    });
    root.addEventListener("blur", () => this.leave());
    root.addEventListener("keydown", (event) => this.onKey(event));
  }

  placeAt(event) {
    const place = this.root.getBoundingClientRect();
    const x = ((event.clientX - place.left) * this.root.width.baseVal.value) / (place.width || 1);
    return Math.min(Math.max(Math.floor((x - this.left) / this.pitch), 0), this.steps.length - 1);
  }

  /** Show as many steps as before, with this one in the middle. */
  centre(place) {
    const [first, last] = this.range ?? [place, place];
    const from = Math.min(Math.max(place - Math.floor((last - first) / 2), 0), this.steps.length - 1 - (last - first));
    this.page.brush(this, [from, from + last - first]);
    this.point(place);
  }

  onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || (by === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    event.stopPropagation();
    if (by === undefined) {
      this.centre(this.cursor);
      return;
    }
    const from = this.cursor;
    this.point(this.cursor + by);
    this.anchor = event.shiftKey ? (this.anchor ?? from) : null;
    if (event.shiftKey)
      this.page.brush(this, [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)]);
  }
}

/** The lines of the card about a step of a strip, as pairs of name and text. */
function stepFacts(strip, place) {
  const { kind, labels, products, sizes, reach, panel } = strip;
  const cell = strip.cells[place];
  const share = cell.share ? ` (${ofText(cell.share, cell.against)})` : "";
  const waiting = strip.drawn[place].classList.contains("waiting");
  const facts = [[`‖∂L/∂${kind}_t‖`, waiting ? "not computed yet" : `${sizeText(cell, 4)}${share}`]];
  if (labels) facts.unshift(["example 0 reads", labels[place]]);
  if (sizes && !waiting) {
    const mean = panel.batch > 1 ? `, root mean square over ${panel.batch}` : "";
    facts.push(["‖∂L/∂x_t‖", `${number(sizes[place])}${mean}`], ["x_t · ∂L/∂x_t", `${number(products[place])}, example 0`]);
  }
  if (reach) facts.push([`felt at ${reach.kind} of t`, reachText(strip, place)]);
  return facts;
}

/** Which later losses reach back to a step: those that keep more than the threshold of what they have at their own. */
function reachText({ reach, steps, panel }, place) {
  const edge = (scale.colours.length - 1) * 0.75; // between the colours above the threshold and the ghosts below
  const felt = reach.shades[place].map((shade, i) => (shade !== null && shade <= edge ? place + i : -1)).filter((i) => i >= 0);
  if (!felt.length) return "no later loss";
  const ends = [felt[0], felt.at(-1)].map((i) => `t=${steps[i]}`);
  const which = felt.length === 1 ? `the loss of ${ends[0]} alone` : `losses of ${ends[0]} to ${ends[1]}`;
  return `${which}, with more than ${number(panel.threshold)} of their own (the thin row)`;
}
