// ---- tour.js: stops on the page's own clock, each with a question before its answer ----

class Tour {
  constructor(stops) {
    Object.assign(this, { stops, at: null, compared: null });
    this.heading = html("h2");
    this.question = html("p");
    this.answers = html("ul");
    this.reveal = this.button("Show", () => this.tell());
    this.before = this.button("‹ Back", () => this.go(this.at - 1));
    this.next = this.button("Next ›", () => this.go(this.at + 1));
    this.close = this.button("Leave (Esc)", () => this.leave());
    this.further = this.button("▾ More", () => this.element.scrollBy({ top: this.element.clientHeight - 90 }));
    this.further.classList.add("further");
    this.element = byId("tour");
    this.element.addEventListener("scroll", () => this.tellFurther());
    new ResizeObserver(() => this.tellFurther()).observe(this.element);
    this.element.append(
      this.heading,
      this.question,
      this.answers,
      html("p", { class: "tools" }, this.reveal, this.before, this.next, this.close, this.further),
    );
    byId("take-tour").hidden = stops.length === 0;
    byId("take-tour").addEventListener("click", () => this.go(0));
    addEventListener("hashchange", () => this.fromLink());
  }

  button(text, action) {
    const made = html("button", { type: "button", text });
    made.addEventListener("click", action);
    return made;
  }

