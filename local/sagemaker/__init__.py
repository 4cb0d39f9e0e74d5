"""SageMaker on the laptop: its control plane and runtime, with real computation (local.compute) behind every job."""

from local.sagemaker.handler import install, shutdown

__all__ = ["install", "shutdown"]
