"""Whether anybody hears of a failure."""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.finding import Finding
from cli.doctor.target import Target
from cli.stack import client


def email(target: Target) -> Iterator[Finding]:
    """Whether the failure topic has a subscription that was confirmed."""
    check, address = "Notification", target.parameters["NotificationEmail"]
    topic = target.outputs.get("FailureTopicArn") or target.parameters["SnsTopicArn"]
    if not topic:
        remedy = "deploy with NotificationEmail, or subscribe to the topic later"
        yield (
            Finding(check, "ok", f"{address} will be asked to confirm")
            if address
            else Finding(check, "warning", "nobody is notified of failures", remedy)
        )
        return
    pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    found = [one for page in pages for one in page["Subscriptions"]]
    # SNS writes PendingConfirmation in place of the ARN, and Deleted for a while after someone has unsubscribed.
    waiting = [one["Endpoint"] for one in found if one["SubscriptionArn"] == "PendingConfirmation"]
    confirmed = [one["Endpoint"] for one in found if one["SubscriptionArn"].startswith("arn:")]
    subscribe = f"aws sns subscribe --region {target.region} --topic-arn {topic} --protocol email --notification-endpoint ADDRESS"
    for one in waiting:
        yield Finding(
            check,
            "warning",
            f"{one} has not confirmed",
            f"follow the link in the email from AWS; to send it again: {subscribe}",
        )
    if confirmed:
        yield Finding(check, "ok", f"failures are sent to {', '.join(confirmed)}")
    elif not waiting:
        yield Finding(check, "warning", "nobody is notified of failures", subscribe)
