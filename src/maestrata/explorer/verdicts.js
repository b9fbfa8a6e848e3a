// The lower part: the verdicts, each with its contrasts and the worlds behind them. Then everything is drawn once.
function strip(contrast, color) {
  const known = [contrast.estimate, contrast.low, contrast.high, contrast.threshold, ...contrast.values, 0].filter(v => v !== null);
  const least = Math.min(...known), most = Math.max(...known), room = (most - least || 1) * .06;
  const W = 480, left = 12, right = 468, x = v => left + (v - least + room) / (most - least + 2 * room || 1) * (right - left);
  const svg = make("svg", { viewBox: `0 0 ${W} 50`, width: W, role: "img", "aria-label": contrastText(contrast) });
  svg.append(line(left, 34, right, 34, "#888"));
  for (const tick of niceTicks(least - room, most + room)) {
    svg.append(line(x(tick), 34, x(tick), 37, "#888"), label(x(tick), 48, String(tick).replace("-", "−"), { "text-anchor": "middle", class: "quiet" }));
  }
  if (contrast.threshold !== null) svg.append(line(x(contrast.threshold), 3, x(contrast.threshold), 34, "#333", { "stroke-dasharray": "4 3" }));
  contrast.values.forEach((value, i) => {
    if (value === null) return;
    const dot = make("circle", { cx: x(value), cy: 11, r: 4, fill: color, "fill-opacity": .55, class: "world" });
    dot.append(make("title", {}, `${contrast.worlds[i]}: ${value}`));
    svg.append(dot);
  });
  if (contrast.low !== null) svg.append(line(x(contrast.low), 25, x(contrast.high), 25, color, { "stroke-width": 2 }));
  if (contrast.estimate !== null) svg.append(marker(x(contrast.estimate), 25, "D", color));
  return svg;
}

function contrastText(contrast) {
  const interval = contrast.low === null ? "" : ` [${contrast.low}, ${contrast.high}]`;
  return `${contrast.name}: ${contrast.estimate ?? "–"}${interval} ${contrast.units}, ${contrast.values.length} world${contrast.values.length === 1 ? "" : "s"}`;
}

function claimOf(verdict) {
  const drawn = (contrast, color) => make("figure", {}, make("figcaption", {}, contrastText(contrast)), ...(contrast.values.length ? [strip(contrast, color)] : []),
    make("details", {}, make("summary", { class: "quiet" }, "world by world"), table(["world and seed", contrast.units], contrast.worlds.map((world, i) => [world, String(contrast.values[i] ?? "–")]))));
  const [deciding, rest] = [true, false].map(decides => verdict.contrasts.filter(c => c.decides === decides));
  const p = verdict.p === null ? "" : `p = ${verdict.p}, ${verdict.p_holm} after Holm's correction.`;
  const inside = make("div", { class: "inside" }, make("p", {}, verdict.sentence), ...deciding.map(c => drawn(c, verdict.color)),
    make("p", { class: "quiet" }, `${verdict.rule} ${p}`));
  if (rest.length) inside.append(make("details", {}, make("summary", { class: "quiet" }, `${rest.length} secondary contrasts`), ...rest.map(c => drawn(c, "#555555"))));
  const badge = make("span", { class: "badge", style: `background:${verdict.color}` }, `${verdict.sign} ${verdict.word}`);
  const worlds = verdict.n_worlds ? make("span", { class: "quiet" }, ` ${verdict.n_worlds} worlds`) : "";
  return make("details", { class: "claim", id: `claim-${verdict.claim.replace(" ", "-")}` }, make("summary", {}, badge, ` ${verdict.claim} · ${verdict.title} `, worlds), inside);
}

function drawVerdicts() {
  if (!DATA.verdicts.length) {
    show("verdicts-text", "This run has no verdicts.");
    return;
  }
  const count = {};
  for (const { word } of DATA.verdicts) count[word] = (count[word] || 0) + 1;
  const told = Object.entries(count).map(([word, n]) => `${n} ${word}`).join(", ");
  show("verdicts-text", `${DATA.verdicts.length} claims: ${told}. Open one to see its contrasts: dots are worlds, the diamond is their mean with its 95 % t interval, dashed is the threshold.`);
  show("verdicts", ...DATA.verdicts.map(claimOf));
}

if (chosen.world) {
  chosen.features = String(currentWorld().primary);
  fillChoices();
  drawScores();
  resetTree(true);
} else {
  show("scores-text", "This run has no finished cell.");
}
drawVerdicts();
