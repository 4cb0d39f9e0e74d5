"""AWS services as the local cloud has them, one folder for each; what MiniStack has right stays MiniStack's."""
