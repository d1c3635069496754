// Attention to explore: layers × heads as a grid, one head as a map, lines from token to token, patches of an image.
// The page carries a static figure and the weights, a byte each. Once a reader comes near, this file, loaded with
// `defer`, puts a view in the figure's place. Without it, on paper, and if anything fails, the figure stays.

// In CSS pixels:
const LEGIBLE = 14; // what a line of labels needs
const PAD = 8; // between a label and what it names
const GAP = 28; // between the parts
const READING = 150; // width of the reading
const RING = 7; // around a miniature
const [CELL, TALLEST, IMAGE] = [44, 440, 336]; // largest cell, map and image
const SPAN = [80, 190]; // how far lines go

const LINES = 320; // the weakest of more lines tell nothing

const clamp = (low, value, high) => Math.max(low, Math.min(value, high));
const range = (count) => [...Array(count).keys()];
const strongest = (weights) => weights.indexOf(Math.max(...weights));
const decode = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

function lay(node, lengths) {
  for (const [name, length] of Object.entries(lengths)) node.style[name] = `${length}px`;
}

// Make an element. Strings among the children become text, whatever is in them.
function make(tag, attributes = {}, ...children) {
  const drawn = ["svg", "text", "rect"].includes(tag);
  const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  set(node, attributes);
  node.append(...children);
  return node;
}

function makeButton(attributes, content, act) {
  const button = make("button", { type: "button", ...attributes }, content);
  button.addEventListener("click", act);
  return button;
}

const MOVES = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

