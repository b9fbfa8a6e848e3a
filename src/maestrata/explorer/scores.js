// The upper part: R2 of each level over the masking ratio, at what is chosen.
const chosen = { world: Object.keys(DATA.worlds)[0], patch: "", level: "all", encoder: "trained", features: "" };
const NULL_DASHES = "5 4", CEILING_DASHES = "10 3 2 3";

function currentWorld() { return DATA.worlds[chosen.world]; }

function seriesOf(encoder) {
  const patch = currentWorld().series[chosen.patch] || {};
  return (patch[encoder] || {})[chosen.features] || {};
}

function ceilingOf(level) {
  const world = currentWorld(), features = world.features[chosen.features];
  const kind = world.ceiling[DATA.of_nodes.includes(features.pooling) ? "of_nodes" : "all"] || {};
  const place = ((kind[features.eval_ratio] || {})[features.target] || {})[level];
  return place && { bound: place.bound, values: place.patches[chosen.patch] };
}

// What can be chosen depends on what was chosen before it: the lists are filled anew, choices kept where they can be.
function fillChoices() {
  chosen.world = fill("world", Object.keys(DATA.worlds).map(name => [name, name]), chosen.world);
  const world = currentWorld();
  chosen.patch = fill("patch", Object.keys(world.patches).map(name => [name, name.replace("x", "×").replace("o", ", offset")]), chosen.patch);
  const byEncoder = world.series[chosen.patch] || {};
  const encoders = Object.keys(DATA.encoders).filter(name => byEncoder[name]);
  chosen.encoder = fill("encoder", encoders.map(name => [name, DATA.encoders[name]]), chosen.encoder);
  const there = Object.keys(byEncoder[chosen.encoder] || {});
  const named = there.map(i => [i, world.features[i].name + (Number(i) === world.primary ? " (primary)" : "")]);
  named.sort((one, other) => (Number(other[0]) === world.primary) - (Number(one[0]) === world.primary) || one[1].localeCompare(other[1]));
  chosen.features = fill("features", named, chosen.features);
  const levels = Object.keys(seriesOf(chosen.encoder)).sort((a, b) => b - a);
  const top = levels[0];
  chosen.level = fill("level", [["all", "all levels"], ...levels.map(l => [l, `level ${l}${l === top ? " (highest)" : ""}`])], chosen.level);
}

function pointText(ratios, [k, mean, low, high, worlds]) {
  const interval = low === null ? "" : ` [${number(low)}, ${number(high)}]`;
  return `r = ${ratioText(ratios[k])}: ${number(mean)}${interval}, ${worlds} world${worlds === 1 ? "" : "s"}`;
}

function drawScores() {
  const world = currentWorld(), ratios = world.patches[chosen.patch].ratios;
  const own = seriesOf(chosen.encoder), nulls = chosen.encoder === DATA.null ? {} : seriesOf(DATA.null);
  const levels = Object.keys(own).filter(l => chosen.level === "all" || l === chosen.level).sort((a, b) => b - a);
  const lowest = Math.min(0, ...levels.flatMap(l => [...own[l].points, ...((nulls[l] || {}).points || [])].flatMap(p => [p[1], p[2] ?? p[1]])));
  const bottom = Math.max(-1, Math.floor(lowest * 5 - .001) / 5), low = lowest < -.02 ? bottom : 0;
  const W = 760, H = 380, left = 46, right = W - 12, top = 12, foot = H - 42;
  const x = ratio => left + ratio * (right - left), y = r2 => foot - (Math.max(r2, low) - low) / (1 - low) * (foot - top);
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-labelledby": "scores-text" });
  for (const tick of niceTicks(low, 1)) {
    svg.append(line(left, y(tick), right, y(tick), tick === 0 ? "#888" : "#e4e4e4"), label(left - 8, y(tick) + 4, number(tick, 1), { "text-anchor": "end" }));
  }
  for (const tick of [0, .25, .5, .75, 1]) {
    svg.append(line(x(tick), foot, x(tick), foot + 5, "#888"), label(x(tick), foot + 19, ratioText(tick), { "text-anchor": "middle" }));
  }
  svg.append(line(left, foot, right, foot, "#888"), label((left + right) / 2, H - 6, "share of the image that is masked in training", { "text-anchor": "middle" }));
  svg.append(label(0, 0, "R² of the level's causes", { transform: `translate(12 ${(top + foot) / 2}) rotate(-90)`, "text-anchor": "middle" }));
  const bounds = new Set();
  levels.forEach((level, i) => {
    const { color, marker: shape } = DATA.levels[level], { points, each } = own[level];
    // beside each other, so that the intervals of all levels can be seen
    const at = p => x(ratios[p[0]]) + 5 * (i - (levels.length - 1) / 2);
    const group = make("g", { class: "series", "data-level": level });
    const ceiling = ceilingOf(level);
    if (ceiling) {
      bounds.add(ceiling.bound);
      const known = ceiling.values.map((value, k) => [ratios[k], value]).filter(p => p[1] !== null);
      const flat = known.length === 1 ? [-.03, .03].map(d => [known[0][0] + d, known[0][1]]) : known;
      group.append(polyline(flat.map(p => [x(p[0]), y(p[1])]), color, { "stroke-width": 1.2, "stroke-dasharray": CEILING_DASHES, class: "ceiling" }));
    }
    const below = (nulls[level] || { points: [] }).points;
    const dashed = below.length === 1 ? [-.03, .03].map(d => [x(ratios[below[0][0]] + d), y(below[0][1])]) : below.map(p => [x(ratios[p[0]]), y(p[1])]);
    if (dashed.length) group.append(polyline(dashed, color, { "stroke-width": 1.2, "stroke-dasharray": NULL_DASHES, class: "null" }));
    if (chosen.level !== "all" && each) {
      each.forEach((values, j) => values.filter(v => v !== null).forEach(value => group.append(
        make("circle", { cx: at(points[j]) + 7, cy: y(value), r: 2.5, fill: color, "fill-opacity": .45, class: "world" }))));
    }
    group.append(polyline(points.map(p => [at(p), y(p[1])]), color, { "stroke-width": 2 }));
    for (const p of points) {
      if (p[2] !== null) group.append(line(at(p), y(p[2]), at(p), y(p[3]), color, { "stroke-width": 1.6, class: "interval" }));
      group.append(marker(at(p), y(p[1]), shape, color, `level ${level}, ${pointText(ratios, p)}`));
    }
    svg.append(group);
  });
  show("scores", svg, legendOf(levels, Object.keys(nulls).length > 0, bounds));
  tellScores(levels, own, nulls, ratios);
}

