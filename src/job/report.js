// SPDX-License-Identifier: MIT
"use strict";
// Draws the timeline of a run from the columns in #data: above, how many slots and CPUs were in
// use over the whole run; below, the slots within the window that was chosen. Times are ns since
// the run's start.
(() => {
  const byId = (id) => document.getElementById(id);
  const lanes = byId("lanes"), load = byId("load"), tip = byId("tip");
  if (!lanes) return;
  const runs = JSON.parse(byId("data").textContent).runs;
  if (!runs.length) return;

  const OUTCOMES = ["pending", "OK", "failed", "cancelled", "timed out", "lost", "dead"];
  const COLOURS = ["--soft", "--ok", "--failed", "--cancelled", "--timeout", "--lost", "--lost"];
  const LEFT = 44, FOOT = 24, FINEST = 1000; // ns in the narrowest window: a microsecond
  let run, blocks, byLane, from, to, marked = -1, theme;

  // ---- numbers for people ----

  const three = (value, unit) =>
    `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  const two = (value) => String(value).padStart(2, "0");
  function time(ns) {
    if (ns <= 0) return "0 s";
    if (ns < 1e3) return `${Math.round(ns)} ns`;
    if (ns < 999.5e3) return three(ns / 1e3, "µs");
    if (ns < 999.5e6) return three(ns / 1e6, "ms");
    const s = Math.round(ns / 1e9);
    if (s < 60) return three(ns / 1e9, "s");
    if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
    if (s < 172800) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  }
  function size(kib) {
    let i = 0;
    for (; kib >= 1023.5 && i < 4; i++) kib /= 1024;
    return three(kib, ["KiB", "MiB", "GiB", "TiB", "PiB"][i]);
  }
  const count = (n) => n.toLocaleString("en");

  // ---- marks of the time axis ----

  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
    43200, 86400, 172800, 604800].map((s) => s * 1e9);
  function stepFor(span, n) {
    const wanted = span / n;
    const round = wanted > 5e8 && STEPS.find((step) => wanted <= step);
    if (round) return round;
    const base = wanted > 5e8 ? 86400e9 : 1;
    const power = base * 10 ** Math.max(0, Math.floor(Math.log10(wanted / base)));
    return [1, 2, 5, 10].map((n) => n * power).find((step) => wanted <= step) || power * 10;
  }
  // All marks of an axis have as many digits as its step needs.
  function mark(ns, step) {
    if (ns === 0) return "0";
    const sign = ns < 0 ? "−" : "", at = Math.abs(ns);
    if (step < 1e9) {
      const [unit, per] = step >= 1e6 ? ["ms", 1e6] : step >= 1e3 ? ["µs", 1e3] : ["ns", 1];
      if (at < 1e9 && at < per * 1e5) return `${sign}${Math.round(at / per)} ${unit}`;
      const digits = Math.min(9, Math.ceil(9 - Math.log10(step) - 1e-9));
      return `${sign}${(at / 1e9).toFixed(digits)} s`;
    }
    const s = Math.round(at / 1e9);
    if (s < 60) return `${sign}${s} s`;
    if (s < 3600) return `${sign}${Math.floor(s / 60)}:${two(s % 60)} min`;
    if (s < 86400 && step < 60e9)
      return `${sign}${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)} h`;
    if (step < 86400e9 && s < 86400 * 3)
      return `${sign}${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)} h`;
    const hours = Math.floor(s / 3600) % 24;
    return `${sign}${Math.floor(s / 86400)} d${hours ? ` ${hours} h` : ""}`;
  }

  // ---- colours ----

  function hatch(colour, line, kind) {
    const tile = document.createElement("canvas"), p = tile.getContext("2d");
    tile.width = tile.height = 6;
    p.fillStyle = colour;
    p.fillRect(0, 0, 6, 6);
    p.strokeStyle = line;
    p.lineWidth = 1.5;
    p.beginPath();
    if (kind === "/") { p.moveTo(-2, 8); p.lineTo(8, -2); p.moveTo(-5, 5); p.lineTo(5, -5); p.moveTo(1, 11); p.lineTo(11, 1); }
    else if (kind === "|") { p.moveTo(3, 0); p.lineTo(3, 6); }
    else { p.moveTo(0, 3); p.lineTo(6, 3); }
    p.stroke();
    return lanes.getContext("2d").createPattern(tile, "repeat");
  }
  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    theme = { get, ink: get("--ink"), soft: get("--soft"), line: get("--line"), idle: get("--idle"),
      okSoft: get("--ok-soft"), cpu: get("--cpu"), card: get("--card"),
      plain: COLOURS.map(get), font: `11.5px ${get("--sans")}` };
    const kinds = [null, null, "/", null, "|", "-", "-"];
    theme.fills = theme.plain.map((c, i) => kinds[i] ? hatch(c, get("--hatch"), kinds[i]) : c);
  }

  // ---- geometry ----

  function prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = theme.font;
    pen.textBaseline = "middle";
    return [pen, width];
  }
  const laneHeight = () => Math.max(1, Math.min(30, 480 / run.lanes));
  const x = (ns, width) => LEFT + (ns - from) / (to - from) * (width - LEFT);
  const timeAt = (px) => from + (px - LEFT) / (lanes.clientWidth - LEFT) * (to - from);

  // ---- drawing ----

  function drawLoad() {
    const height = 64, [pen, width] = prepare(load, height);
    const most = Math.max(run.slots <= 32 ? run.slots : 0, ...run.load.map((v) => v / 1000),
      ...run.cpu.map((v) => v / 1000), 1);
    const all = Math.max(1, run.end - run.begin);
    const at = (ns) => LEFT + (ns - run.begin) / all * (width - LEFT);
    const up = (v) => height - 1 - v / most * (height - 12);
    pen.fillStyle = theme.idle;
    pen.fillRect(LEFT, 4, width - LEFT, height - 5);
    const trace = (values) => {
      pen.beginPath();
      values.forEach((v, i) => {
        pen.lineTo(at(i * run.bin), up(v / 1000));
        pen.lineTo(Math.min(width, at((i + 1) * run.bin)), up(v / 1000));
      });
    };
    trace(run.load);
    pen.lineTo(Math.min(width, at(run.load.length * run.bin)), height - 1);
    pen.lineTo(at(0), height - 1);
    pen.fillStyle = theme.plain[1];
    pen.globalAlpha = .45;
    pen.fill();
    pen.globalAlpha = 1;
    trace(run.cpu);
    pen.strokeStyle = theme.cpu;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fillStyle = theme.soft;
    pen.textAlign = "right";
    pen.fillText(most >= 10 ? String(Math.round(most)) : most.toFixed(most % 1 ? 1 : 0), LEFT - 8, 12);
    pen.fillText("0", LEFT - 8, height - 6);
    if (from > run.begin || to < run.end) { // the window
      pen.fillStyle = theme.card;
      pen.globalAlpha = .65;
      pen.fillRect(LEFT, 0, at(from) - LEFT, height);
      pen.fillRect(at(to), 0, width - at(to), height);
      pen.globalAlpha = 1;
      pen.strokeStyle = theme.ink;
      pen.lineWidth = 1;
      pen.strokeRect(at(from) - .5, 1.5, Math.max(2, at(to) - at(from)), height - 3);
    }
  }
  function drawMarks(pen, width, height) {
    const step = stepFor(to - from, Math.max(2, (width - LEFT) / 110));
    pen.textAlign = "center";
    for (let ns = Math.ceil(from / step) * step; ns <= to; ns += step) {
      const px = Math.round(x(ns, width)) + .5;
      pen.fillStyle = theme.line;
      pen.fillRect(px - .5, 0, 1, height - FOOT + 4);
      pen.fillStyle = theme.soft;
      const text = mark(ns, step), half = pen.measureText(text).width / 2;
      pen.fillText(text, Math.max(LEFT + half - 4, Math.min(width - half, px)), height - FOOT / 2 + 2);
    }
  }
  function drawBlock(pen, i, width, h, gap) {
    const kind = blocks.outcome[i], top = blocks.lane[i] * h;
    let low = x(blocks.start[i], width), high = x(blocks.start[i] + blocks.length[i], width);
    low = Math.max(low, LEFT);
    high = Math.min(high, width + 1);
    const wide = Math.max(high - low, kind === 1 ? .6 : 1.5);
    const dense = blocks.count[i] > 1 && blocks.length[i] ? blocks.busy[i] / blocks.length[i] : 1;
    // Neighbours stay apart where there is room for it.
    const room = wide > 3 ? wide - 1 : wide;
    pen.globalAlpha = kind === 1 && wide > 2 ? Math.max(.25, Math.min(1, dense)) : 1;
    if (kind === 3) {
      pen.strokeStyle = theme.plain[3];
      pen.lineWidth = Math.min(1.5, h / 3);
      pen.strokeRect(low + .75, top + .75, Math.max(.5, room - 1.5), Math.max(.5, h - gap - 1.5));
    } else {
      // Too narrow for its hatching: what is not OK hangs below the middle, and many of them leave
      // the rest to be seen.
      const half = run.cell && kind > 1 && wide <= 7 && h >= 5 ? (h - gap) * .55 : 0;
      pen.fillStyle = wide > 7 && h > 7 ? theme.fills[kind] : theme.plain[kind];
      pen.fillRect(low, top + half, room, h - gap - half);
    }
    pen.globalAlpha = 1;
  }
  function drawLanes() {
    const h = laneHeight(), height = Math.ceil(run.lanes * h) + FOOT;
    const [pen, width] = prepare(lanes, height), gap = h >= 6 ? Math.min(3, h / 5) : 0;
    pen.fillStyle = theme.idle;
    for (let lane = 0; lane < run.lanes && gap; lane++)
      pen.fillRect(LEFT, lane * h, width - LEFT, h - gap);
    if (!gap) pen.fillRect(LEFT, 0, width - LEFT, run.lanes * h);
    drawMarks(pen, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT, height - FOOT);
    pen.clip();
    for (const later of [false, true]) // what is not OK is never covered
      for (let i = 0; i < blocks.start.length; i++)
        if ((blocks.outcome[i] !== 1) === later && blocks.start[i] <= to &&
            blocks.start[i] + blocks.length[i] >= from)
          drawBlock(pen, i, width, h, gap);
    if (marked >= 0) {
      const low = x(blocks.start[marked], width);
      const high = x(blocks.start[marked] + blocks.length[marked], width);
      pen.strokeStyle = theme.ink;
      pen.lineWidth = 2;
      pen.strokeRect(low - 1, blocks.lane[marked] * h, Math.max(3, high - low) + 1, Math.max(3, h - gap));
    }
    pen.restore();
    drawNames(pen, h, gap);
  }
  function drawNames(pen, h, gap) {
    const every = Math.max(1, [1, 2, 4, 8, 16, 32, 64, 128].find((n) => n * h >= 15) || 256);
    pen.fillStyle = theme.soft;
    pen.textAlign = "right";
    for (let lane = 0; lane < run.lanes; lane++)
      if ((lane === 0 && (every - 1) * h > 20) || (lane + 1) % every === 0)
        pen.fillText(String(lane + 1), LEFT - 8, Math.max(6, lane * h + (h - gap) / 2 + .5));
  }
  let wanted = false;
  function draw() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      drawLoad();
      drawLanes();
      lanes.dataset.from = Math.round(from);
      lanes.dataset.to = Math.round(to);
    });
  }

  // ---- the window ----

  function view(low, high) {
    const all = Math.max(1, run.end - run.begin), span = Math.min(all, Math.max(FINEST, high - low));
    const middle = (low + high) / 2;
    from = Math.max(run.begin, Math.min(run.begin + all - span, middle - span / 2));
    to = from + span;
    draw();
  }
  function zoom(factor, around = (from + to) / 2) {
    const span = Math.min(run.end - run.begin, Math.max(FINEST, (to - from) * factor));
    const low = around - (around - from) / (to - from) * span;
    view(low, low + span);
  }
  const pan = (share) => view(from + share * (to - from), to + share * (to - from));
  const doings = {
    in: () => zoom(.5), out: () => zoom(2), all: () => view(run.begin, run.end),
    left: () => pan(-.25), right: () => pan(.25),
  };

  // ---- what is under the pointer ----

  function find(px, py) {
    const h = laneHeight(), ns = timeAt(px), slack = (to - from) / lanes.clientWidth * 4;
    const lane = Math.floor(py / h);
    let best = -1, least = Infinity;
    for (const i of byLane[lane] || []) {
      const start = blocks.start[i], end = start + blocks.length[i];
      if (start - slack > ns || end + slack < ns) continue;
      // The nearest; of those that are hit the shortest, and what is not OK first.
      const off = ns < start ? start - ns : ns > end ? ns - end : 0;
      const rank = off * 1e3 + blocks.length[i] * (blocks.outcome[i] === 1 ? 1 : 1e-3);
      if (rank < least) { least = rank; best = i; }
    }
    return best;
  }
  const ending = (i) => blocks.signal[i] ? `signal ${blocks.signal[i]}`
    : blocks.status[i] > 0 ? `exit status ${blocks.status[i]}` : "";
  function facts(i) {
    const several = blocks.count[i] > 1, list = [];
    const why = blocks.detail[i] || ending(i);
    if (!several && blocks.outcome[i] !== 1 && why) list.push(["Why", why]);
    if (blocks.attempt[i] > 1 && !several) list.push(["Attempt", String(blocks.attempt[i])]);
    list.push(["Slot", String(blocks.lane[i] + 1)], ["Began", `after ${time(blocks.start[i])}`]);
    list.push([several ? "Within" : "Took", time(blocks.length[i])]);
    if (several) list.push(["Each took", time(blocks.busy[i] / blocks.count[i])]);
    list.push(["CPU time", time(blocks.cpu[i])], ["Memory", size(blocks.memory[i])]);
    return list;
  }
  function heading(i) {
    return blocks.count[i] > 1
      ? `${count(blocks.count[i])} short tasks, from ${count(blocks.seq[i])} on: ${OUTCOMES[blocks.outcome[i]]}`
      : `Task ${count(blocks.seq[i])}: ${OUTCOMES[blocks.outcome[i]]}`;
  }
  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }
  function show(i, px) {
    if (i !== marked) { marked = i; draw(); }
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.replaceChildren(element("strong", heading(i)));
    if (blocks.command[i]) tip.append(element("code", blocks.command[i]));
    const list = document.createElement("dl");
    for (const [name, value] of facts(i)) list.append(element("dt", name), element("dd", value));
    tip.append(list);
    const h = laneHeight(), left = lanes.offsetLeft, width = lanes.clientWidth;
    const below = lanes.offsetTop + (blocks.lane[i] + 1) * h + 8;
    const above = below - h - 16 - tip.offsetHeight;
    const bottom = lanes.getBoundingClientRect().top + (blocks.lane[i] + 1) * h + tip.offsetHeight + 16;
    tip.style.left = `${Math.max(left, Math.min(left + width - tip.offsetWidth, left + px - tip.offsetWidth / 3))}px`;
    tip.style.top = `${bottom > innerHeight && above > -60 ? above : below}px`;
  }
  function step(by) { // to the next task in the order of their starts
    const order = blocks.order, at = marked < 0 ? (by > 0 ? -1 : order.length) : blocks.place[marked];
    const i = order[Math.max(0, Math.min(order.length - 1, at + by))];
    const middle = blocks.start[i] + blocks.length[i] / 2;
    if (middle < from || middle > to) view(middle - (to - from) / 2, middle + (to - from) / 2);
    show(i, Math.max(LEFT, Math.min(lanes.clientWidth, x(middle, lanes.clientWidth))));
    byId("told").textContent = [heading(i), blocks.command[i] || "",
      ...facts(i).map((fact) => fact.join(" "))].join(", ");
  }

  // ---- hands ----

  let drag = null;
  const pointers = new Map();
  lanes.addEventListener("wheel", (event) => {
    // Nothing more to see: the page scrolls on.
    if (event.deltaY > 0 && !event.shiftKey && to - from >= run.end - run.begin) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      pan((event.deltaX || event.deltaY) / lanes.clientWidth);
    else zoom(Math.exp(event.deltaY * .0016), timeAt(Math.max(LEFT, event.offsetX)));
    show(find(event.offsetX, event.offsetY), event.offsetX);
  }, { passive: false });
  lanes.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event.offsetX);
    lanes.setPointerCapture(event.pointerId);
    drag = { x: event.offsetX, from, to };
  });
  lanes.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      show(find(event.offsetX, event.offsetY), event.offsetX);
      return;
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId);
    if (others.length) { // two fingers
      const other = others[0][1], before = Math.abs(pointers.get(event.pointerId) - other);
      const now = Math.abs(event.offsetX - other);
      if (now > 8 && before > 8) zoom(before / now, timeAt((event.offsetX + other) / 2));
      pointers.set(event.pointerId, event.offsetX);
      return;
    }
    const moved = (event.offsetX - drag.x) / (lanes.clientWidth - LEFT) * (drag.to - drag.from);
    if (Math.abs(event.offsetX - drag.x) > 3) {
      lanes.classList.add("moving");
      show(-1);
      view(drag.from - moved, drag.to - moved);
    }
  });
  for (const name of ["pointerup", "pointercancel"])
    lanes.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      if (!lanes.classList.contains("moving")) show(find(event.offsetX, event.offsetY), event.offsetX);
      lanes.classList.remove("moving");
      drag = { x: event.offsetX, from, to };
    });
  lanes.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") show(-1);
  });
  lanes.addEventListener("dblclick", (event) => zoom(.25, timeAt(event.offsetX)));
  lanes.addEventListener("blur", () => show(-1));
  const KEYS = { "+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "left", ArrowRight: "right" };
  lanes.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (KEYS[event.key]) doings[KEYS[event.key]]();
    else if (event.key === "ArrowUp") doings.in();
    else if (event.key === "ArrowDown") doings.out();
    else if (event.key === "n") step(1);
    else if (event.key === "p") step(-1);
    else if (event.key === "Escape") show(-1);
    else return;
    event.preventDefault();
  });
  const tools = document.querySelector(".tools");
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const what = event.target.closest("button");
    if (what) doings[what.dataset.do]();
  });
  const overviewTime = (px) => run.begin + (px - LEFT) / (load.clientWidth - LEFT) * (run.end - run.begin);
  load.addEventListener("pointerdown", (event) => {
    load.setPointerCapture(event.pointerId);
    load.dataset.at = overviewTime(event.offsetX);
  });
  load.addEventListener("pointermove", (event) => {
    if (!load.dataset.at) return;
    const ends = [Number(load.dataset.at), overviewTime(event.offsetX)].sort((a, b) => a - b);
    if (ends[1] - ends[0] > (run.end - run.begin) / 200) view(ends[0], ends[1]);
  });
  load.addEventListener("pointerup", (event) => {
    const began = Number(load.dataset.at), now = overviewTime(event.offsetX);
    if (Math.abs(now - began) <= (run.end - run.begin) / 200)
      view(now - (to - from) / 2, now + (to - from) / 2);
    delete load.dataset.at;
  });
  load.addEventListener("dblclick", () => doings.all());

  // ---- which run ----

  function note() {
    const words = [];
    if (run.cell) words.push(`Tasks of less than ${time(run.cell)} that are side by side in a slot are drawn as one block.`);
    if (run.lanes < run.slots)
      words.push(run.slots > 700 && run.lanes > 600 ? "The last line stands for all further slots."
        : `The other ${count(run.slots - run.lanes)} of ${count(run.slots)} slots had nothing to do.`);
    byId("note").textContent = words.join(" ");
  }
  function choose(id) {
    run = runs.find((one) => one.id === id) || runs.find((one) => one.shown) || runs[0];
    blocks = run.blocks;
    run.end = Math.max(run.end, run.begin + FINEST);
    byLane = Array.from({ length: run.lanes }, () => []);
    blocks.lane.forEach((lane, i) => byLane[lane] && byLane[lane].push(i));
    blocks.order = blocks.start.map((_, i) => i)
      .sort((a, b) => blocks.start[a] - blocks.start[b] || blocks.lane[a] - blocks.lane[b]);
    blocks.place = [];
    blocks.order.forEach((i, at) => { blocks.place[i] = at; });
    const seen = new Set(blocks.outcome);
    [[1, "ok"], [2, "failed"], [4, "timeout"], [3, "cancelled"], [5, "lost"]].forEach(([kind, name]) => {
      byId("kinds").querySelector(`.${name}`).parentNode.hidden = !seen.has(kind);
    });
    lanes.dataset.tasks = blocks.count.reduce((sum, n) => sum + n, 0);
    lanes.dataset.blocks = blocks.count.length;
    lanes.dataset.run = run.id;
    note();
    show(-1);
    view(run.begin, run.end);
  }
  const selector = byId("run");
  if (selector) selector.addEventListener("change", () => choose(parseInt(selector.value, 10)));
  readTheme();
  choose();
  new ResizeObserver(draw).observe(byId("timeline"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); draw(); });
})();
