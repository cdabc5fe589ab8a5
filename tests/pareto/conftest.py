"""Inputs nobody may write to, and definitions written out without any library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def frozen() -> Callable[[Any], NDArray[np.float64]]:
    """Turn values into a read-only float array, so that writing to it raises."""

    def freeze(values: Any) -> NDArray[np.float64]:
        array = np.array(values, dtype=float)
        array.flags.writeable = False
        return array

    return freeze
