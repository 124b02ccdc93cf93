"""Programs for people: the command line, the demo. They use the public API like any other app."""
