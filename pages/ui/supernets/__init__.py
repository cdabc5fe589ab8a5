"""Parts of the Supernets page."""
