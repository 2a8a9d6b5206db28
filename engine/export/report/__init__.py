"""The report of a race: one page of HTML or PNG."""
