// ---- legend.js: colours, light and dark, and the legend ----

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
  let relative = only === "L" ? "" : `, relative to ‖∂L/∂${only}‖`;
  if (names.size > 1) relative = ", relative to the last state, or the loss";
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
