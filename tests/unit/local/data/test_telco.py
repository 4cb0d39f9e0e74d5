"""The demo's table."""

from __future__ import annotations

from local.data import telco

SEED = {
    *("tenure_months", "monthly_charges", "total_charges", "contract_type", "payment_method", "internet_service"),
    *("phone_service", "multiple_lines", "online_security", "tech_support", "device_protection"),
}


def test_real_customers_under_the_names_of_the_seed() -> None:
    frame = telco.load()
    assert len(frame) == telco.ROWS
    assert frame["customer_id"].tolist()[0] == "CUST_000001"
    assert frame["customer_id"].tolist()[-1] == "CUST_007043"
    assert frame["customer_id"].is_unique
    assert set(frame.columns) >= SEED
    assert frame["churn"].value_counts().to_dict() == {"No": 5174, "Yes": 1869}
    assert list(frame.columns)[-1] == telco.TARGET


def test_total_charges_keep_their_blanks() -> None:
    frame = telco.load()
    blank = frame[frame["total_charges"].str.strip() == ""]
    assert len(blank) == 11
    assert set(blank["tenure_months"]) == {0}
    assert not any(frame["total_charges"].isna())
