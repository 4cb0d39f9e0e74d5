"""The computation behind SageMaker's jobs and endpoints: what runs inside the containers, run for real in subprocesses.

Nothing here knows the local cloud: it takes API requests as dictionaries, a boto3 S3 client and directories.
"""
