"""The query side: tables that projections fill from the log, and the code that reads them."""
