"""Studies of many races."""
