"""What people look at: the best-so-far curve and the Markdown note on the parent run."""
