"""The token table's Python side: what it sends, which window it takes, and what it believes the browser."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import ui.token_table
from ui.token_table import Column, payload, token_table, window_around

COLUMNS = (Column("token", "Token", grow=1), Column("id", "Id", kind="number"), Column("note", "Note", sortable=False))


def sent(**changes: Any) -> dict[str, Any]:
    """The payload of three rows of a thousand."""
    window: dict[str, Any] = {
        "rows": [["a", "7", ""], ["b", "3", ""], ["c", "9", ""]],
        "ids": [7, 3, 9],
        "first": 500,
        "total": 1000,
        "order": "all",
        "sort": ("id", True),
        "chosen": 3,
        "chosen_at": 501,
        "noun": "tokens",
        "empty": "No token is left.",
    }
    return payload(COLUMNS, **{**window, **changes})


def test_a_payload_is_json_and_holds_its_window() -> None:
    read = json.loads(json.dumps(sent()))
    assert read["ids"] == [7, 3, 9] and read["rows"][1] == ["b", "3", ""]
    assert (read["first"], read["total"], read["sort"]) == (500, 1000, ["id", True])
    assert [column["name"] for column in read["columns"]] == ["token", "id", "note"]


def test_integers_of_an_array_library_are_sent_as_integers() -> None:
    numpy = pytest.importorskip("numpy")
    ids = numpy.array([7, 3, 9], dtype=numpy.int32)
    assert json.loads(json.dumps(sent(ids=ids, chosen=ids[1], chosen_at=numpy.int64(501)))) == sent()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"ids": [7, 3]}, "There are 3 rows and 2 ids. Give each row its token id."),
        ({"rows": [["a", "7", ""], ["b"], ["c", "9", ""]]}, "A row has 1 cells, but there are 3 columns."),
        ({"rows": [["a", "7", ""], [], ["c", "9", ""]]}, "A row has 0 cells, but there are 3 columns."),
        (
            {"first": 998},
            "Rows 998 to 1001 are no part of a table of 1000. Cut them out as order[first : first + 400].",
        ),
        ({"first": -1}, "Rows -1 to 2 are no part of a table of 1000."),
        ({"sort": ("weight", False)}, "The rows are sorted by 'weight', but the columns are ['token', 'id', 'note']."),
        ({"chosen_at": 1000}, "Token 3 is said to stand at 1000 of 1000. Give chosen_at=None where"),
        ({"chosen": None}, "Token None is said to stand at 501 of 1000."),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError) as caught:
        sent(**changes)
    assert error in str(caught.value)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Give each a name of its own"):
        payload(
            [Column("id", "Id"), Column("id", "Id again")],
            [],
            [],
            first=0,
            total=0,
            order="",
            sort=None,
            chosen=None,
            chosen_at=None,
            noun="tokens",
            empty="",
        )


@pytest.mark.parametrize(
    ("position", "total", "size", "first"),
    [
        (None, 1000, 400, 0),
        (0, 1000, 400, 0),
        (199, 1000, 400, 0),
        (500, 1000, 400, 300),
        (999, 1000, 400, 600),
        (50, 100, 400, 0),
        (0, 0, 400, 0),
        (7, 10, 1, 7),
    ],
)
def test_a_window_holds_its_position_and_stays_in_the_table(
    position: int | None, total: int, size: int, first: int
) -> None:
    assert window_around(position, total, size) == first


def test_every_position_is_in_its_window() -> None:
    for total in (1, 5, 6, 23):
        for position in range(total):
            first = window_around(position, total, 6)
            assert 0 <= first <= position < min(first + 6, total)


@pytest.fixture
def hear(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[object, ...]]]:
    """Plays the browser: sets one of the table's state values, again and again, and returns the calls that follow."""

    def report(event: str, *values: object) -> list[tuple[object, ...]]:
        mounted: dict[str, Any] = {}
        heard: list[tuple[object, ...]] = []
        state: dict[str, Any] = {}
        monkeypatch.setattr(ui.token_table, "_mount", lambda **given: mounted.update(given))
        monkeypatch.setattr(ui.token_table, "st", SimpleNamespace(session_state=state))
        token_table(
            sent(),
            key="table",
            height=480,
            on_choose=lambda token: heard.append((token,)),
            on_window=lambda first: heard.append((first,)),
            on_sort=lambda name, descending: heard.append((name, descending)),
        )
        assert mounted["data"] == {**sent(), "height": 480}
        for value in values:
            state["table"] = SimpleNamespace(**{event: value})
            mounted[f"on_{event}_change"]()
        return heard

    return report


def test_the_same_again_is_heard_and_the_same_report_is_not(hear: Callable[..., Any]) -> None:
    assert hear("choose", [3, 1], [3, 1], [3, 2], [3, 2]) == [(3,), (3,)]


@pytest.mark.parametrize(
    ("event", "value", "call"),
    [
        ("choose", [3, 1], (3,)),
        ("choose", [0, 1], (0,)),
        ("window", [999, "all", 1], (999,)),
        ("sort", ["token", False, 1], ("token", False)),
        ("sort", ["id", True, 1], ("id", True)),
    ],
)
def test_what_the_reader_does_is_heard(hear: Callable[..., Any], event: str, value: object, call: object) -> None:
    assert hear(event, value) == [call]


NO_TOKENS = [None, 3, "3", [], [3], ["3", 1], [True, 1], [-1, 1], [3.0, 1], [None, 1], [[3], 1], {"0": 3}, [3, 1, 1]]
NO_WINDOWS = [
    None,
    [1000, "all", 1],
    [-1, "all", 1],
    [True, "all", 1],
    ["5", "all", 1],
    [5, "old", 1],
    [5, None, 1],
    [5],
]
NO_SORTS = [
    None,
    ["weight", True, 1],
    ["note", True, 1],
    ["id", 1, 1],
    ["id", "true", 1],
    [["id"], True, 1],
    [{}, True, 1],
    ["id", True],
    "id",
]


@pytest.mark.parametrize(
    ("event", "value"),
    [
        *(("choose", value) for value in NO_TOKENS),
        *(("window", value) for value in NO_WINDOWS),
        *(("sort", value) for value in NO_SORTS),
    ],
)
def test_what_a_stranger_says_is_ignored(hear: Callable[..., Any], event: str, value: object) -> None:
    assert hear(event, value) == []
