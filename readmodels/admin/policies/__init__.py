"""The screens of risk policies.

They read the log itself, because the evidence of an approval must not lag. The log holds few policies.
"""
