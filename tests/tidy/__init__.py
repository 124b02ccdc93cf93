"""House rules that a linter cannot hold."""
