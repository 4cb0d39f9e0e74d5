"""SNS emails are files, and subjects follow SNS's rules."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.build import deploy
from local.server import process


def _emails(server: process.Server) -> set[Any]:
    return set(server.outbox.glob("*.eml"))


def test_one_email_for_each_address(server: process.Server, client: Any, stack: deploy.Stack) -> None:
    before = _emails(server)
    subject = "[SageMaker Pipeline Failed] " + "x" * 72
    client("sns").publish(TopicArn=stack.outputs["Topic"], Subject=subject, Message="Schritt für Schritt\nzwei")
    (path,) = _emails(server) - before
    email = message_from_bytes(path.read_bytes(), policy=default)
    assert (email["To"], email["Subject"]) == ("someone@example.com", subject)
    assert email["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert email["Date"].datetime is not None
    text = email.get_content().replace("\r\n", "\n")
    assert text.startswith("Schritt für Schritt\nzwei\n\n--\nIf you wish to stop receiving notifications")


def test_email_without_subject(server: process.Server, client: Any, stack: deploy.Stack) -> None:
    before = _emails(server)
    client("sns").publish(TopicArn=stack.outputs["Topic"], Message="text")
    (path,) = _emails(server) - before
    assert message_from_bytes(path.read_bytes())["Subject"] == "AWS Notification Message"


@pytest.mark.parametrize("subject", ["x" * 101, "line\nbreak", "Schlüssel", " begins with a blank"])
def test_refused_subjects(server: process.Server, client: Any, stack: deploy.Stack, subject: str) -> None:
    before = _emails(server)
    with pytest.raises(ClientError, match="Invalid parameter: Subject"):
        client("sns").publish(TopicArn=stack.outputs["Topic"], Subject=subject, Message="text")
    assert _emails(server) == before
