"""Tables as a visitor uses them: a sample, a file of one's own, rows left off, limits, rows side by side, links, the trash."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.library import kept_tables
from core.library.foreign_tables.decoding import decoded
from core.library.table_guessing import guessed
from pages.ui import resources
from pages.ui.address import format_view, parse
from pages.ui.table.files import Files
from pages.ui.table.view import View
from tests.helpers.foreign_tables import ROWS, as_csv
from tests.pages.conftest import ROOT
from tests.security.table_campaign import EVIL


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process: starting a confined one takes a second, and other tests do."""
    monkeypatch.setattr("pages.ui.table.import_form.read_foreign", decoded)


def kept(frame: pd.DataFrame = ROWS, name: str = "Mine") -> str:
    found, data = decoded(as_csv(frame))
    return kept_tables.add(resources.store(), name, found, data, guessed(found), "0" * 64)


def said(app: AppTest) -> str:
    kinds = (app.warning, app.markdown, app.caption, app.info, app.success, app.error)
    return " ".join(e.value for kind in kinds for e in kind).replace("\\", "")


def html_of(app: AppTest) -> str:
    return " ".join(e.proto.body for e in app.get("html"))


def charts(app: AppTest) -> list[Any]:
    return [json.loads(e.proto.spec) for e in app.get("plotly_chart")]