  /** Whether there is text below what is in sight, which a button says. */
  tellFurther() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    this.element.classList.toggle("goes-on", scrollHeight - scrollTop - clientHeight > 8);
  }

  /** A link that ends with #tour=4 opens the fourth stop. */
  fromLink() {
    const stop = /^#tour=(\d+)$/.exec(location.hash);
    const wanted = stop ? Number(stop[1]) - 1 : null;
    if (wanted !== this.at && this.stops[wanted]) this.go(wanted);
  }

  go(at) {
    const stop = this.stops[at];
    if (!stop) return;
    this.at = at;
    this.element.classList.remove("answered");
    location.hash = `tour=${at + 1}`;
    this.element.hidden = false;
    this.touring(true);
    this.heading.textContent = `${at + 1} of ${this.stops.length}: ${stop.title}`;
    this.question.replaceChildren(stop.question, html("b", { text: " What do you expect?" }));
    this.answers.replaceChildren();
    this.reveal.hidden = false;
    this.before.setAttribute("aria-disabled", at === 0);
    this.next.hidden = at === this.stops.length - 1; // there is nothing behind the last
    this.close.textContent = this.next.hidden ? "End of the tour (Esc)" : "Leave (Esc)";
    this.compare(stop.compare);
    this.warn({});
    this.stand(stop.ask_at);
    this.look(stop.look);
    this.element.scrollTop = 0;
    this.tellFurther();
    this.reveal.focus({ preventScroll: true });
  }

  /** Give the answer, and move on to where it can be seen. */
  tell() {
    const stop = this.stops[this.at];
    this.reveal.hidden = true;
    this.element.classList.add("answered");
    this.stand(stop.tell_at);
    if (stop.compare) this.lightPaths(stop.compare);
    this.warn(stop);
    for (const { graph, panel } of parts) graph.ring(stop.point?.[panel.name] ?? []);
    this.answers.append(...stop.answers.map((answer) => this.answer(answer)));
    this.mark();
    this.look(stop.look); // the line above the graphs may have become longer
    this.tellFurther();
    (this.next.hidden ? this.close : this.next).focus({ preventScroll: true });
  }

  /** Say at a graph that the step it shows misleads; show the curves before a training where they are spoken of. */
  warn({ beside: texts, overlay }) {
    byId("curves").classList.toggle("overlaid", Boolean(overlay));
    for (const { panel, beside } of parts) {
      beside.textContent = texts?.[panel.name] ?? "";
      beside.hidden = !beside.textContent;
    }
  }

  /** What is told of a cell; its name leads to its graph. */
  answer({ name, text }) {
    const led = html(panels.length > 1 ? "button" : "b", { class: "name", text: name && `${name}: ` });
    if (panels.length > 1) led.addEventListener("click", () => this.lead(name));
    led.title = "show it";
    return html("li", { "data-cell": name }, led, html("span", { text }));
  }

  /** Bring the graph of a cell into sight. */
  lead(name) {
    const at = parts.findIndex(({ panel }) => panel.name === name);
    byId("tabs").children[at]?.click();
    this.scrollTo(byId("tabs").offsetParent ? byId("tabs") : parts[at].section);
  }

  /** Where there is room for one graph only, an answer of another cell is but its name. */
  mark() {
    if (this.at === null) return;
    const all = this.stops[this.at].look === "strips"; // all of which are in sight
    for (const answer of this.answers.children) {
      const { section } = parts.find(({ panel }) => panel.name === answer.dataset.cell);
      answer.classList.toggle("other", !all && !section.classList.contains("chosen"));
    }
  }

  /** One key for all of it: show the answer, or go on once it is there; or go back. */
  turn(by) {
    if (by > 0 && !this.reveal.hidden) this.tell();
    else this.go(this.at + by);
  }

  /** Put the clock at a place, or to where the backward pass is through a lag. */
  stand(place) {
    player.play(false);
    const first = clock.stretches.find(({ forward, step }) => forward && step !== null);
    const places = { start: 0, first: first?.end ?? 0, turn: clock.turn, end: clock.ticks };
    if (place in places) player.go(places[place]);
    else page.goToLag(place);
  }

  /** The card has a place of its own beside or below the page, so what is in the page moves when it comes or goes. */
  touring(on) {
    if (document.documentElement.classList.contains("touring") === on) return;
    document.documentElement.classList.toggle("touring", on);
    layOut();
  }

  /** Show these panels alone, and of each only the ways between its last two states; null shows all as they were. */
  compare(names) {
    for (const { graph } of parts) {
      graph.light(null);
      graph.ring([]);
    }
    if (names === null && this.compared === null) return;
    this.compared = names;
    if (names) this.choose(names); // where there is room for one only
    for (const { graph, panel, section } of parts) {
      const compared = names !== null && names.includes(panel.name);
      section.classList.toggle("aside", names !== null && !compared);
      graph.cut = compared ? graph.around(pathsToLoss(panel, beforeLast(panel)).boxes) : null;
      graph.setFollow(names === null); // or the clock would move them
      graph.view.moved = false;
    }
    byId("panels").classList.toggle("compared", names !== null);
    openViews();
  }

  /** Show one of these panels, unless one of them is shown. */
  choose(names) {
    const of = (name) => parts.findIndex(({ panel }) => panel.name === name);
    const chosen = parts.findIndex(({ section }) => section.classList.contains("chosen"));
    if (!names.map(of).includes(chosen)) byId("tabs").children[of(names[0])]?.click();
  }

  /** Light up the ways from the state one step before the last. */
  lightPaths(names) {
    for (const { graph, panel } of parts) {
      const box = names.includes(panel.name) && beforeLast(panel);
      if (box) graph.light(box, false);
    }
  }

  look(what) {
    const weights = [...document.querySelectorAll(".weights")].find((table) => table.offsetParent);
    const graphs = byId(byId("tabs").offsetParent ? "tabs" : "panels");
    if (what === "weights") weights?.scrollIntoView({ block: "center" });
    else this.scrollTo(what === "strips" ? byId("strip-section") : graphs);
  }

  /** What is in the page comes to the top, or below the bar that stays there. */
  scrollTo(element) {
    const bar = byId("bar");
    const below = bar.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
    const covered = below && getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    element.style.scrollMarginTop = `${covered + 4}px`;
    element.scrollIntoView({ block: "start" });
  }

  leave() {
    if (this.at === null) return;
    this.at = null;
    this.element.hidden = true;
    this.warn({});
    this.compare(null);
    this.touring(false);
    player.play(false);
    player.go(clock.ticks); // as it was found
    openViews();
    location.hash = "";
    byId("take-tour").focus({ preventScroll: true });
  }
}

/** The box of the state, one step before the last, that the verdict goes by. */
function beforeLast(panel) {
  return panel.events[panel.forward.length + panel.strip.events.at(-2)].box;
}
