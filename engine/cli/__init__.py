"""The program of the terminal: commands, options, and how a race looks there."""
