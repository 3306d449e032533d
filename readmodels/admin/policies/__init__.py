"""The screens for risk policies.

They read the log itself, because the evidence for an approval must not lag. There are few
policies, so this is fast.
"""
