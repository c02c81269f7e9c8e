"""What people write and read: numbers, durations, sizes, YAML, text that is safe to show, masking."""
