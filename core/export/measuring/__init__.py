"""The scripts that a measuring kit holds; each runs on its own, on a device that has nothing of ours."""
