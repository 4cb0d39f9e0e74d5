"""Every sentence that docs/api.md lists is said to the request it is listed for, and no other is listed."""

from __future__ import annotations

import re
from pathlib import Path

import encoding
import inference
import pytest

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text(encoding="utf-8")
NAMES = [
    "gender", "senior_citizen", "partner", "dependents", "tenure_months", "phone_service", "multiple_lines",
    "internet_service", "online_security", "online_backup", "device_protection", "tech_support", "streaming_tv",
    "streaming_movies", "contract_type", "paperless_billing", "payment_method", "monthly_charges", "total_charges",
]  # fmt: skip
NUMBERS = ("tenure_months", "monthly_charges", "total_charges")
TELCO = encoding.Encoder(
    {
        "format": 1,
        "columns": ["customer_id", *NAMES, "churn"],
        "features": [
            {"name": name, "kind": "numeric", "median": 1.0}
            if name in NUMBERS
            else {"name": name, "kind": "categorical", "categories": ["No", "Unknown", "Yes"]}
            for name in NAMES
        ],
    }
)
HEADER, ROW = ",".join(NAMES), ",".join("1" for _ in NAMES)
CHARGES = NAMES.index("monthly_charges")
# The seed's sample row, whose values do not match its header.
SAMPLE = (
    "age,tenure_months,monthly_charges,total_charges,contract_type,payment_method,internet_service,phone_service,"
    "multiple_lines,online_security,tech_support,device_protection\n"
    "35,12,70.5,840.0,Month-to-month,Electronic check,DSL,Yes,No,Yes,No"
)
REQUESTS = [
    ("text/csv", SAMPLE),
    ("text/csv", f"{ROW}\n{ROW}\n{ROW}\n{ROW},1"),
    ("text/csv", "1,2,3"),
    ("text/csv", ",".join(NAMES[11:]) + "\n1,1,1,1,1,1,1,1"),
    ("text/csv", f"{HEADER},tenure_months\n{ROW},1"),
    ("text/csv", f"{ROW}\n{ROW}\n" + ",".join("a lot" if place == CHARGES else "1" for place in range(len(NAMES)))),
    ("application/json", '{"contract_type": [], ' + ", ".join(f'"{name}": 1' for name in NAMES if name != "contract_type") + "}"),
    ("application/json", "[[" + ROW + "], 5]"),
    ("text/csv", f'{HEADER}\n{ROW}\n"1'),
    ("text/csv", HEADER.replace(",", ";") + "\n" + ROW),
    ("application/json", '{"tenure": 1,\n "contract": }'),
    ("text/csv", b"tenure,contract,note\n5,One year,Gr\xf6\xdfe"),
    ("image/png", "x"),
    ("text/csv", ""),
    ("text/csv", HEADER),
]  # fmt: skip
LISTED = re.findall(
    r"`([A-Z'\d][^`|]*\.|[A-Z'\d][^`|]*…)`(?=[, |])", PAGE.split("## Errors")[1].split("Rows count from 1")[0]
)


def pattern(sentence: str) -> str:
    return re.escape(sentence).replace("…", ".*")


@pytest.mark.parametrize(("kind", "body"), REQUESTS)
def test_refusal_is_listed(kind: str, body: str | bytes) -> None:
    with pytest.raises(inference.BadRequestError) as refused:
        inference.encode(TELCO, body.encode() if isinstance(body, str) else body, kind)
    assert [one for one in LISTED if re.fullmatch(pattern(one), str(refused.value))], str(refused.value)


def test_every_listed_sentence_is_said() -> None:
    assert len(LISTED) == len(REQUESTS)
    said = []
    for kind, body in REQUESTS:
        with pytest.raises(inference.BadRequestError) as refused:
            inference.encode(TELCO, body.encode() if isinstance(body, str) else body, kind)
        said.append(str(refused.value))
    assert [one for one in LISTED if not any(re.fullmatch(pattern(one), sentence) for sentence in said)] == []
