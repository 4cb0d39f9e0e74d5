"""The calls of AWS's APIs in Python source, and what is read from their answers, checked without running anything.

Follows values through assignments, loops, comprehensions and the functions of a module. Of what it cannot follow it
says nothing; what it says is wrong has a name that botocore's model of the operation does not have.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from local.aws import api_model
from local.aws.stepfunctions import sdk_shapes
from tests.contract.shapes import ANYTHING, SCALAR, Constant, Either, Fixed, Listed, Made, Modelled, Shape, either, seen

# What a client has besides its operations.
_OF_CLIENTS = {"exceptions", "meta", "close", "can_paginate", "get_waiter", "download_file", "upload_file"}
_SAME_ELEMENTS = {"sorted", "list", "reversed", "tuple", "set", "iter"}
_DEEPEST = 6


@dataclass
class Client(Shape):
    """A boto3 client."""

    service: str


@dataclass
class Paginator(Shape):
    """A paginator of one operation."""

    service: str
    operation: str


@dataclass
class Function(Shape):
    """A function or lambda of the source."""

    node: ast.FunctionDef | ast.Lambda
    names: dict[str, Shape]


class Received(Made):
    """An object that somebody else made: reading what it does not have is an error."""


@dataclass
class Module:
    """A file's source and what was found in it.

    `services` are those that any client may be of, `clients` those of clients by their usual names, `given` shapes of
    functions' parameters: `{"handler": {"event": …}}`.
    """

    path: str
    source: str
    services: frozenset[str]
    clients: dict[str, str]
    given: dict[str, dict[str, Shape]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._depth = self._branches = 0
        self._returned: list[Shape] = []
        names: dict[str, Shape] = {}
        tree = ast.parse(self.source)
        self._body(tree.body, names)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                own = names.get(node.name)
                scope = own.names if isinstance(own, Function) else names
                self._run(Function(node, scope), [], self.given.get(node.name, {}))

    def _say(self, node: ast.AST, text: str) -> None:
        problem = f"{self.path}:{getattr(node, 'lineno', 0)}: {text}"
        if problem not in self.problems:
            self.problems.append(problem)

    # -- statements

    def _body(self, statements: Iterable[ast.stmt], names: dict[str, Shape]) -> None:
        for statement in statements:
            getattr(self, f"_{type(statement).__name__}", self._other)(statement, names)

    def _other(self, node: ast.AST, names: dict[str, Shape]) -> None:
        """A statement that may be left out or done again, and everything in it."""
        self._branches += 1
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.stmt):
                self._body([inner], names)
            elif isinstance(inner, ast.expr):
                self._value(inner, names)
            elif isinstance(inner, ast.withitem):
                found = self._value(inner.context_expr, names)
                if inner.optional_vars:
                    self._bind(inner.optional_vars, ANYTHING if found is SCALAR else found, names)
            else:
                self._other(inner, names)
        self._branches -= 1

    def _FunctionDef(self, node: ast.FunctionDef, names: dict[str, Shape]) -> None:
        names[node.name] = Function(node, names)

    def _Return(self, node: ast.Return, names: dict[str, Shape]) -> None:
        if node.value:
            self._returned.append(self._value(node.value, names))

    def _Assign(self, node: ast.Assign, names: dict[str, Shape]) -> None:
        found = self._value(node.value, names)
        for target in node.targets:
            self._bind(target, found, names)

    def _AnnAssign(self, node: ast.AnnAssign, names: dict[str, Shape]) -> None:
        if node.value:
            found, told = self._value(node.value, names), _annotated(node.annotation)
            self._bind(node.target, found if told is ANYTHING else told, names)

    def _AugAssign(self, node: ast.AugAssign, names: dict[str, Shape]) -> None:
        found = self._value(node.value, names)
        if isinstance(node.target, ast.Name):
            names[node.target.id] = either([names.get(node.target.id, ANYTHING), found])

    def _For(self, node: ast.For, names: dict[str, Shape]) -> None:
        looped = self._value(node.iter, names)
        self._branches += 1
        for element in looped.parts if isinstance(looped, Fixed) else [_element(looped)]:
            # Each row of a table that is written out has its own names in its own columns.
            before = self._branches
            self._branches = 0 if isinstance(looped, Fixed) else before
            self._bind(node.target, element, names)
            self._branches = before
            self._body([*node.body, *node.orelse], names)
        self._branches -= 1

    def _bind(self, target: ast.expr, shape: Shape, names: dict[str, Shape]) -> None:
        if isinstance(target, ast.Name):
            before = names.get(target.id)
            names[target.id] = either([before, shape]) if before and self._branches else shape
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = shape.parts if isinstance(shape, Fixed) else [_element(shape)] * len(target.elts)
            for inner, part in zip(target.elts, parts, strict=False):
                self._bind(inner, part, names)
        elif isinstance(target, ast.Subscript):
            into, key = self._value(target.value, names), self._value(target.slice, names)
            for made in _parts(into):
                if isinstance(made, Made) and isinstance(key, Constant):
                    made.members[key.value] = shape

    # -- expressions

    def _value(self, node: ast.expr, names: dict[str, Shape]) -> Shape:
        found = getattr(self, f"_{type(node).__name__}", None)
        if found:
            return found(node, names)
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.expr):
                self._value(inner, names)
        return ANYTHING

    def _Constant(self, node: ast.Constant, names: dict[str, Shape]) -> Shape:
        return Constant(node.value)

    def _Name(self, node: ast.Name, names: dict[str, Shape]) -> Shape:
        return names.get(node.id, ANYTHING)

    def _Lambda(self, node: ast.Lambda, names: dict[str, Shape]) -> Shape:
        function = Function(node, names)
        self._run(function, [], {})
        return function

    def _IfExp(self, node: ast.IfExp, names: dict[str, Shape]) -> Shape:
        self._value(node.test, names)
        return either([self._value(node.body, names), self._value(node.orelse, names)])

    def _BoolOp(self, node: ast.BoolOp, names: dict[str, Shape]) -> Shape:
        return either([self._value(inner, names) for inner in node.values])

    def _NamedExpr(self, node: ast.NamedExpr, names: dict[str, Shape]) -> Shape:
        found = self._value(node.value, names)
        self._bind(node.target, found, names)
        return found

    def _Dict(self, node: ast.Dict, names: dict[str, Shape]) -> Shape:
        members: dict[str, Shape] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name, inner = self._value(key, names) if key else None, self._value(value, names)
            if not isinstance(name, Constant):
                return ANYTHING
            members[name.value] = inner
        return Made(members)

    def _List(self, node: ast.List | ast.Tuple, names: dict[str, Shape]) -> Shape:
        return Fixed([self._value(inner, names) for inner in node.elts])

    _Tuple = _List

    def _ListComp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, names: dict[str, Shape]) -> Shape:
        return Listed(self._value(node.elt, self._looped(node.generators, names)))

    _GeneratorExp = _SetComp = _ListComp

    def _DictComp(self, node: ast.DictComp, names: dict[str, Shape]) -> Shape:
        own = self._looped(node.generators, names)
        self._value(node.key, own)
        self._value(node.value, own)
        return ANYTHING

    def _looped(self, generators: list[ast.comprehension], names: dict[str, Shape]) -> dict[str, Shape]:
        own = dict(names)
        for generator in generators:
            looped = _element(self._value(generator.iter, own))
            for name in ast.walk(generator.target):
                if isinstance(name, ast.Name):
                    own.pop(name.id, None)
            self._bind(generator.target, looped, own)
            for condition in generator.ifs:
                self._value(condition, own)
        return own

    def _Compare(self, node: ast.Compare, names: dict[str, Shape]) -> Shape:
        left = self._value(node.left, names)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            found = self._value(right, names)
            if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(left, Constant):
                self._member(node, found, left)
        return SCALAR

    def _Subscript(self, node: ast.Subscript, names: dict[str, Shape]) -> Shape:
        found, key = self._value(node.value, names), self._value(node.slice, names)
        if isinstance(node.slice, ast.Slice):
            return found
        if isinstance(key, Constant) and isinstance(key.value, str):
            return self._member(node.slice, found, key)
        return _element(found)

    def _member(self, node: ast.AST, shape: Shape, key: Constant) -> Shape:
        """What is read by a name; says so if that is a name that an answer of AWS cannot have."""
        if not isinstance(key.value, str):
            return ANYTHING
        found: list[Shape] = []
        strict = False
        for part in _parts(shape):
            is_list = isinstance(part, Listed) or (isinstance(part, Modelled) and part.shape.type_name == "list")
            inner = None if is_list else part.member(key.value)
            if inner is not None:
                found.append(inner)
            strict = strict or isinstance(part, (Modelled, Received))
        if strict and not found:
            self._say(node, f"{shape} has no {key.value!r}")
        return either(found) if found else ANYTHING

    def _Call(self, node: ast.Call, names: dict[str, Shape]) -> Shape:
        called = node.func
        given = [self._value(argument, names) for argument in node.args]
        named = {keyword.arg: self._value(keyword.value, names) for keyword in node.keywords if keyword.arg}
        if isinstance(called, ast.Attribute):
            return self._method(node, called, given, names)
        if not isinstance(called, ast.Name):
            self._value(called, names)
            return ANYTHING
        if (client := _client(called.id, given)) is not None:
            return client
        function = names.get(called.id)
        functions = [part for part in _parts(function) if isinstance(part, Function)] if function else []
        if functions:
            return either(self._run(one, given, named) for one in functions)
        if called.id in _SAME_ELEMENTS and given:
            return Listed(_element(given[0]))
        if called.id in ("next", "max", "min") and given:
            return _element(given[0])
        if called.id == "enumerate" and given:
            return Listed(Fixed([SCALAR, _element(given[0])]))
        return ANYTHING

    def _method(self, node: ast.Call, called: ast.Attribute, given: list[Shape], names: dict[str, Shape]) -> Shape:
        receiver = self._value(called.value, names)
        name = called.attr
        if (client := _client(name, given)) is not None:
            return client
        if isinstance(receiver, Paginator) and name == "paginate":
            return Listed(self._operation(node, receiver.service, receiver.operation, names))
        if isinstance(receiver, Client) or receiver is ANYTHING:
            services = [receiver.service] if isinstance(receiver, Client) else sorted(self.services)
            wanted = given[0].value if name == "get_paginator" and given and isinstance(given[0], Constant) else name
            for service in services:
                if wanted in methods(service):
                    if wanted != name:
                        return Paginator(service, methods(service)[wanted])
                    return self._operation(node, service, methods(service)[wanted], names)
            if isinstance(receiver, Client) and wanted not in _OF_CLIENTS:
                self._say(node, f"{receiver.service} has no {wanted}")
            return ANYTHING
        if name == "get" and given and isinstance(given[0], Constant):
            return either([self._member(node, receiver, given[0]), *given[1:]])
        if name == "items":
            return Listed(Fixed([SCALAR, receiver.values()]))
        if name == "values":
            return Listed(receiver.values())
        if name == "append" and isinstance(called.value, ast.Name) and given:
            names[called.value.id] = Listed(either([_element(receiver), given[0]]))
        return ANYTHING

    # -- calls of functions and of AWS

    def _run(self, function: Function, given: list[Shape], named: dict[str | None, Shape] | dict[str, Shape]) -> Shape:
        """What a function returns that is called with these arguments."""
        if self._depth >= _DEEPEST:
            return ANYTHING
        node = function.node
        parameters = [*node.args.posonlyargs, *node.args.args]
        own = {one.arg: self._parameter(one) for one in [*parameters, *node.args.kwonlyargs]}
        for values in (zip((one.arg for one in parameters), given, strict=False), named.items()):
            own |= {name: shape for name, shape in values if name in own and shape is not ANYTHING}
        names = {**function.names, **own}
        if isinstance(node, ast.Lambda):
            return self._value(node.body, names)
        outer, self._returned = self._returned, []
        branches, self._branches = self._branches, 0
        self._depth += 1
        self._body(node.body, names)
        self._depth -= 1
        self._branches = branches
        returned, self._returned = self._returned, outer
        return either(returned) if returned else ANYTHING

    def _parameter(self, parameter: ast.arg) -> Shape:
        """What a parameter's annotation says, or its name, where clients go by that name."""
        is_any = parameter.annotation is not None and ast.unparse(parameter.annotation) == "Any"
        if is_any and parameter.arg in self.clients:
            return Client(self.clients[parameter.arg])
        return _annotated(parameter.annotation)

    def _operation(self, node: ast.Call, service: str, name: str, names: dict[str, Shape]) -> Shape:
        model = api_model.service_model(service).operation_model(name)
        self.calls.add(f"{service}:{name}")
        if node.args and not (isinstance(node.func, ast.Attribute) and node.func.attr == "paginate"):
            self._say(node, f"{name} takes no arguments without a name")
        wanted = model.input_shape
        request: dict[str, Shape] = {}
        is_open = False
        for keyword in node.keywords:
            value = self._value(keyword.value, names)
            if keyword.arg:
                request[keyword.arg] = value
            elif all(isinstance(part, Made) for part in _parts(value)):
                request |= {
                    key: inner
                    for part in _parts(value)
                    if isinstance(part, Made)
                    for key, inner in part.members.items()
                }
            else:
                is_open = True
        for problem in _misfits(Made(request), wanted, name, is_open):
            self._say(node, problem)
        return Modelled(model.output_shape) if model.output_shape is not None else Made()


