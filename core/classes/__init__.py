"""A class: what its students do in lessons, its board, its shared experiment and its contest."""
