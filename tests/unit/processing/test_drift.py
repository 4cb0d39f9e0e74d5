"""What the training rows held is kept, and later rows that differ from it are found: neither too many nor too few."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import distributions
import drift
import numpy
import pandas
import preprocess
import pytest
import unusable_data
from scipy import stats

from local.data import telco

from .athena import output, write

RUN = "20261123-210022-1a2b3c4d"
Frame = pandas.DataFrame


def prepare(
    folder: Path, frame: Frame, before: Path | None = None, target: str = "churn", **choices: Any
) -> dict[str, Any]:
    """The job, with what the job under `before` has left as the newest registered run."""
    write(folder, frame)
    if before is not None:
        choices["previous_run"] = RUN
        if before.exists():
            shutil.copytree(before / "processing/output/preprocessing", folder / "processing/input/previous")
    problem = "BinaryClassification" if target == "churn" else "Regression"
    return preprocess.run(str(folder), target, problem, ["customer_id"], 42, preprocess.Choices(**choices))


def kept(folder: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((folder / "processing/output/preprocessing/distributions.json").read_text(encoding="utf-8"))
    assert content["version"] == 0
    return {feature["name"]: feature for feature in content["features"]}


def buckets(feature: dict[str, Any]) -> list[dict[str, Any]]:
    kind = "kll" if "numerical_statistics" in feature else "categorical"
    return (feature.get("numerical_statistics") or feature["string_statistics"])["distribution"][kind]["buckets"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    prepare(folder, telco.load().head(3000))
    return folder


def test_the_index_is_the_one_of_the_literature() -> None:
    expected, actual = [100, 200, 300, 400, 0], [150, 150, 500, 199, 1]
    e = (numpy.array(expected) + 0.5) / 1002.5
    a = (numpy.array(actual) + 0.5) / 1002.5
    # The symmetric Kullback-Leibler divergence (Jeffreys), computed by somebody else.
    assert drift.psi(expected, actual) == pytest.approx(stats.entropy(a, e) + stats.entropy(e, a))
    assert drift.psi(expected, [2 * count for count in expected]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("bins", [2, 5, 11, 22])
def test_chance_is_bounded_as_the_distribution_of_the_index_says(bins: int) -> None:
    bound = drift.chance([100] * bins, [50] * bins)
    exact = stats.chi2.ppf(0.999, bins - 1) * (1 / (100 * bins) + 1 / (50 * bins))
    assert bound == pytest.approx(exact, rel=0.04)
    generator, shares = numpy.random.default_rng(bins), numpy.full(bins, 1 / bins)
    draws = [(generator.multinomial(2000, shares), generator.multinomial(1000, shares)) for _ in range(1000)]
    above = sum(
        drift.psi(one.tolist(), other.tolist()) > drift.chance(one.tolist(), other.tolist()) for one, other in draws
    )
    assert above <= 6  # one is expected


def test_every_training_row_is_counted_once(first: Path) -> None:
    rows, found = len(output(first, "train")), kept(first)
    assert found["churn"]["string_statistics"]["distinct_count"] == 2
    for name, feature in found.items():
        statistics = feature.get("numerical_statistics") or feature["string_statistics"]
        common = statistics["common"]
        assert common["num_present"] + common["num_missing"] == rows, name
        assert sum(bucket["count"] for bucket in buckets(feature)) == common["num_present"], name


def test_buckets_of_numbers_hold_about_as_many_rows_and_are_counted_exactly(first: Path) -> None:
    trained, feature = output(first, "train"), kept(first)["monthly_charges"]
    counts = [bucket["count"] for bucket in buckets(feature)]
    assert len(counts) == 10
    assert max(counts) < 1.5 * min(counts)
    for bucket in buckets(feature)[:-1]:
        inside = (trained.monthly_charges >= bucket["lower_bound"]) & (trained.monthly_charges < bucket["upper_bound"])
        assert bucket["count"] == inside.sum()
    statistics = feature["numerical_statistics"]
    assert statistics["mean"] == pytest.approx(trained.monthly_charges.mean())
    assert statistics["std_dev"] == pytest.approx(trained.monthly_charges.std(ddof=0))
    assert (statistics["min"], statistics["max"]) == (trained.monthly_charges.min(), trained.monthly_charges.max())


def test_a_frequent_number_has_a_bucket_of_its_own() -> None:
    values = numpy.array([0.0] * 900 + [*range(1, 101)])
    counts = [bucket["count"] for bucket in buckets(distributions.numbers("n", lambda: [values], 1000))]
    assert counts[0] == 900
    assert len(counts) >= 3


@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_numbers_at_the_end_of_their_range_are_described_in_json(rows: int) -> None:
    values = numpy.resize(numpy.array([1.7e308, -1.7e308, numpy.nan, 5e-324, -0.0]), rows)
    found = distributions.numbers("n", lambda: [values[: rows // 2], values[rows // 2 :]], rows)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_statistics_do_not_depend_on_how_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributions, "SUMMED", 1000)
    values = numpy.random.default_rng(1).lognormal(0, 3, 10_000)
    values[::7] = numpy.nan
    found = [
        distributions.numbers("n", partial(numpy.array_split, values, pieces), len(values))
        for pieces in (1, 3, 10, 997)
    ]
    assert all(one == found[0] for one in found)


def test_categories_beyond_the_most_frequent_are_counted_together(tmp_path: Path) -> None:
    frame = telco.load().head(1000)
    prepare(tmp_path, frame.assign(plan=[f"plan {row % 50}" for row in range(1000)]))
    feature = kept(tmp_path)["plan"]["string_statistics"]
    listed = buckets(kept(tmp_path)["plan"])
    assert len(listed) == distributions.MOST_CATEGORIES
    assert feature["distinct_count"] == 50
    bins = drift.Bins(kept(tmp_path)["plan"], [f"plan {number}" for number in range(50)])
    assert sum(bins.expected) == len(output(tmp_path, "train"))
    assert bins.of(" " + listed[0]["value"]) == (0, False)
    assert bins.of("plan 50") == (distributions.MOST_CATEGORIES, True)
    assert bins.of(None) == bins.of("n/a") == (distributions.MOST_CATEGORIES + 1, False)


def test_the_same_customers_have_not_drifted(first: Path, tmp_path: Path) -> None:
    note = prepare(tmp_path, telco.load().head(3000), first)["data_note"]
    assert {column["psi"] for column in note["previous"]["columns"].values()} == {0.0}
    assert {column["drift"] for column in note["columns"] if column["kind"] != "left out"} == {0.0}
    assert not any(RUN in warning for warning in note["warnings"])


def test_run_before_changes_nothing_in_the_container(first: Path, tmp_path: Path) -> None:
    prepare(tmp_path, telco.load().head(3000), first)
    archives = [folder / "processing/output/preprocessing/model.tar.gz" for folder in (first, tmp_path)]
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_other_customers_of_the_same_kind_have_not_drifted(first: Path, tmp_path: Path) -> None:
    note = prepare(tmp_path, telco.load().iloc[3000:4000], first)["data_note"]
    assert set(note["previous"]["columns"]) == {*kept(first)}
    assert not any(RUN in warning for warning in note["warnings"])


SHIFTS: dict[str, tuple[Callable[[Frame], Frame], str]] = {
    "numbers": (lambda frame: frame.assign(monthly_charges=frame.monthly_charges * 3), "drifted strongly .*'monthly_charges'"),
    "a bit": (lambda frame: frame.assign(gender=["Male" if row % 10 < 7 else "Female" for row in frame.index]), "drifted moderately .*'gender'"),
    "missing": (lambda frame: frame.assign(tenure_months=frame.tenure_months.where(frame.index % 2 == 0)), "strongly .*'tenure_months'"),
    "categories": (lambda frame: frame.assign(payment_method="Electronic check"), "drifted strongly .*'payment_method'"),
    "new categories": (
        lambda frame: frame.assign(payment_method=["Pigeon" if row % 10 == 0 else method for row, method in enumerate(frame.payment_method)]),
        "never saw many of the categories in 'payment_method' \\(11%",
    ),
    "the target": (lambda frame: frame.assign(churn=["Yes" if row % 3 else "No" for row in range(len(frame))]), "strongly .*target 'churn'"),
    "another column": (lambda frame: frame.assign(age=range(len(frame))), "New features since run .*'age'"),
    "a column less": (lambda frame: frame.drop(columns="monthly_charges"), "Features no longer used since run .*'monthly_charges'"),
    "numbers and texts": (lambda frame: frame.assign(monthly_charges=frame.monthly_charges.astype(str) + " USD"), "changed between number and text since run .*'monthly_charges'"),
}  # fmt: skip


@pytest.mark.parametrize("shift", SHIFTS)
def test_what_has_changed_since_the_previous_run_is_named(first: Path, tmp_path: Path, shift: str) -> None:
    change, sentence = SHIFTS[shift]
    frame = telco.load().iloc[3000:4000].reset_index(drop=True)
    note = prepare(tmp_path, change(frame), first)["data_note"]

    said = [warning for warning in note["warnings"] if re.search(sentence, warning)]
    assert len(said) == 1, note["warnings"]
    assert RUN in said[0]


def test_strong_drift_stops_the_run_where_checks_are_required(first: Path, tmp_path: Path) -> None:
    frame = telco.load().iloc[3000:4000]
    with pytest.raises(unusable_data.UnusableDataError, match=r"Require stopped .*drifted strongly"):
        prepare(tmp_path, frame.assign(monthly_charges=frame.monthly_charges * 3), first, require_checks=True)


def test_a_quantity_that_has_drifted_is_named(tmp_path: Path) -> None:
    frame = telco.load().head(2000).drop(columns="churn")
    prepare(tmp_path / "before", frame, target="monthly_charges")
    cheaper = frame.assign(monthly_charges=frame.monthly_charges / 2)
    note = prepare(tmp_path / "now", cheaper, tmp_path / "before", target="monthly_charges")["data_note"]
    assert any("target 'monthly_charges'" in warning for warning in note["warnings"])


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"features": [{"name": "gone"}]}', '{"features": null}'])
def test_a_previous_run_that_cannot_be_read_does_not_end_this_one(
    first: Path, tmp_path: Path, content: str | None
) -> None:
    before = tmp_path / "before"
    if content is not None:
        shutil.copytree(first / "processing/output/preprocessing", before / "processing/output/preprocessing")
        (before / "processing/output/preprocessing/distributions.json").write_text(content, encoding="utf-8")
    note = prepare(tmp_path / "now", telco.load().head(1000), before)["data_note"]
    assert note["previous"]["problem"]
    assert any(warning.startswith(f"Drift was not checked: run {RUN}") for warning in note["warnings"])


def test_large_columns_are_described_from_a_sample_of_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    values = numpy.random.default_rng(1).normal(size=100_000)
    monkeypatch.setattr(distributions, "SAMPLED", 5000)
    pieces = numpy.array_split(values, 7)
    found = distributions.numbers("n", lambda: pieces, len(values))
    counts = [bucket["count"] for bucket in buckets(found)]
    assert sum(counts) == len(values)
    assert all(math.isclose(count, 10_000, rel_tol=0.1) for count in counts)
