// ---- legend.js: colours, light and dark, and the legend ----

/** The colours of the scale as classes, those of light pages and of dark ones. */
function addColours() {
  const rules = scale.colours.map(
    ([fill, ink, darkFill, darkInk], i) =>
      `.s${i}{--c:${fill};--i:${ink}}[data-theme=dark] .s${i}{--c:${darkFill};--i:${darkInk}}`,
  );
  document.head.append(html("style", { text: `:root{--nonfinite:${scale.nonfinite}}${rules.join("")}` }));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

/** The theme that the page was made with, else the one that the browser prefers. */
function listenToTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(data.theme ?? (dark.matches ? "dark" : "light"));
  if (!data.theme) dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? (data.theme ?? "light").replace("dark", "light") : "dark"),
  );
}

/** What occurs: the scale, what has no place on it, and what a box looks like on its way there. */
function makeLegend() {
  const sized = scale.legend.filter((row) => row.shade !== null);
  const swatches = sized.map(({ text, shade }) =>
    html("span", { class: `swatch s${shade}` }, html("i"), html("b", { text })),
  );
  const others = scale.legend
    .filter((row) => row.shade === null)
    .map(({ text, look }) => [slug(look), text]);
  const boxes = panels.flatMap((panel) => panel.boxes);
  const own = [
    ["valued", "a value: a gate as far as it is open, else the middle 80%", boxes.some(({ level }) => level)],
    ["gathering on-screen", "some messages have come", boxes.some(({ messages, weight }) => messages.length > 1 || weight)],
    ["valued on-screen now", "its turn now", true],
    ["chosen on-screen", "chosen: its paths to the loss are lit", true],
  ].filter(([, , occurs]) => occurs);
  const looks = [...others, ...own];
  byId("legend").append(
    html(
      "span",
      { class: "scale" },
      html("span", { class: "swatches" }, ...swatches),
      html("span", { class: "scale-name", text: `colour: size of the gradient, ${comparedText()}. grad in a box: the size itself; left: relative, as the colour` }),
    ),
    ...looks.map(([name, text]) =>
      html("span", { class: name.includes("on-screen") ? "look on-screen" : "look" }, legendBox(name), text),
    ),
    ...(panels.some((panel) => panel.strip) ? [legendBracket()] : []),
    ...scale.arrows.map(({ text, widths, dashes }) =>
      html("span", { class: "look arrows" }, ...widths.map((width) => legendArrow(width, dashes)), text),
    ),
  );
}

/** What sizes are compared with, in boxes and curves alike. */
function comparedText() {
  const names = [...new Set(panels.map((panel) => panel.reference))];
  const kinds = [...new Set(panels.flatMap((panel) => panel.states.map((state) => state.kind)))];
  if (kinds.length === 0) return "relative to that of the loss, 1";
  const own = kinds.map((kind) => `${kind}: relative to ‖∂L/∂${kind}_T‖, its last`).join("; ");
  const rest = names.filter((name) => name !== "L").map((name) => `‖∂L/∂${name}‖`);
  const weights = panels.some((panel) => panel.weights.length) ? "; part of a parameter: relative to its whole" : "";
  return own + (rest.length ? `; other: relative to ${rest.join(" or ")}` : "") + weights;
}

function legendArrow(width, dashes) {
  const line = svg("line", { x1: 0, x2: 22, y1: 6, y2: 6, "stroke-width": width, "stroke-dasharray": dashes });
  return svg("svg", { width: 22, height: 12, "aria-hidden": "true" }, line);
}

/** What is bracketed on a strip. */
function legendBracket() {
  const bracket = svg("path", { class: "brush", d: "M2 3v6H24v-6" });
  const drawn = svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, bracket);
  return html("span", { class: "look on-screen" }, drawn, "steps that the graphs show");
}

function legendBox(name) {
  return svg(
    "svg",
    { width: 26, height: 18, "aria-hidden": "true" },
    svg(
      "g",
      { class: `box ${name}`, "data-now": name.endsWith("now") ? "" : null },
      svg("rect", { class: "body", x: 4, y: 4, width: 18, height: 10, rx: 3 }),
      ...(name === "valued" ? [svg("rect", { class: "level", x: 5, y: 5, width: 9, height: 8 })] : []),
      ...(name.startsWith("gathering") ? [svg("rect", { class: "meter", x: 5, y: 10, width: 9, height: 3 })] : []),
    ),
  );
}
