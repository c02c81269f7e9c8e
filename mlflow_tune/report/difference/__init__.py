"""Two trials held against each other: numbers, pictures, page."""
