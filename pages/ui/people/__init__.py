"""Who the visitor is where people are told apart, and what of a page they may use; see `core.people`."""
