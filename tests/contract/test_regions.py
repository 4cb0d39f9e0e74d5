"""Every region of AWS's three public partitions: image accounts, ARNs, host names, and what is said where it cannot run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore.session import get_session

from local.build import packaging

ROOT = Path(__file__).parents[2]
TEMPLATE = packaging.read_template(ROOT / "template.yaml")
PUBLISHED: dict[str, str] = json.loads((Path(__file__).parent / "scikit_learn_images.json").read_text())["accounts"]
SPARK_PUBLISHED: dict[str, str] = json.loads((Path(__file__).parent / "spark_images.json").read_text())["accounts"]
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
LAYER = ROOT / "layers/pipeline/automl_pipeline"
SOURCES = [
    ROOT / "template.yaml",
    *sorted((ROOT / "statemachine").glob("*.yaml")),
    *sorted((ROOT / "functions").rglob("*.py")),
    # Its messages show ARNs as examples.
    *sorted(path for path in LAYER.glob("*.py") if path.name != "wording.py"),
]


def partition_of(region: str) -> str:
    return get_session().get_partition_for_region(region)


def test_every_region_of_the_three_partitions_has_its_images_account() -> None:
    wanted = {region: account for region, account in PUBLISHED.items() if partition_of(region) in PARTITIONS}
    assert len(wanted) == 33
    assert {region: row["ScikitLearn"] for region, row in TEMPLATE["Mappings"]["ImageAccounts"].items()} == wanted


def test_spark_is_published_wherever_scikit_learn_is() -> None:
    accounts = {region: row["Spark"] for region, row in TEMPLATE["Mappings"]["ImageAccounts"].items()}
    assert accounts == {region: SPARK_PUBLISHED[region] for region in accounts}


def test_region_without_the_image_is_refused_in_words() -> None:
    (assertion,) = TEMPLATE["Rules"]["RegionHasImage"]["Assertions"]
    listed, asked = assertion["Assert"]["Fn::Contains"]
    assert asked == {"Ref": "AWS::Region"}
    assert set(listed) == set(TEMPLATE["Mappings"]["ImageAccounts"])
    known = {
        region for partition in PARTITIONS for region in get_session().get_available_regions("sagemaker", partition)
    }
    assert known - set(listed), "AWS has no region without the image any more: this test checks nothing"
    assert "not published for this region" in assertion["AssertDescription"]


def test_every_partition_has_its_console() -> None:
    assert set(TEMPLATE["Mappings"]["Console"]) == set(PARTITIONS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_names_a_partition_or_its_hosts(path: Path) -> None:
    """ARNs take AWS::Partition, hosts AWS::URLSuffix or the Console mapping."""
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    text = re.sub(r"^ +aws(-cn|-us-gov)?: \{Domain: .*\}$", "", text, flags=re.MULTILINE)
    assert not re.findall(r"arn:aws:|arn:aws-\w+:", text)
    hosts = re.findall(r"[\w.-]*\bamazonaws\.com[\w.]*|[\w.-]*\baws\.amazon\.com", text)
    # Service principals are written this way in every partition, and the documentation is in one place.
    named = r"(sagemaker\.)?[a-z-]+\.amazonaws\.com|docs\.aws\.amazon\.com"
    assert [host for host in hosts if not re.fullmatch(named, host)] == []


def test_the_image_is_pulled_from_the_partitions_own_host() -> None:
    image = TEMPLATE["Resources"]["PrepareRunFunction"]["Properties"]["Environment"]["Variables"]["PREPROCESS_IMAGE"]
    owned, own, published = image["Fn::If"]
    assert (owned, own) == ("HasOwnImage", {"Ref": "PreprocessImage"})
    assert published["Fn::Sub"][0].startswith("${Account}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/")
