"""Reads each definition once: the parser takes a third of a second for ours, and moto asks it at every execution's start."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.atn.PredictionMode import PredictionMode
from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
    SyntaxErrorListener,
)
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor


def install() -> None:
    """Keep what the parser makes of a definition. Executions keep state in the program, so each gets one of its own."""
    AmazonStateLanguageParser.parse = staticmethod(_parse)


def _parse(definition: str) -> tuple[Any, Any]:
    program, tree = read(definition)
    return deepcopy(program), tree


@lru_cache(maxsize=64)
def read(definition: str) -> tuple[Any, Any]:
    """The program, which nobody has run, and the tree that it was made of. Raises ASLParserException.

    In two stages, as ANTLR recommends: what SLL prediction reads without an error has no other reading, and takes half the
    time; the errors are those of full prediction (LL).
    """
    tokens = CommonTokenStream(ASLLexer(InputStream(definition)))
    tree, errors = _tree(tokens, PredictionMode.SLL)
    if errors:
        tokens.seek(0)
        tree, errors = _tree(tokens, PredictionMode.LL)
    if errors:
        raise ASLParserException(errors=errors)
    return Preprocessor().visit(tree), tree


def _tree(tokens: CommonTokenStream, mode: Any) -> tuple[Any, list[Any]]:
    """The parse tree and the syntax errors."""
    parser = ASLParser(tokens)
    parser._interp.predictionMode = mode
    listener = SyntaxErrorListener()
    parser.removeErrorListeners()
    parser.addErrorListener(listener)
    return parser.state_machine(), listener.errors
