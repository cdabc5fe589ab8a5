"""Parts of the Basket page."""
