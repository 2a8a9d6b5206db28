"""Analysis of the networks of a finished race: predictions, activation maps and features."""
