"""The commands. Each builds a workflow's request, runs it, and writes what was asked for.

Exit status 0 on success, 2 on bad arguments or input, 1 on any other expected failure; in both
cases one plain line on stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core import logs
from core.cli import (
    auditing,
    backing_up,
    class_,
    comparing_devices,
    converting,
    costing,
    devices,
    housekeeping,
    importing,
    insta_tuning,
    judging,
    keeping,
    latency,
    lessons,
    loading,
    norms,
    own_data,
    reports,
    robustness,
    saving,
    searching,
    sharing,
    studies,
    tables,
    training,
    tuning,
    working,
)
from core.cli.driving import find_supernet, open_store, resume_run, run_workflow
from core.cli.output import write, write_or_print, write_table
from core.config import Settings
from core.errors import CoreError, InvalidInput
from core.library.kept_early import withdraw
from core.words import format_share

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}

SupernetName = Annotated[
    str,
    typer.Argument(metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."),
]
Csv = Annotated[Path | None, typer.Option(help="Write the table here as CSV.")]


def main() -> None:
    """Run the command line; never shows a traceback for an expected failure."""
    try:
        if sharing.followed(sys.argv[1:], open_store):
            return
        app(standalone_mode=False)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except typer.Abort:
        sys.exit(130)
    except InvalidInput as error:
        _fail(str(error), 2)
    except CoreError as error:
        _fail(str(error), 1)
    except Exception as error:
        # click's own usage errors; anything else is a bug and keeps its traceback
        if not hasattr(error, "format_message"):
            raise
        _fail(str(error.format_message()), 2)


def _fail(message: str, status: int) -> None:
    logs.fail(" ".join(message.split()))
    sys.exit(status)


@app.command("list")
def list_methods(
    kind: Annotated[str | None, typer.Argument(help="Only this kind, e.g. strategy.")] = None,
    name: Annotated[str | None, typer.Argument(help="Only this method, with its settings.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the README's table.")] = False,
) -> None:
    """Every method by kind, with its paper; with KIND and NAME its settings too."""
    if markdown:
        print(tables.methods_markdown())
        return
    for line in tables.methods(kind, name):
        print(line)


app.command(context_settings=_EXTRA)(training.train)
app.command()(keeping.keep)
app.command()(converting.convert)
app.command(context_settings=_EXTRA)(searching.search)


@app.command()
def front(
    supernet: SupernetName,
    exact: Annotated[bool, typer.Option("--exact", help="Measure the whole space.")] = False,
    sample: Annotated[int, typer.Option(help="Measure this many random architectures instead.")] = 0,
    objectives: Annotated[str, typer.Option(help="Comma-separated.")] = "accuracy,macs",
    also: Annotated[str, typer.Option(help="With --exact: further objectives as columns, and ids.")] = "",
    intervals: Annotated[
        bool,
        typer.Option("--intervals", help="With --exact: 95 % intervals, and front_share of 2,000 resamples."),
    ] = False,
    use_table: Annotated[bool, typer.Option(help="Use the complete table if there is one.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    processes: Annotated[
        int, typer.Option(help="Measure the whole space anew with this many processes.")
    ] = 1,
    csv: Csv = None,
    save: saving.Save = None,
    matformer: saving.Matformer = None,
) -> None:
    """Measure every architecture (--exact) or a sample, and mark the front."""
    if exact == (sample > 0):
        raise InvalidInput("Say either --exact (the whole space) or --sample N (N random architectures).")
    if intervals and not exact:
        raise InvalidInput("--intervals goes with --exact: a front_share needs the whole space.")
    if (save or matformer) and not exact:
        raise InvalidInput(f"--{'save' if save else 'matformer'} goes with --exact: a sample has no front.")
    files = saving.checked(save)
    from core.library.csv_tables import csv_bytes
    from core.library.searches import EVALUATIONS_FILE

    wanted = tables.names(objectives)
    if exact:
        further = tables.names(also) if also else []
        entry, table = tables.exact_table(supernet, wanted, further, use_table, processes, intervals)
        if csv is not None or not (files or matformer):
            write_table(csv, csv_bytes(table), tables.about(supernet))
        saving.save(files, tables.saved(entry, table, wanted))
        saving.slices(matformer, entry, table)
        return
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "algorithm": "random_search",
        "objectives": [*wanted],
        "budget": sample,
        "seed": seed,
        "use_table": use_table,
    }
    flags_of = {"budget": "sample"}
    ledger = run_workflow("search_front", params, title=f"sample of {supernet}", seed=seed, flags=flags_of)
    write_table(csv, ledger.artifact(EVALUATIONS_FILE), tables.about(supernet, ledger))


@app.command()
def costs(
    supernet: SupernetName,
    sample: Annotated[int, typer.Option(min=0, help="Only this many random architectures.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    objectives: Annotated[str, typer.Option(help="Counted objectives, comma-separated.")] = "params,macs",
    arch: Annotated[str, typer.Option(help="This one alone: JSON, a short id, or a file of them.")] = "",
    csv: Csv = None,
) -> None:
    """Parameters and MACs of every architecture, counted; SUPERNET may be a preset, a FILE.yaml or nas-bench-201, nas-bench-macro,
    ofa-mobilenet-v3, ofa-mobilenet-v3-w1.2, ofa-proxyless-w1.3. --arch may be a folder with once-for-all's net.config."""
    write_or_print(csv, costing.costs_csv(supernet, sample, seed, tables.names(objectives), arch))


