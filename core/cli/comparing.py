"""The `similarity` command: two models, one measure, a table."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from core.cli import flags
from core.cli.driving import open_store
from core.errors import CoreError, InvalidInput, plain


def layer_table(
    models: tuple[str, str],
    measure: str,
    arguments: Sequence[str],
    *,
    pooling: str,
    inside: bool,
    split: str,
    samples: int,
    seed: int,
) -> str:
    """CSV text with one row per pair of layers.

    Args:
        models: ids of the two models.
        measure: registry name.
        arguments: flags that are settings of the measure.
        pooling, inside, split, samples, seed: see `core.views.compare_models.Question`.

    Raises:
        InvalidInput, NotFound: a model, a measure or a setting does not exist.
    """
    from core.library.activations import ProbeChoice
    from core.library.networks import load_model
    from core.similarity.base import MEASURES
    from core.store import RunStore
    from core.views.compare_models import Question, as_csv, as_rows, compare_models, sorted_config

    name = MEASURES.info(measure.replace("-", "_")).name
    config = flags.parse(arguments, MEASURES.get(name).Config, f"measure {name}")
    try:
        probe = ProbeChoice(split=split, n=samples, seed=seed)
    except ValidationError as error:
        first = error.errors()[0]
        flag = {"n": "samples"}.get(str(first["loc"][0]), first["loc"][0])
        raise InvalidInput(f"--{flag}: {plain(first['msg'])}.") from error
    store: RunStore | None
    try:
        store = open_store()
    except CoreError:
        # Shipped subnets need no store; a model that does says so itself.
        store = None
    a, b = (load_model(store, model_id) for model_id in models)
    question = Question(name, sorted_config(config), pooling, inside, probe)
    return as_csv(as_rows(a, b, compare_models(a, b, question)))
