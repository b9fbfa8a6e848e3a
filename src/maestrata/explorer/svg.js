// Making elements: HTML and SVG, markers, numbers as text.
function make(name, attributes = {}, ...children) {
  const isSvg = /^(svg|g|line|path|rect|circle|text|title|polyline|pattern|defs)$/.test(name);
  const made = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null));
  return made;
}

function show(id, ...children) { document.getElementById(id).replaceChildren(...children); }

function fill(id, options, chosen) {
  show(id, ...options.map(([value, text]) => make("option", { value }, text)));
  const select = document.getElementById(id), there = options.some(([value]) => value === chosen);
  select.value = there ? chosen : options.length ? options[0][0] : "";
  select.disabled = options.length < 2;
  return select.value;
}

function number(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(digits).replace(/^(-?)0\./, "$1.").replace("-", "−");
}

function ratioText(ratio) { return String(Math.round(ratio * 1000) / 1000).replace(/^0\./, "."); }

const SHAPES = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  s: "M-3.6 -3.6h7.2v7.2h-7.2z",
  D: "M0 -5l5 5l-5 5l-5 -5z",
  "^": "M0 -4.6l4.6 8h-9.2z",
  v: "M0 4.6l4.6 -8h-9.2z",
  P: "M-1.6 -4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
  X: "M-4 -2l2 -2l2 2l2 -2l2 2l-2 2l2 2l-2 2l-2 -2l-2 2l-2 -2l2 -2z",
};

function marker(x, y, shape, color, title, attributes = {}) {
  const path = { d: SHAPES[shape] || SHAPES.o, transform: `translate(${x} ${y})`, fill: color, stroke: "#fff", ...attributes };
  return make("path", path, title ? make("title", {}, title) : null);
}

function line(x1, y1, x2, y2, stroke, attributes = {}) {
  return make("line", { x1, y1, x2, y2, stroke, ...attributes });
}

function polyline(points, stroke, attributes = {}) {
  return make("polyline", { points: points.map(p => p.join(",")).join(" "), stroke, fill: "none", ...attributes });
}

function label(x, y, text, attributes = {}) { return make("text", { x, y, ...attributes }, text); }

function niceTicks(low, high, about = 5) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * power).find(each => each >= raw * .9999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(+(k * step).toPrecision(6));
  return ticks;
}

function table(head, rows) {
  const row = (cells, kind) => make("tr", {}, ...cells.map(cell => make(kind, {}, cell)));
  return make("table", {}, row(head, "th"), ...rows.map(cells => row(cells, "td")));
}
