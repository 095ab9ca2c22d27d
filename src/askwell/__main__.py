"""``python -m askwell`` is the ``askwell`` command."""

from askwell.cli import main

if __name__ == "__main__":
    main()
