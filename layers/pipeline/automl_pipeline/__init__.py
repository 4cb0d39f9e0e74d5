"""What the functions and the command line share: settings, names of a run, logging, and the code for the containers."""
