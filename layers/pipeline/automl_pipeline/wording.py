"""What is wrong with settings, in words: one printable line for each problem, with what a person can do about it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

_SHOWN_CHARACTERS = 80
_SHOWN_KEYS = 40  # nobody reads more, and an error's message has a limit

# What each pattern means.
_MEANINGS = {
    "project_name": "1 to 34 lower-case letters, digits and hyphens",
    "pipeline_name": "1 to 61 lower-case letters, digits and hyphens",
    "model_package_group": "1 to 63 lower-case letters, digits and hyphens",
    "endpoint_name": "1 to 44 lower-case letters, digits and hyphens",
    "bucket": "a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens",
    "feature_store_bucket": "a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens",
    "prefix": "folders of letters, digits, hyphens and underscores, with slashes between them only, 150 characters in all",
    "feature_group_name": "1 to 64 letters, digits, hyphens and underscores",
    "target_attribute_name": "a feature's name: 1 to 64 letters, digits, hyphens and underscores",
    "positive_class": "a class of the target: 1 to 200 characters, none of them a control character",
    "column_names": "a feature's name with a column's name: texts of at most 64 and 200 characters",
    "exclude_columns": "a feature's name: 1 to 64 letters, digits, hyphens and underscores",
    "report_slices": "a feature's name: 1 to 64 letters, digits, hyphens and underscores",
    "sample_weight_attribute_name": "a feature's name: 1 to 64 letters, digits, hyphens and underscores",
    "split_group_column": "a feature's name: 1 to 64 letters, digits, hyphens and underscores",
    "processing_instance_type": "an instance type such as ml.m5.xlarge",
    "transform_instance_type": "an instance type such as ml.m5.xlarge",
    "inference_instance_type": "an instance type such as ml.m5.xlarge",
    "role_arn": "a role's ARN (arn:aws:iam::123456789012:role/NAME)",
    "sns_topic_arn": "a topic's ARN (arn:aws:sns:REGION:123456789012:NAME)",
    "notification_email": "an email address",
    "athena_query_results": "an S3 folder (s3://BUCKET/FOLDER/)",
    "region": "a region such as us-west-2",
    "subnet_ids": "1 to 16 subnets with commas between them (subnet-0123abcd,subnet-4567cdef)",
    "security_group_ids": "1 to 5 security groups with commas between them (sg-0123abcd,sg-4567cdef)",
    "kms_key_arn": "a key's ARN (arn:aws:kms:REGION:123456789012:key/ID)",
    "resource_tags": "1 to 20 tags with commas between them (project=churn,stage=prod), 1000 characters in all",
    "allowed_instance_types": "instance types with commas between them (ml.m5.large,ml.m5.xlarge), 500 characters in all",
    "allowed_feature_groups": "feature groups with commas between them, 700 characters in all",
}

# What a value must be, by the name that pydantic has for its not being that.
_WANTED = {
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number without quotes",
    "string_type": "text in quotes",
    "bool_type": "true or false, without quotes",
    "list_type": "a list of texts",
    "dict_type": "a mapping of features to columns of the table",
}
_LIMITS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
_WRONG_TEXTS = frozenset(["string_pattern_mismatch", "string_too_short", "string_too_long", "string_unicode"])


def explain(name: str, value: Any, detail: Mapping[str, Any]) -> str:
    """One of pydantic's errors (`ValidationError.errors()`) about the setting `name`, which was given as `value`."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f"{name} is missing: {_MEANINGS.get(name, 'it has no default')}."
    if kind in _WANTED:
        return f"{name} must be {_WANTED[kind]}, got {f'the text {show(value)}' if isinstance(value, str) else show(value)}."
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"{name} must be {words} {int(context[limit]):,}, got {show(value)}."
    if kind == "too_long":
        return f"{name} takes at most {context['max_length']} entries, and has {context['actual_length']:,}."
    if kind == "value_error":  # our own words
        return f"{name}: {context['error']}."
    if kind in _WRONG_TEXTS:
        return f"{name}: {show(value)} is not {_MEANINGS.get(name, 'in the right form')}."
    if kind == "literal_error":
        return f"{name}: {show(value)} is not one of {context['expected'].replace(chr(39), '')}."
    return f"{name}: {show(value)} cannot be used: {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def unknown_keys(names: Sequence[Any], known: Collection[str]) -> list[str]:
    """A line for each of the `names`, none of which is among the `known` settings."""
    lines, last = [], None
    for name in names[:_SHOWN_KEYS]:
        near = difflib.get_close_matches(str(name)[:_SHOWN_CHARACTERS], known, n=1)
        last = last if near else len(lines)
        lines.append(f"{show(name)} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))
    if last is not None:
        lines[last] += " docs/settings.md lists all settings."
    more = len(names) - _SHOWN_KEYS
    return [*lines, f"{more:,} more keys are not settings."] if more > 0 else lines


def show(value: Any) -> str:
    """A value as it may stand in a message: short, on one line, nothing that a terminal or an email would act on."""
    if isinstance(value, (list, dict)):
        return kind_of(value)
    try:
        text = json.dumps(value, default=str)
    except ValueError:
        return "a number of thousands of digits"  # Python does not write those down
    text = text.replace("\x7f", "\\u007f")
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    kinds = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def larger_than(value: Any, most: int) -> bool:
    """Whether a value read from JSON or YAML takes more than about `most` characters, found without writing it down.

    YAML can say by reference what would be endless, or larger than any memory, when written out.
    """
    left, waiting = most, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        left -= 2 + (len(item) if isinstance(item, str) else item.bit_length() // 3 if isinstance(item, int) else 0)
        if left < 0 or len(waiting) > most:
            return True
    return False
