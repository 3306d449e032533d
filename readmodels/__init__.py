"""The query side: tables that are projected from the log and can be rebuilt from it at any time."""
