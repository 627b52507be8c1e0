"""`python -m chartsight` is the command line."""

from chartsight.cli import main

main()
