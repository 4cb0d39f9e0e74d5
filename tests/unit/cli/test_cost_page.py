"""docs/costs.md says what the shipped prices and the machine make of it, and compares like with like."""

from __future__ import annotations

from automl_pipeline import costs, prices

from bench import costs_page


def test_page_is_current() -> None:
    text = costs_page.PAGE.read_text(encoding="utf-8")
    assert text == costs_page.page(text), "Write it again: python -m bench.costs_page"


def test_every_instance_of_every_design_has_a_price() -> None:
    table = prices.shipped(costs_page.REGION)
    for design in costs_page.designs():
        unpriced = costs.bill((*design.run, *design.always_on), table).unpriced
        assert not [usage for usage in unpriced if ":ml." in usage], design.name


def test_designs_train_alike() -> None:
    automl = [
        sum(use.quantity for use in design.run if use.step == "AutoMLTraining") for design in costs_page.designs()[:3]
    ]
    assert len(set(automl)) == 1
    assert automl[0] > 0


def test_jobs_of_a_run_are_read_from_the_machine() -> None:
    assert len(costs_page._jobs_of_machine()) == 2
