"""The panels of the Similarity page, one module each. They draw; they compute nothing."""
