"""Reads each definition once: the parser takes a third of a second for ours, and moto asks it at every execution's start."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any

from antlr4 import CommonTokenStream, InputStream
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
    program, tree = _read(definition)
    return deepcopy(program), tree


@lru_cache(maxsize=64)
def _read(definition: str) -> tuple[Any, Any]:
    """The program, which nobody has run, and the tree that it was made of."""
    parser = ASLParser(CommonTokenStream(ASLLexer(InputStream(definition))))
    errors = SyntaxErrorListener()
    parser.removeErrorListeners()
    parser.addErrorListener(errors)
    tree = parser.state_machine()
    if errors.errors:
        raise ASLParserException(errors=errors.errors)
    return Preprocessor().visit(tree), tree
