"""Where networks come from, one file each: a new origin is a new file here."""
