"""A search for layers instead of networks: expressions that stand for normalization and activation at once.

`expressions` are small trees (no torch), `layers` computes with them, `trial` trains tiny nets to see what a layer is
worth, `evolution` proposes the next expressions. The space is its own; no supernet takes part.

Inspired by: Liu et al., "Evolving Normalization-Activation Layers", NeurIPS 2020.
"""
