"""What people see of a study: a bar on a terminal, a line a trial in a script, a live table in a notebook."""
