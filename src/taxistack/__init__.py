"""taxistack: a Kestra data platform for the NYC taxi data, from a bare machine to proven tables.

`tasks.py` at the top of the repository is the way in; every task calls one function of
`taxistack.commands`.
"""

__version__ = "1.0.0"
