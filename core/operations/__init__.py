"""What whoever runs a server asks of it: whether it works, and how much it does."""
