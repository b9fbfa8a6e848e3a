// The set c of a mask on a tree, as maestrata.theory.shared_information finds it (theory/trees.py has the reasons);
// a test compares the two. A tree: `parent`, `level`, `dim`, `noise` by node, parents before children. A mask: for
// each node whether it is a masked token.
const CUT = 0, MASKED = 1, VISIBLE = 2, EMPTY = 3;

function childrenOf(tree) {
  const children = tree.parent.map(() => []);
  tree.parent.forEach((parent, node) => { if (parent >= 0) children[parent].push(node); });
  return children;
}

// The smallest separating set: by dimension, then by level (tie), then nearest the visible or the masked side.
function separator(tree, masked, tie, near) {
  const children = childrenOf(tree), n = tree.parent.length;
  const sign = { highest: -1, lowest: 1, none: 0 }[tie];
  const byLevel = tree.dim.map((dim, i) => sign * dim * tree.level[i]);
  const span = Math.abs(byLevel.reduce((a, b) => a + b, 0)) + 1;
  const weight = tree.dim.map((dim, i) => (n + 1) * (dim * span + byLevel[i]));
  const far = weight.reduce((a, b) => a + b, 0) + n + 1;
  const sided = near === "visible" ? VISIBLE : MASKED;
  const cost = [];
  for (let i = n - 1; i >= 0; i--) {
    if (!children[i].length) {
      cost[i] = [far, masked[i] ? 0 : far, masked[i] ? far : 0, far];
      continue;
    }
    const sum = [0, 0, 0, 0];
    for (const child of children[i]) {
      const [cut, m, v, e] = cost[child];
      const empty = Math.min(cut, e);
      sum[CUT] += Math.min(empty, m, v);
      sum[MASKED] += Math.min(empty, m);
      sum[VISIBLE] += Math.min(empty, v);
      sum[EMPTY] += empty;
    }
    cost[i] = sum.map((below, state) => Math.min(far, below + (state === CUT ? weight[i] : Number(state === sided))));
  }
  const state = [];
  for (let i = 0; i < n; i++) {
    const [cut, m, v, empty] = cost[i], above = state[tree.parent[i]];
    if (tree.parent[i] < 0) {
      state[i] = cost[i].indexOf(Math.min(...cost[i]));
      continue;
    }
    let least = Math.min(cut, empty);
    state[i] = empty < cut ? EMPTY : CUT;
    if ((above === CUT || above === MASKED) && m < least) { state[i] = MASKED; least = m; }
    if ((above === CUT || above === VISIBLE) && v < least) state[i] = VISIBLE;
  }
  return state.map(each => each === CUT);
}

// Shared ancestors without a shared ancestor below them: what a mask shares if a part tells its causes for sure.
function lowestShared(tree, masked) {
  const children = childrenOf(tree), m = [], v = [], found = [];
  for (let i = tree.parent.length - 1; i >= 0; i--) {
    const kids = children[i];
    m[i] = kids.length ? kids.some(k => m[k]) : masked[i];
    v[i] = kids.length ? kids.some(k => v[k]) : !masked[i];
    found[i] = m[i] && v[i] && !kids.some(k => m[k] && v[k]);
  }
  return found;
}

// {nodes, dim, intrinsicDim, unique} as the Python function has them; null where the mask is empty or full.
function sharedInformation(tree, masked, reading, tie) {
  const children = childrenOf(tree);
  const tokens = tree.parent.map((_, i) => i).filter(i => !children[i].length);
  const count = tokens.filter(i => masked[i]).length;
  if (!count || count === tokens.length) return null;
  let chosen, unique = true;
  if (reading === "invertible") {
    chosen = lowestShared(tree, masked);
  } else {
    chosen = separator(tree, masked, tie, "visible");
    const [one, other] = ["visible", "masked"].map(near => separator(tree, masked, "none", near));
    unique = one.every((cut, i) => cut === other[i]);
  }
  const nodes = tree.parent.map((_, i) => i).filter(i => chosen[i]);
  const above = new Set();
  for (let node of nodes) for (; node >= 0; node = tree.parent[node]) above.add(node);
  const total = (values, which) => [...which].reduce((sum, i) => sum + values[i], 0);
  return { nodes, unique, dim: total(tree.dim, nodes), intrinsicDim: tree.noise && total(tree.noise, above) };
}
