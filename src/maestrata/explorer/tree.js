// The middle part: a mask, and the set c that it makes masked and visible part share.
let mask = [];

function tokenNodes(tree) {
  const place = new Map(tree.names.map((name, i) => [name, i])), count = tree.height * tree.width;
  return Array.from({ length: count }, (_, i) => place.get(`x${i}`));
}

function resetTree(anew) {
  const { tree, patches } = currentWorld();
  document.getElementById("masks").hidden = !tree;
  const { ratios } = patches[chosen.patch], half = ratios.reduce((a, b) => Math.abs(b - .5) < Math.abs(a - .5) ? b : a);
  fill("ratio", ratios.map(r => [String(r), ratioText(r)]), String(half));
  if (anew && tree) mask = firstMask(tree);
  drawTree();
}

// A mask to begin with: the first tokens of the tree, three of eight.
function firstMask(tree) {
  const { x, count } = layout(tree), tokens = new Set(tokenNodes(tree));
  return tree.parent.map((_, node) => tokens.has(node) && x[node] < Math.max(1, Math.round(count * .375)));
}

// Leaves from left to right as the tree has them, every other node over the middle of its children.
function layout(tree) {
  const children = childrenOf(tree), x = [], roots = tree.parent.flatMap((p, i) => p < 0 ? [i] : []);
  let next = 0;
  const place = node => {
    children[node].forEach(place);
    const below = children[node].map(child => x[child]);
    x[node] = below.length ? (below[0] + below[below.length - 1]) / 2 : next++;
  };
  roots.forEach(place);
  return { x, count: next };
}

function toggle(node) {
  mask[node] = !mask[node];
  drawTree();
  const token = document.querySelector(`#tree .token[data-node="${node}"]`);
  if (token) token.focus();
}

function drawTree() {
  const { tree } = currentWorld();
  if (!tree) {
    show("tree");
    show("tree-text", "No tree of causes is known of this world. `maestrata locate` takes any graph.");
    return;
  }
  const [reading, tie] = document.getElementById("reading").value.split(" ");
  const shared = sharedInformation(tree, mask, reading, tie), inC = new Set(shared ? shared.nodes : []);
  const { x: column, count } = layout(tree), top = Math.max(...tree.level);
  const cell = Math.max(15, Math.min(64, 640 / count)), left = 74, row = 52, W = left + count * cell + 10, H = (top + 1) * row + 6;
  const x = node => left + (column[node] + .5) * cell, y = node => 24 + (top - tree.level[node]) * row;
  const side = Math.min(24, cell - 4), small = cell < 30;
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, width: W, role: "group", "aria-label": "tree of causes over the tokens" });
  for (let level = 0; level <= top; level++) {
    const text = level ? `level ${level}` : "tokens";
    svg.append(label(0, 28 + (top - level) * row, text, { class: "quiet" }));
  }
  tree.parent.forEach((parent, node) => { if (parent >= 0) svg.append(line(x(parent), y(parent), x(node), y(node), "#bbb")); });
  tree.names.forEach((name, node) => {
    if (tree.level[node] === 0) return;
    const chosenHere = inC.has(node), group = make("g", { class: chosenHere ? "node in-c" : "node", "data-node": name });
    group.append(make("circle", { cx: x(node), cy: y(node), r: small ? 5 : 8, fill: chosenHere ? "#B34A00" : "#fff", stroke: chosenHere ? "#B34A00" : "#666" }));
    if (chosenHere) group.append(make("circle", { cx: x(node), cy: y(node), r: small ? 9 : 13, class: "halo" }));
    group.append(make("title", {}, `${name}, dimension ${tree.dim[node]}${chosenHere ? ", in c" : ""}`));
    if (!small) group.append(label(x(node) + 16, y(node) + 4, name, { class: chosenHere ? "in-c" : "quiet" }));
    svg.append(group);
  });
  const box = (node, name, at, size) => {
    const group = make("g", { class: "token", role: "checkbox", tabindex: 0, "aria-checked": mask[node], "aria-label": `${name} masked`, "data-node": node });
    group.append(make("rect", { x: at[0] - size / 2, y: at[1] - size / 2, width: size, height: size, class: "box", fill: mask[node] ? "#333" : "#fff", stroke: "#333" }));
    group.append(make("title", {}, `${name}: ${mask[node] ? "masked" : "visible"}`));
    group.addEventListener("click", () => toggle(node));
    group.addEventListener("keydown", event => {
      if (event.key === " " || event.key === "Enter") { event.preventDefault(); toggle(node); }
    });
    return group;
  };
  const tokens = tokenNodes(tree);
  // in the order of the tree, which is that of the tab key
  [...tokens].sort((a, b) => column[a] - column[b]).forEach(node => {
    svg.append(box(node, tree.names[node], [x(node), y(node)], side));
    if (!small) svg.append(label(x(node), y(node) + side / 2 + 13, tree.names[node], { class: "quiet", "text-anchor": "middle" }));
  });
  const unit = 22, image = make("svg", { viewBox: `0 0 ${tree.width * unit + 2} ${tree.height * unit + 2}`, width: tree.width * unit + 2, "aria-hidden": "true" });
  tokens.forEach((node, i) => {
    const at = [1 + (i % tree.width + .5) * unit, 1 + (Math.floor(i / tree.width) + .5) * unit];
    const square = make("rect", { x: at[0] - unit / 2, y: at[1] - unit / 2, width: unit, height: unit, fill: mask[node] ? "#333" : "#fff", stroke: "#333", class: "token" });
    square.addEventListener("click", () => toggle(node));
    image.append(square);
  });
  const caption = make("div", {}, image, make("div", { class: "quiet" }, "the same in the image"));
  show("tree", make("div", { class: "beside" }, svg, caption));
  show("tree-text", tellShared(tree, shared, reading, tie));
}

function tellShared(tree, shared, reading, tie) {
  if (!shared) return "Mask at least one token, and not all: then both parts share something.";
  const names = [...shared.nodes].sort((a, b) => tree.level[b] - tree.level[a]).map(i => tree.names[i]);
  const several = reading === "separator" ? (shared.unique ? " No other set is as small." : ` Several sets are as small; the ${tie} is shown.`) : "";
  const intrinsic = shared.intrinsicDim === null ? "" : `, intrinsic dimension ${shared.intrinsicDim}`;
  return `c = {${names.join(", ")}}: dimension ${shared.dim}${intrinsic}.${several}`;
}

// A mask as training draws it: whole patches, the number that the ratio leaves.
function drawMask() {
  const { tree, patches } = currentWorld(), { of_token: patchOf, ratios } = patches[chosen.patch];
  const n = Math.max(...patchOf) + 1, ratio = Number(document.getElementById("ratio").value || ratios[0]);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  const hidden = new Set(order.slice(0, Math.round(ratio * n)));
  mask = tree.parent.map(() => false);
  tokenNodes(tree).forEach((node, i) => { mask[node] = hidden.has(patchOf[i]); });
  drawTree();
}

document.getElementById("reading").addEventListener("change", drawTree);
document.getElementById("draw").addEventListener("click", drawMask);
document.getElementById("clear").addEventListener("click", () => { mask = mask.map(() => false); drawTree(); });
document.getElementById("swap").addEventListener("click", () => {
  const { tree } = currentWorld(), tokens = new Set(tokenNodes(tree));
  mask = mask.map((hidden, node) => tokens.has(node) && !hidden);
  drawTree();
});