def _misfits(value: Shape, wanted: Any, where: str, is_open: bool = False) -> Iterator[str]:
    """What of a value's names and constants a model does not allow."""
    if isinstance(value, Made) and wanted is not None and wanted.type_name == "structure":
        for name, inner in value.members.items():
            if name not in wanted.members:
                yield f"{where} has no {name!r}"
            else:
                yield from _misfits(inner, wanted.members[name], f"{where} {name}")
        for name in [] if is_open else wanted.required_members:
            if name not in value.members:
                yield f"{where} lacks {name!r}"
    elif isinstance(value, (Fixed, Listed)) and wanted is not None and wanted.type_name == "list":
        yield from _misfits(value.element(), wanted.member, where)
    elif (
        isinstance(value, Constant)
        and wanted is not None
        and getattr(wanted, "enum", None)
        and value.value not in wanted.enum
    ):
        yield f"{where} cannot be {value.value!r}, only one of {', '.join(wanted.enum)}"
    elif isinstance(value, Either):
        for part in value.of:
            yield from _misfits(part, wanted, where)


@cache
def methods(service: str) -> dict[str, str]:
    """The operations of a service, by the names of a client's methods."""
    model = api_model.service_model(service)
    return {sdk_shapes.method(model.operation_model(name)): name for name in model.operation_names}


