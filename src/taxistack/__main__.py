"""`python -m taxistack`: the program `taxistack`, see program.py."""

from taxistack.program import main

main()
