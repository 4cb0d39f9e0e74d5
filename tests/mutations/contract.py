"""Whether the contract tests notice a mutant: they are called in this process, on the mutated machine or role."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from tests.contract import permissions, test_machines, test_permissions
from tests.mutations.mutants import MachineMutant, PermissionMutant

# It says of every integration of ours that it is not its own.
logging.getLogger("moto").setLevel(logging.ERROR)


def noticed(mutant: MachineMutant | PermissionMutant) -> str | None:
    """The name of a contract test that fails for the mutant; None if none does."""
    if isinstance(mutant, PermissionMutant):
        left = permissions.granted() - {mutant.permission}
        with mock.patch.object(permissions, "granted", lambda: left):
            return _first_failure(_permission_tests())
    mutated = mutant.of(test_machines.MACHINES[mutant.machine])
    with mock.patch.dict(test_machines.MACHINES, {mutant.machine: mutated}):
        return _first_failure(_machine_tests(mutant.machine, mutant.state))


def _permission_tests() -> Iterator[tuple[str, Callable[[], Any]]]:
    for name in dir(test_permissions):
        if name.startswith("test_"):
            yield name, getattr(test_permissions, name)


def _machine_tests(machine: str, state: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    for test in (test_machines.test_definition_is_valid_and_every_state_is_reached,
                 test_machines.test_failed_end_is_reached_through_the_email_only):  # fmt: skip
        yield test.__name__, lambda test=test: test(machine)
    if (machine, state) in test_machines.TASKS:
        test = test_machines.test_task_has_timeout_retry_and_catch
        yield test.__name__, lambda: test(machine, state)


def _first_failure(tests: Iterator[tuple[str, Callable[[], Any]]]) -> str | None:
    for name, test in tests:
        try:
            test()
        except (AssertionError, LookupError):
            return name
    return None
