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
    this.element = byId("tour");
    this.element.append(
      this.heading,
      this.question,
      this.answers,
      html("p", { class: "tools" }, this.reveal, this.before, this.next, this.close),
    );
    byId("take-tour").hidden = stops.length === 0;
    byId("take-tour").addEventListener("click", () => this.go(0));
    addEventListener("hashchange", () => this.fromLink());
    this.fromLink();
  }

  button(text, action) {
    const made = html("button", { type: "button", text });
    made.addEventListener("click", action);
    return made;
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
    this.stand(stop.ask_at);
    this.look(stop.look);
    this.reveal.focus({ preventScroll: true });
  }

  /** Give the answer, and move on to where it can be seen. */
  tell() {
    const stop = this.stops[this.at];
    this.reveal.hidden = true;
    this.stand(stop.tell_at);
    if (stop.compare) this.lightPaths(stop.compare);
    for (const { graph, panel } of parts) graph.ring(stop.point?.[panel.name] ?? []);
    this.answers.append(
      ...stop.answers.map(({ name, text }) => html("li", {}, html("b", { text: name && `${name}: ` }), text)),
    );
    (this.next.hidden ? this.close : this.next).focus({ preventScroll: true });
  }

  /** Put the clock at a place, or to where the backward pass is through a lag. */
  stand(place) {
    player.play(false);
    const places = { start: 0, turn: clock.turn, end: clock.ticks };
    if (place in places) player.go(places[place]);
    else page.goToLag(place);
  }

  /** The card has a place of its own beside or below the page, so what is in the page moves when it comes or goes. */
  touring(on) {
    if (document.documentElement.classList.contains("touring") === on) return;
    document.documentElement.classList.toggle("touring", on);
    layOut();
  }

  /** Show these panels alone and side by side, with the last two steps; null shows all as they were. */
  compare(names) {
    for (const { graph } of parts) {
      graph.light(null);
      graph.ring([]);
    }
    if (this.compared === names) return;
    this.compared = names;
    if (names) this.choose(names); // where there is room for one only
    parts.forEach(({ graph }) => graph.setFollow(names === null)); // or the clock would move them
    parts.forEach(({ panel, section }) => section.classList.toggle("aside", names !== null && !names.includes(panel.name)));
    byId("panels").classList.toggle("compared", names !== null);
    openViews();
    for (const { graph, panel } of parts.filter((part) => names?.includes(part.panel.name))) {
      graph.showSteps(lastTwo(panel));
      if (graph.view.zoom < READABLE) graph.view.open();
    }
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
    const found = { strips: byId("strip-section"), graphs: byId("bar"), paths: byId("bar"), weights };
    found[what]?.scrollIntoView({ block: what === "weights" ? "center" : "start" });
  }

  leave() {
    if (this.at === null) return;
    this.at = null;
    this.element.hidden = true;
    this.compare(null);
    this.touring(false);
    location.hash = "";
    byId("take-tour").focus({ preventScroll: true });
  }
}

/** The last two steps that are taken, the smaller number first. */
function lastTwo(panel) {
  const { steps } = panel.strip;
  return steps.slice(-2).sort((a, b) => a - b);
}

/** The box of the state, one step before the last, that the verdict goes by. */
function beforeLast(panel) {
  return panel.events[panel.forward.length + panel.strip.events.at(-2)].box;
}
