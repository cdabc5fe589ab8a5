"""Faults that a test must notice: what is changed where, and which tests are run against it.

The first fourteen survived the tests of release 0.1. A fault is a promise: whoever rewrites its line writes
the same mistake into the new one.
"""

from __future__ import annotations

from tests.mutation.believing import FAULTS as BELIEVING
from tests.mutation.blocks import FAULTS as BLOCKS
from tests.mutation.chance import FAULTS as CHANCE
from tests.mutation.classes import FAULTS as CLASSES
from tests.mutation.closer_look import FAULTS as CLOSER_LOOK
from tests.mutation.comparing import FAULTS as COMPARING
from tests.mutation.decoder import FAULTS as DECODER
from tests.mutation.devices import FAULTS as DEVICES
from tests.mutation.encoders import FAULTS as ENCODERS
from tests.mutation.fault import Fault
from tests.mutation.folders import FAULTS as FOLDERS
from tests.mutation.lagging import FAULTS as LAGGING
from tests.mutation.language import FAULTS as LANGUAGE
from tests.mutation.latency import FAULTS as LATENCY
from tests.mutation.learned import FAULTS as LEARNED
from tests.mutation.methods import FAULTS as METHODS
from tests.mutation.outgoing import OUTGOING
from tests.mutation.planned import FAULTS as PLANNED
from tests.mutation.samplers import FAULTS as SAMPLERS
from tests.mutation.sandboxes import FAULTS as SANDBOXES
from tests.mutation.searching import FAULTS as SEARCHING
from tests.mutation.servers import FAULTS as SERVERS
from tests.mutation.spread import FAULTS as SPREAD
from tests.mutation.structure import FAULTS as STRUCTURE
from tests.mutation.tables import FAULTS as TABLES
from tests.mutation.tasks import FAULTS as TASKS
from tests.mutation.tuning import FAULTS as TUNING
from tests.mutation.using import FAULTS as USING

_PGD, _STEPS, _ATTACKS = "core/attacks/pgd.py", "core/attacks/steps.py", ("tests/attacks",)
_COLLAPSE, _IN_COLLAPSE = "core/geometry/collapse.py", ("tests/geometry/test_collapse.py",)
_SYNFLOW = "core/pruning/criteria/synflow.py"
_SPACE, _IN_SPACE = "core/spaces/space.py", ("tests/spaces",)
_DOMINANCE, _IN_PARETO = "core/pareto/dominance.py", ("tests/pareto",)
_EVOLUTION = "core/search/evolution.py"
_IN_NSGA = ("tests/search/test_nsga2.py",)
_STATISTICS, _FAMILIES = "core/supernets/statistics.py", ("tests/contracts/test_families.py",)
_CNN = "core/supernets/elastic_cnn.py"
_BLOBS, _IN_BLOBS = "core/store/blobs.py", ("tests/store",)
_CKA, _MEASURES = "core/similarity/linear_cka.py", ("tests/similarity", "tests/contracts/test_measures.py")
_UPLOADS = ("tests/security", "tests/datasets")

