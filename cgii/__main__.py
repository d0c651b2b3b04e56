"""Lets `python -m cgii` work, and gives the `cgii` command its entry."""

from cgii.cli.app import main

if __name__ == "__main__":
    main()
