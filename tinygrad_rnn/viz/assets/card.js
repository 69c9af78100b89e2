// ---- card.js: what is known of a box or an arrow ----

/** The lines of the card about a box, as pairs of name and text. */
function boxFacts(panel, box, done) {
  const facts = [];
  const add = (name, text) => {
    if (text) facts.push([name, text]);
  };
  if (box.kind === "fold")
    return [
      ["steps", `${box.fold[0]} to ${box.fold[1]}, folded`],
      ["", box.lines.slice(2).join(" ")],
    ];
  add("op", box.op ?? (box.look === "not required" ? "data" : "leaf"));
  add("equation", box.equation);
  add("shape", `(${box.shape.join(", ")}${box.shape.length === 1 ? "," : ""})`);
  add("scope", box.scope);
  if (box.kind === "gate") add("", panel.gates.find(({ label }) => label === box.caption.split(" ").at(-1))?.keeps);
  if (box.valueEvent < done) add("value", statisticsText(box.value, box.values) || "not measured");
  else add("value", "not computed yet");
  gradientFacts(panel, box, done, add);
  return facts;
}

function gradientFacts(panel, box, done, add) {
  if (box.look === "not required") return add("gradient", "not required");
  if (box.kind === "copy") return add("gradient", "summed where the value stands, outside the steps");
  const { stage, arrived, expected } = stageOf(box, done);
  const step = box.kind === "parameter" && box.step !== undefined;
  if (stage === "done") {
    const share = shareText(box);
    const what = isWeight(box) ? ", of the mean loss" : panel.batch > 1 ? `, root mean square over ${panel.batch}` : "";
    add(step ? "this step adds" : "gradient", `‖·‖ = ${sizeText(box, 4)}${share && ` (${share})`}${what}`);
    if (!step) add("its elements", statisticsText(box.gradient, box.gradients));
  } else
    add(
      "gradient",
      stage === "valued" || stage === "waiting" ? "not computed yet" : `${arrived} of ${expected} messages`,
    );
  if (box.weight) {
    const arrivedSteps = stepsArrived(box.weight, done);
    add("steps added", `${arrivedSteps} of ${box.weight.events.length}`);
  } else if (box.messages.length) {
    const here = box.messages.filter((arrow) => sent(arrow, done));
    add("messages", `${here.length} of ${box.messages.length} arrived`);
    for (const arrow of here.slice(0, 6)) add("", `from ${placed(arrow.head)}: ${messageText(arrow)}`);
    if (here.length > 6) add("", `and ${here.length - 6} more`);
  }
  return undefined;
}

/** The lines of the card about an arrow. */
function arrowFacts(panel, arrow, done) {
  const facts = [["forward", `${placed(arrow.tail)} → ${placed(arrow.head)}`]];
  if (arrow.look === "not required") return [...facts, ["message", "none: no gradient required"]];
  if (!sent(arrow, done)) return [...facts, ["message", "not sent yet"]];
  const share = shareText(arrow);
  facts.push(["message", `‖·‖ = ${sizeText(arrow, 4)}${share && ` (${share})`}`]);
  const part = partText(arrow);
  if (part)
    facts.push(
      ["size", `${part} the gradient of ${arrow.parent.name}`],
      ["", "messages add up, their sizes need not"],
    );
  const shares = sharesText(arrow);
  if (shares) facts.push(["share", shares]);
  return facts;
}

function messageText(arrow) {
  const part = partText(arrow);
  return sizeText(arrow) + (part && `, ${part} the gradient here`);
}

/** Which share of what arrives a message is: at its step, and as the mean of which the sentence on why speaks. */
function sharesText({ part, mean }) {
  if (part === undefined) return "";
  const here = `${percent(part)} of what arrives, at this step`;
  return mean ? `${here}; ${percent(mean[0])} as the mean of ${count(mean[1], "step")}` : here;
}

function percent(share) {
  return `${Math.round(100 * share)}%`.replace("-", "−");
}

/** How large a message is beside the gradient it becomes part of: "0.83 ×". */
function partText(arrow) {
  const whole = arrow.parent.norm;
  return arrow.norm && whole ? `${number(arrow.norm / whole, 3)} ×` : "";
}

/** A single number, or what many are like. */
function statisticsText(single, found) {
  if (single !== undefined) return number(single, 5);
  if (!found) return "";
  const [mean, std, low, high, least, most] = found.map((value) => number(value));
  if (mean === "not finite") return "NaN or Inf among them";
  return `${mean} ± ${std}, 80% in ${low} … ${high}, all in ${least} … ${most}`;
}

/** The card itself: shown beside an element, inside the window. */
class Card {
  constructor(element) {
    this.element = element;
  }

  show(title, facts, beside) {
    const rows = facts.flatMap(([name, text]) => [html("dt", { text: name }), html("dd", { text })]);
    this.element.replaceChildren(html("h3", { text: title }), html("dl", {}, ...rows));
    this.element.hidden = false;
    const place = beside.getBoundingClientRect();
    const { offsetWidth: wide, offsetHeight: high } = this.element;
    const { clientWidth, clientHeight } = document.documentElement;
    const below = place.bottom + 10;
    const top = below + high < clientHeight ? below : Math.max(4, place.top - high - 10);
    const left = Math.min(Math.max(4, place.left), Math.max(4, clientWidth - wide - 8));
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px` });
  }

  hide() {
    this.element.hidden = true;
  }
}
