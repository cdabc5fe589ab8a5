"""What one panel shows, as tables and records; one file per question."""
