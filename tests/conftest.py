"""One torch thread, as in every process of the app: results are equal bit for bit only then."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
