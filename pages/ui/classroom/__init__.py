"""Who this visitor is in a class."""
