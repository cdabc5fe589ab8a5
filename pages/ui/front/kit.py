"""Other devices: a kit to measure one's own with, its profile as an axis, published tables for cell spaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.export.quantizing import can_quantize
from core.jobs.at_once import run_at_once
from core.library import profiles
from core.library.device_tables import FAMILY, KIND, DeviceTableRecord, device_tables
from core.library.latency import LatencyRecord, latencies
from core.library.latency_kinds import ADDED
from core.library.measuring_kits import KIT_FILE
from core.library.supernets import SupernetEntry
from core.library.uploaded import keep_file
from core.objectives.base import objective
from core.people import Action
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.words import count_of, within_sentence
from core.workflows.make_kit import Request
from pages.ui import checked, resources, state
from pages.ui.forms import field_number
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_MAKE = "make_kit"
MOST_TABLE_MB = 16
_TOLD, _ANEW = "other-devices-told", "other-devices-anew"
_RUNTIMES = {"onnxruntime": "onnxruntime", "torch": "torch, CUDA if there is one"}
_PRECISIONS = {"float32": "32 bits (float)", "int8": "8 bits (int)"}


@dataclass(frozen=True)
class _Told:
    """What came of a file: a sentence, and the objective that it became if it was accepted."""

    sentence: str
    objective: str = ""


def draw(entry: SupernetEntry) -> None:
    """What the opened panel holds."""
    if st.session_state.pop(_ANEW, False):
        st.rerun()
    st.caption(
        "How long does each subnet take on your phone, your board, your server? Make a kit, run it there, and load "
        "what it wrote: the latency on that device becomes an axis."
    )
    left, right = st.columns(2, gap="large")
    with left:
        _make(entry)
    with right:
        _load_profile(entry)
    if entry.family == FAMILY:
        _published(entry)


# --- a kit --------------------------------------------------------------------------------------------


def _kits(entry: SupernetEntry) -> list[Run]:
    return [run for run in all_runs([_MAKE]) if run.params.get("supernet") == entry.supernet_id]


def _make(entry: SupernetEntry) -> None:
    st.markdown("**1. Make a measuring kit and run it on the device**")
    with checked.form() as form:
        with st.container(horizontal=True):
            runtime = st.selectbox(
                "Runtime there",
                list(_RUNTIMES),
                format_func=_RUNTIMES.__getitem__,
                key="kit-runtime",
                width=220,
            )
            precision = _precision(runtime)
            threads = field_number(Request, "threads", "Threads", key="kit-threads", width=140)
            batch = field_number(Request, "batch", "Batch", key="kit-batch", width=140)
        after = _around(entry)
    kits = _kits(entry)
    params = {
        "supernet": entry.supernet_id,
        "runtime": runtime,
        "precision": precision,
        "threads": threads,
        "batch": batch,
        "after": after,
    }
    if form.start("Make the kit", key="kit-make", icon=":material/archive:", disabled=active(kits)):
        submit(_MAKE, params, title=f"Measuring kit of {display_name(entry.title)}", seed=0)
        kits = _kits(entry)
    for run in kits[:1]:
        if run.state is RunState.DONE:
            _download(entry, run)
        else:
            job_row(run)


def _around(entry: SupernetEntry) -> str:
    """Objective of an earlier profile whose front the kit is for, "" for a sample; asked once there is a profile."""
    known = [
        each.record.objective
        for each in latencies(resources.store_or_none(), entry)
        if each.run.kind == ADDED and each.record.settled and not each.record.settled.reached
    ]
    if not known:
        return ""
    state.keep("kit-after", ["", *known], "")
    return str(
        st.selectbox(
            "Subnets",
            ["", *known],
            format_func=lambda name: (
                f"Around the front of {objective(name).label}" if name else "A sample of the space"
            ),
            key="kit-after",
            help="A second kit for the same device and settings times the first one's subnets again, and all others that "
            "could be on the front: then every member of the front was timed.",
        )
    )


def _precision(runtime: str) -> str:
    known = ["float32", "int8"] if runtime == "onnxruntime" and can_quantize() else ["float32"]
    state.keep("kit-precision", known, known[0])
    return str(
        st.selectbox(
            "Numbers",
            known,
            format_func=_PRECISIONS.__getitem__,
            key="kit-precision",
            width=160,
            help="8 bits: quantized by onnxruntime; for latency alone, no accuracy is measured so.",
        )
    )


def _download(entry: SupernetEntry, run: Run) -> None:
    told = run.params
    st.download_button(
        "Download the kit",
        data=_kit_bytes(run.run_id),
        file_name=f"kit-{entry.supernet_id}.zip",
        mime="application/zip",
        key="kit-download",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
    st.caption(
        f"{for_markdown(run.message)} {_RUNTIMES[str(told['runtime'])]}, {_PRECISIONS[str(told['precision'])]}, "
        f"{count_of(told['threads'], 'thread')}, batch {told['batch']}. "
        f'Unpack it there, then: `pip install {told["runtime"]} numpy` and `python measure.py --name "My device"`.'
    )


def _kit_bytes(run_id: str) -> Callable[[], bytes]:
    """What makes the file when the browser asks for it, outside the page's script."""
    store = resources.store()
    return lambda: store.ledger(run_id).artifact(KIT_FILE)


