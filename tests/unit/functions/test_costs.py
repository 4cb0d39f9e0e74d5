"""Prices are those that were read, never guessed; a limit on a run's cost is kept by bounding it, or refused in words."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline import costs, prices, settings

MACHINE = Path(__file__).parents[3] / "statemachine" / "training.asl.yaml"
IRELAND = prices.shipped("eu-west-1")
# All three jobs on a type that the shipped table prices in Ireland.
PRICED = {"bucket": "a-bucket", "region": "eu-west-1", "automl_instance_type": "ml.m5.xlarge", "champion": "Off"}
AN_HOUR = 0.257


def run(**changes: Any) -> settings.Settings:
    """The settings of a run."""
    return settings.Settings(**{**PRICED, **changes})


def row(usagetype: str = "USW2-Processing:ml.m5.xlarge", *, usd: str = "0.5", **more: Any) -> dict[str, Any]:
    """A product as GetProducts answers it (an element of PriceList, parsed)."""
    dimension = {"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": usd}} | more
    return {
        "serviceCode": "AmazonSageMaker",
        "product": {"attributes": {"usagetype": usagetype}},
        "terms": {"OnDemand": {"T": {"priceDimensions": {"D": dimension}}}},
    }


@pytest.mark.parametrize(
    ("usagetype", "usage"),
    [
        ("USE1-Host:ml.m5.xlarge", "Host:ml.m5.xlarge"),
        ("EU-Tsform:ml.m5.xlarge", "Tsform:ml.m5.xlarge"),
        ("APS1-Train:ml.c5.xlarge", "Train:ml.c5.xlarge"),
        ("Lambda-GB-Second-ARM", "Lambda-GB-Second-ARM"),
        ("Request-ARM", "Request-ARM"),
        ("CW:AlarmMonitorUsage", "CW:AlarmMonitorUsage"),
    ],
)
def test_usage_type_is_read_without_its_region(usagetype: str, usage: str) -> None:
    price = prices.from_product(row(usagetype), "2026-11-25")
    assert price is not None
    assert price.meter.usage == usage


def test_price_of_a_product_is_that_of_its_first_step_which_costs_something() -> None:
    product = row()
    product["terms"]["OnDemand"]["T"]["priceDimensions"] = {
        "C": {"unit": "Hrs", "beginRange": "500", "endRange": "Inf", "pricePerUnit": {"USD": "0.1"}},
        "A": {"unit": "Hrs", "beginRange": "0", "endRange": "40", "pricePerUnit": {"USD": "0"}},
        "B": {"unit": "Hrs", "beginRange": "40", "endRange": "500", "pricePerUnit": {"USD": "0.3"}},
    }
    price = prices.from_product(product, "2026-11-25")
    assert (price and price.usd, price and price.read) == (0.3, "2026-11-25")
    assert prices.from_product(row(usd="0.0000000000"), "2026-11-25") is None


def test_every_shipped_price_has_its_region_a_date_and_a_source() -> None:
    rows = list(itertools.chain.from_iterable(prices.shipped(region).rows for region in prices.shipped_regions()))
    assert rows
    for price in rows:
        assert price.usd > 0
        assert price.source
        assert price.read == "undated" or len(price.read) == len("2026-11-25")
    for region, prefix in (("us-west-2", "USW2-"), ("eu-west-1", "EU-")):
        assert all(price.usagetype.startswith(prefix) for price in prices.shipped(region).rows)


def test_what_has_no_price_is_named_and_left_out_of_the_sum() -> None:
    uses = costs.of_run(run(transform_instance_type="ml.c5.xlarge").model_dump(), costs.assumed(run().model_dump()))
    bill = costs.bill(uses, IRELAND)
    assert "Tsform:ml.c5.xlarge" in bill.unpriced
    assert bill.usd == pytest.approx(sum(usd for _, usd in bill.items if usd is not None))
    assert not bill.document()["complete"]


def test_cost_is_quantity_times_price() -> None:
    times = costs.Times(1800, 900, 7200, "ml.m5.xlarge", {"EvaluateModel": 10}, 100, 0, "measured")
    bill = costs.bill(costs.of_run(run().model_dump(), times), IRELAND)
    by_step = {use.step: usd for use, usd in bill.items if use.meter.service == "AmazonSageMaker"}
    assert by_step == {
        "PreprocessData": pytest.approx(AN_HOUR / 2),
        "AutoMLTraining": pytest.approx(AN_HOUR * 2),
        "EvaluateModel": pytest.approx(AN_HOUR / 4),
    }
    assert [use.quantity for use, _ in bill.items if use.meter == prices.SCANNED] == [10 * 1024**2 / 1024**4]


def test_without_a_limit_nothing_is_bounded() -> None:
    assert costs.bounded(run(), prices.Prices("eu-west-1", [])) == run()


@pytest.mark.parametrize("limit", [4.0, 20.0])
@pytest.mark.parametrize("candidates", [None, 3])
@pytest.mark.parametrize("champion", ["Off", "Report"])
@pytest.mark.parametrize("instances", [1, 2])
def test_limit_leaves_automl_the_time_it_can_pay_for(
    limit: float, candidates: int | None, champion: str, instances: int
) -> None:
    chosen = run(max_cost_usd=limit, max_candidates=candidates, champion=champion, transform_instance_count=instances)
    bounded = costs.bounded(chosen, IRELAND)
    assert bounded.automl_max_runtime_sec is not None
    transforms = instances * (1 if champion == "Off" else 2)
    jobs = costs.LONGEST_PROCESSING_SECONDS + transforms * costs.LONGEST_TRANSFORM_SECONDS
    trials = bounded.automl_max_runtime_sec * (candidates or costs.TRIALS)
    most = AN_HOUR * (jobs + trials) / 3600
    assert limit - AN_HOUR * (candidates or costs.TRIALS) / 3600 < most <= limit
    assert bounded.max_runtime_sec <= bounded.automl_max_runtime_sec


def test_limit_never_gives_more_time_than_was_asked_for() -> None:
    bounded = costs.bounded(run(max_cost_usd=500.0, automl_max_runtime_sec=900, max_runtime_sec=600), IRELAND)
    assert (bounded.automl_max_runtime_sec, bounded.max_runtime_sec) == (900, 600)


def test_limit_counts_each_instance_of_the_processing_job() -> None:
    one, four = (costs.bounded(run(max_cost_usd=20.0, processing_instance_count=count), IRELAND) for count in (1, 4))
    assert one.automl_max_runtime_sec and four.automl_max_runtime_sec
    assert four.automl_max_runtime_sec < one.automl_max_runtime_sec
    assert costs.assumed({"processing_instance_count": 4}).processing == 4 * costs.assumed({}).processing


def test_resumed_run_has_paid_for_its_model() -> None:
    chosen = run(max_cost_usd=0.7, resume_from="20261122-080000-ffffffff", automl_instance_type=None)
    assert costs.bounded(chosen, IRELAND) == chosen


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_cost_usd": 1.0}, "1 USD is too little. Processing and batch transform may cost 1.16 USD"),
        ({"automl_instance_type": None}, "Deploy it with AutoMLInstanceType"),
        ({"automl_instance_type": "ml.m5.4xlarge"}, "no price in eu-west-1 for Train:ml.m5.4xlarge"),
        ({"processing_instance_type": "ml.c5.xlarge"}, "no price in eu-west-1 for Processing:ml.c5.xlarge"),
    ],
)
def test_limit_that_cannot_be_promised_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refusal:
        costs.bounded(run(**{"max_cost_usd": 20.0, **changes}), IRELAND)
    assert said in refusal.value.problems[0]


def test_least_limit_that_a_refusal_names_is_enough() -> None:
    with pytest.raises(settings.InvalidInputError) as refusal:
        costs.bounded(run(max_cost_usd=0.0), IRELAND)
    least = float(refusal.value.problems[0].split("Set at least ")[1].split(",")[0])
    assert costs.bounded(run(max_cost_usd=least), IRELAND).automl_max_runtime_sec


def test_transforms_may_run_as_long_as_the_limit_reckons_with() -> None:
    text = MACHINE.read_text(encoding="utf-8")
    assert text.count(f"TimeoutSeconds: {costs.LONGEST_TRANSFORM_SECONDS}\n") >= text.count("createTransformJob.sync")


def test_run_may_lower_the_limit_of_the_stack_and_not_lift_it() -> None:
    deployed = {"bucket": "a-bucket", "max_cost_usd": 10.0}
    assert settings.resolve({"max_cost_usd": 5.0}, deployed).max_cost_usd == 5.0
    for loose in (20.0, None):
        with pytest.raises(settings.InvalidInputError, match="which a run may only lower"):
            settings.resolve({"max_cost_usd": loose}, deployed)
