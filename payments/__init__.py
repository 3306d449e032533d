"""The write side: commands come in, decisions are made, events are appended to the log."""