# --- its profile --------------------------------------------------------------------------------------


def _load_profile(entry: SupernetEntry) -> None:
    st.markdown("**2. Load the profile that it wrote**")
    file = door.uploader(
        "profile.json",
        type=["json"],
        key="kit-profile",
        max_upload_size=profiles.MOST_BYTES >> 20,
        help="Lies beside measure.py when it is done.",
    )
    if file is not None:
        _take_in(
            file,
            lambda kept: (ADDED, {"supernet": entry.supernet_id, "file": kept}),
            title=f"Profile of a device for {display_name(entry.title)}",
        )
    _tell("kit-profile")


def _take_in(file: UploadedFile, request: Callable[[str], tuple[str, dict[str, str]]], *, title: str) -> None:
    """Read a file once, and keep what came of it for the next run of the page; a new axis draws the page anew."""
    told: dict[str, _Told] = st.session_state.setdefault(_TOLD, {})
    if file.file_id in told:
        return
    try:
        with st.spinner("Reading the file…"):
            kind, params = request(keep_file(file.getvalue()))
            run_id, message = run_at_once(
                resources.store(), kind, params, title=title, session=state.session_id()
            )
    except CoreError as error:
        told[file.file_id] = _Told(str(error))
    else:
        told[file.file_id] = _Told(message, _first_objective(kind, run_id))
        st.rerun()


def _first_objective(kind: str, run_id: str) -> str:
    ledger = resources.store().ledger(run_id)
    if kind == ADDED:
        return LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE)).objective
    found = DeviceTableRecord.decode(ledger.artifact(DeviceTableRecord.FILE)).found
    return found.columns[0].objective


def _tell(key: str) -> None:
    """What came of the file in an uploader, if there is one."""
    file = st.session_state.get(key)
    if file is not None and file.file_id in st.session_state.get(_TOLD, {}):
        told: _Told = st.session_state[_TOLD][file.file_id]
        if not told.objective:
            st.error(for_markdown(told.sentence, 1200), icon=":material/block:")
            return
        st.success(for_markdown(told.sentence, 1200), icon=":material/check:")
        first = objective(told.objective).label
        st.button(
            f"Show {within_sentence(first)}",
            key=f"{key}-show",
            on_click=_show,
            args=(told.objective,),
            icon=":material/show_chart:",
        )


def _show(name: str) -> None:
    """As if the person had chosen it across; the whole page is drawn anew."""
    st.session_state["axis-x"] = name
    st.session_state[_ANEW] = True


# --- published tables -----------------------------------------------------------------------------------


def _published(entry: SupernetEntry) -> None:
    st.divider()
    st.markdown("**Published tables of devices**")
    st.caption(
        "Latency (ms) and energy (mJ) of NAS-Bench-201's cells, measured by others, as CSV or Parquet: `arch_str` and "
        "columns like `pixel3_latency` or `cifar10__eyeriss_energy`. They are about the benchmark's own networks of "
        "these cells."
    )
    first, second = st.columns(2, gap="large")
    with first:
        title = checked.name_field(
            "Name of the table", value="HW-NAS-Bench", longest=60, key="devices-title", width=260
        )
        data = st.text_input(
            "Data that the devices saw",
            key="devices-data",
            placeholder="the file's first",
            max_chars=60,
            width=260,
            help="cifar10, cifar100 or imagenet16 in HW-NAS-Bench.",
        )
    with second:
        file = door.uploader(
            "Table",
            type=["csv", "parquet"],
            key="devices-table",
            max_upload_size=MOST_TABLE_MB,
        )
    if file is not None and st.button(
        "Import it", key="devices-import", icon=":material/add:", **door.lock(Action.UPLOAD)
    ):
        st.session_state.get(_TOLD, {}).pop(file.file_id, None)
        params = {"supernet": entry.supernet_id, "title": title, "data": data.strip()}
        _take_in(
            file,
            lambda kept: (KIND, {**params, "file": kept}),
            title=f"{title} for {display_name(entry.title)}",
        )
    _tell("devices-table")
    rows = [
        {
            "objective": objective(column.objective).label,
            "table": each.record.title,
            "never measured": f"{column.missing:,}" if column.missing else "",
        }
        for each in device_tables(resources.store_or_none(), entry)[:3]
        for column in each.record.found.columns
    ]
    if rows:
        html_table(rows, "Published objectives of this supernet")
