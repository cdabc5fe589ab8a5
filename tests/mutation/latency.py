"""Faults in timing a whole space; see `tests.mutation.faults`."""

from __future__ import annotations

from tests.mutation.fault import Fault

_PLACE = "core/evaluation/latency"
_TESTS = "tests/evaluation/latency"
_CANDIDATES, _IN_CANDIDATES = f"{_PLACE}/candidates.py", (f"{_TESTS}/test_candidates.py",)
_CAMPAIGN, _IN_CAMPAIGN = f"{_PLACE}/campaign.py", (f"{_TESTS}/test_campaign.py",)
_MODEL, _IN_MODEL = f"{_PLACE}/model.py", (f"{_TESTS}/test_model.py",)
_PROFILE, _IN_PROFILE = f"{_PLACE}/profile.py", (f"{_TESTS}/test_profile.py",)
_LIBRARY, _IN_LIBRARY = "core/library/latency.py", ("tests/library/test_latency.py",)

FAULTS = [
    Fault(
        "errors of predictions are taken to be a tenth of what they are",
        _CANDIDATES,
        "scale = found.deviation * 0.6745",
        "scale = 0.1 * found.deviation * 0.6745",
        _IN_CANDIDATES,
    ),
    Fault(
        "subnets of equal quality do not see each other",
        _CANDIDATES,
        'side="right") - 1',
        'side="left")',
        _IN_CANDIDATES,
    ),
    Fault(
        "batches are not put on one scale",
        _CAMPAIGN,
        "scale = float(np.median(np.array(self.batches[0].anchors) / np.array(batch.anchors)))",
        "scale = 1.0",
        _IN_CAMPAIGN,
    ),
    Fault(
        "a later time does not replace the first",
        _CAMPAIGN,
        "if batch.again or arch_id not in found",
        "if arch_id not in found",
        _IN_CAMPAIGN,
    ),
    Fault(
        "a run that goes on begins anew",
        _CAMPAIGN,
        "        if self.state.batches:\n            self.fraction",
        "        if False:\n            self.fraction",
        _IN_CAMPAIGN,
    ),
    Fault(
        "the predictor is judged on what it was fitted to",
        _MODEL,
        "keys[~held], work[~held], times[~held]",
        "keys, work, times",
        _IN_MODEL,
    ),
    Fault(
        "the sample is random alone",
        f"{_PLACE}/plan.py",
        "np.asarray(pool[[*order, *rest][:n]])",
        "np.asarray(pool[:n])",
        (f"{_TESTS}/test_plan.py",),
    ),
    Fault(
        "half a profile is taken for a whole one",
        _PROFILE,
        "if len(self.timings.arch_ids) < self.planned:",
        "if False:",
        _IN_PROFILE,
    ),
    Fault(
        "a profile of another supernet is taken",
        _PROFILE,
        "if (profile.supernet.layout, profile.supernet.space) != (identity.layout, identity.space):",
        "if False:",
        _IN_PROFILE,
    ),
    Fault(
        "a device with more threads is the same device",
        _PROFILE,
        "json.dumps(self.model_dump(), sort_keys=True)",
        'json.dumps(self.model_dump(exclude={"threads", "system"}), sort_keys=True)',
        _IN_PROFILE,
    ),
    Fault(
        "predictions are said to be measured",
        _LIBRARY,
        "str(Obtained(Source.PREDICTED))",
        "str(Obtained(Source.MEASURED))",
        _IN_LIBRARY,
    ),
    Fault(
        "latencies of another structure are taken",
        _LIBRARY,
        "if each.record.profile.supernet.layout == _layout(entry)",
        "if each.record.profile.supernet.layout",
        _IN_LIBRARY,
    ),
    Fault(
        "a link is put to the first stage whatever stands between",
        "core/export/onnx_parts.py",
        'given = [f"h{before}.{i}" for i in range(len(piece.inputs))]',
        'given = [f"h0.{i}" for i in range(len(piece.inputs))]',
        ("tests/export/test_onnx_parts.py",),
    ),
]
