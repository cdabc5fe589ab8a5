"""Paretoscope's engine: supernets, their subnets and their Pareto fronts.

Nothing here imports streamlit, and importing this package loads neither torch nor umap: browsing
a stored front must paint at once. A module that needs torch imports it itself.
"""

__version__ = "0.1.0"
