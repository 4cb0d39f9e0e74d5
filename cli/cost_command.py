"""The command `automl cost`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.run_commands import table
from cli.terminal import answer, connected, say, typed, with_stack

if TYPE_CHECKING:
    from automl_pipeline.costs import Bill
    from automl_pipeline.prices import Prices

    from cli.instances import Suggestion
    from cli.stack import Stack


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(connected(cost))


def cost(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Run id, execution name or ARN; an estimate of the next run if left out."),
    ] = None,
    given: Annotated[
        str | None, typer.Option("--input", help="Settings of the run to estimate, as JSON, or @FILE.")
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="First read the prices of the stack's Region from the AWS Price List.")
    ] = False,
    prices_of: Annotated[
        str | None,
        typer.Option("--prices-of", metavar="REGION", help="Use the shipped prices of another Region."),
    ] = None,
) -> None:
    """Show what a run has cost or will cost, and the idle stack.

    Example: automl cost 20261123-231053-b8653242 --json
    """
    from cli import cheaper, costs, executions, runs
    from cli.stack import RefusedError, endpoint_of

    def work(stack: Stack) -> None:
        if run is not None and given is not None:
            raise RefusedError("--input goes with an estimate: leave out the run, or the settings.")
        values = runs.read_input(None, given, None)
        if refresh:
            costs.refresh(stack)
        prices = costs.table_of(stack, prices_of)
        if run is not None:
            details: executions.Details | None = executions.details(stack, run)
            bill = costs.of_run(details, prices, stack)
            title = f"Run {details.run.run_id} " + ("has cost so far" if details.run.status == "RUNNING" else "cost")
        else:
            details = costs.last_whole(stack)
            bill, title = costs.estimate(stack, values, prices, details), "A run will cost"
        serving = costs.instances_of(endpoint_of(stack))
        idle = costs.idle(stack, serving, prices)
        found = cheaper.suggestions(details, serving, prices, stack)
        document = {
            "run": bill.document(),
            "idle_month": idle.document(),
            "suggestions": [one.document() for one in found],
            "prices": _prices(prices),
        }
        answer(document, lambda: _show(title, bill, idle, found, prices, refreshed=refresh))

    with_stack(work)


def _show(title: str, bill: Bill, idle: Bill, cheaper: list[Suggestion], prices: Prices, *, refreshed: bool) -> None:
    from cli.costs import in_words

    say(f"{title} {in_words(bill)}{_besides(bill)}:")
    _lines(bill)
    say("", f"A month with no run costs {in_words(idle)}{_besides(idle)}:")
    _lines(idle)
    if cheaper:
        say("", "Cheaper, by what was measured:", *(f"  {one.in_words()}" for one in cheaper))
    dates = sorted({row.read for row in prices.rows if row.read != "undated"})
    read = f"read {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}" if dates else "of no known date"
    say("", f"List prices of {prices.region}, {read}; no free tier, storage, traffic or tax in it.")
    if bill.unpriced or idle.unpriced:
        missing = ", ".join(dict.fromkeys([*bill.unpriced, *idle.unpriced]))
        remedy = (
            "The Price List of AWS has none either."
            if refreshed
            else f"To read the prices from AWS: {typed('cost --refresh')}"
        )
        say(f"No price for {missing}. {remedy}")


def _besides(bill: Bill) -> str:
    """What a sum leaves out, if something has no price."""
    return " and what has no price" if bill.unpriced and bill.usd else ""


def _lines(bill: Bill) -> None:
    rows = [
        (
            use.step,
            use.meter.usage,
            f"{_quantity(use.quantity)} {use.meter.unit}",
            "no price" if usd is None else f"${usd:.4f}",
            use.basis,
        )
        for use, usd in bill.items
        if use.quantity
    ]
    table(("what", "usage", "how much", "cost", "how known"), rows)


def _quantity(value: float) -> str:
    """A number without an exponent: 0.0000095, 1,460."""
    return f"{value:,.4g}" if 0.001 <= value < 10_000 else f"{value:,.0f}" if value >= 1 else f"{value:.7f}"


def _prices(prices: Prices) -> list[dict[str, Any]]:
    return prices.document()[prices.region]
