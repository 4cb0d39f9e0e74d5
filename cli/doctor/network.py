"""The stack's VPC: whether what runs in its subnets reaches AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.finding import Finding
from cli.doctor.target import Target
from cli.stack import client

# What containers in a VPC talk to, beside S3 (docs/how-to/vpc.md).
_INTERFACES = ("logs", "ecr.api", "ecr.dkr", "sagemaker.api", "sts")
_FEW_ADDRESSES = 16


def subnets(target: Target) -> Iterator[Finding]:
    """Whether the subnets are there, of one VPC with the security groups, and have a way to AWS."""
    given = target.parameters["SubnetIds"]
    if not given:
        return
    ec2 = client("ec2")
    try:
        found = ec2.describe_subnets(SubnetIds=given.split(","))["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=target.parameters["SecurityGroupIds"].split(","))[
            "SecurityGroups"
        ]
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        yield Finding(
            "VPC",
            "problem",
            error.response["Error"]["Message"],
            "deploy with SubnetIds and SecurityGroupIds that exist",
        )
        return
    networks = {one["VpcId"] for one in [*found, *groups]}
    if len(networks) > 1:
        remedy = "subnets and security groups must be of one VPC"
        yield Finding("VPC", "problem", f"they are of {', '.join(sorted(networks))}", remedy)
        return
    zones = {one["AvailabilityZone"] for one in found}
    if len(zones) < 2:
        yield Finding(
            "VPC", "warning", f"all subnets are in {', '.join(zones)}", "two zones keep the endpoint up if one fails"
        )
    else:
        yield Finding("VPC", "ok", f"{len(found)} subnets in {len(zones)} zones of {', '.join(networks)}")
    full = [one["SubnetId"] for one in found if one["AvailableIpAddressCount"] < _FEW_ADDRESSES]
    if full:
        remedy = "each instance takes an address: use larger subnets"
        yield Finding("VPC addresses", "warning", f"fewer than {_FEW_ADDRESSES} left in {', '.join(full)}", remedy)
    yield from _ways(target, networks.pop(), [one["SubnetId"] for one in found])


def _ways(target: Target, vpc: str, subnet_ids: list[str]) -> Iterator[Finding]:
    ec2 = client("ec2")
    in_vpc: list[Any] = [{"Name": "vpc-id", "Values": [vpc]}]
    prefix = f".{target.region}."
    endpoints = {
        one["ServiceName"].partition(prefix)[2]
        for page in ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=in_vpc)
        for one in page["VpcEndpoints"]
        if one["State"] == "available"
    }
    tables = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]
    shut = [subnet for subnet in subnet_ids if not _leads_out(tables, subnet)]
    if "s3" not in endpoints and shut:
        remedy = f"aws ec2 create-vpc-endpoint --region {target.region} --vpc-id {vpc} --service-name com.amazonaws.{target.region}.s3 --route-table-ids …"
        yield Finding(
            "VPC endpoint: s3",
            "problem",
            f"{', '.join(shut)} have neither an endpoint for S3 nor a NAT gateway",
            remedy,
        )
    elif "s3" not in endpoints:
        yield Finding(
            "VPC endpoint: s3",
            "warning",
            "S3 is reached through NAT, which is charged by the byte",
            "add a gateway endpoint, which is free",
        )
    else:
        yield Finding("VPC endpoint: s3", "ok", f"is there in {vpc}")
    wanted = (*_INTERFACES, *(["kms"] if target.parameters["KmsKeyArn"] else []))
    missing = [name for name in wanted if name not in endpoints]
    if missing and shut:
        remedy = f"create interface endpoints for them in {vpc}, or route the subnets to a NAT gateway"
        yield Finding("VPC endpoints", "problem", f"{', '.join(shut)} cannot reach {', '.join(missing)}", remedy)
    else:
        yield Finding("VPC endpoints", "ok", "all services are reached" + (" through NAT" if missing else ""))


def _leads_out(tables: Sequence[Mapping[str, Any]], subnet: str) -> bool:
    """Whether the subnet's route table, its own or the VPC's main one, leads everything else to a gateway.

    An internet gateway does not count: SageMaker's network interfaces have no public address.
    """
    own = [one for one in tables if any(link.get("SubnetId") == subnet for link in one["Associations"])]
    main = [one for one in tables if any(link.get("Main") for link in one["Associations"])]
    return any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and any(route.get(name) for name in ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId"))
        for table in (own or main)
        for route in table["Routes"]
    )
