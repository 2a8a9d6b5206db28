"""A race: several trainings side by side, and an estimate of its duration."""
