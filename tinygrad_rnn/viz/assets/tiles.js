// ---- tiles.js: what is far outside the window is not drawn, or a long graph would cost more than what is seen ----

const TILE = 800; // points

/** Layers one above the other, each cut into tiles along time. */
class Tiles {
  constructor(parent, layers) {
    this.groups = new Map(layers.map((name) => [name, svg("g")]));
    parent.append(...this.groups.values());
    this.tiles = new Map(); // by layer and place; with how far it reaches
  }

  /** Put an element that reaches from `left` to `right` into a layer; return its tile. */
  add(layer, element, left, right) {
    const place = right - left > 2 * TILE ? "long" : Math.floor((left + right) / 2 / TILE);
    const key = `${layer} ${place}`;
    if (!this.tiles.has(key)) {
      const group = svg("g");
      this.groups.get(layer).append(group);
      this.tiles.set(key, { group, left, right, hidden: false });
    }
    const tile = this.tiles.get(key);
    tile.group.append(element);
    Object.assign(tile, { left: Math.min(tile.left, left), right: Math.max(tile.right, right) });
    return tile;
  }

  /** Draw what lies between two places, and the tile `kept`. */
  show(from, to, kept) {
    for (const tile of this.tiles.values()) {
      const hidden = (tile.right < from || tile.left > to) && tile !== kept;
      if (hidden !== tile.hidden) tile.group.style.display = hidden ? "none" : "";
      tile.hidden = hidden;
    }
  }
}
