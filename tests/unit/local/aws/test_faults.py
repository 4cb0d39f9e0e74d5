"""The faults file: what it may say, how often an entry counts, and files that come later."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws import faults


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_state_is_matched_by_machine_and_by_the_execution_or_its_starter(tmp_path: Path) -> None:
    text = "- {state: RegisterModel, machine: '*-pipeline', execution: try-*, error: Throttled, times: 2}"
    rules = faults.load(written(tmp_path / "faults.yaml", text))
    for machine, executions, state in (
        ("other", ["try-1"], "RegisterModel"),
        ("a-pipeline", ["run-1"], "RegisterModel"),
        ("a-pipeline", ["try-1"], "CreateModel"),
    ):
        assert rules.take_state(machine, executions, state) is None
    assert rules.take_state("a-pipeline", ["try-1"], "RegisterModel")
    assert rules.take_state("a-pipeline", ["deploy-1", "try-2"], "RegisterModel")
    assert rules.take_state("a-pipeline", ["try-1"], "RegisterModel") is None


def test_job_is_matched_by_its_name_where_one_is_given(tmp_path: Path) -> None:
    text = "- {service: sagemaker, job: automl, name: mine, outcome: InProgress}\n- {service: sagemaker, job: automl}"
    rules = faults.load(written(tmp_path / "faults.yaml", text))
    found = [rules.take_job("automl", name) for name in ("other", "other", "mine")]
    assert [one and one.outcome for one in found] == ["Failed", None, "InProgress"]


def test_files_that_are_put_into_a_folder_later_count_from_then_on(tmp_path: Path) -> None:
    written(tmp_path / "one.yaml", "- {state: CreateModel, error: Throttled}")
    rules = faults.load(tmp_path)
    assert rules.take_state("m", ["e"], "CreateModel")
    assert rules.take_state("m", ["e"], "RegisterModel") is None
    written(tmp_path / "two.yaml", "- {state: RegisterModel, outcome: TimedOut}")
    assert rules.take_state("m", ["e"], "RegisterModel")
    written(tmp_path / "three.yaml", "- {state: PreprocessData}")  # broken, and nobody waits for it
    assert rules.take_state("m", ["e"], "PreprocessData") is None


def test_files_that_are_taken_out_of_a_folder_count_no_more(tmp_path: Path) -> None:
    file = written(tmp_path / "one.yaml", "- {state: CreateModel, error: Throttled, times: 99}")
    rules = faults.load(tmp_path)
    assert rules.take_state("m", ["e"], "CreateModel")
    file.unlink()
    assert rules.take_state("m", ["e"], "CreateModel") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {state: CreateModel}", "entry 1: it: Value error, a state needs either error or outcome"),
        ("- {state: CreateModel, error: Throttled, outcome: Failed}", "either error or outcome"),
        ("- {state: CreateModel, outcome: Burned}", "entry 1: outcome: Input should be 'Failed', 'Stopped'"),
        ("- {state: CreateModel, error: Throttled, times: 0}", "entry 1: times"),
        ("- {service: sagemaker, operation: CreateCoffee, error: Denied}", "sagemaker has no operation 'CreateCoffee'"),
        ("- {state: CreateCoffee, error: Throttled}", "no machine has a Task state 'CreateCoffee'"),
        ("state: CreateModel", "each beginning with '- service: sagemaker' or '- state: NAME'"),
        ("- [", "it is not YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    for path in (written(tmp_path / "faults.yaml", text), tmp_path):
        with pytest.raises(ValueError, match="(?s)" + said.replace("[", r"\[")):
            faults.load(path)
