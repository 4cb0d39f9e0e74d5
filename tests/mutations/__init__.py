"""Does a test fail if a rule, a permission or an email goes missing? `python -m tests.mutations` removes each and looks."""
