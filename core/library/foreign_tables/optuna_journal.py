"""Optuna's storage in a journal file: one JSON object per line says what was done to which trial."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from core.errors import InvalidInput
from core.library.foreign_tables.base import READERS, ForeignTable, TableReader, as_text
from core.library.foreign_tables.json_lines import parsed
from core.library.foreign_tables.optuna_trials import NAMES_KEY, Study, Trial, as_table, parameter

_FIRST = re.compile(r'\s*\{\s*"op_code"\s*:')
_DAMAGED = "Line {line} of this Optuna journal is damaged."
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_OPEN = ("RUNNING", "WAITING")
(_CREATE, _DELETE, _STUDY_USER, _STUDY_SYSTEM, _TRIAL, _PARAM, _STATE, _STEP, _USER, _SYSTEM, _DISCARD) = (
    range(11)
)
_MAXIMIZE = 2


@READERS.register("optuna_journal")
class OptunaJournal(TableReader):
    """An Optuna journal file, whose lines say what was done: a row per trial, with its parameters, values and directions."""

    label = "Optuna, journal"
    source = "Akiba et al., Optuna, KDD 2019; JournalStorage of releases 3 to 5"
    suffixes: ClassVar[tuple[str, ...]] = ("log", "journal")
    rank: ClassVar[int] = 30

    def fits(self, head: bytes) -> bool:
        return _FIRST.match(as_text(head) or "") is not None

    def read(self, data: bytes) -> ForeignTable:
        log = _Log()
        lines = data.splitlines()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                log.apply(parsed(line, f"Line {number}"))
            except InvalidInput:
                # What a killed writer left behind, half a line at the end, is none of the study's.
                if number == len(lines) and not data.endswith(b"\n"):
                    break
                raise
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise InvalidInput(_DAMAGED.format(line=number)) from error
        return as_table(log.studies, log.trials)


class _Log:
    """Searches and trials as the lines so far left them."""

    def __init__(self) -> None:
        self.studies: dict[int, Study] = {}
        self.trials: list[Trial] = []
        self._counts: dict[int, int] = {}
        self._made = 0

    def apply(self, line: Mapping[str, Any]) -> None:
        code = line["op_code"]
        if code == _CREATE:
            directions = [int(each) == _MAXIMIZE for each in line["directions"]]
            if line["study_name"] not in [study.name for study in self.studies.values()]:
                self.studies[self._made] = Study(str(line["study_name"]), directions)
                self._made += 1
        elif code == _DELETE:
            self.studies.pop(int(line["study_id"]), None)
        elif code == _STUDY_SYSTEM:
            names = dict(line["system_attr"]).get(NAMES_KEY)
            if isinstance(names, list) and line["study_id"] in self.studies:
                self.studies[line["study_id"]].names = [str(name) for name in names]
        elif code == _TRIAL:
            self._add(line)
        elif code in (_PARAM, _STATE, _USER):
            self._change(code, line)
        elif code not in (_STUDY_USER, _STEP, _SYSTEM, _DISCARD):
            raise ValueError(code)

    def _add(self, line: Mapping[str, Any]) -> None:
        study = int(line["study_id"])
        if study not in self.studies:  # deleted meanwhile; Optuna counts no such trial
            return
        number = self._counts.get(study, 0)
        self._counts[study] = number + 1
        trial = Trial(study, number, _STATES[int(line.get("state", 0))])
        # A trial that was added whole carries everything at once.
        for name, value in dict(line.get("params") or {}).items():
            trial.params[str(name)] = parameter(value, line["distributions"][name])
        trial.attributes = {str(k): v for k, v in dict(line.get("user_attrs") or {}).items()}
        trial.values = list(line.get("values") or ([line["value"]] if line.get("value") is not None else []))
        self.trials.append(trial)

    def _change(self, code: int, line: Mapping[str, Any]) -> None:
        at = int(line["trial_id"])
        if not 0 <= at < len(self.trials) or self.trials[at].state not in _OPEN:
            return  # as Optuna replays it: what is finished or unknown does not change
        trial = self.trials[at]
        if code == _PARAM:
            trial.params[str(line["param_name"])] = parameter(
                line["param_value_internal"], line["distribution"]
            )
        elif code == _STATE:
            trial.state = _STATES[int(line["state"])]
            trial.values = list(line.get("values") or trial.values)
        else:
            trial.attributes.update({str(k): v for k, v in dict(line["user_attr"]).items()})
