"""Faults in what is known of devices: kits, profiles, published tables, memory of activations."""

from __future__ import annotations

from tests.mutation.fault import Fault

_COMMON, _DEVICE, _MAKER = (
    "core/export/measuring/common.py",
    "core/export/measuring/device.py",
    "core/export/measuring_kit.py",
)
_TABLES, _PROFILES = "core/library/device_tables.py", "core/library/profiles.py"
_IN_KIT, _IN_TABLES = ("tests/export/test_measuring_kit.py",), ("tests/library/test_device_tables.py",)
_IN_PROFILES, _IN_MEMORY = ("tests/library/test_profiles.py",), ("tests/objectives/test_activation_bytes.py",)

FAULTS = [
    Fault(
        "a residual block forgets the padded shortcut",
        "core/supernets/elastic_cnn.py",
        "max(width * area, pooled + padded)",
        "max(width * area, pooled)",
        _IN_MEMORY,
    ),
    Fault(
        "a cell's nodes live for ever",
        "core/supernets/nas_bench_201.py",
        "alive -= {start} if last else set()",
        "alive -= set()",
        _IN_MEMORY,
    ),
    Fault(
        "attention forgets the scores",
        "core/supernets/sliced.py",
        "vectors + 3 * queries + scores,",
        "vectors + 3 * queries,",
        _IN_MEMORY,
    ),
    Fault(
        "a stage less of peak memory",
        "core/objectives/activation_bytes.py",
        "np.maximum(most, stage.counted",
        "np.minimum(most, stage.counted",
        _IN_MEMORY,
    ),
    Fault(
        "the kit's first answer counts, too",
        _COMMON,
        "    answer()\n    best = None",
        "    best = None",
        _IN_KIT,
    ),
    Fault(
        "halves are the first and the second half of the rounds",
        _COMMON,
        "ranks(table[::2].min(axis=0)), ranks(table[1::2].min(axis=0))",
        "ranks(table[: len(table) // 2].min(axis=0)), ranks(table[len(table) // 2 :].min(axis=0))",
        _IN_KIT,
    ),
    Fault(
        "a kit stops after rounds enough for half an agreement",
        _COMMON,
        "return rounds >= LEAST_ROUNDS and not patient",
        "return not patient",
        _IN_KIT,
    ),
    Fault(
        "what another kit left is gone on with",
        _COMMON,
        '            if told["of"] != of:\n                return fresh\n',
        "",
        _IN_KIT,
    ),
    Fault(
        "a batch of one, whatever was asked for",
        _DEVICE,
        "rows = np.arange(kit.batch)",
        "rows = np.arange(1)",
        _IN_KIT,
    ),
    Fault(
        "vectors of norms become random numbers",
        _MAKER,
        "size < _OUTSIDE or len(tensor.dims) < 2 or",
        "size < 4 or",
        _IN_KIT,
    ),
    Fault(
        "what was never measured is a value",
        _TABLES,
        "np.isfinite(read) & (read > 0)",
        "np.isfinite(read)",
        _IN_TABLES,
    ),
    Fault(
        "published values stand in the file's order",
        _TABLES,
        "columns[column.objective] = values[column.objective][at]",
        "columns[column.objective] = values[column.objective][: len(at)]",
        _IN_TABLES,
    ),
    Fault(
        "every table of devices belongs to every supernet",
        _TABLES,
        "if each.record.supernet == entry.sha256]",
        "if each.record.supernet]",
        (*_IN_TABLES, "tests/cli/test_devices_command.py"),
    ),
    Fault(
        "a profile of any supernet is taken",
        _PROFILES,
        "    require_same(profile, identity_of(entry))\n",
        "",
        _IN_PROFILES,
    ),
    Fault(
        "anchors of another space are taken",
        _PROFILES,
        "(*profile.timings.arch_ids, *profile.anchors.arch_ids)",
        "(*profile.timings.arch_ids,)",
        _IN_PROFILES,
    ),
    Fault(
        "a front is settled by hope",
        _PROFILES,
        "chance=float(chance.sum())",
        "chance=float(chance.min())",
        _IN_PROFILES,
    ),
]
