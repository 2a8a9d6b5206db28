"""The exit codes of all commands."""

OK, BAD_SETTING, UNAVAILABLE, INTERRUPTED = 0, 2, 3, 130
