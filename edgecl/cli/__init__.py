"""The command line: one file per verb. Each parses, calls and prints; verbs load lazily."""
