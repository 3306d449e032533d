"""The query side: tables that projections fill from the log, and what reads them."""