// Act on keys. One that is used here must not turn the book's page as well.
function onKeys(node, move, others = {}) {
  node.addEventListener("keydown", (event) => {
    const act = event.key in MOVES ? () => move(...MOVES[event.key]) : others[event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

// What stands for a token: blanks at its ends are made visible, and a long one is cut.
const blanks = (ends) => ends.replace(/\n/g, "↵").replace(/\s/g, "␣");
const visible = (token) => token.replace(/^\s+|\s+$/g, blanks) || "∅";
const shorten = (token) => ([...token].length > 12 ? `${[...token].slice(0, 11).join("")}…` : token);

// Weights -----------------------------------------------------------------------------------------------------------

class Attention {
  constructor(island) {
    Object.assign(this, island, { queries: island.queries.map(visible), keys: island.keys.map(visible) });
    [this.n, this.m] = [this.queries.length, this.keys.length];
    const size = this.n * this.m;
    const weights = decode(island.weights);
    if (weights.length !== this.rows.length * this.columns.length * size) {
      throw new Error(`${weights.length} weights for ${this.rows.length} × ${this.columns.length} maps of ${size}`);
    }
    this.heads = this.rows.flatMap((rowName, row) => this.columns.map((columnName, column) => {
      const first = (row * this.columns.length + column) * size;
      const name = [rowName, columnName].filter(Boolean).join(", ");
      return { row, column, name, bytes: weights.subarray(first, first + size) };
    }));
    this.rowNames = [...this.rows, ...this.extra.map(({ name }) => name)];
    this.extra.forEach(({ name, weights: own }, i) => {
      this.heads.push({ row: this.rows.length + i, column: 0, name, bytes: decode(own) });
    });
  }

  // A query's weights for all keys, in bytes.
  row(head, query) {
    return this.heads[head].bytes.subarray(query * this.m, (query + 1) * this.m);
  }

  // The same for the patches of the image, and the strongest of them.
  patches(head, query) {
    const bytes = this.row(head, query).subarray(this.m - this.image.rows * this.image.columns);
    return { bytes, most: Math.max(1, ...bytes) };
  }

  weight(head, query, key) {
    return (this.row(head, query)[key] / 255).toFixed(3);
  }
}

// Drawing -----------------------------------------------------------------------------------------------------------

// A length in whole pixels of this screen.
const whole = (length) => Math.floor(length * window.devicePixelRatio) / window.devicePixelRatio;

// Make a canvas sharp on this screen, and return what draws on it. Its colours come by CSS, as a page's do: `fill` for
// weights and lines, `stroke` for empty cells.
function prepare(canvas, width, height, dots = window.devicePixelRatio) {
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  lay(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.scale(dots, dots);
  const { fill, stroke } = getComputedStyle(canvas);
  return { context, fill, stroke };
}

// Draw rows of m cells, each as full of colour as its byte; or, with a byte that is full, over what lies below.
function paintCells(canvas, bytes, m, cell, full) {
  const { context, fill, stroke } = prepare(canvas, m * cell, (bytes.length / m) * cell);
  const gap = cell < 16 ? 1 : 2;
  const radius = cell < 12 || full ? 0 : 3;
  const paint = (i) => {
    const [x, y] = [i % m, Math.floor(i / m)].map((place) => place * cell + (gap >> 1));
    context.beginPath();
    context.roundRect(x, y, cell - gap, cell - gap, radius);
    context.fill();
  };
  context.fillStyle = stroke;
  if (!full) bytes.forEach((_, i) => paint(i));
  context.fillStyle = fill;
  bytes.forEach((byte, i) => {
    context.globalAlpha = byte / (full ?? 255);
    if (byte) paint(i);
  });
}

// Draw cells without gaps, a pixel each: a grid may have a hundred thousand.
function paintPixels(canvas, bytes, m, cell) {
  const { context, fill, stroke } = prepare(canvas, m * cell, (bytes.length / m) * cell, 1 / cell);
  const [most, least] = [fill, stroke].map((colour) => colour.match(/\d+/g));
  const image = context.createImageData(m, bytes.length / m);
  bytes.forEach((byte, i) => {
    for (const channel of [0, 1, 2]) {
      image.data[4 * i + channel] = (most[channel] * byte + least[channel] * (255 - byte)) / 255;
    }
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

// Draw a small map. Where cells are more than pixels, the strongest of several stands for all, lest it vanish.
function paintMiniature(canvas, bytes, m, size) {
  const longer = Math.max(m, bytes.length / m);
  const pooled = Math.ceil(longer / (size * window.devicePixelRatio));
  const columns = Math.ceil(m / pooled);
  const strong = new Uint8Array(columns * Math.ceil(bytes.length / m / pooled));
  bytes.forEach((byte, i) => {
    const at = Math.floor(i / m / pooled) * columns + Math.floor((i % m) / pooled);
    strong[at] = Math.max(strong[at], byte);
  });
  const cell = whole(size / Math.ceil(longer / pooled));
  (cell < 4 ? paintPixels : paintCells)(canvas, strong, columns, cell);
}

// The labels for which there is room, the most wanted first.
function fitting(pitch, wanted) {
  const taken = [];
  for (const i of wanted) {
    if (taken.every((other) => Math.abs(i - other) * pitch >= LEGIBLE)) taken.push(i);
  }
  return taken;
}

function mark(labels, on, shown) {
  labels.forEach((label, i) => {
    label.classList.toggle("on", i === on);
    label.style.display = shown.includes(i) ? "" : "none";
  });
}

// Grid of heads -----------------------------------------------------------------------------------------------------

class Heads {
  constructor(view) {
    this.view = view;
    const { heads, rowNames, columns } = view.attention;
    const label = (name, kind = "") => make("span", { class: `label ${kind}`, "aria-hidden": "true" }, shorten(name));
    this.buttons = heads.map(({ name }, i) =>
      makeButton({ role: "radio", "aria-label": name, title: name }, make("canvas"), () => view.choose(i)));
    this.node = make("div", { class: "heads", role: "radiogroup", "aria-label": "Layer and head" });
    this.node.style.setProperty("--columns", columns.length);
    // “head” in the corner, its number at the column
    this.node.append(label(columns[0].match(/(.*?)\s*\d+$/)?.[1] ?? ""));
    this.node.append(...columns.map((name) => label(name.match(/\d+$/)?.[0] ?? name, "number")));
    rowNames.forEach((name, row) => {
      this.node.append(label(name), ...this.buttons.filter((_, i) => heads[i].row === row));
    });
    onKeys(this.node, (down, right) => this.step(down, right));
  }

  step(down, right) {
    const { heads } = this.view.attention;
    const { row, column } = heads[this.view.state.head];
    const inRow = heads.filter((head) => head.row === row + down);
    if (!inRow.length) return;
    const next = heads.indexOf(inRow[clamp(0, column + right, inRow.length - 1)]);
    this.view.choose(next);
    this.buttons[next].focus();
  }

  paint() {
    const { attention, layout, state } = this.view;
    this.query = state.query;
    attention.heads.forEach(({ bytes }, i) => {
      const canvas = this.buttons[i].firstChild;
      if (!attention.image) return paintMiniature(canvas, bytes, attention.m, layout.miniature);
      const { bytes: patches, most } = attention.patches(i, state.query);
      const shades = patches.map((byte) => (byte / most) * 255); // as in the image
      paintMiniature(canvas, shades, attention.image.columns, layout.miniature);
    });
  }

  point() {
    const { attention, state } = this.view;
    this.buttons.forEach((button, i) => {
      set(button, { "aria-checked": i === state.head, tabindex: i === state.head ? 0 : -1 });
    });
    if (attention.image && this.query !== state.query) this.paint();
  }
}

// What a reader points at -------------------------------------------------------------------------------------------

// A surface of cells or lines. Its subclasses know where things lie: `pick` says what query and key are at a point.
class Surface {
  constructor(view, name, label) {
    this.view = view;
    this.surface = make("div", { class: `surface ${name}`, tabindex: 0, role: "application", "aria-label": label });
    this.node = this.surface;
    const picked = (event, act) => {
      const box = this.surface.getBoundingClientRect();
      const at = this.pick(event.clientX - box.left, event.clientY - box.top);
      if (at) act(at);
    };
    const read = (event) => {
      this.touched = event.pointerType === "touch";
      picked(event, (at) => view.read(at));
    };
    for (const type of ["pointerdown", "pointermove"]) this.surface.addEventListener(type, read);
    this.surface.addEventListener("click", (event) => picked(event, (at) => this.press(at)));
    this.surface.addEventListener("focus", () => {
      if (view.state.query === null && this.surface.matches(":focus-visible")) view.read({ query: 0 });
    });
    const others = { Enter: () => this.enter(), Escape: () => view.pin(null) };
    onKeys(this.surface, (down, right) => this.step(down, right), others);
  }

  step(down, right) {
    const { attention, state } = this.view;
    const query = clamp(0, (state.query ?? 0) + down, attention.n - 1);
    const key = clamp(0, (state.key ?? 0) + right, attention.m - 1);
    if (state.pinned !== null) state.pinned = query; // a pin holds against the pointer; keys are meant
    this.view.read({ query, key });
  }

  enter() {
    this.view.togglePin();
  }

  // A click pins the query or lets it go. A finger cannot hover: its tap reads, and takes a pin along.
  press(at) {
    const { state } = this.view;
    if (at.query !== undefined && !this.touched) state.pinned = state.pinned === at.query ? null : at.query;
    else if (at.query !== undefined && state.pinned !== null) state.pinned = at.query;
    this.view.read(at);
  }
}

const HELP = "Arrow keys move query and key, Enter pins the query.";
const labels = (tokens, anchor) => tokens.map((token) => make("text", { "text-anchor": anchor }, shorten(token)));

class Lines extends Surface {
  constructor(view) {
    super(view, "lines", `Lines from queries to keys. ${HELP}`);
    this.all = make("canvas", { class: "all" });
    this.some = make("canvas");
    this.keys = labels(view.attention.keys, "end");
    this.queries = labels(view.attention.queries, "start");
    const text = make("svg", { "aria-hidden": "true" }, ...this.keys, ...this.queries);
    this.surface.append(this.all, this.some, text);
  }

  draw() {
    const { attention, layout, state } = this.view;
    const { keyWidth, keyPitch, pitch, queryWidth, span, top } = layout;
    const [width, height] = [keyWidth + span + queryWidth + 2 * PAD, top + layout.height];
    this.left = keyWidth + PAD;
    this.right = this.left + span;
    this.firstKey = top + (layout.height - attention.m * keyPitch) / 2;
    this.firstQuery = top + (layout.height - attention.n * pitch) / 2;
    lay(this.surface, { width, height });
    const dy = "0.35em";
    this.keys.forEach((label, key) => set(label, { x: keyWidth, y: this.keyAt(key), dy }));
    this.queries.forEach((label, query) => set(label, { x: this.right + PAD, y: this.queryAt(query), dy }));
    const { context, fill } = prepare(this.all, width, height);
    this.context = prepare(this.some, width, height).context;
    for (const each of [context, this.context]) Object.assign(each, { strokeStyle: fill, lineCap: "round" });
    const { bytes } = attention.heads[state.head];
    const least = Math.max(3, bytes.toSorted().at(-LINES) ?? 0);
    bytes.forEach((byte, i) => {
      if (byte >= least) this.line(context, Math.floor(i / attention.m), i % attention.m, byte / 255);
    });
  }

  keyAt(key) {
    return this.firstKey + (key + 0.5) * this.view.layout.keyPitch;
  }

  queryAt(query) {
    return this.firstQuery + (query + 0.5) * this.view.layout.pitch;
  }

  line(context, query, key, weight, faintest = 0) {
    const { pitch, keyPitch } = this.view.layout;
    context.globalAlpha = Math.max(faintest, weight ** 0.7); // many weak lines still make a picture
    context.lineWidth = 1 + weight * Math.min(5, 0.4 * pitch, 0.4 * keyPitch);
    context.beginPath();
    context.moveTo(this.right, this.queryAt(query));
    context.lineTo(this.left, this.keyAt(key));
    context.stroke();
  }

  point() {
    const { attention, layout, state } = this.view;
    const { query, key } = state;
    const [keys, queries] = [range(attention.m), range(attention.n)];
    this.surface.classList.toggle("pointed", query !== null);
    this.context.clearRect(0, 0, this.some.width, this.some.height);
    if (query === null) {
      mark(this.keys, null, fitting(layout.keyPitch, keys));
      mark(this.queries, null, fitting(layout.pitch, queries));
      return;
    }
    const row = attention.row(state.head, query);
    row.forEach((byte, each) => byte > 2 && this.line(this.context, query, each, byte / 255));
    this.line(this.context, query, key, row[key] / 255, 0.4); // the line that is read is seen, even at 0
    const strong = keys.filter((each) => row[each] > 12).sort((a, b) => row[b] - row[a]);
    mark(this.keys, key, layout.keyPitch < LEGIBLE ? fitting(layout.keyPitch, [key, ...strong]) : keys);
    mark(this.queries, query, layout.pitch < LEGIBLE ? [query] : queries);
  }

  pick(x, y) {
    const { attention, layout } = this.view;
    if (x < (this.left + this.right) / 2) {
      return { key: clamp(0, Math.floor((y - this.firstKey) / layout.keyPitch), attention.m - 1) };
    }
    return { query: clamp(0, Math.floor((y - this.firstQuery) / layout.pitch), attention.n - 1) };
  }
}

class HeadMap extends Surface {
  constructor(view) {
    super(view, "cells", `Map of weights, a row a query and a column a key. ${HELP}`);
    this.canvas = make("canvas");
    this.keys = labels(view.attention.keys, "start");
    this.queries = labels(view.attention.queries, "end");
    this.marks = ["of-query", "of-key", "cell"].map((name) => make("rect", { class: name, rx: 3 }));
    const text = make("svg", { "aria-hidden": "true" }, ...this.keys, ...this.queries, ...this.marks);
    this.surface.append(this.canvas, text);
  }

  draw() {
    const { attention, layout, state } = this.view;
    const { cell, keyLabels, mapLabels, overhang } = layout;
    const [width, height] = [mapLabels + attention.m * cell + overhang, layout.top + layout.mapHeight];
    this.left = mapLabels;
    this.top = layout.top + (layout.mapHeight - attention.n * cell) / 2;
    lay(this.surface, { width, height });
    lay(this.canvas, { left: this.left, top: this.top });
    paintCells(this.canvas, attention.heads[state.head].bytes, attention.m, cell);
    this.queries.forEach((label, query) => {
      set(label, { x: this.left - PAD, y: this.top + (query + 0.5) * cell, dy: "0.35em" });
    });
    const slanted = keyLabels === "slanted";
    this.keys.forEach((label, key) => {
      const [x, y] = [this.left + (key + 0.5) * cell + (slanted ? 4 : 0), this.top - PAD];
      set(label, { x, y, "text-anchor": slanted ? "start" : "middle" });
      set(label, { transform: slanted ? `rotate(-45 ${x} ${y})` : "" });
    });
  }

  point() {
    const { attention, layout, state } = this.view;
    const { query, key, pinned } = state;
    const { cell, keyLabels, keyWidths, mapLabels } = layout;
    const [width, height] = [attention.m * cell, attention.n * cell];
    const few = keyLabels === "pointed";
    mark(this.queries, query, mapLabels ? range(attention.n) : []);
    mark(this.keys, key, few ? [key] : range(attention.m));
    this.surface.classList.toggle("pointed", query !== null);
    this.surface.classList.toggle("pinned", pinned !== null);
    if (query === null) return;
    const [x, y] = [this.left + key * cell, this.top + query * cell];
    const half = keyWidths[key] / 2;
    if (few) set(this.keys[key], { x: clamp(this.left + half, x + cell / 2, this.left + width - half) });
    set(this.marks[0], { x: this.left, y, width, height: cell });
    set(this.marks[1], { x, y: this.top, width: cell, height });
    set(this.marks[2], { x, y, width: cell, height: cell });
  }

  pick(x, y) {
    const { attention, layout } = this.view;
    const [query, key] = [y - this.top, x - this.left].map((length) => Math.floor(length / layout.cell));
    return query in attention.queries && key in attention.keys ? { query, key } : null;
  }
}

// An image whose patches are keys. Its query is always pinned: a click chooses it, pointing reads a key.
class Patches extends Surface {
  constructor(view) {
    super(view, "patches", "Image in patches. Arrow keys move the key, Enter makes it the query.");
    const { image, keys } = view.attention;
    this.first = image.class_token ? 1 : 0;
    this.canvas = make("canvas");
    this.marks = ["query", "key"].map((name) => make("div", { class: name }));
    this.surface.append(make("img", { src: image.src, alt: "" }), this.canvas, ...this.marks);
    this.scale = make("p", { class: "scale" });
    this.node = make("div", { class: "patched" }, this.surface, this.scale);
    if (!this.first) return;
    this.chip = makeButton({ class: "chip" }, shorten(keys[0]), () => this.press({ key: 0 }));
    this.chip.addEventListener("pointerenter", () => view.read({ key: 0 }));
    this.node.prepend(this.chip);
  }

  draw() {
    const { attention, layout, state } = this.view;
    const { rows, columns } = attention.image;
    // Relative to the strongest patch: fifty keys share a weight of one, absolute shades would be pale.
    const { bytes, most } = attention.patches(state.head, state.query);
    this.painted = state.query;
    lay(this.surface, { width: columns * layout.cell, height: rows * layout.cell });
    paintCells(this.canvas, bytes, columns, layout.cell, most / 0.8);
    this.scale.textContent = `Strongest patch: ${(Math.max(...bytes) / 255).toFixed(3)}`;
  }

  point() {
    const { attention, layout, state } = this.view;
    const { query, key } = state;
    if (this.painted !== query) this.draw();
    [query, key].forEach((token, i) => {
      const [patch, { columns }] = [token - this.first, attention.image];
      const [left, top] = [patch % columns, Math.floor(patch / columns)].map((place) => place * layout.cell);
      lay(this.marks[i], { left, top, width: layout.cell, height: layout.cell });
      this.marks[i].hidden = patch < 0;
    });
    if (!this.chip) return;
    set(this.chip, { "aria-pressed": query === 0 });
    this.chip.classList.toggle("on", key === 0);
  }

  pick(x, y) {
    const { rows, columns } = this.view.attention.image;
    const [row, column] = [y, x].map((length) => Math.floor(length / this.view.layout.cell));
    const inside = row >= 0 && column >= 0 && row < rows && column < columns;
    return inside ? { key: this.first + row * columns + column } : null;
  }

  // Arrows walk over the patches. Above the first row is the class token.
  step(down, right) {
    const { rows, columns } = this.view.attention.image;
    const patch = this.view.state.key - this.first;
    const [row, column] = patch < 0 ? [down - 1, 0] : [Math.floor(patch / columns) + down, (patch % columns) + right];
    const at = clamp(0, row, rows - 1) * columns + clamp(0, column, columns - 1);
    this.view.read({ key: row < 0 && this.first ? 0 : this.first + at });
  }

  enter() {
    this.view.pin(this.view.state.key);
  }

  press({ key }) {
    this.view.pin(key);
    this.view.read({});
  }
}

// What is said ------------------------------------------------------------------------------------------------------

class Reading {
  constructor(view) {
    this.view = view;
    [this.query, this.key] = [make("bdi"), make("bdi")];
    this.weight = make("p", { class: "weight" });
    this.where = make("p", { class: "where" });
    const pair = make("p", { class: "pair" }, this.query, " → ", this.key);
    const hint = make("p", { class: "hint" }, "Choose a cell or a token to read its weight.");
    this.node = make("div", { class: "reading" }, pair, this.weight, this.where, hint);
    this.pin = makeButton({ class: "chip" }, "Pin query", () => view.togglePin());
    if (!view.attention.image) this.node.append(this.pin);
    this.status = make("p", { class: "unseen", role: "status" });
  }

  point() {
    const { attention, resting, state } = this.view;
    const { head, query, key, pinned } = state;
    const { name } = attention.heads[head];
    this.node.classList.toggle("idle", query === null);
    this.where.textContent = name;
    set(this.pin, { "aria-pressed": pinned !== null });
    if (query === null) return;
    const weight = attention.weight(head, query, key);
    this.query.textContent = attention.queries[query];
    this.key.textContent = attention.keys[key];
    this.weight.textContent = weight;
    const last = [name, pinned !== null && !attention.image && "pinned"].filter(Boolean);
    const words = [`query ${attention.queries[query]}`, `key ${attention.keys[key]}`, `weight ${weight}`, ...last];
    clearTimeout(this.soon); // only where a pointer rests is said, not each step
    if (!resting) this.soon = setTimeout(() => (this.status.textContent = words.join(", ")), 250);
  }
}

// The chosen head in numbers, made only for who asks.
class Table {
  constructor(view) {
    this.view = view;
    this.holder = make("div", { class: "numbers", role: "group", tabindex: 0, "aria-label": "Table of weights" });
    this.node = make("details", {}, make("summary", {}, "Show as a table"), this.holder);
    this.node.addEventListener("toggle", () => this.draw());
  }

  draw() {
    if (!this.node.open) return this.holder.replaceChildren();
    const { attention, state } = this.view;
    const head = (scope, name) => make("th", { scope }, name);
    const top = make("tr", {}, head("col", "query"), ...attention.keys.map((key) => head("col", key)));
    const rows = attention.queries.map((name, query) => {
      const cells = attention.keys.map((_, key) => make("td", {}, attention.weight(state.head, query, key)));
      return make("tr", {}, head("row", name), ...cells);
    });
    const caption = make("caption", {}, attention.heads[state.head].name || "Weights");
    return this.holder.replaceChildren(make("table", {}, caption, make("thead", {}, top), make("tbody", {}, ...rows)));
  }
}

// Lines and map take turns where they don't fit side by side.
class Turns {
  constructor(view, surfaces) {
    this.view = view;
    this.shown = 1;
    this.buttons = ["Lines", "Map"].map((name, i) => makeButton({}, name, () => this.show(i)));
    this.panels = surfaces.map(({ node }) => make("div", { class: "panel" }, node));
    this.node = make("div", { class: "turns", role: "group", "aria-label": "View" }, ...this.buttons);
  }

  show(i) {
    this.shown = i;
    this.paint();
  }

  paint() {
    const turns = this.view.layout.kind === "turn";
    this.node.hidden = !turns;
    this.panels.forEach((panel, i) => {
      panel.hidden = turns && i !== this.shown;
      set(this.buttons[i], { "aria-pressed": i === this.shown });
    });
  }
}

// Arrangement -------------------------------------------------------------------------------------------------------

// How wide a label is, in the view's own type.
function ruler(view) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `650 13px ${getComputedStyle(view.live).fontFamily}`;
  return (text) => Math.ceil(context.measureText(shorten(text)).width);
}

// Sizes for a width, and a kind of arrangement: all parts in a row; grid and reading in a column, beside the others; or
// each below the other, lines and map in turn.
function arrange(attention, width, wide) {
  const { columns, heads, image, keys, m, n, queries, rowNames } = attention;
  const names = Math.max(...rowNames.map(wide), wide("head")) + PAD;
  const miniature = clamp(22, 190 / columns.length, 44);
  const grid = heads.length > 1 ? names + columns.length * (miniature + RING) + GAP : 0;
  const turn = { kind: "turn", miniature: clamp(14, (width - names) / columns.length - RING, 40) };
  const [inRow, inColumn] = [width - grid - READING - GAP, width - grid];
  if (image) {
    const beside = inRow >= 200;
    const cell = whole(Math.min(IMAGE, beside ? inRow : width) / Math.max(image.rows, image.columns));
    return { ...(beside ? { kind: "row", miniature } : turn), cell };
  }
  const keyWidths = keys.map(wide);
  const [keyWidth, queryWidth] = [Math.max(...keyWidths), Math.max(...queries.map(wide))];
  const longer = Math.max(m, n);
  const slant = Math.ceil(0.71 * keyWidth);
  // The largest cells for a room, and which key labels fit above them.
  const fit = (room) => {
    const [flat, slanted] = [room, room - slant].map((space) => whole(Math.min(CELL, space / m, TALLEST / n)));
    if (flat >= keyWidth + PAD) return { cell: flat, keyLabels: "flat", overhang: 0, top: 26 };
    if (slanted >= LEGIBLE) return { cell: slanted, keyLabels: "slanted", overhang: slant, top: slant + 20 };
    return { cell: clamp(4, flat, LEGIBLE - 1), keyLabels: "pointed", overhang: 0, top: 26 };
  };
  const lines = keyWidth + queryWidth + 2 * PAD; // without the lines themselves
  const layout = { keyWidths, keyWidth, queryWidth, mapLabels: 0 };
  const [row, column] = [inRow, inColumn].map((room) => fit(room - lines - SPAN[0] - PAD));
  const isRow = row.cell >= Math.min(24, (0.9 * TALLEST) / longer);
  if (isRow || (grid && column.cell >= Math.min(14, (0.6 * TALLEST) / longer))) {
    const [kind, map, room] = isRow ? ["row", row, inRow] : ["column", column, inColumn];
    // Lines and map share their rows and the labels of their queries.
    const height = Math.max(n * map.cell, m * Math.min(map.cell, LEGIBLE));
    const keyPitch = Math.min(Math.max(map.cell, LEGIBLE), height / m);
    const span = clamp(SPAN[0], room - lines - PAD - m * map.cell - map.overhang, SPAN[1]);
    return { ...layout, ...map, kind, miniature, pitch: map.cell, keyPitch, height, mapHeight: height, span };
  }
  let map = fit(width - queryWidth - PAD);
  if (map.keyLabels === "pointed") map = fit(width);
  else layout.mapLabels = queryWidth + PAD;
  const pitch = clamp(LEGIBLE, 300 / longer, 34);
  const span = clamp(40, width - lines, 260);
  return { ...layout, ...map, ...turn, pitch, keyPitch: pitch, height: pitch * longer, mapHeight: n * map.cell, span };
}

// The element -------------------------------------------------------------------------------------------------------

// What has changed: what is pointed at; the head, too; or also the page's width or colours.
const [POINTER, HEAD, PAGE] = [0, 1, 2];

class AttentionView extends HTMLElement {
  // Until it comes near, the static figure does.
  connectedCallback() {
    if (this.live) return;
    const near = (seen) => seen.at(-1).isIntersecting && this.upgrade();
    this.near = new IntersectionObserver(near, { rootMargin: "400px" });
    this.near.observe(this);
  }

  upgrade() {
    this.near.disconnect();
    if (this.live) return;
    this.attention = new Attention(JSON.parse(this.querySelector("script").textContent));
    const { columns, image, start } = this.attention;
    this.home = start.query ?? (image ? 0 : null);
    this.state = { head: start.row * columns.length + start.column, pinned: this.home };
    this.build();
    const figure = this.querySelector(".static-figure");
    const { top, height } = figure.getBoundingClientRect();
    if (top < window.innerHeight) this.style.minHeight = `${height}px`; // what is being read must not move
    const focused = figure.contains(document.activeElement);
    this.append(this.live);
    this.classList.add("is-live");
    this.follow();
    if (focused) this.querySelector(".surface").focus();
  }

  build() {
    const { heads, image } = this.attention;
    const surfaces = image ? [new Patches(this)] : [new Lines(this), new HeadMap(this)];
    const turns = image ? [] : [new Turns(this, surfaces)];
    const grid = heads.length > 1 ? [new Heads(this)] : [];
    const [reading, table] = [new Reading(this), new Table(this)];
    const pair = make("div", { class: "both" }, ...(turns[0]?.panels ?? [surfaces[0].node]));
    this.parts = [...turns, ...grid, ...surfaces, reading, table];
    this.stage = make("div", {}, ...[...grid, reading, ...turns].map(({ node }) => node), pair);
    this.live = make("div", { class: "live" }, this.stage, table.node, reading.status);
    // On the way to the grid or the pin, the reading stays; beyond them it ends.
    this.live.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch" && !this.live.querySelector(":focus-visible")) this.rest();
    });
    this.live.addEventListener("focusout", (event) => this.live.contains(event.relatedTarget) || this.rest());
    this.rest();
  }

  // Follow the page: its width, and its colours in light and dark.
  follow() {
    const repaint = () => this.request(PAGE);
    new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-theme"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new ResizeObserver(() => this.fit()).observe(this.live);
    this.fit();
  }

  fit() {
    const width = this.live.clientWidth;
    if (!width || width === this.width) return; // hidden, or nothing new
    if (this.width) this.style.minHeight = 0;
    this.width = width;
    this.layout = arrange(this.attention, width, ruler(this));
    this.stage.className = `stage ${this.layout.kind}`;
    this.render(PAGE);
  }

  // Show a change with the next frame.
  request(change = POINTER) {
    this.change = Math.max(change, this.change ?? POINTER);
    this.frame ??= requestAnimationFrame(() => this.render(this.change));
  }

  render(change) {
    cancelAnimationFrame(this.frame);
    this.frame = this.change = null;
    if (!this.layout) return;
    if (change >= PAGE) this.parts.forEach((part) => part.paint?.());
    if (change >= HEAD) this.parts.forEach((part) => part.draw?.());
    this.parts.forEach((part) => part.point?.());
  }

  choose(head) {
    this.state.head = head;
    if (this.resting) this.rest();
    this.request(HEAD);
  }

  // Read a query's weight for a key. A pinned query stays; what is left open is the strongest.
  read({ query, key }) {
    const { attention, state } = this;
    const column = () => attention.queries.map((_, each) => attention.row(state.head, each)[key]);
    state.query = state.pinned ?? query ?? strongest(column());
    state.key = key ?? strongest(attention.row(state.head, state.query));
    this.resting = false;
    this.request();
  }

  rest() {
    const { state } = this;
    if (state.pinned !== null) this.read({});
    else Object.assign(state, { query: null, key: null });
    this.resting = true;
    this.request();
  }

  // Pin a query; null unpins it, and an image, which needs a query, returns to its first.
  pin(query) {
    const { attention, state } = this;
    state.pinned = query ?? (attention.image ? this.home : null);
    state.query = state.pinned ?? state.query;
    this.resting = false;
    this.request();
  }

  togglePin() {
    this.pin(this.state.pinned === null ? this.state.query : null);
  }
}

customElements.define("attention-view", AttentionView);
