"""Everything that the service needs on one machine, started and stopped together.

Real servers from wheels, on unix sockets, without installing anything: for `make run` and for the tests.
"""
