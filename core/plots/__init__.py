"""Figure builders: a table in, a Plotly figure out. Nothing is computed here but where to draw it.

The same input gives the same figure, byte for byte: Streamlit derives a chart's identity from its
JSON, and a chart that changes identity loses its zoom and its selection.
"""