FAULTS = [
    # --- what survived release 0.1 ----------------------------------------------------------------
    Fault(
        "PGD without a random start",
        _PGD,
        ".uniform(-eps, eps, tuple(images.shape[1:]))",
        ".uniform(0, 1e-9, tuple(images.shape[1:]))",
        _ATTACKS,
    ),
    Fault(
        "PGD with steps 100 times too small",
        _PGD,
        "2.5 * eps / steps if",
        "0.025 * eps / steps if",
        _ATTACKS,
    ),
    Fault(
        "PGD downhill",
        _PGD,
        "current = step(net, current, images, labels, size=size, eps=eps)",
        "current = step(net, current, images, labels, size=-size, eps=eps)",
        _ATTACKS,
    ),
    Fault(
        "NC3 centers the classifier",
        _COLLAPSE,
        "nc3=_self_duality(rows, centered)",
        "nc3=_self_duality(rows - rows.mean(0), centered)",
        _IN_COLLAPSE,
    ),
    Fault(
        "NC2 of the weights centers them",
        _COLLAPSE,
        "_relative_spread(np.linalg.norm(rows, axis=1))",
        "_relative_spread(np.linalg.norm(rows - rows.mean(0), axis=1))",
        _IN_COLLAPSE,
    ),
    Fault(
        "settling without recalibration",
        "core/pruning/retraining.py",
        "    recalibrate(net, ",
        "    net.eval() or (lambda *a: None)(net, ",
        ("tests/pruning/test_retraining.py",),
    ),
    Fault(
        "SynFlow keeps BatchNorm's running mean",
        _SYNFLOW,
        "norm.running_mean.zero_()",
        "norm.running_mean.abs_()",
        ("tests/contracts/test_criteria.py",),
    ),
    Fault(
        "removed weights are scored by magnitude again",
        "core/pruning/tickets.py",
        "torch.where(mask, scores[name], -1.0)",
        "scores[name]",
        ("tests/pruning/test_lottery_ticket.py",),
    ),
    Fault(
        "no limit on the bytes of images",
        "core/datasets/npz.py",
        "MAX_ARRAY_BYTES = 512 * 2**20",
        "MAX_ARRAY_BYTES = 512 * 2**40",
        _UPLOADS,
    ),
    Fault(
        "no limit on the parameters a file asks for",
        "core/supernets/files.py",
        "_MOST_PARAMETERS = 200_000_000",
        "_MOST_PARAMETERS = 200_000_000_000",
        (*_UPLOADS, "tests/supernets"),
    ),
    Fault(
        "no limit on the size of a weights file",
        "core/networks/untrusted_files.py",
        "MAX_FILE_BYTES = 2 * 2**30",
        "MAX_FILE_BYTES = 2 * 2**50",
        _UPLOADS,
    ),
    Fault(
        "no limit on an archive's member",
        "core/datasets/archives.py",
        "if info.file_size > limits.member_bytes:",
        "if False:",
        _UPLOADS,
    ),
    Fault(
        "a file is renamed before it is on the disk",
        "core/datasets/loading.py",
        "                os.fsync(handle)\n",
        "",
        ("tests/datasets", "tests/store"),
    ),
    Fault(
        "resuming ignores the checkpoint",
        "core/training/loop.py",
        "kept = self.ledger.latest_checkpoint()",
        "kept = None",
        ("tests/reliability", "tests/training"),
    ),
    # --- fronts -----------------------------------------------------------------------------------
    Fault(
        "a point with a NaN may be on the front",
        _DOMINANCE,
        "complete &= ~np.isnan(column)",
        "complete &= True",
        _IN_PARETO,
    ),
    Fault(
        "copies of a front point are dropped", _DOMINANCE, "keep_weakly=True", "keep_weakly=False", _IN_PARETO
    ),
    Fault(
        "ranks start at 0",
        _DOMINANCE,
        "moocore.pareto_rank(_comparable(costs[known])) + 1",
        "moocore.pareto_rank(_comparable(costs[known]))",
        _IN_PARETO,
    ),
    Fault(
        "points worse than the reference count",
        "core/pareto/volume.py",
        "return _volume(costs[(costs < corner).all(axis=1)], corner)",
        "return _volume(costs[(costs < corner).any(axis=1)], corner)",
        _IN_PARETO,
    ),
    Fault(
        "an extreme may be the knee",
        "core/pareto/knee.py",
        "    losses[_extremes(front)] = 0.0\n",
        "",
        _IN_PARETO,
    ),
    # --- spaces and searches ----------------------------------------------------------------------
    Fault(
        "choices that do not matter keep their option",
        _SPACE,
        "result[~self._active(result, index), index] = 0",
        "result[~self._active(result, index), index] += 0",
        _IN_SPACE,
    ),
    Fault(
        "a mutation may change nothing",
        _SPACE,
        "            flips[rng.integers(len(active))] = True\n",
        "            pass\n",
        _IN_SPACE,
    ),
    Fault(
        "a new block's choices are not drawn",
        _SPACE,
        "if self.is_active(child, name) and not self.is_active(arch, name):",
        "if False:",
        _IN_SPACE,
    ),
    Fault(
        "an architecture is proposed twice",
        "core/search/distinct.py",
        "return len(self._taken) > before",
        "return True",
        ("tests/search/test_distinct_draws.py", "tests/contracts/test_algorithms.py"),
    ),
    Fault(
        "parents are chosen at random",
        _EVOLUTION,
        "better = np.sign(self._ranks[b] - self._ranks[a])",
        "better = np.zeros(len(pairs))",
        _IN_NSGA,
    ),
    Fault(
        "crowding is ignored",
        _EVOLUTION,
        "verdict = np.where(better != 0, better, more_room)",
        "verdict = better",
        _IN_NSGA,
    ),
    Fault(
        "an unknown cost is good",
        _EVOLUTION,
        "column[unknown] = high + 2 * step",
        "column[unknown] = low - step",
        _IN_NSGA,
    ),
    Fault(
        "the number of cuts is ignored",
        _EVOLUTION,
        "points=config.crossover_points or None",
        "points=None",
        _IN_NSGA,
    ),
    # --- the supernet -----------------------------------------------------------------------------
    Fault(
        "statistics come from all rows",
        _STATISTICS,
        "torch.var_mean(exact(x[: statistics.rows]), dim=axes, correction=0)",
        "torch.var_mean(exact(x), dim=axes, correction=0)",
        (*_FAMILIES, "tests/evaluation"),
    ),
    Fault(
        "the variance is the unbiased one",
        _STATISTICS,
        "dim=axes, correction=0)",
        "dim=axes, correction=1)",
        (*_FAMILIES, "tests/supernets", "tests/evaluation"),
    ),
    Fault(
        "an extracted norm forgets its offset",
        _STATISTICS,
        "        layer.bias.copy_(self.bias[channels])\n",
        "",
        _FAMILIES,
    ),
    Fault(
        "a block beyond the depth is run",
        _CNN,
        "if int(self.option(arch, self._names[1])) < self.index:",
        "if int(self.option(arch, self._names[1])) < self.index - 1:",
        _FAMILIES,
    ),
    Fault(
        "an extracted stem forgets the constants of its input",
        _CNN,
        "        block.mean.copy_(self.mean)\n",
        "",
        _FAMILIES,
    ),
    Fault(
        "the smaller kernel is not the center of the larger",
        "core/supernets/elastic_conv.py",
        "margin = (self.kernels[-1] - kernel) // 2",
        "margin = self.kernels[-1] - kernel",
        ("tests/supernets/test_elastic_conv.py", *_FAMILIES),
    ),
    # --- training ---------------------------------------------------------------------------------
    Fault(
        "images are shifted the same way in every epoch",
        "core/tasks/image.py",
        'rng = stream(seed, "augmentation", epoch)',
        'rng = stream(seed, "augmentation")',
        ("tests/tasks",),
    ),
    Fault(
        "batches come in the same order in every epoch",
        "core/tasks/base.py",
        'order = stream(seed, "order", epoch).permutation(len(split))',
        'order = stream(seed, "order").permutation(len(split))',
        ("tests/tasks",),
    ),
    Fault(
        "batches are laid out channels last",
        "core/tasks/image.py",
        "return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]",
        "return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]].contiguous(memory_format=torch.channels_last)",
        ("tests/tasks",),
    ),
    Fault(
        "the floor of the learning rate is ignored",
        "core/training/optimizing.py",
        "max(config.final_share, 0.5",
        "max(0.0, 0.5",
        ("tests/training",),
    ),
    # --- measures and geometry --------------------------------------------------------------------
    Fault(
        "unbiased HSIC with the biased divisor",
        _CKA,
        "sums / ((n - 1) * (n - 2))",
        "sums / (n * n)",
        _MEASURES,
    ),
    Fault("unbiased HSIC forgets a term", _CKA, " - 2 / (n - 2) * dots", "", _MEASURES),
    Fault(
        "NC1 of uncentered means",
        _COLLAPSE,
        "nc1=_scatter_ratio(within, centered)",
        "nc1=_scatter_ratio(within, means)",
        _IN_COLLAPSE,
    ),
    Fault(
        "NC4 forgets the bias",
        _COLLAPSE,
        "(0.0 if bias is None else np.asarray(bias, dtype=np.float64))",
        "0.0",
        _IN_COLLAPSE,
    ),
    # --- pruning ----------------------------------------------------------------------------------
    Fault(
        "SynFlow keeps the signs",
        _SYNFLOW,
        "                parameter.abs_()\n",
        "                pass\n",
        ("tests/contracts/test_criteria.py",),
    ),
    Fault(
        "every level of a ticket is cut by the weights of the dense network",
        "core/pruning/tickets.py",
        "masks = smallest_go(trained, sparsity, masks)",
        "masks = smallest_go(net, sparsity, masks)",
        ("tests/pruning/test_lottery_ticket.py",),
    ),
    Fault(
        "tickets are not rewound",
        "core/pruning/tickets.py",
        "        trained.load_state_dict(start)\n",
        "",
        ("tests/pruning/test_lottery_ticket.py",),
    ),
    Fault(
        "masks are not held after a step",
        "core/pruning/retraining.py",
        "    def held() -> None:\n        hold(net, masks)\n",
        "    def held() -> None:\n",
        ("tests/pruning/test_retraining.py",),
    ),
    # --- robustness -------------------------------------------------------------------------------
    Fault(
        "attacks leave the range of the input",
        _STEPS,
        "center + eps).clamp(0, 1)",
        "center + eps)",
        _ATTACKS,
    ),
    Fault(
        "attacks go twice as far as allowed",
        _STEPS,
        "torch.maximum(images, center - eps), center + eps)",
        "torch.maximum(images, center - 2 * eps), center + 2 * eps)",
        _ATTACKS,
    ),
    # --- the store --------------------------------------------------------------------------------
    Fault(
        "a changed file is not noticed",
        _BLOBS,
        "if hashlib.sha256(data).hexdigest() != sha256:",
        "if False:",
        _IN_BLOBS,
    ),
    Fault(
        "the folder of a new file is not synced",
        _BLOBS,
        "            # Also for an existing file: whoever renamed it may have died before this line.\n            fsync_folder(self.folder)\n",
        "",
        (*_IN_BLOBS, "tests/reliability"),
    ),
    Fault(
        "a damaged copy is not replaced",
        _BLOBS,
        "            if not self.holds(sha256):\n",
        "            if not self.path(sha256).exists():\n",
        _IN_BLOBS,
    ),
    Fault(
        "every database takes the first folder for its own",
        "core/store/home.py",
        "return blobs if holder == me else home / me.folder_name",
        "return blobs",
        _IN_BLOBS,
    ),
    Fault(
        "sweeping deletes",
        _BLOBS,
        "file.replace(today / file.name)",
        "file.unlink()",
        _IN_BLOBS,
    ),
    Fault(
        "an object store is believed when it says that it kept a file",
        "core/store/object_blobs.py",
        "if self._shown_again(sha256, data):",
        "if True:",
        _IN_BLOBS,
    ),
    Fault(
        "copies of files on this machine are not verified",
        "core/store/file_cache.py",
        "if hashlib.sha256(data).hexdigest() != sha256:",
        "if False:",
        _IN_BLOBS,
    ),
    Fault(
        "an object is deleted before its copy is seen",
        "core/store/objects.py",
        "if self.size(target) is None:",
        "if False:",
        _IN_BLOBS,
    ),
    Fault(
        "files are put away that were not read again where they were moved to",
        "core/store/moving.py",
        "        if not target.holds(sha256):\n            raise",
        "        if False:\n            raise",
        _IN_BLOBS,
    ),
    Fault(
        "a backup of an object store misses what is superseded meanwhile",
        "core/store/object_blobs.py",
        "if any(age(stored) < _STALE_HOLD for stored in self._objects.below(self._holds)):",
        "if False:",
        _IN_BLOBS,
    ),
    Fault(
        "a killed command's run cannot be resumed",
        "core/store/leases.py",
        "if not (state.is_resumable or orphaned):",
        "if not state.is_resumable:",
        ("tests/jobs/test_servers.py",),
    ),
    Fault(
        "the kernel does not end orphans",
        "core/jobs/stopping.py",
        "            _end_after_parent()",
        "            pass",
        ("tests/jobs/test_servers.py",),
    ),
    # --- text and files ---------------------------------------------------------------------------
    Fault(
        "a formula reaches a spreadsheet",
        "core/text.py",
        'return f"\'{value}" if value[:1]',
        "return value if value[:1]",
        ("tests/plots", "tests/pages", "tests/library", "tests/security"),
    ),
    Fault(
        "a label may hold HTML",
        "core/text.py",
        '("<", "&lt;")',
        '("<", "<")',
        ("tests/plots", "tests/security"),
    ),
    Fault(
        "Markdown is not escaped",
        "core/text.py",
        'return "".join(f"\\\\{c}" if c in _MARKDOWN else c',
        'return "".join(c',
        ("tests/plots", "tests/pages/test_every_page.py", "tests/security"),
    ),
    Fault(
        "streams of different names are one",
        "core/seeding.py",
        'text = "\\x1f".join([str(int(seed)), *(f"{type(name).__name__}:{name}" for name in names)])',
        "text = str(int(seed))",
        ("tests/tasks", "tests/datasets/test_splitting.py", "tests/training"),
    ),
    # --- pages: what is shown is what is meant ----------------------------------------------------
    Fault(
        "Back is taken for a click that was under way",
        "pages/ui/history.py",
        "params in _written() and not _went_through_history()",
        "params in _written()",
        ("tests/pages/test_address.py",),
    ),
    Fault(
        "completing an address is a step of its own",
        "pages/ui/history.py",
        "**(MARK if opening else {})",
        "**{}",
        ("tests/pages/test_address.py",),
    ),
    Fault(
        "Start runs what the form complains of",
        "pages/ui/checked.py",
        "waits = disabled or bool(self.complaints)",
        "waits = disabled",
        ("tests/pages/test_forms.py",),
    ),
    Fault(
        "test values decide who is on the front",
        "core/library/evaluations.py",
        "if o.for_choosing and o.name in asked]",
        "if o.name in asked]",
        ("tests/library/test_fronts.py", "tests/cli/test_commands.py"),
    ),
    # --- a closer look at the front -----------------------------------------------------------------
    *CLOSER_LOOK,
    *LAGGING,
    *LANGUAGE,
    *LATENCY,
    # --- imported tables --------------------------------------------------------------------------
    *TABLES,
    *TUNING,
    # --- chance --------------------------------------------------------------------------------------
    *CHANCE,
    # --- devices --------------------------------------------------------------------------------------
    *DEVICES,
    *DECODER,
    *ENCODERS,
    *FOLDERS,
    *OUTGOING,
    # --- predictors, proxies, Bayesian optimization -----------------------------------------------------
    *LEARNED,
    # --- Optuna, learned mutation, removal, diffusion, evolved layers ---------------------------------------
    *METHODS,
    # --- searches -------------------------------------------------------------------------------------
    *CLASSES,
    *SANDBOXES,
    *SAMPLERS,
    *SPREAD,
    *TASKS,
    *STRUCTURE,
    # --- losses, options of trainings, one block after another -----------------------------------------------
    *BLOCKS,
    *SEARCHING,
    *SERVERS,
    # --- whether to believe a supernet ------------------------------------------------------------------
    *BELIEVING,
    *COMPARING,
    # --- searches that learn and plan -------------------------------------------------------------------
    *PLANNED,
    # --- daily use ---------------------------------------------------------------------------------------
    *USING,
]
"""Every fault, in the order of the chapters above."""
