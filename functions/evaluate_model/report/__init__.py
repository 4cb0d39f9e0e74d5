"""report.html: what a run's evaluation means, for the person who approves the model and the one who built it.

`render` makes the page of evaluation.json and nothing else, so that every number on it is one that a program can read too.
"""

from report.page import render
from report.story import headline

__all__ = ["headline", "render"]
