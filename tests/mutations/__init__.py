"""Does a test fail if a rule, a permission or a mail goes missing? `python -m tests.mutations` removes each and looks."""