def at(**query: str) -> AppTest:
    """The page as a link opens it."""
    app = AppTest.from_file(str(ROOT / "pages" / "table.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def test_the_first_thing_to_do_is_a_sample_or_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_tables, "sample_file", lambda: ("digits-cnn.csv", as_csv()))
    app = at()
    assert "No table is here yet" in said(app)
    app.button(key="table-sample").click().run()
    assert "The sample was imported: 6 rows" in said(app)
    [chart] = charts(app)
    front = next(trace for trace in chart["data"] if trace["name"] == "front")
    assert front["customdata"] == ["1", "2", "3"]
    assert "latency_ms: 2 rows are left off its fronts" in said(app)
    assert "3** on the front of **4** rows" in said(app)


def test_a_file_is_previewed_mapped_and_imported_and_remembered() -> None:
    app = at()
    app.file_uploader(key="tb-upload").upload("mine.csv", as_csv(), "text/csv").run()
    assert "6 rows, 5 columns" in said(app)
    assert "net-0" in html_of(app)
    more = next(e for e in app.multiselect if e.label.endswith("more is better"))
    assert more.value == ["accuracy"]
    more.set_value(["accuracy", "depth"]).run()
    app.button(key="table-import-start").click().run()
    assert not app.exception
    assert "was imported" in said(app)
    [table] = resources.store().tables.list()
    about = kept_tables.TableAbout.decode(table.about)
    assert [o.column for o in about.mapping.objectives] == ["accuracy", "depth", "latency_ms"]
    app.session_state["import-table"] = True
    app.run()
    app.file_uploader(key="tb-upload").upload("again.csv", as_csv(), "text/csv").run()
    assert "what they meant in the last table" in said(app)
    again = next(e for e in app.multiselect if e.label.endswith("more is better"))
    assert again.value == ["accuracy", "depth"]


@pytest.mark.slow
def test_one_objective_alone_is_complained_of_and_bad_files_too() -> None:
    app = at()
    app.file_uploader(key="tb-upload").upload("bad.csv", b"\x89PNG\r\n\x1a\n" + bytes(50), "text/csv").run()
    assert "no table that can be read" in said(app)
    app.file_uploader(key="tb-upload").upload("mine.csv", as_csv(), "text/csv").run()
    next(e for e in app.multiselect if e.label.endswith("less is better")).set_value([]).run()
    assert app.button(key="table-import-start").disabled
    assert "A front needs two objectives" in said(app)


def test_numbers_as_people_write_them_are_objectives_and_a_file_without_any_is_told_so() -> None:
    app = at()
    app.file_uploader(key="tb-upload").upload("words.csv", b"a,b\nx,y\n", "text/csv").run()
    assert "two objectives, and this table has no column of numbers" in said(app)
    assert app.button(key="table-import-start").disabled
    there = b"net;Top-1 (%);Latency (ms)\na;85,33 %;12,5\nb;80,1 %;1,25\n"
    app.file_uploader(key="tb-upload").upload("mine.csv", there, "text/csv").run()
    assert "Read as numbers, with decimal commas: Top-1 (%) 85,33 % as 85.33 %" in said(app)
    app.button(key="table-import-start").click().run()
    assert "2** on the front of **2** rows" in said(app)
    assert "with decimal commas" in said(app)


def test_columns_of_another_file_are_added_by_a_key() -> None:
    table_id = kept(ROWS[["arch", "accuracy", "depth"]])
    app = at()
    app.session_state["import-table"] = True
    app.run()
    app.file_uploader(key="tb-upload").upload(
        "b.csv", as_csv(ROWS[["arch", "latency_ms"]][:4]), "text/csv"
    ).run()
    next(e for e in app.selectbox if e.label == "Import as").set_value(table_id).run()
    next(e for e in app.multiselect if e.label.endswith("less is better")).set_value(["latency_ms"]).run()
    app.button(key="table-import-start").click().run()
    assert "1 column was added; 4 of 6 rows have a row in the file" in said(app)
    assert "3 rows are left off" in said(app)  # two were not in the file, one is 0


def test_limits_in_a_link_a_click_and_rows_side_by_side() -> None:
    table_id = kept(ROWS.assign(latency_ms=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    limit = json.dumps([["latency_ms", "<=", 2.5]])
    app = at(table=table_id, limits=limit, row="2", rows="1,5")
    assert "2** on the front of **2** rows" in said(app)
    assert "4 rows do not meet the limits" in said(app)
    assert "Row 2 of the table" in html_of(app)
    app.session_state["table-chart"] = {"selection": {"points": [{"customdata": "1"}]}}
    app.button(key="tb-keep").click().run()
    assert app.query_params["rows"] == "1,5,2"
    app.button(key="tb-right" if not app.button(key="tb-right").disabled else "tb-left").click().run()
    assert app.query_params["row"] == "1"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"table": "0" * 32}, "asks for the table"),
        ({"x": "nope"}, "asks for the axis nope"),
        ({"row": "77"}, "asks for the row 77"),
        ({"limits": '[["gone","<=",1]]'}, "asks for the limit on gone"),
        ({"limits": "[[[["}, "asks for the limit"),
    ],
)
def test_a_link_that_cannot_be_kept_says_so(query: dict[str, str], says: str) -> None:
    kept()
    assert says in said(at(**query))


def test_several_fronts_by_groups_columns_and_tables() -> None:
    table_id = kept(
        ROWS.assign(latency_ms=[1.0, 2.0, 3.0, 2.0, 5.0, 6.0], energy_mj=[3.0, 2.0, 1.0, 3.0, 2.0, 1.0])
    )
    kept(name="Other")
    app = at(table=table_id, closer="several", beside="groups")
    assert [t["name"] for t in charts(app)[1]["data"]][:2] == ["phone", "board"]
    assert "rows on the front" in html_of(app)
    app = at(table=table_id, closer="several", beside="columns", fronts='["latency_ms","energy_mj"]')
    chart = charts(app)[1]
    assert [t["name"] for t in chart["data"]][:2] == ["latency_ms", "energy_mj"]
    assert "Rank" in html_of(app) or "Spearman" in html_of(app)
    app = at(table=table_id, closer="several", beside="tables")
    assert {t["name"] for t in charts(app)[1]["data"]} >= {"Mine", "Other"}


def test_a_front_of_one_row_has_no_neighbors() -> None:
    table_id = kept(ROWS.assign(latency_ms=[6.0, 5.0, 1.0, 4.0, 3.0, 2.0]))
    app = at(table=table_id)
    assert "**1** on the front of **6** rows" in said(app)
    assert app.button(key="tb-left").disabled
    assert app.button(key="tb-right").disabled


