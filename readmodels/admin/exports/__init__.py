"""Exports of lists: the filtered rows, as CSV or as a workbook."""
