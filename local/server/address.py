"""Where the local cloud is and what account and region it plays."""

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
ACCOUNT_ID = "000000000000"
REGION = "us-west-2"
ACCESS_KEY = "test"
SECRET_KEY = "test"