def test_a_third_objective() -> None:
    table_id = kept(
        ROWS.assign(latency_ms=[1.0, 2.0, 3.0, 2.0, 5.0, 6.0], energy_mj=[3.0, 2.0, 1.0, 3.0, 2.0, 1.0])
    )
    app = at(table=table_id, closer="third", third="energy_mj", **{"as": "size"})
    assert next(t["name"] for t in charts(app)[1]["data"]) == "all rows"
    assert "On the front of all three objectives" in html_of(app)


def test_rename_remove_and_undo_and_a_damaged_table_is_one_entry() -> None:
    table_id = kept()
    store = resources.store()
    store.tables.rename(table_id, "Another <b>name</b>")
    app = at()
    app.session_state["tb-this"] = True
    app.run()
    app.button(key="tb-remove").click().run()
    assert not app.exception
    assert "No table is here yet" in said(app)
    assert store.tables.list() == []
    app.button(key="tb-undo").click().run()
    assert "is back" in said(app)
    assert len(charts(app)) == 1
    [table] = store.tables.list()
    store._blobs.path(table.sha256).write_bytes(b"changed")
    kept_tables._ROWS.clear()
    app = at()
    assert "has changed since it was saved" in said(app)
    app.button(key="tb-remove-damaged").click().run()
    assert store.tables.list() == []
    assert not app.exception


def test_what_is_handed_out() -> None:
    table_id = kept(ROWS.assign(arch=["=1+1", "@x", "</script>", "a", "b", "c"]))
    app = at(table=table_id)
    scenes: list[Any] = []
    import pages.ui.table.files as files

    original = files.buttons
    files.buttons = lambda found: scenes.append(found)
    try:
        app.session_state["table-tabs"] = "Table"
        app.run()
    finally:
        files.buttons = original
    [found] = scenes[-1:]
    assert isinstance(found, Files)
    assert pd.read_csv(io.BytesIO(found.front("csv")))["arch"].tolist() == ["'=1+1", "'@x", "</script>"]
    assert pd.read_parquet(io.BytesIO(found.front("parquet")))["arch"].tolist() == [
        "'=1+1",
        "'@x",
        "</script>",
    ]
    assert b"</script>" not in found.everything("json")
    assert len(json.loads(found.everything("json"))) == 4
    latex = found.front("latex").decode()
    assert latex.count(r"\\") == 4
    assert "SHA-256" in latex
    from core.papers.base import Layout

    figure = found.figure(Layout(format="svg"), {"1": "=1+1"})
    assert figure.data.startswith(b"<?xml")
    assert "rows of an imported table" in figure.caption


def test_the_address_reads_back_what_it_wrote() -> None:
    from core.pareto import Constraint

    view = View(
        table="a" * 32,
        x='odd "name", & more',
        limits=(Constraint("a b", upper=1.5), Constraint("é", lower=-2.0)),
        kept=("3", "17"),
        closer="several",
        beside="columns",
        fronts=("a,b", "c|d"),
    )
    assert parse(View, format_view(view)) == view
    for text in ("{}", "[1]", '[["a"]]', '[["a","<=",NaN]]', "[[1,2,3]]", "null", "[" * 2000):
        assert parse(View, {"limits": text, "fronts": text}).limits == ()


def test_names_and_cells_of_any_kind_are_plain_text() -> None:
    table_id = kept(EVIL, name="<script>alert(1)</script> **bold** :material/add:")
    app = at(table=table_id, rows="1,2", closer="several")
    for spec in charts(app):
        assert "<script" not in json.dumps(spec)
    told = html_of(app)
    assert "<script>alert" not in told
    assert "<img src=x" not in told
    assert "=HYPERLINK" in told or "HYPERLINK" in told  # it is shown, as text
