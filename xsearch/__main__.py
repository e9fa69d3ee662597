"""`python -m xsearch` is `xsearch`."""

from xsearch.cli.app import main

main()
