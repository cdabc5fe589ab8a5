"""Parts of the Front page."""
