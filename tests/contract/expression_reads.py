"""What the machines' expressions read, followed through jsonata-python's syntax trees, against what can be there.

An answer of AWS has the members of botocore's model, a function's answer those of answers that were recorded, a
variable what the machine assigns to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonata
from automl_pipeline import deployment
from automl_pipeline.settings import Settings

from local.aws.machine_states import states_of
from local.aws.stepfunctions import sdk_shapes
from tests.contract import machines, recordings
from tests.contract.shapes import (
    ANYTHING,
    SCALAR,
    Constant,
    Either,
    Listed,
    Made,
    Modelled,
    Shape,
    either,
    members,
    seen,
)

# The context object, as Step Functions documents it.
CONTEXT = Made({
    "Execution": Made({
        **dict.fromkeys(("Id", "Name", "RoleArn", "StartTime", "RedriveCount", "RedriveTime"), SCALAR),
        "Input": ANYTHING,
    }),
    "State": Made(dict.fromkeys(("EnteredTime", "Name", "RetryCount"), SCALAR)),
    "StateMachine": Made(dict.fromkeys(("Id", "Name"), SCALAR)),
})  # fmt: skip
ERROR = Made({"Error": SCALAR, "Cause": SCALAR})
# What the JSON in an error's Cause may be: a function's error, and the description of what `.sync` waited for.
_LAMBDA_ERROR = Made({
    "errorMessage": SCALAR, "errorType": SCALAR, "stackTrace": Listed(SCALAR), "requestId": SCALAR, "cause": ANYTHING,
})  # fmt: skip
_DESCRIBED_BY = {
    ("sagemaker", "createProcessingJob"): ("sagemaker", "describeProcessingJob"),
    ("sagemaker", "createTransformJob"): ("sagemaker", "describeTransformJob"),
    ("athena", "startQueryExecution"): ("athena", "getQueryExecution"),
    ("states", "startExecution"): ("states", "describeExecution"),
}
_OF_SCALARS = {
    "string", "number", "boolean", "exists", "type", "not", "contains", "count", "sum", "max", "min", "join", "length",
    "substring", "substringBefore", "substringAfter", "lowercase", "uppercase", "trim", "pad", "round", "floor", "ceil",
    "abs", "hash", "uuid", "random", "toMillis", "fromMillis", "now", "millis",
}  # fmt: skip
_OF_THE_SAME = {"filter", "sort", "reverse", "distinct", "shuffle", "sift"}
_MOST_ROUNDS = 4

Function = Callable[[list[Shape]], Shape]


@dataclass
class Closure(Shape):
    """A function that an expression defines."""

    call: Function


class Reader:
    """Reads one expression: infers what it yields and notes the members it reads that cannot be there.

    `tree` is jsonata-python's syntax tree of it.
    """

    def __init__(self, text: str, variables: dict[str, Shape]):
        self.problems: list[str] = []
        self._variables = variables
        self.tree = jsonata.Jsonata.jsonata(text).ast

    def shape(self) -> Shape:
        """What the expression yields."""
        return self._infer(self.tree, None, dict(self._variables))

    def _infer(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        found = getattr(self, f"_{node.type}", self._anything)(node, context, names)
        for stage in (node.predicate or []) if node.type != "path" else []:
            self._infer(stage.expr, found.element(), names)
            found = found.element()
        return found

    def _anything(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        raise NotImplementedError(f"expression_reads does not know {node.type} {node.value}")

    def _string(self, node: Any, *_: Any) -> Shape:
        return Constant(node.value)

    def _number(self, *_: Any) -> Shape:
        return SCALAR

    _value = _regex = _number

    def _variable(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        if node.value == "":
            return context or ANYTHING
        if node.value not in names:
            self.problems.append(f"${node.value} is no variable")
            return ANYTHING
        return names[node.value]

    def _path(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        path = ""
        current = context
        for step in node.steps:
            if step.type == "name":
                path += f".{step.value}"
                inside = current
                current = inside.member(step.value) if inside is not None else None
                if current is None:
                    where = f"{inside} has no such member" if inside else "it stands alone"
                    self.problems.append(f"{path.lstrip('.')}: {where}")
                    return either([])
            else:
                path += f".${step.value}" if step.type == "variable" else ".…"
                current = self._infer(step, current.element() if current else None, names)
            for stage in step.stages or []:
                current = current.element()
                self._infer(stage.expr, current, names)
        return current or ANYTHING

    def _binary(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        self._infer(node.lhs, context, names)
        self._infer(node.rhs, context, names)
        return SCALAR

    def _unary(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        if node.value == "[":
            return Listed(either(self._infer(inner, context, names).element() for inner in node.expressions))
        if node.value == "{":
            members: dict[str, Shape] = {}
            for key, value in node.lhs_object:
                name, inner = self._infer(key, context, names), self._infer(value, context, names)
                if not isinstance(name, Constant):
                    return ANYTHING
                members[name.value] = inner
            return Made(members)
        return self._infer(node.expression, context, names)

    def _condition(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        self._infer(node.condition, context, names)
        ways = [way for way in (node.then, node._else) if way is not None]
        return either(self._infer(way, context, names) for way in ways)

    def _block(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        names = dict(names)
        found: Shape = ANYTHING
        for inner in node.expressions:
            found = self._infer(inner, context, names)
        return found

    def _bind(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        names[node.lhs.value] = self._infer(node.rhs, context, names)
        return names[node.lhs.value]

    def _lambda(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        def call(given: list[Shape]) -> Shape:
            wanted = [argument.value for argument in node.arguments]
            # What is not given is undefined, as where $map is given a function of one argument.
            own = dict(zip(wanted, [*given, *[ANYTHING] * len(wanted)], strict=False))
            return self._infer(node.body, context, {**names, **own})

        return Closure(call)

    def _function(self, node: Any, context: Shape | None, names: dict[str, Shape]) -> Shape:
        given = [self._infer(argument, context, names) for argument in node.arguments]
        name = node.procedure.value
        if isinstance(known := names.get(name), Closure):
            return known.call(given)
        function = given[-1].call if given and isinstance(given[-1], Closure) else None
        if name in _OF_SCALARS:
            return SCALAR
        if name in _OF_THE_SAME:
            if function:
                function([given[0].element()])
            return given[0]
        if name == "map" and function:
            return Listed(function([given[0].element(), SCALAR]))
        if name == "each" and function:
            return Listed(function([given[0].values(), SCALAR]))
        return {
            "append": lambda: Listed(either(shape.element() for shape in given)),
            "lookup": lambda: given[0].values(),  # noqa: PLW0108 (there may be no argument)
            "merge": lambda: _merged(given[0].element()),
            "split": lambda: Listed(SCALAR),
            "parse": lambda: _parsed(node.arguments[0]),
        }.get(name, lambda: ANYTHING)()


def _merged(shape: Shape) -> Shape:
    parts = shape.of if isinstance(shape, Either) else [shape]
    made = [part for part in parts if isinstance(part, Made)]
    if len(made) < len(parts):
        return shape  # of objects that AWS describes, what any of them has
    names = {name for part in made for name in part.members}
    return Made({name: shape.member(name) or ANYTHING for name in names})


def _parsed(node: Any) -> Shape:
    """What a text holds, by the member that it is: an object of S3, an execution's output, or else an error's Cause."""
    member = node.steps[-1].value if node.type == "path" else None
    if member == "Body":
        return _deployment_document()
    return _deployments_answer() if member == "Output" else _causes()


@cache
def _deployment_document() -> Shape:
    """registration/deployment.json, of a stack that was given everything, with what functions/evaluate_model adds."""
    settings = Settings(
        bucket="bucket", feature_store_bucket="store", subnet_ids="subnet-0123abcd", security_group_ids="sg-0123abcd",
        kms_key_arn="arn:aws:kms:us-west-2:000000000000:key/0123abcd", data_capture_percentage=50,
    )  # fmt: skip
    document = deployment.document(settings, [{"Key": "automl:stack", "Value": "automl"}])
    added = {
        "known_row": {"row": {"tenure": 1}, "answer": "No", "value": 1.5},
        "archives": [{"bucket": "bucket", "key": "model.tar.gz", "etag": '"0123abcd"'}],
    }
    return seen([{**document, **added}])


@cache
def _deployments_answer() -> Shape:
    return Machine("deployment").answers()


@cache
def _causes() -> Shape:
    described = [_modelled(*operation).shape for operation in _DESCRIBED_BY.values()]
    # Athena's integration gives the query's description with or without its name around it.
    query = [members(shape)["QueryExecution"] for shape in described if "QueryExecution" in members(shape)]
    return either([_LAMBDA_ERROR, *(Modelled(shape, sdk_shapes.spelled) for shape in [*described, *query])])


def _registered_metadata() -> Shape:
    """What the training machine leaves with a version, which to the API is a map with any keys."""
    [task] = [one for one in machines.expressions("training", recordings.deployed("training"))
              if one.place == "Arguments.CustomerMetadataProperties"]  # fmt: skip
    return seen(one.result for one in recordings.read("training").of(task.state, task.text))


def _modelled(service: str, action: str) -> Modelled:
    answer: Any = sdk_shapes.operation(service, action).output_shape
    return Modelled(answer, sdk_shapes.spelled)


def called(state: dict[str, Any]) -> tuple[str, str, bool]:
    """The service and the action that a task calls, and whether it waits for what that starts."""
    service, _, action = state["Resource"].split(":states:::")[1].removeprefix("aws-sdk:").partition(":")
    action, _, waits = action.partition(".")
    return service, action, waits.startswith("sync")


class Machine:
    """A machine whose expressions are read. `definition` is the deployed one if none is given."""

    def __init__(self, name: str, definition: dict[str, Any] | None = None):
        self.name = name
        self._recording = recordings.read(name)
        self._states = states_of(definition or recordings.deployed(name))
        # A variable may be made of others, also of itself: that takes more than one look.
        self._variables: dict[str, Shape] = dict.fromkeys(self._assigned_names(), either([]))
        for _ in range(_MOST_ROUNDS):
            self._variables = self._assigned()

    def problems(self) -> list[str]:
        """Every read of something that cannot be there: `training.CreateModel Assign.model.arn: …`."""
        found = []
        for one in machines.expressions(self.name, {"States": self._states}):
            reader = self.reader(one)
            reader.shape()
            found += [f"{self.name}.{one.state} {one.place}: {problem}" for problem in reader.problems]
        return found

    def reader(self, expression: machines.Expression) -> Reader:
        """Reads one of the machine's expressions."""
        return Reader(expression.text, self._bindings(expression.state, expression.place))

    def answers(self) -> Shape:
        """What an execution that succeeds answers."""
        ends = [(name, state) for name, state in self._states.items() if state["Type"] == "Succeed"]
        return either(self._template(state["Output"], name, "Output") for name, state in ends)

    def _assignments(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for name, state in self._states.items():
            yield name, "Assign", state.get("Assign", {})
            for key in ("Catch", "Choices"):
                for rule in state.get(key, []):
                    yield name, f"{key}.Assign", rule.get("Assign", {})

    def _assigned_names(self) -> set[str]:
        return {variable for _, _, assigned in self._assignments() for variable in assigned}

    def _assigned(self) -> dict[str, Shape]:
        found: dict[str, list[Shape]] = {}
        for state, place, assigned in self._assignments():
            for variable, value in assigned.items():
                found.setdefault(variable, []).append(self._template(value, state, place))
        return {variable: either(shapes) for variable, shapes in found.items()}

    def _template(self, value: Any, state: str, place: str) -> Shape:
        if (text := machines.expression(value)) is not None:
            return Reader(text, self._bindings(state, place)).shape()
        if isinstance(value, dict):
            return Made({key: self._template(inner, state, place) for key, inner in value.items()})
        if isinstance(value, list):
            return Listed(either(self._template(inner, state, place) for inner in value))
        return SCALAR

    def _bindings(self, name: str, place: str) -> dict[str, Shape]:
        state = self._states[name]
        states = {"context": CONTEXT, "input": self._given(name)}
        if place.startswith("Catch"):
            states["errorOutput"] = ERROR
        elif state["Type"] == "Task" and place.startswith(("Assign", "Output")):
            states["result"] = self._result(name, state)
        elif state["Type"] == "Parallel" and place.startswith(("Assign", "Output")):
            states["result"] = seen(one["result"] for one in self._recorded_states(name) if "result" in one)
        return {**self._variables, "states": Made(states)}

    def _given(self, name: str) -> Shape:
        return seen(one["input"] for one in self._recorded_states(name) if "input" in one)

    def _result(self, name: str, state: dict[str, Any]) -> Shape:
        service, action, waits = called(state)
        found = _modelled(*(_DESCRIBED_BY[service, action] if waits else (service, action)))
        answered = {
            sdk_shapes.spelled(member): found.member(sdk_shapes.spelled(member)) for member in members(found.shape)
        }
        if service == "lambda":
            answered["Payload"] = seen(
                one["result"]["Payload"] for one in self._recorded_states(name) if "result" in one
            )
        if action == "describeModelPackage":
            answered["CustomerMetadataProperties"] = _registered_metadata()
        if service == "states" and waits:
            answered["Output"] = _deployments_answer()
        return Made({member: shape for member, shape in answered.items() if shape is not None})

    def _recorded_states(self, name: str) -> list[dict[str, Any]]:
        return [
            one.bindings["states"]
            for one in self._recording.evaluations
            if one.state == name and "states" in one.bindings
        ]
