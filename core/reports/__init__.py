"""Reports: what a basket holds, as one page that needs nothing else. Records in, text out."""
