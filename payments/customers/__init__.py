"""Personal data of customers, in rows that can be changed and erased. Events contain only their ids.

The admin classes of these models are in readmodels/admin/people/.
"""
