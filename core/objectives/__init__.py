"""The numbers a subnet is measured by."""
