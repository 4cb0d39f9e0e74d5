"""A person's CSV: what is taken as it is, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from local.data.csv_table import InvalidTableError, first_without_number, read_table, read_texts, with_types
from processing.names import NameCollisionError, feature_name, feature_names

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(content: str) -> Path:
        path = tmp_path / "table.csv"
        path.write_text(content, encoding="utf-8")
        return path

    return make


def rows(count: int, *, label: Callable[[int], str] = lambda i: "yes" if i % 3 else "no") -> str:
    return "id,amount,left\n" + "".join(f"{i},{i * 1.5},{label(i)}\n" for i in range(count))


def problems(path: Path, target: str = "left", id_column: str = "id") -> list[str]:
    with pytest.raises(InvalidTableError) as refused:
        read_table(path, target, id_column)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in refused.value.problems]


def test_a_good_table(write: Write) -> None:
    table = read_table(write("\ufeff" + rows(625)), "left", "id")
    assert list(table.frame.columns) == ["id", "amount", "left"]
    assert len(table.frame) == 625
    assert table.frame["id"].tolist()[:3] == ["0", "1", "2"]
    assert table.frame["amount"].dtype == float
    assert table.warnings == []


def test_no_such_file(tmp_path: Path) -> None:
    assert problems(tmp_path / "missing.csv") == ["there is no such file."]


def test_a_folder(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["cannot be read (Is a directory)."]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file(write: Write, content: str) -> None:
    assert problems(write(content)) == ["is empty."]


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"id,amount,left\n1,2,caf\xe9\n")
    assert problems(path) == [
        "is not UTF-8 at line 2 (looks like Windows-1252, byte 0xe9). Save it as UTF-8 (in Excel: CSV UTF-8), or, if it is "
        "Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW."
    ]


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_another_separator(write: Write, mark: str, name: str) -> None:
    assert (
        f"line 1 looks separated by {name}: save the file with commas" in problems(write(rows(3).replace(",", mark)))[0]
    )


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("sep=,\n", "line 1 is 'sep=,', a hint for Excel and not the header: remove that line."),
        ('"sep=;"\n', "and save the file with commas between the values."),
        ("Customers of 2026\n", "line 1 looks like a title ('Customers of 2026'): the header must be the first line"),
        ("Customers,,\n\n", "line 1 looks like a title ('Customers')"),
        (",,\n", "line 1 looks like a title (empty)"),
    ],
)
def test_lines_above_the_header(write: Write, above: str, said: str) -> None:
    assert said in problems(write(above + rows(3)))[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "is an Excel workbook"),
        (b"\x1f\x8b\x08", "is compressed (gzip)"),
        (b"PAR1....", "is Parquet, not CSV"),
        ("id,left\n".encode("utf-16"), "is UTF-16, not UTF-8."),
        (b"id,amount,left\n1,\x81,x\n", "is not UTF-8 at line 2 (looks like another encoding"),
        (b"id,amount,left\n1,a\0b,x\n", "line 2 holds a NUL character"),
    ],
)
def test_what_is_no_csv(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert problems(path)[0].startswith(said)


def test_lines_with_too_many_values(write: Write) -> None:
    assert problems(write(rows(3) + "1,2,3,4\n")) == [
        "line 5 has 4 values and the header names 3.",
        "Every line needs one value for each column, and values that hold commas need double quotes.",
    ]


def test_lines_one_value_short_or_all_too_wide(write: Write) -> None:
    assert problems(write(rows(3) + '"7\n7",2,no\n\n8,2\n'))[0].startswith("line 8 has 2 values")
    wide = problems(write("id,amount,left\n" + "1,2,yes,zzz\n" * 9))
    assert [line.split(" and ")[0] for line in wide[:5]] == [f"line {line} has 4 values" for line in range(2, 7)]
    assert wide[5] == "4 more lines are like that."


@pytest.mark.parametrize("cell", ['"5" pipe"', '"a"b', '"" x'])
def test_a_cell_with_stray_quotes(write: Write, cell: str) -> None:
    assert problems(write(rows(3) + f"9,{cell},no\n"))[0].startswith(
        "cannot be read: in the row that begins at line 5, a value goes on"
    )


def test_a_quote_that_is_never_closed(write: Write) -> None:
    assert problems(write(rows(3) + '9,"1,no\n8,1,no\n')) == [
        "cannot be read: in the row that begins at line 5, a double quote is not closed."
    ]


@pytest.mark.parametrize("twin", ["Yes", "yes.", "YES", "yes\u00a0!"])
def test_classes_that_look_alike_are_named(write: Write, twin: str) -> None:
    table = read_table(write(rows(625, label=lambda i: twin if i == 7 else "yes" if i % 3 else "no")), "left", "id")
    assert len(table.warnings) == 1
    assert repr(twin) in table.warnings[0] and "'yes' (415 rows)" in table.warnings[0]


def test_white_space_around_a_label_does_not_count(write: Write) -> None:
    table = read_table(write(rows(625, label=lambda i: " yes" if i % 2 else "yes\t" if i % 3 else "no")), "left", "id")
    assert set(table.frame["left"]) == {"yes", "no"}


def test_words_for_missing_are_no_classes_and_are_counted(write: Write) -> None:
    words = ["NA", "null", "", "?"]
    table = read_table(write(rows(700, label=lambda i: words[i] if i < 4 else "01" if i % 3 else "1.10")), "left", "id")
    assert set(table.frame["left"].dropna()) == {"01", "1.10"}  # a class is never read as a number
    assert table.warnings == [
        "4 rows without a value in target 'left' (written 'NA' 1, 'null' 1, '?' 1): left out of the training."
    ]


def test_renames_are_shown(write: Write) -> None:
    table = read_table(write(rows(625).replace("amount", "Annual Income")), "left", "id")
    assert table.warnings == [
        "The Feature Store takes other names: Annual Income → annual_income. `automl predict` and the endpoint take both."
    ]


@pytest.mark.parametrize("odd", ["inf", "-Infinity", "1e999", "12 EUR", "007"])
def test_the_value_that_is_no_number_is_the_one_named(odd: str) -> None:
    assert first_without_number(pd.Series(["1.5", None, "NA", odd, "2"])) == (odd, 4)


def test_all_problems_at_once(write: Write) -> None:
    found = problems(write("ID,amount,Left_Now,LEFT NOW\n1,2,3,4\n"), "leftnow", "id")
    assert found == [
        "target column 'leftnow' is not in it. Did you mean 'Left_Now' or 'LEFT NOW'?",
        "id column 'id' is not in it. Did you mean 'ID'?",
        "Columns 'Left_Now' and 'LEFT NOW' would both become the feature 'left_now': rename one.",
    ]


def test_a_name_like_none_lists_what_there_is(write: Write) -> None:
    assert problems(write(rows(3)), "zzz")[0] == "target column 'zzz' is not in it. It has 'id', 'amount', 'left'."


def test_header_mistakes(write: Write) -> None:
    assert problems(write("id,a,a,left\n"))[0].startswith("the header names 'a' more than once")
    assert problems(write("id,,left\n"))[0].startswith("the header leaves column 2 without a name")
    assert "'left' cannot be both target and id column." in problems(write(rows(625)), "left", "left")
    assert problems(write("id,left\n1,a\n"))[0] == "has no column to learn from besides target and id."


def test_too_few_rows(write: Write) -> None:
    assert problems(write(rows(624))) == [
        "has 624 rows; at least 625 are needed: Autopilot trains on 500, and a fifth is held out."
    ]


def test_rows_that_cannot_be_used_do_not_count(write: Write) -> None:
    content = rows(625) + "1,2,yes\n" + "626,2,\n"
    table = read_table(write(content), "left", "id")
    assert table.warnings == [
        "1 row with a repeated id in 'id': of one id the newest record counts, which is the last one in the file.",
        "1 row without a value in target 'left': left out of the training.",
    ]
    assert problems(write(rows(624) + "1,2,yes\n626,2,\n")) == [
        "has 624 rows left of 626, one per id and with a value in 'left'; at least 625 are needed: Autopilot trains on 500, "
        "and a fifth is held out."
    ]


def test_one_class(write: Write) -> None:
    assert problems(write(rows(625, label=lambda _: "no"))) == [
        "target column 'left' is 'no' in every row: there is nothing to learn."
    ]


def test_no_values_in_the_target(write: Write) -> None:
    assert problems(write(rows(625, label=lambda _: " "))) == ["target column 'left' has no values."]


def test_rows_without_an_id(write: Write) -> None:
    found = problems(write(rows(625) + ",1,yes\n"))
    assert found == ["id column 'id' is empty in 1 row (first: data row 626). Every row needs an id."]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", ""], "Int64"),
        (["1", "NA", "null", "-3"], "Int64"),
        (["1", "2.5", "1e3", ".5", "+4"], "float64"),
        (["29.85", " "], "object"),  # TotalCharges: a blank is a value someone wrote
        (["00123", "10115"], "object"),  # a code
        (["1", "99999999999999999999"], "float64"),  # larger than Integral holds
        (["1", "1e999"], "object"),
        (["1", "inf"], "object"),
        (["True", "False"], "object"),
        (["2026-01-01", "2026-01-02"], "object"),
        (["NA", "DE"], "object"),
        (["", ""], "object"),
        (["1,5", "2,5"], "object"),
        (["=1+1", "a\nb", 'c"d', "é"], "object"),
    ],
)
def test_types_lose_nothing(values: list[str], kind: str) -> None:
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object).replace("", None)})
    typed = with_types(frame)["a"]
    assert str(typed.dtype) == kind
    if kind == "object":
        assert typed.equals(frame["a"])


def test_values_with_commas_quotes_and_line_breaks(write: Write) -> None:
    frame = read_texts(write('a,b\n"x,y","say ""hi"""\n"two\nlines",\n'))
    assert frame.to_dict("list")["a"] == ["x,y", "two\nlines"]
    assert frame["b"].tolist()[0] == 'say "hi"'
    assert frame["b"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("column", "feature"),
    [
        ("MonthlyCharges", "monthly_charges"),
        ("customerID", "customer_id"),
        ("StreamingTV", "streaming_tv"),
        ("HTTPServer2Name", "http_server2_name"),
        ("Größe (cm)", "grosse_cm"),
        ("  spaces  ", "spaces"),
        ('"; DROP TABLE x --', "drop_table_x"),
        ("2nd", "2nd"),
        ("年齢", "column_18a91230"),
        ("year", "feature_year"),
        ("Is Deleted", "feature_is_deleted"),
        ("already_fine_1", "already_fine_1"),
    ],
)
def test_feature_names(column: str, feature: str) -> None:
    assert feature_name(column) == feature
    assert feature_name(feature) == feature


def test_long_names_stay_apart() -> None:
    first, second = "x" * 70 + "a", "x" * 70 + "b"
    names = feature_names([first, second])
    assert len(set(names.values())) == 2
    assert all(len(name) == 64 for name in names.values())


def test_collisions_are_all_named() -> None:
    with pytest.raises(NameCollisionError) as refused:
        feature_names(["A B", "a_b", "c", "C"])
    assert str(refused.value).split("\n") == [
        "Columns 'A B' and 'a_b' would both become the feature 'a_b': rename one.",
        "Columns 'c' and 'C' would both become the feature 'c': rename one.",
    ]
