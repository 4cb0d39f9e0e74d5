"""SageMaker: its control plane and runtime, with real computation (`compute`) behind every job."""
