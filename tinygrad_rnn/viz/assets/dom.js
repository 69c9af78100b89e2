// ---- dom.js: making elements ----

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element: attributes by name ("text" is its text), then children. */
function html(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

/** Whether a key was pressed where it has a meaning of its own. */
function ownsKey(target, key) {
  if (target.closest("select")) return true;
  return key === " " && Boolean(target.closest("button, summary, a"));
}
