"""`python -m authcore`: the `authcore` command."""

from authcore.cli import main

main()
