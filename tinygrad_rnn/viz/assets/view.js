// ---- view.js: zooming and moving a graph ----

const READABLE = 0.45; // below this zoom letters are too small to read, and not drawn
const TINY = 0.08; // and below this one, boxes are
const LETTERS = 26; // pixels above a graph for the letters of frames and flags, which stay large

/** The window through which a graph is seen. */
class View {
  constructor(frame, layer, width, height, { onZoom, onMove }) {
    Object.assign(this, { frame, layer, width, height, onZoom, onMove, zoom: 1, x: 0, y: 0, moved: false });
    this.size = [600, 300];
  }

  /** Look how large the window is; asking the browser for it at every move would lay the page out every time. */
  measure() {
    this.size = [this.frame.clientWidth || 600, this.frame.clientHeight || 300];
  }

  set(zoom, x, y) {
    const changed = zoom !== this.zoom;
    Object.assign(this, { zoom, x, y });
    this.layer.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${zoom.toFixed(4)})`);
    if (changed) this.onZoom(zoom);
    this.onMove();
  }

  /** Show all of it, unless it would be too small to see; then its end. */
  open() {
    const [wide, high] = this.size;
    if (wide / this.width > TINY) this.fit();
    else {
      const zoom = Math.min(1, (high - 16) / this.height);
      this.set(zoom, wide - 10 - this.width * zoom, (high - this.height * zoom) / 2);
    }
  }

  fit() {
    const [wide, high] = this.size;
    const inside = (above) => Math.min((wide - 12) / this.width, (high - 12 - above) / this.height, 1.25);
    const above = inside(0) < READABLE ? LETTERS : 0;
    const zoom = inside(above);
    this.set(zoom, (wide - this.width * zoom) / 2, above + (high - above - this.height * zoom) / 2);
    this.moved = false;
  }

  /** Zoom by a factor; the point (x, y) of the window stays where it is. */
  zoomBy(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const zoom = Math.min(4, Math.max(0.01, this.zoom * factor));
    const kept = zoom / this.zoom;
    this.set(zoom, x - (x - this.x) * kept, y - (y - this.y) * kept);
    this.moved = true;
  }

  moveBy(dx, dy) {
    this.set(this.zoom, this.x + dx, this.y + dy);
    this.moved = true;
  }

  /** Move a box of the graph to the middle if it is out of sight. */
  reveal(box) {
    const [wide, high] = this.size;
    const [x, y] = [box.x * this.zoom + this.x, box.y * this.zoom + this.y];
    const [dx, dy] = [(box.w / 2) * this.zoom, (box.h / 2) * this.zoom];
    const outside = (at, half, room) => at - half < 4 || at + half > room - 4;
    const to = (at, half, room) => (outside(at, half, room) ? room / 2 : at);
    const moved = (at, spot, half, room, size) => {
      const wanted = at + to(spot, half, room) - spot;
      // No empty room on one side while something is cut off on the other.
      return wanted === at || size < room ? wanted : Math.min(LETTERS, Math.max(wanted, room - size - 6));
    };
    this.set(
      this.zoom,
      moved(this.x, x, dx, wide, this.width * this.zoom),
      moved(this.y, y, dy, high, this.height * this.zoom),
    );
  }
}
