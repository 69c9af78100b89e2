// ---- controls.js: buttons, slider and keys ----

const SPEEDS = [
  ["box", 1],
  ["box", 4],
  ["box", 15],
  ["box", 60],
  ["step", 1],
  ["step", 3],
  ["step", 10],
];

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
  addEventListener("resize", onResize());
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".graph, .strip")) page.out(); // a finger leaves nothing that it touched
  });
}

/** Buttons that choose which panel is there, where there is room for one only. */
function makeTabs() {
  byId("tabs").hidden = panels.length === 1;
  const named = panels.length > 1 ? parts : [];
  const buttons = named.map(({ panel }) => html("button", { type: "button", text: panel.name }));
  const choose = (chosen) => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === chosen));
    parts.forEach(({ section }, i) => section.classList.toggle("chosen", i === chosen));
    openViews();
  };
  buttons.forEach((button, i) =>
    button.addEventListener("click", () => {
      choose(i);
      tour.mark();
      player.go(player.tick); // what is said above is of the one that is there
    }),
  );
  byId("tabs").append(...buttons);
  choose(0);
}

/** Lay everything out anew when the width changes. */
function onResize() {
  let wide = document.documentElement.clientWidth;
  return () => {
    if (wide === document.documentElement.clientWidth) return;
    wide = document.documentElement.clientWidth;
    layOut();
  };
}

function layOut() {
  openViews();
  drawCharts();
  player.go(player.tick);
}

/** Draw strips and charts as wide as there is room. */
function drawCharts() {
  strips.forEach((strip) => strip.draw());
  curves.draw();
  parts.forEach(({ gates }) => gates?.draw());
}

function setSpeed() {
  const [unit, rate] = byId("speed").value.split(" ");
  Object.assign(player, { unit, rate: Number(rate) });
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || ownsKey(event.target, event.key)) return;
  if (event.key === "Escape") {
    card.hide();
    tour.leave();
    parts.forEach(({ graph }) => graph.light(null));
    return;
  }
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && tour.at !== null && !event.shiftKey && event.target !== byId("slider")) {
    event.preventDefault();
    tour.turn(by);
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
