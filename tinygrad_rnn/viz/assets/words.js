// ---- words.js: numbers and things in words ----

/** Write a number with so many significant digits: 0.52, 3.2e-5; null is what was NaN or infinite. */
function number(value, digits = 3) {
  if (value === null || value === undefined) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e4) return String(Number(value.toPrecision(digits)));
  return value.toExponential(digits - 1).replace(/\.?0*e\+?/, "e");
}

/** "1 step", "3 steps" */
function count(amount, noun) {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** A box with its place in time: "t=7, forget gate f". */
function placed(box) {
  return box.step === undefined ? box.caption : `t=${box.step}, ${box.caption}`;
}

/** The value of a box, as far as it was measured: "value 0.69 ± 0.3", of a state its size. */
function valueText(box, digits = 2) {
  if (box.value !== undefined) return `value ${number(box.value, digits + 1)}`;
  if (!box.values) return "";
  const [mean, std] = box.values;
  if (mean === null) return "value NaN or Inf";
  if (box.kind === "state") return `rms ${number(Math.hypot(mean, std), digits)}`;
  return `value ${number(mean, digits)} ± ${number(std, digits)}`;
}

/** The size of the gradient of a box, or of a message. */
function sizeText(thing, digits = 2) {
  if (thing.shade !== undefined) return number(thing.norm, digits);
  return { zero: "0", nonfinite: thing.text, "not required": "" }[thing.look] ?? thing.look;
}

/** A size compared with its reference: "4e-4 of ‖∂L/∂h_T‖"; empty where that says nothing. */
function shareText(thing) {
  if (!thing.share || (isWeight(thing) && thing.step === undefined)) return "";
  return isWeight(thing) ? `${number(thing.share, 2)} of its whole` : ofText(thing.share, thing.against);
}

function ofText(share, name) {
  return `${number(share, 2)} of ‖∂L/∂${name}‖`;
}

/** A share in few letters, as pictures have it: "84%", "0.78%"; what has grown is "×3.2". */
function leftText(share) {
  if (share < 1e-4) return "<0.01%";
  if (share >= 10) return `×${number(share, 2)}`;
  return `${number(100 * share, share < 0.995 ? 2 : 3)}%`;
}

function isWeight(box) {
  return box.kind === "parameter" || box.kind === "total";
}

/** What happened when a box had its turn. */
function eventText(panel, event) {
  const { box } = event;
  if (box.kind === "fold") return foldText(box, event.forward);
  if (event.forward) {
    const value = valueText(box);
    return `${placed(box)}: ${value || "computed"}`;
  }
  const share = shareText(box);
  if (box.look === "nonfinite") return `${placed(box)}: gradient ${box.text}`;
  if (box.look === "not computed") return `${placed(box)}: gradient not computed`;
  if (box.look === "zero") return `${placed(box)}: gradient exactly 0`;
  if (box.look === "underflow") return `${placed(box)}: gradient 0, too small for its dtype`;
  const what = box.kind === "parameter" && box.step !== undefined ? "this step adds" : "gradient";
  return `${placed(box)}: ${what} ${number(box.norm, 2)}${share && `, ${share}`}`;
}

function foldText(box, forward) {
  const [first, last] = box.fold;
  const steps = first === last ? `t=${first}` : `t=${first} to ${last}`;
  return forward ? `${steps}: values computed` : `${steps}: ${box.lines.slice(2).join(" ")}`;
}

/** How much is left at a step of what the verdict goes by: "t=38, 0.84 of ‖∂L/∂h_T‖". */
function restText(panel, step) {
  const place = panel.strip?.steps.indexOf(step) ?? -1;
  const cell = panel.strip?.cells[place];
  if (!cell) return "";
  return `t=${step}, ${cell.share ? ofText(cell.share, cell.against) : `gradient ${sizeText(cell)}`}`;
}

/** What is known of the cell's gradient once the backward pass is through a step. */
function stepText(panel, step) {
  const parts = panel.states.map((state) => {
    const i = state.steps.indexOf(step);
    if (i < 0) return "";
    const share = state.shares[i] ? `, ${ofText(state.shares[i], `${state.kind}_T`)}` : "";
    return `gradient of ${state.kind} ${number(state.norms[i], 2)}${share}`;
  });
  return `t=${step}: ${parts.filter(Boolean).join("; ") || "done"}`;
}

/** What verdicts mean: they are about a gradient, and not about learning. */
function verdictsText() {
  const least = number(Math.max(...panels.map(({ threshold }) => threshold)));
  return {
    vanishes: `vanishes: somewhere less than ${least} of the gradient at the last step is left`,
    survives: `survives: nowhere less than ${least} is left, so a gradient reaches every step; that is not to say that anything is learned from there`,
    explodes: `explodes: somewhere it is over ${data.exploded} times that at the last step`,
  };
}
