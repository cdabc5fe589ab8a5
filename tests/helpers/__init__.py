"""Small things several tests share."""
