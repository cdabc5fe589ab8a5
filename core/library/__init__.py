"""What there is: supernets, networks, presets, kept results; found by id."""
