// ---- player.js: where we are in the two passes ----

/** The clock that all panels follow; `onMove(tick, how)` draws, `onPlay(playing)` tells the button. */
class Player {
  constructor(clock, onMove, onPlay) {
    Object.assign(this, { ...clock, onMove, onPlay, tick: clock.ticks, playing: false, rate: 4, unit: "box" });
  }

  go(tick, how = "jump") {
    this.tick = Math.min(Math.max(tick, 0), this.ticks);
    this.onMove(this.tick, how);
  }

  box(by) {
    this.go(this.tick + by, "box");
  }

  step(by) {
    const { tick, stretches } = this;
    const part =
      by > 0
        ? stretches.find((stretch) => stretch.start <= tick && tick < stretch.end)
        : stretches.find((stretch) => stretch.start < tick && tick <= stretch.end);
    if (part) this.go(by > 0 ? part.end : part.start, "step");
  }

  /** The part of a pass that the tick lies in; undefined at the very start. */
  stretch() {
    return this.stretches.find((stretch) => stretch.start < this.tick && this.tick <= stretch.end);
  }

  /** Whether the backward pass has been through all steps of time. */
  afterTime() {
    const steps = this.stretches.filter((part) => !part.forward && part.step !== null);
    return steps.length > 0 && this.tick > steps.at(-1).end;
  }

  /** Go to where the backward pass is through a step; `fold`: the first and last of the steps it is folded with. */
  goToStep(step, fold = [step, step]) {
    const within = (part) => part.step !== null && part.step >= fold[0] && part.step <= fold[1];
    const part = this.stretches.find((stretch) => !stretch.forward && within(stretch));
    if (part) this.go(part.end, "step");
  }

  play(on = !this.playing) {
    if (on === this.playing) return;
    this.playing = on;
    this.onPlay(on);
    if (!on) return;
    if (this.tick === this.ticks) this.go(0);
    let last = null;
    let due = 0;
    const frame = (now) => {
      if (!this.playing) return;
      due += last === null ? 0 : Math.min(now - last, 1000) * (this.rate / 1000);
      last = now;
      if (due >= 1) this.advance(Math.floor(due));
      due %= 1;
      if (this.tick === this.ticks) this.play(false);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  advance(amount) {
    if (this.unit === "box") return this.go(this.tick + amount, "play");
    for (let i = 0; i < amount; i += 1) this.step(1);
    return undefined;
  }
}
