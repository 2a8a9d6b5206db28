"""Pictures that visitors upload, and which picture sets and networks are available."""