@app.command()
def package(supernet: SupernetName, out: Annotated[Path, typer.Option(help="Folder to make.")]) -> None:
    """Measure a supernet completely and write it as a folder that the app can ship."""
    print(tables.package(supernet, out))


@app.command(context_settings=_EXTRA)
def similarity(
    context: typer.Context,
    a: Annotated[
        str, typer.Argument(help="subnet:SUPERNET:ARCHITECTURE, or alone, tuned or pruned:RUN:NUMBER.")
    ],
    b: Annotated[str, typer.Argument(help="The other network; its layers are the columns.")],
    measure: Annotated[
        str, typer.Option(help="cka, procrustes, rsa, ...; `list measure` shows all.")
    ] = "cka",
    pooling: Annotated[str, typer.Option(help="pooled, flattened or positions.")] = "pooled",
    inside: Annotated[bool, typer.Option("--inside", help="Also layers inside the stages.")] = False,
    split: Annotated[str, typer.Option(help="train, calibration, validation or test.")] = "validation",
    samples: Annotated[int, typer.Option(help="At most this many samples, by class.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the samples and of the null value.")] = 0,
    csv: Csv = None,
) -> None:
    """Compare every layer of A with every layer of B. Further flags are settings of the measure."""
    from core.cli.comparing import layer_table

    table = layer_table(
        (a, b), measure, context.args, pooling=pooling, inside=inside, split=split, samples=samples, seed=seed
    )
    write_or_print(csv, table.encode())


@app.command()
def extract(
    supernet: SupernetName,
    arch: Annotated[str, typer.Option(help='JSON: {"width1": 8, ...}; or the short id of an architecture.')],
    out: Annotated[Path | None, typer.Option(help="File to write; a name is chosen if left out.")] = None,
    format: Annotated[
        str, typer.Option(help="bundle, onnx, transformers_folder, ...; `list exporter` shows all.")
    ] = "bundle",
) -> None:
    """Cut one subnet out into a file that runs on its own."""
    from core.library import extract_subnet

    entry = find_supernet(supernet)
    exported = extract_subnet.download(entry, tables.architecture(entry.space, arch), format)
    target = out or Path(exported.file_name)
    write(target, exported.data)
    print(target)


