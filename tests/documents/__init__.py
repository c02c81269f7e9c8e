"""The documents: what they show works, what they name exists, and what exists is named."""
