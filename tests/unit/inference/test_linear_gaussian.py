"""Closed form on any linear-Gaussian DAG, against the definition and against samples."""

import numpy as np
import pytest

from maestrata.errors import InferenceError
from maestrata.graphs import LatentGraph
from maestrata.inference.linear_gaussian import GaussianModel

GRAPH = LatentGraph(
    edges=[("a", "c"), ("b", "c"), ("a", "d"), ("c", "x"), ("d", "x"), ("c", "y"), ("b", "y")],
    dims={"a": 2, "b": 1, "c": 3, "d": 2, "x": 2, "y": 2},
)


@pytest.fixture(scope="module")
def dag():
    rng = np.random.default_rng(0)
    weights = {(p, c): rng.normal(size=(GRAPH.dims[c], GRAPH.dims[p])) for p, c in GRAPH.edges}
    roots = {node: rng.normal(size=(GRAPH.dims[node],) * 2) for node in GRAPH.nodes}
    noise = {node: r @ r.T + 0.1 * np.eye(len(r)) for node, r in roots.items()}
    return weights, noise, GaussianModel.from_dag(GRAPH, weights, noise)


def test_joint_covariance_is_that_of_samples(dag):
    weights, noise, model = dag
    rng = np.random.default_rng(1)
    n = 200_000
    values = {}
    for node in GRAPH.nodes:
        values[node] = rng.multivariate_normal(np.zeros(GRAPH.dims[node]), noise[node], size=n)
        for parent in GRAPH.parents(node):
            values[node] += values[parent] @ weights[parent, node].T
    flat = np.concatenate([values[node] for node in model.slices], 1)
    scale = np.sqrt(np.diag(model.covariance))
    np.testing.assert_allclose(
        np.cov(flat.T) / scale / scale[:, None], model.covariance / scale / scale[:, None], atol=0.02
    )


def test_condition_is_the_inverse_formula(dag):
    _, _, model = dag
    x, z = model.index(["x", "y"]), model.index(["a", "d"])
    s = model.covariance
    gain, cov = model.condition(["x", "y"], ["a", "d"])
    np.testing.assert_allclose(gain, s[np.ix_(z, x)] @ np.linalg.inv(s[np.ix_(x, x)]), atol=1e-9)
    np.testing.assert_allclose(
        cov, np.linalg.inv(np.linalg.inv(s[np.ix_([*z, *x], [*z, *x])])[: len(z), : len(z)]), atol=1e-9
    )


def test_posterior_takes_each_image_with_its_own_mask(dag):
    _, _, model = dag
    rng = np.random.default_rng(2)
    values = rng.normal(size=(6, 2, 2))
    visible = np.array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 0], [1, 1]], bool)
    mean, cov = model.posterior(["x", "y"], values, visible, ["c"])
    for i in range(6):
        names = [name for name, shown in zip(["x", "y"], visible[i], strict=True) if shown]
        gain, expected = model.condition(names, ["c"])
        np.testing.assert_allclose(mean[i], gain @ values[i][visible[i]].ravel())
        np.testing.assert_allclose(cov[i], expected)


def test_information_is_the_log_of_correlation():
    rho = 0.6
    model = GaussianModel({"u": 1, "v": 1}, [[1, rho], [rho, 1]])
    assert model.mutual_information(["u"], ["v"]) == pytest.approx(-np.log(1 - rho**2) / 2, rel=1e-12)
    # v and w know each other only through u
    chain = LatentGraph([("u", "v"), ("u", "w")])
    model = GaussianModel.from_dag(
        chain, {("u", "v"): [[2.0]], ("u", "w"): [[1.0]]}, {k: [[1.0]] for k in "uvw"}
    )
    assert model.mutual_information(["v"], ["w"]) > 0.1
    assert model.mutual_information(["v"], ["w"], ["u"]) < 1e-12


def test_errors():
    with pytest.raises(InferenceError, match=r"covariance of shape \(2, 2\) must be \(3, 3\)"):
        GaussianModel({"u": 3}, np.eye(2))
    with pytest.raises(InferenceError, match="symmetric"):
        GaussianModel({"u": 2}, [[1, 0.5], [0, 1]])
    with pytest.raises(InferenceError, match="'q' is not among the 1 variables"):
        GaussianModel({"u": 2}, np.eye(2)).condition(["q"], ["u"])
    graph = LatentGraph([("u", "v")])
    with pytest.raises(InferenceError, match=r"weights\['u', 'v'\] of shape \(1, 2\) must be \(1, 1\)"):
        GaussianModel.from_dag(graph, {("u", "v"): np.ones((1, 2))}, {"u": np.eye(1), "v": np.eye(1)})
    with pytest.raises(InferenceError, match=r"noise\['u'\] of shape \(2, 2\) must be \(1, 1\)"):
        GaussianModel.from_dag(graph, {("u", "v"): np.ones((1, 1))}, {"u": np.eye(2), "v": np.eye(1)})