@app.command(context_settings=_EXTRA)
def prune(
    context: typer.Context,
    supernet: SupernetName,
    arch: Annotated[
        str, typer.Option(help="Short id or JSON of the network to prune; the largest if left out.")
    ] = "",
    method: Annotated[
        str,
        typer.Option(
            help="magnitude, l1_filters, ..., by commas; `list pruner` and `list criterion` show all."
        ),
    ] = "magnitude",
    sparsity: Annotated[str, typer.Option(help="Shares of the weights to remove, by commas.")] = "0.8",
    epochs: Annotated[int, typer.Option(help="Epochs of fine-tuning.")] = 5,
    severity: Annotated[str, typer.Option(help="Severities of the corruptions, 1 to 5, by commas.")] = "3",
    attacks: Annotated[str, typer.Option(help="fgsm, ..., by commas; `list attack` shows all.")] = "fgsm",
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the last pruned network here.")] = None,
    format: Annotated[
        str, typer.Option(help="bundle, onnx, transformers_folder, ...; `list exporter` shows all.")
    ] = "bundle",
    form: Annotated[
        str, typer.Option(help="compact (units cut out) or masked (the parent's shape).")
    ] = "compact",
) -> None:
    """Prune a subnet, fine-tune and evaluate it; one JSON line per network. Further flags are settings of the method."""
    from core.cli import pruning

    run_id, record = pruning.prune(
        supernet,
        arch,
        method,
        sparsity,
        context.args,
        epochs=epochs,
        seed=seed,
        severities=severity,
        attacks=attacks,
    )
    for line in pruning.lines(run_id, record):
        print(line)
    made = pruning.last_made(run_id, record)
    if made is None:
        raise CoreError("No method could prune this network; the lines above say why.")
    if out is not None:
        write(out, pruning.write(made, format, form))
        print(out)


@app.command("prune-experiment", context_settings=_EXTRA)
def prune_experiment(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="lottery_tickets, ...; `list experiment` shows all.")],
    supernet: Annotated[
        str, typer.Option(help="The supernet whose largest subnet and data are used.")
    ] = "digits-cnn",
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    csv: Csv = None,
) -> None:
    """Answer one question about pruning by measuring, with several seeds. Further flags are its settings."""
    from core.cli.pruning import experiment

    verdict, table = experiment(name, supernet, context.args, seed=seed)
    for sentence in verdict:
        print(sentence)
    if csv is not None:
        write(csv, table)
        print(csv)


app.command()(housekeeping.check)
app.command("empty-trash")(housekeeping.empty_trash)


@app.command()
def runs() -> None:
    """The recorded runs, newest first."""
    for run in open_store().list_runs():
        print(f"{run.run_id}  {run.state:<11}  {format_share(run.fraction):>5}  {run.kind:<16}  {run.title}")


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="Id of a run that was stopped; `runs` lists them.")],
) -> None:
    """Go on with a run that was interrupted, cancelled or failed."""
    store = open_store()
    withdraw(store.ledger(store.get_run(run).run_id))
    ledger = resume_run(store, run)
    print(json.dumps({"run": ledger.run_id, "artifacts": [a.name for a in ledger.artifacts()]}))


@app.command()
def doctor(
    device: Annotated[
        bool,
        typer.Option("--device", help="Compare the device that is set with the processor, on digits-cnn."),
    ] = False,
) -> None:
    """Whether this machine, and the cluster that is set, have what the app needs; or whether a device computes as it should."""
    problems = 0
    for good, line in comparing_devices.compared() if device else tables.diagnose():
        print(f"{'ok ' if good else 'BAD'}  {line}")
        problems += not good
    raise typer.Exit(1 if problems else 0)


for command in (latency.latency, reports.report, reports.baskets, own_data.data):
    app.command()(command)
app.add_typer(class_.commands, name="class")
app.command()(judging.predictors)
app.command()(judging.proxies)
app.command("ranking-check")(judging.ranking_check)
app.command()(tuning.tune)
app.command("train-alone")(tuning.train_alone)
app.command("insta-tune", context_settings=_EXTRA)(insta_tuning.insta_tune)
app.command()(robustness.robustness)
app.command()(lessons.lesson)
app.command("teachers-guide")(reports.teachers_guide)
app.command("measuring-kit")(devices.measuring_kit)
app.command("kit", hidden=True)(devices.measuring_kit)
app.command("add-profile")(devices.add_profile)
app.command("device-table")(devices.device_table)
app.command("import-table")(importing.import_table)
app.command("load-supernet", context_settings=_EXTRA)(loading.load_supernet)
app.command("export-supernet")(loading.export_supernet)
app.command("export-study")(studies.export_study)
app.command("evolve-norm")(norms.evolve_norm)
app.command()(backing_up.backup)
app.command()(backing_up.restore)
app.command()(auditing.audit)
app.command()(working.work)
app.command("move-files")(backing_up.move_files)
