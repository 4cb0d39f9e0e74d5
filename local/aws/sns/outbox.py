"""SNS email on the local cloud: every email that AWS would send becomes a file in the outbox.

MiniStack only logs email deliveries. Nobody can click a confirmation link here, so email subscriptions count as
confirmed at once; the log says so, because on AWS the owner of the address must confirm first.
"""

from __future__ import annotations

import itertools
import logging
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from pathlib import Path
from typing import Any

from ministack.services import sns

from local.aws import ministack_patches
from local.server.address import ACCOUNT_ID

logger = logging.getLogger(__name__)

SENDER = Address("AWS Notifications", "no-reply", "sns.amazonaws.com")
SUBJECT_MAX = 100
DEFAULT_SUBJECT = "AWS Notification Message"

_PRINTABLE_ASCII = re.compile(r"[\x21-\x7e][\x20-\x7e]*")
_PROTOCOLS = ("email", "email-json")
# One header a line, however long: a person who opens the file reads the subject in one piece.
_POLICY = SMTP.clone(max_line_length=998)
# What an email from SNS ends with.
_FOOTER = """

--
If you wish to stop receiving notifications from this topic, please click or visit the link below to unsubscribe:
https://sns.{region}.amazonaws.com/unsubscribe.html?SubscriptionArn={subscription}&Endpoint={address}

Please do not reply directly to this email. If you have any questions or comments regarding this email, please contact \
us at https://aws.amazon.com/support
"""

_numbers = itertools.count(1)
_announced: set[str] = set()


def install(outbox: Path) -> None:
    """Write email deliveries to `outbox`, and refuse the subjects that SNS refuses."""
    outbox.mkdir(parents=True, exist_ok=True)
    fan_out, publish, publish_internal = sns._fanout, sns._publish, sns.publish_internal

    def fan_out_with_email(
        topic_arn: str, message_id: str, message: str, subject: str, message_structure: str = "",
        message_attributes: dict[str, Any] | None = None, **fifo: Any,
    ) -> None:  # fmt: skip
        fan_out(topic_arn, message_id, message, subject, message_structure, message_attributes, **fifo)
        topic = sns._topic_by_arn_any_scope(topic_arn)
        if topic is None:
            return
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] not in _PROTOCOLS:
                continue
            text = sns._resolve_message_for_protocol(message, message_structure, subscription["protocol"])
            if sns._matches_filter_policy(subscription, message_attributes or {}, text):
                _announce(subscription)
                email = compose(subscription, _sender_name(topic), subject, text, message_id)
                _write(outbox, email, message_id)

    def checked_publish(params: dict[str, Any]) -> Any:
        problem = subject_problem(sns._p(params, "Subject"))
        return sns._error("InvalidParameter", problem, 400) if problem else publish(params)

    def checked_publish_internal(topic_arn: str, message: Any, subject: str = "", **others: Any) -> Any:
        problem = subject_problem(subject)
        if problem:
            raise sns.SnsPublishError("InvalidParameter", problem)
        return publish_internal(topic_arn, message, subject, **others)

    ministack_patches.replace(sns, "_fanout", fan_out_with_email)
    ministack_patches.replace(sns, "_publish", checked_publish)
    ministack_patches.replace(sns, "publish_internal", checked_publish_internal)


def subject_problem(subject: str) -> str | None:
    """Why SNS would refuse the subject: printable ASCII that begins with a visible character, at most 100 long.

    An empty text stands for no subject.
    """
    if subject and (len(subject) > SUBJECT_MAX or not _PRINTABLE_ASCII.fullmatch(subject)):
        return "Invalid parameter: Subject"
    return None


def compose(subscription: dict[str, Any], sender_name: str, subject: str, text: str, message_id: str) -> EmailMessage:
    """The email that SNS sends for a notification."""
    region = subscription["topic_arn"].split(":")[3]
    email = EmailMessage(policy=_POLICY)
    email["From"] = Address(sender_name, SENDER.username, SENDER.domain)
    email["To"] = subscription["endpoint"]
    email["Subject"] = subject or DEFAULT_SUBJECT
    email["Date"] = format_datetime(localtime())
    email["Message-ID"] = f"<{message_id}@{ACCOUNT_ID}.sns.amazonaws.com>"
    footer = _FOOTER.format(region=region, subscription=subscription["arn"], address=subscription["endpoint"])
    email.set_content(text + footer, charset="utf-8", cte="8bit")
    return email


def _sender_name(topic: dict[str, Any]) -> str:
    name = topic["attributes"].get("DisplayName")
    # MiniStack fills in the topic's name where a template gives no display name.
    return name if name and name != topic["name"] else SENDER.display_name


def _write(outbox: Path, email: EmailMessage, message_id: str) -> None:
    path = outbox / f"{next(_numbers):04d}-{message_id}.eml"
    staging = path.with_suffix(".writing")
    staging.write_bytes(email.as_bytes())
    staging.rename(path)  # a reader sees the whole email or none
    logger.info("Email to %s written to %s", email["To"], path)


def _announce(subscription: dict[str, Any]) -> None:
    if subscription["arn"] not in _announced:
        _announced.add(subscription["arn"])
        logger.info(
            "The email subscription of %s counts as confirmed here; on AWS its owner confirms it once by a link",
            subscription["endpoint"],
        )
