"""The scripts that go with a download as predict.py, one for each kind of data."""
