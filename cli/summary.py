"""What came out of a demo, as a program reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_pipeline import answers
from automl_pipeline.labels import Labels

from cli.watching import Finished


@dataclass
class Result:
    """What is known of a demo, whether it has come to its end or not.

    `status` is the execution's (SUCCEEDED, FAILED, …), or NOT_STARTED; `problem` is why the demo itself could not go on.
    """

    status: str = "NOT_STARTED"
    problem: str | None = None
    finished: Finished | None = None
    prediction: dict[str, Any] | None = None
    endpoint_status: str | None = None
    mails: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON. What the run did not come to is null."""
        path.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def document(self) -> dict[str, Any]:
        """The JSON: what the execution answered, or, where it failed, what it had found out by then."""
        finished = self.finished
        output = (finished.output if finished else None) or {}
        variables = finished.variables if finished else {}
        evaluation = variables.get("evaluation", {})
        endpoint = output.get("endpoint")
        steps = finished.steps if finished else []
        return {
            "status": self.status,
            "outcome": output.get("outcome"),
            "message": output.get("message"),
            "failed_step": finished.failed_step if finished else None,
            "error": finished.error if finished else None,
            "cause": (finished.cause if finished else None) or self.problem,
            "metrics": output.get("metrics") or evaluation.get("metrics"),
            **{name: output.get(name) or evaluation.get(name) for name in ("verdict", "warnings", "champion")},
            "model_package_arn": output.get("model_package_arn") or variables.get("package", {}).get("arn"),
            "endpoint": {"name": endpoint["name"], "status": self.endpoint_status} if endpoint else None,
            "prediction": self.prediction,
            "steps": [
                {"name": step.name, "seconds": round(step.seconds(step.ended), 2)} for step in steps if step.ended
            ],
            "mails": self.mails,
            "run_prefix": output.get("run_prefix") or variables.get("run", {}).get("prefix_uri"),
        }


def read_answer(body: bytes, problem_type: str, labels: Sequence[str] = ()) -> dict[str, Any]:
    """An endpoint's answer to one row: `label`, its `probability` and all `probabilities`, or a regression's `value`.

    `labels`: the classes as the training data spells them, which the answer may not.
    """
    (answer,) = answers.read(body)
    if problem_type == "Regression":
        return {"value": float(answer.label)}
    spelled = Labels(labels).spelled
    probabilities = {spelled(label): probability for label, probability in answer.probabilities().items()}
    label = spelled(answer.label)
    return {"label": label, "probability": probabilities[label], "probabilities": probabilities}
