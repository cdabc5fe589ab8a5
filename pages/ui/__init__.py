"""What pages share: set-up, choosers, the chart, the card, forms, progress, downloads. Draws, never computes."""
