"""How the files in assets/ were made."""
