"""`automl doctor`: whether an account, or the local cloud, has what a stack and its runs need. It changes nothing."""