function legendOf(levels, hasNull, bounds) {
  const key = (...drawn) => make("svg", { width: 34, height: 12, viewBox: "0 0 34 12", "aria-hidden": "true" }, ...drawn);
  const entry = (drawn, text) => make("li", {}, key(...drawn), text);
  const entries = levels.map(level => {
    const look = DATA.levels[level];
    return entry([line(0, 6, 34, 6, look.color, { "stroke-width": 2 }), marker(17, 6, look.marker, look.color)], `level ${level}`);
  });
  if (hasNull) entries.push(entry([line(0, 6, 34, 6, "#555", { "stroke-dasharray": NULL_DASHES })], "same network, trained on targets of other images"));
  const names = { exact: "ceiling: exact inference", upper: "upper bound in place of a ceiling" };
  for (const bound of bounds) entries.push(entry([line(0, 6, 34, 6, "#555", { "stroke-dasharray": CEILING_DASHES })], names[bound]));
  if (chosen.level !== "all") entries.push(entry([make("circle", { cx: 17, cy: 6, r: 2.5, fill: "#555", "fill-opacity": .45 })], "single worlds"));
  return make("ul", { class: "legend" }, ...entries);
}

function tellScores(levels, own, nulls, ratios) {
  const counts = levels.flatMap(l => own[l].points.map(p => p[4])), most = Math.max(0, ...counts), least = Math.min(...counts);
  const over = most >= DATA.least_worlds
    ? `Bars: 95 % t interval over ${least === most ? most : `${least} to ${most}`} worlds.`
    : `Bars: 95 % interval over test images; ${most === 1 ? "one world" : `${most} worlds`}, too few for an interval over worlds.`;
  const best = levels.map(level => {
    const p = own[level].points.reduce((a, b) => b[1] > a[1] ? b : a);
    return own[level].points.length > 1 ? `level ${level} at r = ${ratioText(ratios[p[0]])} (${number(p[1])})` : "";
  }).filter(Boolean);
  const text = `${chosen.world}, ${DATA.encoders[chosen.encoder]}, ${currentWorld().features[chosen.features].name}. ${over} ${best.length ? `Best: ${best.join("; ")}.` : ""}`;
  show("scores-text", levels.length ? text : "Nothing was measured for this choice.");
  const rows = levels.flatMap(level => own[level].points.map(p => {
    const below = ((nulls[level] || { points: [] }).points.find(q => q[0] === p[0]) || [])[1], ceiling = ceilingOf(level);
    return [`level ${level}`, ratioText(ratios[p[0]]), number(p[1], 3), p[2] === null ? "–" : `${number(p[2], 3)} to ${number(p[3], 3)}`, String(p[4]), number(below, 3), number(ceiling && ceiling.values[p[0]], 3)];
  }));
  show("scores-table", table(["level", "ratio", "R²", "95 %", "worlds", "null-trained", "ceiling"], rows));
}

for (const name of Object.keys(chosen)) {
  document.getElementById(name).addEventListener("change", event => {
    chosen[name] = event.target.value;
    // the features have other numbers in another world
    if (name === "world") chosen.features = String(DATA.worlds[chosen.world].primary);
    fillChoices();
    drawScores();
    if (name === "world" || name === "patch") resetTree(name === "world");
  });
}
