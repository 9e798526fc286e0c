"""`python -m ci` is `gonogo`."""

from ci.cli import main

if __name__ == "__main__":
    main()
