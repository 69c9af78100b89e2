// ---- view.js: zooming and moving a graph ----

const READABLE = 9 / 11; // below this zoom the letters in boxes, of 11 points, are under 9 pixels, and not drawn
const LOW = 900; // pixels: on a lower screen several graphs one above the other should not be larger than they must
const LETTERS = 26; // pixels above a graph for the letters of frames and flags, which stay large

/** The window through which a graph is seen; `left` is kept free in it for the names of rows. */
class View {
  constructor(frame, layer, width, height, left, { onZoom, onMove }) {
    Object.assign(this, { frame, layer, width, height, left, onZoom, onMove, zoom: 1, x: 0, y: 0, moved: false });
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

  /** Show all of it if that can be read; else its end, at reading size. */
  open() {
    if (this.whole() >= READABLE) this.fit();
    else this.set(READABLE, this.size[0] - 6 - this.width * READABLE, this.top(READABLE));
  }

  fit() {
    const zoom = this.whole();
    const [wide, high] = this.size;
    const above = zoom < READABLE ? LETTERS : 0;
    const x = this.left + (wide - this.left - this.width * zoom) / 2;
    this.set(zoom, x, above + (high - above - this.height * zoom) / 2);
    this.moved = false;
  }

  /** The zoom that shows all of it. */
  whole() {
    const [wide, high] = this.size;
    const inside = (above) =>
      Math.min((wide - this.left - 12) / this.width, (high - 12 - above) / this.height, 1.25);
    const zoom = inside(0);
    return zoom < READABLE ? inside(LETTERS) : zoom;
  }

  /** Show what lies between two places, as large as it fits. */
  between(from, to) {
    const [wide, high] = this.size;
    const room = wide - this.left - 12;
    const across = room / Math.max(to - from, 1);
    const zoom = Math.min(across, Math.max((high - 12) / this.height, READABLE), 1.25);
    this.set(zoom, this.left + 6 + (room - (to - from) * zoom) / 2 - from * zoom, this.top(zoom));
    this.moved = true;
  }

  /** Show as much of a part as can be read: all of it, or without the edge of the frame, or without the loss, too. */
  part(cut) {
    const ends = [[cut.from, cut.to], [cut.box, cut.to], [cut.box, cut.step]];
    const zoomOf = ([from, to]) => (this.size[0] - this.left - 6) / Math.max(to - from, 1);
    const [from, to] = ends.find((each) => zoomOf(each) >= READABLE) ?? ends.at(-1);
    const most = innerHeight < LOW ? READABLE : 1;
    const zoom = Math.min(Math.max(zoomOf([from, to]), READABLE), most);
    this.set(zoom, Math.min(this.left + 3 - from * zoom, this.size[0] - 3 - to * zoom), 4 - cut.top * zoom);
  }

  /** Where a graph of this zoom begins: in the middle, or at the top if it is higher than the window. */
  top(zoom) {
    const above = zoom < READABLE ? LETTERS : 0;
    return above + Math.max((this.size[1] - above - this.height * zoom) / 2, 0);
  }

  /** Zoom by a factor; the point (x, y) of the window stays where it is. */
  zoomBy(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const zoom = Math.min(4, Math.max(0.01, this.zoom * factor));
    const kept = zoom / this.zoom;
    this.set(zoom, x - (x - this.x) * kept, y - (y - this.y) * kept);
    this.moved = true;
  }

  /** Make letters as large as they can be read well; what is at (x, y) comes to the middle, as far as there is more. */
  read(x, y) {
    const zoom = 1;
    const [wide, high] = this.size;
    const [across, down] = [(x - this.x) / this.zoom, (y - this.y) / this.zoom];
    const within = (from, size, wanted) => Math.min(from, Math.max(wanted, size));
    const left = within(this.left + 6, wide - 6 - this.width * zoom, (this.left + wide) / 2 - across * zoom);
    const top = this.height * zoom + LETTERS < high ? this.top(zoom) : within(LETTERS, high - 6 - this.height * zoom, high / 2 - down * zoom);
    this.set(zoom, left, top);
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
    const outside = (at, half, from, to) => at - half < from + 4 || at + half > to - 4;
    const moved = (at, spot, half, from, to, size) => {
      if (!outside(spot, half, from, to)) return at;
      const wanted = at + (from + to) / 2 - spot;
      // No empty room on one side while something is cut off on the other.
      return size < to - from ? wanted : Math.min(from + LETTERS, Math.max(wanted, to - size - 6));
    };
    this.set(
      this.zoom,
      moved(this.x, x, dx, this.left, wide, this.width * this.zoom),
      moved(this.y, y, dy, 0, high, this.height * this.zoom),
    );
  }
}
