"""`python -m tests.mutations`: each rule, way to an email and permission is removed once, and some test must fail.

Contract tests are asked first, in this process; for what they do not notice, the fault matrix's cases of that state run
on a stack with the mutated machine. Exit status 1 if something may go missing unnoticed.
"""

from __future__ import annotations

import sys
from collections import Counter

from tests.faults.ways import Ways
from tests.mutations import contract, executions
from tests.mutations.mutants import machine_mutants, permission_mutants

# Mutants that may survive, by their text, with the reason.
REVIEWED: dict[str, str] = {}


def main() -> int:
    """Print what was noticed by what, and the survivors."""
    mutants = [*machine_mutants(), *permission_mutants()]
    noticed = {mutant: contract.noticed(mutant) for mutant in mutants}
    left = [mutant for mutant in machine_mutants() if noticed[mutant] is None]
    print(f"{len(mutants)} mutants, {len(mutants) - len(left)} noticed by contract tests", flush=True)
    if left:
        with executions.stage() as stage:
            ways = Ways()
            for mutant in left:
                noticed[mutant] = executions.noticed(mutant, stage, ways)
                print(f"  {mutant}: {noticed[mutant] or 'SURVIVES'}", flush=True)
    survivors = [mutant for mutant in mutants if noticed[mutant] is None and str(mutant) not in REVIEWED]
    for name, count in Counter(mutant.kind for mutant in mutants).items():
        killed = sum(noticed[mutant] is not None for mutant in mutants if mutant.kind == name)
        print(f"{name}: {killed} of {count} noticed")
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants noticed; survivors: {len(survivors)}")
    for mutant in survivors:
        print(f"  {mutant}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
