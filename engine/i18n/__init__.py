"""Sentences in every language of the page, and how names are shown in them."""
