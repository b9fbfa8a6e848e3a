"""The verdict table as a cube, in markdown and as a page; and the step that writes them."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from maestrata.claims import page, report
from maestrata.claims.picture import picture
from maestrata.claims.rule import Test, contrast
from maestrata.claims.verdict import correct, outcome_of
from maestrata.cubes.io import open_cube, write_cube
from maestrata.errors import ClaimError, CubeError
from maestrata.results import UNGATED, Model, Row, Select
from maestrata.steps import claims as step

OF = Select("drawn", "number")
MODELS = (
    *(Model("sweep 1x1, r = 0.5", "additive", 100 + i, 0, 0.69 + 0.02 * i, 0.8) for i in range(12)),
    Model("samples s256", "additive", 100, 0, -2.0, UNGATED),
    Model("samples endless", "gaussian", 100, 0, float("nan"), 0.8),
)
NOISE = np.random.default_rng(0).standard_normal(12) * 0.1


def claim(number, *tests):
    return SimpleNamespace(
        NUMBER=number,
        OURS=number == 3,
        TITLE=f"Claim | {number} <b>",
        SAYS="It says.",
        RULE="A rule.",
        NEEDS=(),
        TRAINS=True,
        TESTS=tests,
        SECONDARY=(Test("besides", OF, "above", 0.0),),
    )


def rows(mean, n=12):
    return [
        Row("additive", 100 + i, mean + v, mean + v - 0.1, mean + v + 0.1, seeds=2)
        for i, v in enumerate(NOISE[:n])
    ]


@pytest.fixture
def outcomes():
    up, same = Test("gain & more", OF, "above", 0.0), Test("same", OF, "within", 0.5, units="skill")
    none = Row("additive", 99, float("nan"))
    besides = Test("besides", OF, "above", 0.0)
    return correct(
        [
            outcome_of(
                claim(2, up),
                [contrast(up, [*rows(1), none], models=MODELS), contrast(besides, rows(0), decides=False)],
            ),
            outcome_of(claim(3, up, same), [contrast(up, rows(1)), contrast(same, rows(2))]),
            outcome_of(claim(4, up), [contrast(up, rows(1, n=2))]),
            outcome_of(claim(5, up), [], "the run has no cube 'theory'"),
        ]
    )


def test_the_cube_holds_all_of_it(outcomes, tmp_path):
    path = tmp_path / "verdicts.nc"
    write_cube(report.dataset(outcomes, "abc1234"), path)
    cube = open_cube(path)
    assert cube.claim.values.tolist() == ["2", "3", "4", "5"]
    assert cube.verdict.values.tolist() == [2, 3, 1, 0]
    assert cube.contrast_claim.values.tolist() == ["2", "2", "3", "3", "4"]
    assert cube.decides.values.tolist() == [1, 0, 1, 1, 1]
    assert cube.contrast_worlds.values.tolist() == [12, 12, 12, 12, 2]
    mine = cube.row_contrast.values == 0
    np.testing.assert_array_equal(cube.row_value.values[mine], [row.value for row in rows(1)])
    assert set(cube.row_seeds.values) == {2}
    assert float(cube.estimate[0]) == pytest.approx(1 + NOISE.mean())
    assert float(cube.p_holm[0]) == pytest.approx(3 * 2 / 2**12)
    assert np.isnan(float(cube.p[3]))
    assert cube.ours.values.tolist() == [0, 1, 0, 0]
    assert cube.model_claim.values.tolist() == ["2"] * len(MODELS)
    by_name = {name: cube.isel(model=i) for i, name in enumerate(cube.model_name.values)}
    assert float(by_name["samples s256"].model_progress) == -2 and np.isnan(
        by_name["samples s256"].model_gate
    )
    assert np.isnan(by_name["samples endless"].model_progress)
    assert cube.attrs["claims_commit"] == "abc1234"


def test_a_run_in_which_nothing_could_be_judged(tmp_path):
    nothing = correct([outcome_of(claim(2, Test("a", OF, "above", 0.0)), [], "no cube")])
    write_cube(report.dataset(nothing), tmp_path / "verdicts.nc")
    cube = open_cube(tmp_path / "verdicts.nc")
    assert (cube.sizes["contrast"], cube.sizes["row"]) == (0, 0)
    assert "1 not run" in report.markdown(nothing)
    assert "1 not run" in page.page(nothing)


def test_markdown(outcomes):
    text = report.markdown(outcomes, note="smoke: not evidence")
    lines = text.splitlines()
    assert lines[0] == "# Verdicts on the claims [smoke: not evidence]"
    assert "4 claims: 1 supported, 1 contradicted, 1 inconclusive, 1 not run." in lines
    table = [line for line in lines if line.startswith("| ")]
    # every row of a table has the cells of its head, whatever signs the texts hold
    papers, ours, contrasts, progress = table[:4], table[4:6], table[6:12], table[12:]
    assert len(progress) == 1 + 3
    for head, body in ((7, papers), (7, ours), (8, contrasts), (8, progress)):
        assert {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in body} == {head}
    assert any("Claim \\| 2 <b> | ● supported |" in line for line in table)
    assert any("12 (1 left out)" in line for line in table)
    assert "| 12 (additive 100-111) |" in papers[1]
    assert "| 2 | sweep 1x1, r = 0.5 | additive | 12 | 0.80 | 0.69 | 0.8 | 6 |" in progress
    assert "| 2 | samples endless | gaussian | 1 | – | – | none | 0 |" in progress
    assert "the claims' files, last changed by commit abc1234." in report.markdown(outcomes, commit="abc1234")


class Balanced(HTMLParser):
    VOID = frozenset({"meta", "br", "circle", "line", "rect", "path"})

    def __init__(self):
        super().__init__()
        self.stack, self.outside, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.outside += [v for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_page_is_whole_and_needs_nothing_else(outcomes):
    html = page.page(outcomes)
    parser = Balanced()
    parser.feed(html)
    assert parser.stack == []
    assert parser.outside == []
    assert "url(" not in html
    text = " ".join("".join(parser.text).split())
    for outcome in outcomes:
        assert f"{outcome.label} {outcome.claim.TITLE}" in text
        assert " ".join(outcome.sentence.split()) in text
        assert "supported" in text
    # one picture for each deciding contrast that has rows
    assert html.count("<svg ") == 4


def test_the_same_outcomes_give_the_same_bytes(outcomes, tmp_path):
    for name in ("a", "b"):
        write_cube(report.dataset(outcomes), tmp_path / f"{name}.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert page.page(outcomes) == page.page(outcomes)


@pytest.mark.parametrize(
    "values", [[0.5], [0.0], [-3.0, 7.0], [1e-15, 0.0], [0.01, 0.012], [5e3, 6e3], [-0.2, -0.1, 0.9]]
)
@pytest.mark.parametrize(
    "test",
    [
        Test("<a & b>", OF, "above", 0.0),
        Test("b", OF, "below", 0.1, against=0.2),
        Test("c", OF, "within", 0.05),
    ],
)
def test_pictures_are_valid_and_stay_inside(values, test):
    svg = picture(contrast(test, [Row("w", i, v) for i, v in enumerate(values)]))
    tree = ElementTree.fromstring(svg)
    dots = tree.findall("circle")
    assert len(dots) == len(values)
    for number in re.findall(r'(?:x|x1|x2|cx)="(-?[\d.]+)"', svg):
        assert 0 <= float(number) <= 480
    assert 2 <= len(tree.findall("text")) <= 8
    places = np.array([float(dot.get("cx")) for dot in dots])
    assert (np.diff(places[np.argsort(values)]) >= 0).all()


def test_the_shaded_side_is_the_claims():
    def shade(test):
        drawn = picture(contrast(test, [Row("w", i, v) for i, v in enumerate((-1.0, 0.0, 1.0))]))
        rect = ElementTree.fromstring(drawn).find("rect")
        left = float(rect.get("x"))
        return left, left + float(rect.get("width"))

    assert shade(Test("a", OF, "above", 0.0))[1] > 460
    assert shade(Test("a", OF, "below", 0.0))[0] < 20
    left, right = shade(Test("a", OF, "within", 0.5))
    assert 20 < left < right < 460


def test_step(tmp_path, outcomes):
    write_cube(report.dataset(outcomes), tmp_path / "some.nc")  # any cube: nothing can be judged on it
    flags = ["--cubes", tmp_path / "some.nc", "--fingerprint", "abc"]
    for name in ("one", "two"):
        there = [f"{flag}={tmp_path / name}{end}" for flag, end in (("--output", ".nc"), ("--table", ".md"))]
        step.main([*map(str, flags), *there, f"--page={tmp_path / name}.html", "--note=smoke: not evidence"])
    for end in (".nc", ".md", ".html"):
        assert (tmp_path / f"one{end}").read_bytes() == (tmp_path / f"two{end}").read_bytes()
    cube = open_cube(tmp_path / "one.nc")
    assert cube.attrs["fingerprint"] == "abc"
    with pytest.raises(ClaimError, match=r"role of a world 'sweeps' must be one of: ambiguous, between"):
        step.main([*map(str, flags), f"--output={tmp_path / 'three.nc'}", '--worlds={"sweeps": "grammar"}'])
    assert cube.verdict.sel(claim="6") == 0
    assert cube.verdict.sel(claim="1") == 2
    assert "[smoke: not evidence]" in (tmp_path / "one.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_two_cubes_of_a_kind_are_an_error_in_one_line(tmp_path, outcomes):
    write_cube(report.dataset(outcomes), tmp_path / "some.nc")
    twice = [str(tmp_path / "some.nc")] * 2
    with pytest.raises(CubeError, match="2 cubes of kind 'verdicts' are given; allowed: one"):
        step.main(["--cubes", *twice, "--output", str(tmp_path / "out.nc")])
    assert not (tmp_path / "out.nc").exists()


def test_a_note_is_literal_in_markdown_and_html(outcomes):
    note = "-draft\n# <b>x</b> $y$ *z* `w` | {v}"
    head = report.markdown(outcomes, note=note).splitlines()[0]
    literal = "-draft # <b>x</b> $y$ *z* `w` | {v}"
    assert head.startswith("# Verdicts on the claims [-draft ")
    assert head.replace("\\", "") == f"# Verdicts on the claims [{literal}]"
    for mark in "<>$*`|{}":
        assert head.count(mark) == head.count(f"\\{mark}")
    written = page.page(outcomes, note=note)
    assert f"<h1>Verdicts on the claims [{html.escape(literal)}]</h1>" in written