def received(values: Iterable[Any]) -> Shape:
    """What a function is given, seen in values that it was given."""
    found = seen(values)
    return Received(found.members) if isinstance(found, Made) else found


def clients(sources: Iterable[str]) -> dict[str, str]:
    """The services that source text makes clients of, by the names that these get: `states` of `stepfunctions`."""
    found: dict[str, set[str]] = {}
    for node in (node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)):
        value = node.value
        targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
        values = value.elts if isinstance(value, ast.Tuple) else [value]
        for target, made in zip(targets, values, strict=False):
            service = _service(made)
            if service and isinstance(target, ast.Name):
                found.setdefault(target.id, set()).add(service)
    return {name: of.pop() for name, of in found.items() if len(of) == 1}


def services(sources: Iterable[str]) -> frozenset[str]:
    """The services that source text makes clients of."""
    made = (_service(node) for source in sources for node in ast.walk(ast.parse(source)))
    return frozenset(service for service in made if service)


def _service(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return None
    client = _client(getattr(node.func, "attr", getattr(node.func, "id", "")), [Constant(node.args[0].value)])
    return client.service if client else None


def _client(function: str, given: list[Shape]) -> Client | None:
    """The client that a call makes, if it makes one: `boto3.client("s3")`, `client("s3")`, `cloud.client("s3")`."""
    if function == "client" and given and isinstance(given[0], Constant):
        return Client(given[0].value)
    return None


def _annotated(annotation: ast.expr | None) -> Shape:
    """What an annotation says: `Event` is an event of GetExecutionHistory."""
    if isinstance(annotation, ast.Name) and annotation.id == "Event":
        history = api_model.service_model("stepfunctions").operation_model("GetExecutionHistory").output_shape
        return Modelled(history.members["events"].member)
    if isinstance(annotation, ast.Subscript):
        inner = _annotated(annotation.slice)
        return ANYTHING if inner is ANYTHING else Listed(inner)
    return ANYTHING


def _parts(shape: Shape) -> list[Shape]:
    return shape.of if isinstance(shape, Either) else [shape]


def _element(shape: Shape) -> Shape:
    """What a loop over a value meets; nothing is known of a loop over what is no list."""
    found = [
        part.element()
        for part in _parts(shape)
        if isinstance(part, (Listed, Fixed)) or (isinstance(part, Modelled) and part.shape.type_name == "list")
    ]
    return either(found) if found else ANYTHING
