"""Why one racer is ahead."""
