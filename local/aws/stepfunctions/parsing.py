"""Reads each definition and each path once: moto parses them anew at every execution's start and at every state."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.atn.PredictionMode import PredictionMode
from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.component import Component
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
    SyntaxErrorListener,
)
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path


def install() -> None:
    """Keep what the parsers make of a definition, which takes a third of a second for ours, and of a path."""
    AmazonStateLanguageParser.parse = staticmethod(read)
    paths: tuple[Any, ...] = (json_path, result_path)
    for module in paths:
        module.parse = lru_cache(maxsize=1024)(module.parse)


@lru_cache(maxsize=64)
def read(definition: str) -> tuple[Any, Any]:
    """The program, for any number of executions at the same time, and the tree that it was made of.

    In two stages, as ANTLR recommends: what SLL prediction reads without an error has no other reading, and takes half the
    time; the errors are those of full prediction (LL). Raises ASLParserException.
    """
    tokens = CommonTokenStream(ASLLexer(InputStream(definition)))
    tree, errors = _tree(tokens, PredictionMode.SLL)
    if errors:
        tokens.seek(0)
        tree, errors = _tree(tokens, PredictionMode.LL)
    if errors:
        raise ASLParserException(errors=errors)
    program = Preprocessor().visit(tree)
    _give_keys(program, set())
    return program, tree


def _tree(tokens: CommonTokenStream, mode: Any) -> tuple[Any, list[Any]]:
    """The parse tree and the syntax errors."""
    parser = ASLParser(tokens)
    parser._interp.predictionMode = mode
    listener = SyntaxErrorListener()
    parser.removeErrorListeners()
    parser.addErrorListener(listener)
    return parser.state_machine(), listener.errors


def _give_keys(part: Any, seen: set[int]) -> None:
    """Have every component of a program its key now, which each would make at its first use.

    An execution keeps its state in an environment of its own, by these keys (moto 5.2.5). Two executions that begin to
    use the same component at the same moment could otherwise make two.
    """
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, EvalComponent):
        _ = part.heap_key
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple | set) else ()
    for one in [*inner, *(vars(part).values() if isinstance(part, Component) else ())]:
        _give_keys(one, seen)
