"""Labels stay the texts that they are in the table, or are refused by name before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import unusable_data
from automl_pipeline.labels import Labels

from .tables import BASE, DATA, Asked, change, run_job, texts, train


def made(tmp_path: Path, *labels: str) -> Asked:
    """The base table with `no` and `yes` called otherwise; of three labels the third takes every fifth row."""
    file = tmp_path / "table.csv"
    third = labels[2:]

    def called(label: str, row: int) -> str:
        return third[0] if third and row % 5 == 0 else labels[label == "yes"]

    file.write_text(change("churn", called))
    return Asked(file)


def classes(tmp_path: Path, asked: Asked) -> set[str]:
    """The job's classes, as training and test data spell them."""
    trained = train(tmp_path, asked)
    written = [set(trained.encoded(name)["churn"].astype(str)) for name in ("train", "test")]
    assert written == [set(trained.specification["labels"])] * 2
    return set(trained.specification["labels"])


def test_white_space_inside_a_label_is_kept(tmp_path: Path) -> None:
    trained = train(tmp_path, Asked(DATA / "label-two-blanks.csv"))
    assert trained.specification["labels"] == ["no  way", "yes"]
    assert set(trained.encoded("test")["churn"]) == {"no  way", "yes"}
    assert Labels(trained.specification["labels"]).spelled("no  way") == "no  way"


@pytest.mark.parametrize("label", ["no\tway", "not   at all", "n o"])
def test_other_white_space_inside_a_label(tmp_path: Path, label: str) -> None:
    assert classes(tmp_path, made(tmp_path, label, "yes")) == {label, "yes"}


ALIKE = {
    ("8", "007", "7"): "Classes '007' and '7' of target column 'churn' cannot be distinguished",
    ("1.1", "1.10", "2"): "Classes '1.1' and '1.10' of target column 'churn' cannot be distinguished",
    ("TRUE", "False", "True"): "Classes 'TRUE' and 'True' of target column 'churn' cannot be distinguished",
    ("9007199254740993", "5", "6"): "Class '9007199254740993' of target column 'churn' is an integer beyond 2^53",
}


@pytest.mark.parametrize("labels", ALIKE)
def test_labels_that_autopilot_cannot_tell_apart_are_refused_by_name(
    tmp_path: Path, labels: tuple[str, str, str]
) -> None:
    asked = made(tmp_path, *labels)
    assert ALIKE[labels] in asked.refusal()
    with pytest.raises(unusable_data.UnusableDataError) as refused:
        run_job(tmp_path, texts(asked.file), "churn", "MulticlassClassification", ["customer_id"])
    assert str(refused.value).startswith(ALIKE[labels])


def test_labels_007_7_8() -> None:
    assert ALIKE["8", "007", "7"] in Asked(DATA / "labels-007-7-8.csv").refusal()


@pytest.mark.parametrize(
    ("labels", "answered"),
    [(("01", "02"), ("1", "2")), (("1.10", "2.5"), ("1.1", "2.5")), (("false", "true"), ("False", "True")), (("007", "8"), ("7.0", "8.0"))],
)  # fmt: skip
def test_labels_that_come_back_respelled_have_the_tables_spelling(
    tmp_path: Path, labels: tuple[str, ...], answered: tuple[str, ...]
) -> None:
    assert classes(tmp_path, made(tmp_path, *labels)) == set(labels)
    assert [Labels(labels).spelled(answer) for answer in answered] == list(labels)


@pytest.mark.parametrize("around", [None, "yes\t", "\u00a0yes", " yes\u3000"])
def test_white_space_around_a_label_does_not_count(tmp_path: Path, around: str | None) -> None:
    asked = Asked(DATA / "labels-with-blanks-around.csv") if around is None else made(tmp_path, "no", "yes", around)
    request = asked.request()
    assert request.given["problem_type"] == "BinaryClassification"
    assert classes(tmp_path, asked) == {"no", "yes"}


def test_one_label_however_unicode_composes_it(tmp_path: Path) -> None:
    assert classes(tmp_path, made(tmp_path, "non", "d\u00e9ja\u0300", "de\u0301j\u00e0")) == {"non", "d\u00e9j\u00e0"}


@pytest.mark.parametrize(
    "twins", [None, ("no", "yes", "YES"), ("no", "ye s", "yes"), ("no", "yes!", "yes"), ("no", "a\u00a0b", "a b")]
)
def test_near_twins_are_named(tmp_path: Path, twins: tuple[str, ...] | None) -> None:
    asked = Asked(DATA / "labels-near-twins.csv") if twins is None else made(tmp_path, *twins)
    [note] = [note for note in asked.request().notes if "look like one class" in note]
    warnings = train(tmp_path, asked).specification["data_note"]["warnings"]
    [warning] = [warning for warning in warnings if "look like one class" in warning]
    for label in twins[1:] if twins else ("yes", "yes.", "Yes"):
        assert repr(label) in note
        assert repr(label) in warning


def test_positive_class_is_stated(tmp_path: Path) -> None:
    specification = train(tmp_path, Asked(DATA / "labels-churned-stayed.csv")).specification
    assert specification["labels"] == ["Churned", "Stayed"]
    assert specification["positive_class"] == "Churned"


@pytest.mark.parametrize(
    ("labels", "positive"), [(("ok", "fraud"), "fraud"), (("0", "1"), "1"), (("bleibt", "geht"), "geht")]
)
def test_other_positive_classes(tmp_path: Path, labels: tuple[str, str], positive: str) -> None:
    rarer = change("churn", lambda label, row: "no" if row % 3 == 0 else label)
    file = tmp_path / "table.csv"
    file.write_text(change("churn", lambda label, _: labels[label == "yes"], rarer))
    assert train(tmp_path, Asked(file)).specification["positive_class"] == positive


@pytest.mark.parametrize("odd", [None, "-Infinity", "1e999", "Inf"])
def test_infinite_target_is_the_value_that_is_named(tmp_path: Path, odd: str | None) -> None:
    file = DATA / "target-with-inf.csv"
    row = next(number for number, line in enumerate(file.read_text().splitlines()) if line.endswith(",inf"))
    if odd:
        content = file.read_text().replace(",inf\n", f",{odd}\n")
        file = tmp_path / "table.csv"
        file.write_text(content)
    assert f"and 'spend' holds {odd or 'inf'!r} in data row {row}." in Asked(file, target="spend").refusal()
    asked = Asked(file, target="spend", problem_type="Regression")
    assert f"holds {odd or 'inf'!r} in data row {row}." in asked.refusal()
    with pytest.raises(unusable_data.UnusableDataError, match=f"holds '[^']+' in row {row} of data/raw/"):
        run_job(tmp_path, texts(file), "spend", "Regression", ["customer_id"])


@pytest.mark.parametrize("label", ["None", "none", "-"])
def test_words_that_may_be_a_class_are_one(tmp_path: Path, label: str) -> None:
    assert classes(tmp_path, made(tmp_path, label, "+")) == {label, "+"}


@pytest.mark.parametrize("word", ["NA", "null", "NaN", "?"])
def test_words_for_missing_are_no_classes(tmp_path: Path, word: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(change("churn", lambda label, row: word if row in (3, 7) else label, BASE))
    assert any(
        f"2 rows without a value in target 'churn' (written {word!r} 2)" in note for note in Asked(file).request().notes
    )
    trained = train(tmp_path, Asked(file))
    assert trained.specification["labels"] == ["no", "yes"]
    assert trained.specification["rows"]["without_target"] == 2
