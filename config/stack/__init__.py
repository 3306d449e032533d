"""Everything that the service needs on one machine, started and stopped together.

`make run` and the tests use it. The servers come from wheels, so nothing else needs to be
installed. They listen on unix sockets.
"""
