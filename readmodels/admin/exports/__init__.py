"""Exports of lists: what their filters show, as CSV or as a workbook."""
