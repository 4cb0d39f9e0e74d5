"""A function that does what the test asks of it."""

import importlib
import os
import sys
import time

import boto3
from shared_layer import PUNCTUATION


class NoSuchNameError(Exception):
    """A class of the function's own."""


def handler(event, context):
    """Greets, or fails in the way that `do` names."""
    action = event.get("do", "greet")
    if action == "fail":
        raise NoSuchNameError("nobody here")
    if action == "exit":
        sys.exit(3)
    if action == "sleep":
        time.sleep(60)
    if action == "grow":
        return len([bytearray(50_000_000) for _ in range(20)])
    if action == "unserializable":
        return {1, 2}
    if action == "import":
        importlib.import_module(event["module"])
    if action == "environment":
        return {
            "environment": dict(os.environ),
            "path": sys.path,
            "identity": boto3.client("sts").get_caller_identity()["Arn"],
        }
    print("greeting", event.get("name"))
    return {"text": f"{os.environ['GREETING']} {event.get('name')}{PUNCTUATION}", "request": context.aws_request_id}
