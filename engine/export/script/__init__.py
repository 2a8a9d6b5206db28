"""Exports a race as a script and a notebook of plain PyTorch."""
