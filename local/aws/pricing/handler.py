"""The AWS Price List API, of which GetProducts: it serves the table of prices that ships with the pipeline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from automl_pipeline import prices

from local.aws import api_model
from local.aws.api_model import ApiError
from local.aws.protocol import serve

SERVICE = "pricing"
_PRODUCT_FAMILIES = {"AmazonSageMaker": "ML Instance", "AWSLambda": "Serverless"}


def install() -> None:
    """Put the Price List API into MiniStack."""
    serve(SERVICE, operate)


def operate(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Answer GetProducts, a page at a time. Raises ApiError for other operations and kinds of filters."""
    if operation != "GetProducts":
        raise ApiError("UnknownOperationException", f"The local cloud has no Price List operation {operation}.")
    api_model.check(SERVICE, operation, request)
    wanted = {}
    for filtered in request.get("Filters", []):
        if filtered["Type"] != "TERM_MATCH":
            raise ApiError("InvalidParameterException", f"The local cloud has no filter {filtered['Type']}.")
        wanted[filtered["Field"]] = filtered["Value"]
    found = [
        product
        for product in _products(request["ServiceCode"])
        if all(
            (product["product"]["attributes"] | {"productFamily": product["product"]["productFamily"]}).get(name)
            == value
            for name, value in wanted.items()
        )
    ]
    first, size = int(request.get("NextToken") or 0), request.get("MaxResults") or 100
    page = found[first : first + size]
    more = {"NextToken": str(first + size)} if first + size < len(found) else {}
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in page], **more}


def _products(service: str) -> Iterator[dict[str, Any]]:
    """The shipped prices in the form of the Price List."""
    for region in prices.shipped_regions():
        for row in prices.shipped(region).rows:
            if row.service == service:
                yield _product(row, region)


def _product(row: prices.Price, region: str) -> dict[str, Any]:
    sku = hashlib.sha256(f"{row.service} {row.usagetype}".encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    instance = {"instanceName": row.usagetype.partition(":")[2]} if row.service == "AmazonSageMaker" else {}
    return {
        "product": {
            "productFamily": _PRODUCT_FAMILIES.get(row.service, row.service),
            "attributes": {
                "servicecode": row.service,
                "regionCode": region,
                "locationType": "AWS Region",
                "usagetype": row.usagetype,
                **instance,
            },
            "sku": sku,
        },
        "serviceCode": row.service,
        "terms": {
            "OnDemand": {
                term: {
                    "sku": sku,
                    "offerTermCode": "JRTCKXETXF",
                    "priceDimensions": {
                        rate: {
                            "rateCode": rate,
                            "unit": row.unit,
                            "beginRange": "0",
                            "endRange": "Inf",
                            "description": f"${row.usd} per {row.unit}: {row.source}, {row.read}",
                            "pricePerUnit": {"USD": f"{row.usd:.10f}"},
                            "appliesTo": [],
                        }
                    },
                    "termAttributes": {},
                }
            }
        },
    }
