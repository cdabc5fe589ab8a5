"""Tables that other programs wrote, one reader per file: a new format is a new file here."""
