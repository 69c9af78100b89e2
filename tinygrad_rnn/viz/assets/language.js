// ---- language.js: what the page writes, in another language ----

/**
 * Translate what is in the page, and all that the page writes later, before it is seen. The scripts write English; the
 * table comes with the data, as whole texts and as patterns ("$1" is their first hole), and languages.py reads it alike.
 */
function speak({ whole, patterns, closing, stops }) {
  const rules = patterns.map(([matches, written]) => [new RegExp(matches), written]);
  const known = new Map(Object.entries(whole));

  function translated(text) {
    const inner = text.trim().replace(/\s+/g, " ");
    if (!inner) return text;
    if (!known.has(inner)) known.set(inner, said(inner));
    const found = known.get(inner);
    return found === inner ? text : text.match(/^\s*/)[0] + found + text.match(/\s*$/)[0];
  }

  function said(text) {
    const found = lookUp(text);
    if (found !== null) return found;
    if (text.includes("$")) return text; // a formula
    for (const end of [/(?<=[.?!]) |(?<=[.?!]\)) /, /(?<=;) /, /(?<=:) /]) {
      const parts = text.split(end);
      if (parts.length > 1)
        return parts
          .map(translated)
          .reduce((before, part) => before + (closing.includes(before.at(-1)) ? "" : " ") + part);
      const stop = stops[text.at(-1)]; // of one sentence: without it, it may be known
      const bare = stop ? lookUp(text.slice(0, -1)) : null;
      if (bare !== null) return bare + stop;
    }
    return text;
  }

  /** What the table has for a text as a whole, or for its pattern. */
  function lookUp(text) {
    if (Object.hasOwn(whole, text)) return whole[text];
    for (const [matches, written] of rules) {
      const found = text.match(matches);
      if (found) return written.replace(/\$(\d+)/g, (_, i) => translated(found[i]));
    }
    return null;
  }

  function change(node) {
    if (node.nodeType === Node.TEXT_NODE) {
      const found = translated(node.data);
      if (found !== node.data) node.data = found;
    } else if (node.nodeType === Node.ELEMENT_NODE && !["SCRIPT", "STYLE"].includes(node.tagName)) {
      for (const name of ["title", "aria-label", "aria-valuetext"]) {
        const written = node.getAttribute(name);
        const found = written && translated(written);
        if (found && found !== written) node.setAttribute(name, found);
      }
      node.childNodes.forEach(change);
    }
  }

  const watched = { childList: true, subtree: true, characterData: true, attributes: true };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "childList") addedNodes.forEach(change);
      else change(target);
    }
  }).observe(document.body, { ...watched, attributeFilter: ["title", "aria-label", "aria-valuetext"] });
  change(document.body);
}
