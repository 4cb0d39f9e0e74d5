"""Which service a request is for, without loading the models of all of AWS's services to find out."""

from __future__ import annotations

from ministack.core import router

from local.aws import ministack_patches

# Signing names of services that MiniStack has no routes for, and that handlers of the local cloud answer.
OWN = frozenset({"sagemaker", "application-autoscaling", "pricing"})


def install() -> None:
    """Recognize the own services at once.

    To know a service that it does not route, MiniStack 1.5.33 loads botocore's models of all services at the first
    request that is signed for one: four seconds during which nothing is answered, and 380 MB that it keeps.
    """
    known = router._is_aws_service_name
    ministack_patches.replace(router, "_is_aws_service_name", lambda name: name in OWN or known(name))
