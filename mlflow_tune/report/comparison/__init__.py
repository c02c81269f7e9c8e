"""Several studies compared: numbers, words, pictures, page."""
